"""A whole organization in one process: time to ready, memory, CPU and requests at rest, by number of targets.

python -m benchmarks.organization [--targets 510 1700 5100] [--seconds 180] [--failing 1000]

Each account has 17 regions with two keys. The emulator is a process of its own, and `kms-exporter serve` runs as users
run it: default settings, the organization enabled. Once it is ready, a key in one target of a hundred is scheduled for
deletion. One interval later the first passes are over, and it is watched at rest, scraped every 15 s. With `--failing`,
instead, the largest organization is watched while so many of its targets hang or are denied from the start.
"""

import argparse
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.results import Claim, conclude
from benchmarks.running import Emulator, Exporter, Usage, emulator, exporter, percentile, samples
from exporter.demo.scenario import REGIONS
from exporter.settings import Settings

KEYS = 2
PENDING_SHARE = 0.01
SCRAPE_EVERY = 15.0
SCRAPES = 100
INTERVAL = Settings().refresh.interval
LAST_SUCCESS = "kms_exporter_target_last_success_timestamp_seconds"

READY_WITHIN = 300.0
MOST_MEMORY = 250.0
MOST_OF_A_CORE = 0.20
SLACK = 5.0
"""How many seconds later than the interval a pass over a healthy target may end."""


@dataclass(frozen=True)
class Row:
    """One organization.

    Attributes:
        ready: seconds from the start of the process.
        first_cpu: seconds of CPU up to then.
        peak: MB, as is `resident`, at the end.
        core: share of a core at rest.
        rates: requests a second at rest, by operation.
        p50: seconds that a scrape took meanwhile, as `p99`.
    """

    targets: int
    ready: float
    first_cpu: float
    peak: float
    resident: float
    core: float
    rates: Mapping[str, float]
    p50: float
    p99: float

    def line(self) -> str:
        """Return the row of the table."""
        rate, p50, p99 = sum(self.rates.values()), self.p50 * 1000, self.p99 * 1000
        return (
            f"| {self.targets:,} | {self.ready:.1f} s | {self.first_cpu:.1f} s | {self.peak:.0f} MB "
            f"| {self.resident:.0f} MB | {self.core:.1%} | {rate:.1f} | {p50:.1f} / {p99:.1f} ms |"
        )


HEADINGS = (
    "targets",
    "ready after",
    "CPU until then",
    "peak memory",
    "memory at rest",
    "of a core at rest",
    "requests a second",
    "scrape p50 / p99",
)


