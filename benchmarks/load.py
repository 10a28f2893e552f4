"""What scrapes, memory and passes suffer beside many scrapers, slow readers and worse.

python -m benchmarks.load [--keys 10000] [--seconds 20] [--count 200]

One exporter and the emulator run as processes, whatever is done to the exporter comes from another one. Each row is one
scraper on a connection of its own, which asks for the compressed page every 50 ms and reads it to its end. Strangers
that were closed come again every second. A pass is made every 5 s; `gap` is the longest time in which none ended, as
the exporter's log tells. `growth` is what the process holds at most, above what it held before the first row.
"""

import argparse
import asyncio
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from benchmarks.results import Claim, conclude
from benchmarks.running import Exporter, emulator, exporter
from benchmarks.strangers import KINDS, Stranger, push_all, scrape_again_and_again

INTERVAL: Final = 5.0
SCRAPE_INTERVAL: Final = 15.0
_OPTIONS: Final = (
    *("--aws.request_rate", "1"),
    *("--refresh.interval", f"{INTERVAL:.0f}s", "--refresh.fallback_interval", "1h"),
    *("--log.level", "debug"),
)
_PAUSE: Final = 0.05


@dataclass(frozen=True)
class Row:
    """Seconds, and MB."""

    beside: str
    scrapes: int
    p50: float
    p99: float
    gap: float
    growth: float


def besiege(kind: str, address: tuple[str, int], count: int) -> None:
    """Be strangers of one kind until the process is ended."""
    everyone: list[Stranger] = []
    while True:
        everyone = [each for each in everyone if not each.lost()]
        while len(everyone) < count:
            with suppress(OSError):
                everyone.append(Stranger(address))
        push_all(everyone, KINDS[kind], within=1)
        time.sleep(1)


def scrape(address: tuple[str, int], count: int, every: float) -> None:
    """Be scrapers until the process is ended."""
    asyncio.run(scrape_again_and_again(address, count, every))


@contextmanager
def meanwhile(what: Callable[..., None], *arguments: object) -> Iterator[None]:
    """Let another process do something, and give it a moment to begin."""
    process = multiprocessing.get_context("spawn").Process(target=what, args=arguments)
    process.start()
    try:
        time.sleep(3)
        yield
    finally:
        process.terminate()
        process.join()


def measure(running: Exporter, beside: str, seconds: float, resident: float) -> Row:
    """Scrape for so many seconds; `resident` is what the process held before."""
    times, held, told = [], [running.usage().resident], len(running.log)
    begun, end = time.time(), time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(running.scrape())
        held.append(running.usage().resident)
        time.sleep(_PAUSE)
    ended = [begun, *passes_ended(running.log[told:]), time.time()]
    gap = max(later - earlier for earlier, later in pairwise(ended))
    p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
    return Row(beside, len(times), statistics.median(times), p99, gap, max(held) - resident)


def passes_ended(log: Sequence[str]) -> Iterator[float]:
    """Yield when passes that succeeded ended, Unix seconds."""
    for line in log:
        if found := re.match(r"ts=(\S+) .*\bevent=pass_ended\b.*\bup=true\b", line):
            yield datetime.fromisoformat(found[1]).timestamp()


def rows(keys: int, seconds: float, count: int) -> Iterator[Row]:
    """Measure, one thing after the other, with one exporter."""
    with ExitStack() as stack:
        aws = stack.enter_context(emulator(keys=keys, regions=1, pending=keys // 100))
        running = stack.enter_context(exporter(aws.env, *_OPTIONS))
        while not running.ready():
            time.sleep(0.2)
        running.page()
        resident = running.usage().resident
        yield measure(running, "nothing", seconds, resident)
        with meanwhile(scrape, running.address, count, SCRAPE_INTERVAL):
            yield measure(running, f"{count} scrapers, every {SCRAPE_INTERVAL:.0f} s", seconds, resident)
        with meanwhile(scrape, running.address, count, 0.0):
            yield measure(running, f"{count} scrapers, without a pause", seconds, resident)
        for kind in KINDS:
            with meanwhile(besiege, kind, running.address, count):
                yield measure(running, f"{count} strangers: {kind}", seconds, resident)
        yield measure(running, "nothing, again", seconds, resident)


def table(measured: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table; ratios are to the first row."""
    alone = measured[0]
    headings = f"{'p50':>10}{'p99':>10}{'p50/alone':>11}{'p99/alone':>11}{'gap':>8}{'growth':>10}"
    yield f"{'beside':<40}{'scrapes':>8}{headings}"
    for row in measured:
        yield (
            f"{row.beside:<40}{row.scrapes:>8}{row.p50 * 1e3:>7.1f} ms{row.p99 * 1e3:>7.1f} ms"
            f"{row.p50 / alone.p50:>11.1f}{row.p99 / alone.p99:>11.1f}{row.gap:>6.1f} s{row.growth:>7.1f} MB"
        )


def claims(measured: Sequence[Row]) -> Iterator[Claim]:
    """Hold passes to their interval; tell what scrapes and memory suffer."""
    alone, *beside = measured
    slowest = max(beside, key=lambda row: row.p99)
    gap, growth = max(row.gap for row in beside), max(row.growth for row in beside)
    yield Claim.at_most("longest time without a pass that ended, beside anything", gap, 2 * INTERVAL)
    yield Claim(
        f"p99 of a scrape at its worst, beside {slowest.beside}",
        f"{slowest.p99 * 1e3:.0f} ms ({slowest.p99 / alone.p99:.1f} times that of one alone)",
    )
    yield Claim("growth of memory, one after the other beside everything", f"{growth:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    measured = list(rows(options.keys, options.seconds, options.count))
    print(*table(measured), sep="\n")
    conclude("load", measured, list(claims(measured)))


if __name__ == "__main__":
    main()
