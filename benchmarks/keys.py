"""Very many keys in one account and region: whether the first full pass holds the request budget, memory, scrapes.

python -m benchmarks.keys [--keys 1000 10000 30000 100000] [--latency 15ms]

The emulator is a process of its own, and `kms-exporter serve` runs with its default settings: `aws.request_rate` of the
quota of each operation. The emulator's count of requests is read about every second, so the rate is what AWS would see.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.results import Claim, conclude
from benchmarks.running import Emulator, Exporter, emulator, exporter
from exporter.aws.kms import DESCRIBE_KEY, KEYS_A_PAGE, LIST_KEYS
from exporter.settings import Settings

SHARE = Settings().aws.request_rate
ALLOWED = SHARE * DESCRIBE_KEY.quota
"""Requests a second that the default settings allow."""
SCRAPES = 100
LOOK_EVERY = 1.0
LONG, SHORT = 10.0, 1.0
"""Seconds in which the requests are counted."""
OVER_LONG, OVER_SHORT = 1.02, 1.10
"""How much of what is allowed may be sent in such a span: what did not run for a moment catches up after it."""
LATER = 1.05
"""How much longer than the budget dictates a pass may take: pages of a list are asked for one after the other."""
HEADINGS = (
    "keys",
    "first full pass",
    "the budget dictates",
    "most requests a second, in 10 s / 1 s",
    "CPU until then",
    "peak memory",
    "page, compressed",
    "scrape p50",
)


class Count(NamedTuple):
    """How many keys were described up to a moment, by `time.perf_counter`."""

    at: float
    described: int


@dataclass(frozen=True)
class Row:
    """One number of keys.

    Attributes:
        seconds: that the first full pass took.
        dictated: by the budgets of the operations that it consists of.
        long: the most requests a second in `LONG` seconds; `short` in `SHORT` ones.
        ready: seconds from the start of the process to the end of that pass, and `cpu` of them.
        peak: MB.
        page: MB, as `compressed`.
        p50: seconds that a compressed scrape takes.
    """

    keys: int
    seconds: float
    dictated: float
    long: float
    short: float
    ready: float
    cpu: float
    peak: float
    page: float
    compressed: float
    p50: float

    def line(self) -> str:
        """Return the row of the table."""
        return (
            f"| {self.keys:,} | {self.seconds:.1f} s | {self.dictated:.1f} s | {self.long:.0f} / {self.short:.0f} "
            f"| {self.cpu:.1f} s | {self.peak:.0f} MB | {self.page:.1f} MB, {self.compressed:.2f} MB "
            f"| {self.p50 * 1000:.1f} ms |"
        )


def measure(keys: int, latency: str) -> Row:
    """Let it make its first full pass, then scrape."""
    with emulator(keys=keys, regions=1, latency=latency) as aws:
        started = time.perf_counter()
        with exporter(aws.env) as running:
            counts = list(counted_until_ready(aws, running))
            ready, cpu = time.perf_counter() - started, running.usage().cpu
            seconds = running.sum("kms_exporter_target_refresh_duration_seconds_sum", mode="full")
            found, page = running.sum("kms_keys", key_manager="CUSTOMER"), len(running.page()) / 1e6
            p50 = statistics.median(running.scrape() for _ in range(SCRAPES))
            compressed, peak = running.compressed(), running.usage().peak
    assert found == keys, f"{found:.0f} keys were found, not {keys}"
    return Row(
        keys=keys,
        seconds=seconds,
        dictated=dictated(keys),
        long=most(counts, LONG),
        short=most(counts, SHORT),
        ready=ready,
        cpu=cpu,
        peak=peak,
        page=page,
        compressed=compressed,
        p50=p50,
    )


def dictated(keys: int) -> float:
    """Return how many seconds the budgets dictate for a full pass: the list of keys, and DescribeKey after it.

    Aliases, which are listed beside it where keys are many, take less.
    """
    return keys / KEYS_A_PAGE / (SHARE * LIST_KEYS.quota) + keys / (SHARE * DESCRIBE_KEY.quota)


def counted_until_ready(aws: Emulator, running: Exporter) -> Iterator[Count]:
    """Yield the emulator's count about every second until every key was described."""
    ready = False
    while not ready:
        ready = running.ready()
        asked = time.perf_counter()
        described = aws.requests()[DESCRIBE_KEY.service, DESCRIBE_KEY.name]
        yield Count((asked + time.perf_counter()) / 2, described)
        if not ready:
            time.sleep(LOOK_EVERY / 10 if described == 0 else LOOK_EVERY)


def most(counts: Sequence[Count], seconds: float) -> float:
    """Return the most requests a second in any span of so many seconds, or in all when there is none so long.

    A span is a little longer than asked for, by one look at the count at most.
    """
    spans = []
    for number, first in enumerate(counts):
        later = (count for count in counts[number + 1 :] if count.at - first.at >= seconds)
        if last := next(later, None):
            spans.append((last.described - first.described) / (last.at - first.at))
    whole = (counts[-1].described - counts[0].described) / (counts[-1].at - counts[0].at)
    return max(spans, default=whole)


def claims(rows: Sequence[Row]) -> Iterator[Claim]:
    """Say of each claim whether it holds."""
    largest = rows[-1]
    keys = f"{largest.keys:,} keys in one region"
    yield Claim.at_most(f"{keys}: first full pass", largest.seconds, largest.dictated * LATER)
    long, short, rate = max(row.long for row in rows), max(row.short for row in rows), "{:.0f} a second"
    yield Claim.at_most(f"most requests in any {LONG:.0f} s, all sizes", long, ALLOWED * OVER_LONG, rate)
    yield Claim.at_most(f"most requests in any {SHORT:.0f} s, all sizes", short, ALLOWED * OVER_SHORT, rate)
    if len(rows) >= 3:
        sizes = [row.keys for row in rows]
        yield Claim.linear(f"memory up to {largest.keys:,} keys", sizes, [row.peak for row in rows], "{:.0f} MB")
        yield Claim.linear(f"page up to {largest.keys:,} keys", sizes, [row.page for row in rows], "{:.1f} MB")
    yield Claim(f"{keys}: p50 of a compressed scrape", f"{largest.p50 * 1000:.1f} ms")


def main() -> None:
    """Print the table and the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", nargs="+", type=int, default=[1000, 10_000, 30_000, 100_000], help="ascending")
    parser.add_argument("--latency", default="15ms", help="of every answer of AWS")
    options = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |")
    print(f"|{'---:|' * len(HEADINGS)}")
    rows = []
    for keys in options.keys:
        rows.append(row := measure(keys, options.latency))
        print(row.line(), flush=True)
    conclude("keys", rows, list(claims(rows)))


if __name__ == "__main__":
    main()