def measure(targets: int, seconds: float) -> Row:
    """Start, wait, watch."""
    with emulator(keys=KEYS, regions=len(REGIONS), accounts=targets // len(REGIONS)) as aws:
        started = time.perf_counter()
        with exporter(aws.env, "--aws.organization.enabled", "true") as running:
            ready = running.until_ready() - started
            first = running.usage()
            pending = schedule_some(aws, running, round(targets * PENDING_SHARE))
            scraped(running, INTERVAL)
            before, asked, since = running.usage(), aws.requests(), time.perf_counter()
            scrapes = scraped(running, seconds)
            after, wall = running.usage(), time.perf_counter() - since
            count = aws.requests() - asked
            scrapes += [running.scrape() for _ in range(SCRAPES)]
            found = int(running.sum("kms_key_pending_deletion")), int(running.sum("kms_exporter_targets"))
    assert found == (pending, targets), f"{found}, not {pending} pending keys and {targets} targets"
    return Row(
        targets=targets,
        ready=ready,
        first_cpu=first.cpu,
        peak=after.peak,
        resident=after.resident,
        core=core(before, after, wall),
        rates={name: number / wall for (_, name), number in count.most_common()},
        p50=statistics.median(scrapes),
        p99=percentile(sorted(scrapes), 0.99),
    )


def schedule_some(aws: Emulator, running: Exporter, number: int) -> int:
    """Schedule the deletion of a key in each of so many targets."""
    places = [labels for labels, _ in samples(running.page(), LAST_SUCCESS)]
    for place in random.Random(0).sample(places, number):
        aws.post("keys", action="schedule", key_id="alias/key-000000", days=30, **place)
    return number


def scraped(running: Exporter, seconds: float) -> list[float]:
    """Scrape now and then for so long, as Prometheus does; return how long each took."""
    until = time.perf_counter() + seconds
    took = []
    while (left := until - time.perf_counter()) > 0:
        took.append(running.scrape())
        time.sleep(min(left, SCRAPE_EVERY))
    return took


def core(before: Usage, after: Usage, wall: float) -> float:
    """Return the share of a core that was used in so many seconds."""
    return (after.cpu - before.cpu) / wall


def claims(rows: Sequence[Row]) -> list[Claim]:
    """Say of each claim whether it holds."""
    largest = rows[-1]
    found = [
        Claim.at_most(f"{largest.targets:,} targets: time until ready", largest.ready, READY_WITHIN, "{:.0f} s"),
        Claim.at_most(f"{largest.targets:,} targets: memory at its peak", largest.peak, MOST_MEMORY, "{:.0f} MB"),
        Claim.at_most(f"{largest.targets:,} targets: share of a core at rest", largest.core, MOST_OF_A_CORE, "{:.1%}"),
    ]
    if len(rows) >= 3:
        sizes = [row.targets for row in rows]
        found += [
            Claim.linear("memory by targets", sizes, [row.peak for row in rows], "{:.0f} MB"),
            Claim.linear("CPU at rest by targets", sizes, [row.core for row in rows], "{:.1%}"),
            Claim.linear("CPU until ready by targets", sizes, [row.first_cpu for row in rows], "{:.1f} s"),
        ]
    return found


def beside_failures(targets: int, failing: int, seconds: float) -> list[str]:
    """Let regions hang and others refuse; say how old the last success of all other targets gets."""
    accounts = targets // len(REGIONS)
    regions = REGIONS[-max(2, -(-failing // accounts)) :]
    hanging, denied = regions[::2], regions[1::2]
    with emulator(keys=KEYS, regions=len(REGIONS), accounts=accounts) as aws:
        for region in hanging:
            aws.post("faults", fault="hang", region=region)
        for region in denied:
            aws.post("faults", fault="deny", region=region)
        started = time.perf_counter()
        with exporter(aws.env, "--aws.organization.enabled", "true") as running:
            ready = running.until_ready() - started
            scraped(running, INTERVAL)
            before, since = running.usage(), time.perf_counter()
            ages = ages_of_success(running, set(regions), seconds)
            after, wall = running.usage(), time.perf_counter() - since
            up = running.sum("kms_exporter_target_up")
    healthy = targets - accounts * len(regions)
    return [
        (
            f"{accounts * len(regions):,} of {targets:,} targets fail: {accounts * len(hanging):,} hang "
            f"({', '.join(hanging)}), {accounts * len(denied):,} are denied ({', '.join(denied)})"
        ),
        f"  ready after {ready:.1f} s, {core(before, after, wall):.1%} of a core, {after.peak:.0f} MB",
        (
            f"  age of the last success of the others: p50 {percentile(ages, 0.5):.1f} s, "
            f"p99 {percentile(ages, 0.99):.1f} s, most {ages[-1]:.1f} s"
        ),
        Claim.at_least("others that are up", up, healthy, "{:,.0f}").line(),
        Claim.at_most("the oldest of those successes", ages[-1], INTERVAL + SLACK).line(),
    ]


def ages_of_success(running: Exporter, failing: set[str], seconds: float) -> list[float]:
    """Return how old the last success of each target outside of failing regions was at each of many scrapes."""
    until = time.perf_counter() + seconds
    ages = []
    while time.perf_counter() < until:
        page, now = running.page(), time.time()
        ages += [now - at for labels, at in samples(page, LAST_SUCCESS) if labels["region"] not in failing]
        time.sleep(SCRAPE_EVERY / 3)
    return sorted(ages)


def main() -> None:
    """Print the table and the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", type=int, default=[510, 1700, 5100], help="ascending multiples of 17")
    parser.add_argument("--seconds", type=float, default=180, help="how long it is watched at rest (default 180)")
    parser.add_argument(
        "--failing", type=int, default=0, help="targets that fail; at least an account's region of each"
    )
    options = parser.parse_args()
    if options.failing:
        print("\n".join(beside_failures(options.targets[-1], options.failing, options.seconds)))
        return
    print(f"| {' | '.join(HEADINGS)} |")
    print(f"|{'---:|' * len(HEADINGS)}")
    rows = []
    for targets in options.targets:
        rows.append(row := measure(targets, options.seconds))
        print(row.line(), flush=True)
    print("Requests a second at rest:", ", ".join(f"{name} {rate:.2f}" for name, rate in rows[-1].rates.items()))
    conclude("targets", rows, claims(rows), "python -m benchmarks.organization")


if __name__ == "__main__":
    main()
