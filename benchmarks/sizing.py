"""What the real process needs: memory, CPU, requests a day and their price, for docs/operating.md.

python -m benchmarks.sizing [--size KEYSxREGIONSxACCOUNTS ...] [--seconds 30]

Each size runs `kms-exporter serve` against the emulator in another process, which answers at once, with the default
settings but for the intervals and without CloudTrail: a changes pass lists the keys, and the day has a full pass for
each `refresh.fallback_interval`. The budget of the default request rate dictates how long a full pass lasts, which is
part of what it costs. CPU of a changes pass is the growth of the process' CPU time over changes passes, with what is
asked about pending keys between them and a scrape; the day's requests follow from the default intervals.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.results import save
from benchmarks.running import Emulator, Exporter, emulator, exporter
from exporter.prices import PRICES
from exporter.settings import Settings

SIZES = ("100x1x1", "1000x4x1", "10000x1x1", "10x17x20", "2x17x100", "100000x1x1")
HEADINGS = (
    "keys",
    "targets",
    "peak memory",
    "CPU, start and first pass",
    "CPU, changes pass",
    "of a core",
    "KMS requests a day",
    "USD a day",
)
DAY = 86400.0
LONG = "24h"


@dataclass(frozen=True)
class Size:
    """How much there is to watch; keys are per account and region."""

    keys: int
    regions: int
    accounts: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        return cls(*map(int, text.split("x")))

    @property
    def targets(self) -> int:
        return self.regions * self.accounts


@dataclass(frozen=True)
class Row:
    """One size.

    Attributes:
        peak: MB.
        first_cpu: seconds, of the start and the first full passes.
        changes_cpu: seconds, of a changes pass over every target.
        core: share of a core, by the day.
        requests: to KMS a day, which alone bills them.
    """

    keys: int
    targets: int
    peak: float
    first_cpu: float
    changes_cpu: float
    core: float
    requests: float

    def line(self) -> str:
        """Return the row of the table."""
        return (
            f"| {self.keys:,} | {self.targets:,} | {self.peak:.0f} MB | {self.first_cpu:.1f} s "
            f"| {self.changes_cpu:.2f} s | {self.core:.1%} | {self.requests:,.0f} "
            f"| {self.requests * PRICES['kms'].dollars:.2f} |"
        )


@contextmanager
def watched(size: Size, interval: str, full: str) -> Iterator[tuple[Emulator, Exporter]]:
    """Run emulator and exporter until every target was read once."""
    options = ["--refresh.interval", interval, "--refresh.fallback_interval", full, "--changes.cloudtrail", "false"]
    if size.accounts > 1:
        options += ["--aws.organization.enabled", "true"]
    world = {"keys": size.keys, "regions": size.regions, "accounts": size.accounts, "pending": size.keys // 100}
    with emulator(**world) as aws, exporter(aws.env, *options) as running:
        running.until_ready()
        yield aws, running


def first_pass(size: Size) -> tuple[float, float, Counter[tuple[str, str]]]:
    """Return CPU seconds and peak MB of a start with its first full passes, and the requests of them."""
    with watched(size, "1h", LONG) as (aws, running):
        running.page()
        used = running.usage()
        return used.cpu, used.peak, aws.requests()


def changes_pass(size: Size, seconds: float) -> tuple[float, Counter[tuple[str, str]]]:
    """Return CPU seconds and requests of one changes pass over every target, averaged over `seconds`."""
    with watched(size, "5s", LONG) as (aws, running):
        before, asked, passes = running.usage(), aws.requests(), running.passes("changes")
        time.sleep(seconds)
        cpu, after = running.usage().cpu - before.cpu, aws.requests()
        rounds = (running.passes("changes") - passes) / size.targets
    return cpu / rounds, Counter({kind: round(count / rounds) for kind, count in (after - asked).items()})


def measure(size: Size, seconds: float) -> Row:
    """Measure one size."""
    first_cpu, peak, full = first_pass(size)
    changes_cpu, changes = changes_pass(size, seconds)
    refresh = Settings().refresh
    fulls, rounds = DAY / refresh.fallback_interval, DAY / refresh.interval
    rounds -= fulls  # a full pass stands for a changes pass
    requests = fulls * of_kms(full) + rounds * of_kms(changes)
    core = (fulls * first_cpu + rounds * changes_cpu) / DAY
    return Row(size.keys * size.targets, size.targets, peak, first_cpu, changes_cpu, core, requests)


def of_kms(count: Counter[tuple[str, str]]) -> int:
    """Return how many of the requests KMS bills."""
    return sum(number for (service, _), number in count.items() if service == "kms")


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", type=Size.parse, default=[Size.parse(text) for text in SIZES])
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    rows = []
    for size in options.size:
        rows.append(row := measure(size, options.seconds))
        print(row.line(), flush=True)
    save("sizing", rows)


if __name__ == "__main__":
    main()
