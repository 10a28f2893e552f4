"""The whole process under load: scrapes beside a full pass, memory, and how long its event loop ever stands still.

python -m benchmarks.beside_sweep [--keys 10000] [--many 100000] [--seconds 15]

The emulator, the exporter and this client are three processes on whatever cores there are.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.results import Claim, conclude
from benchmarks.running import Emulator, Exporter, emulator, exporter, percentile

INTERVALS = ("--refresh.interval", "--refresh.full_interval", "--refresh.fallback_interval")
IDLE = tuple(f"{name}=1d" for name in INTERVALS)
BUSY = tuple(f"{name}=5s" for name in INTERVALS)


@dataclass(frozen=True)
class Beside:
    """Scrapes of an idle process, and of one that sweeps without a pause; seconds.

    Attributes:
        latency: in which AWS answers.
        request_rate: share of the quota that it may use.
        idle: p50, as is `p50`, of the busy one.
    """

    keys: int
    latency: str
    request_rate: str
    idle: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Many:
    """Full passes over very many keys; seconds, and MB.

    Attributes:
        ready: from the start of the process.
        health: the longest that /healthz took.
    """

    keys: int
    ready: float
    scrape: float
    health: float
    peak: float


@contextmanager
def ready(aws: Emulator, *options: str) -> Iterator[Exporter]:
    """Run the exporter until it is ready."""
    with exporter(aws.env, *options) as running:
        running.until_ready(every=0.1)
        yield running


def sample(measure: Callable[[], float], seconds: float) -> list[float]:
    """Measure again and again."""
    until = time.perf_counter() + seconds
    found = []
    while time.perf_counter() < until:
        found.append(measure())
        time.sleep(0.01)
    return sorted(found)


def beside_a_full_pass(*, keys: int, seconds: float, latency: str, request_rate: str) -> Beside:
    """Compare scrape times of an idle process and of one that sweeps without a pause."""
    with emulator(keys=keys, regions=1, pending=keys // 40, latency=latency) as aws:
        with ready(aws, *IDLE) as idle:
            quiet = sample(idle.scrape, seconds)
        with ready(aws, *BUSY, "--aws.request_rate", request_rate) as busy:
            loaded = sample(busy.scrape, seconds)
    p50, busy_p50, p99 = statistics.median(quiet), statistics.median(loaded), percentile(loaded, 0.99)
    print(f"Scrapes (gzip) of {keys} keys; AWS answers in {latency}, request_rate {request_rate}")
    print(f"  idle, p50                   {p50 * 1000:7.2f} ms   ({len(quiet)} scrapes)")
    print(f"  during full passes, p50     {busy_p50 * 1000:7.2f} ms   ({len(loaded)} scrapes)")
    print(f"  during full passes, p99     {p99 * 1000:7.2f} ms")
    print(f"  p99 during / p50 idle       {p99 / p50:7.1f}\n", flush=True)
    return Beside(keys, latency, request_rate, p50, busy_p50, p99)


def many_keys(*, keys: int) -> Many:
    """Measure the peak memory, and the longest wait for an answer that needs the event loop alone."""
    with emulator(keys=keys, regions=1, pending=keys // 40) as aws:
        started = time.perf_counter()
        with ready(aws, *BUSY, "--aws.request_rate", "1") as running:
            took = time.perf_counter() - started
            waits = sample(lambda: running.seconds("/healthz"), 20)
            scrape = statistics.median(running.scrape() for _ in range(3))
            peak = running.usage().peak
    print(f"{keys} keys in one region")
    print(f"  ready after                 {took:7.1f} s")
    print(f"  scrape (gzip) beside a pass {scrape * 1000:7.1f} ms")
    print(f"  /healthz beside a pass, p50 {statistics.median(waits) * 1000:7.2f} ms")
    print(f"  /healthz beside a pass, max {waits[-1] * 1000:7.2f} ms   ({len(waits)} answers)")
    print(f"  peak memory                 {peak:7.0f} MB")
    return Many(keys, took, scrape, waits[-1], peak)


def claims(besides: list[Beside], many: Many) -> Iterator[Claim]:
    """Say what was found."""
    for each in besides:
        where = f"AWS answers in {each.latency}, {float(each.request_rate):.0%} of the quota"
        claim = f"{each.keys:,} keys, p99 of a scrape beside full passes against the idle p50; {where}"
        yield Claim(claim, f"{each.p99 / each.idle:.1f} times ({each.p99 * 1000:.1f} ms, {each.idle * 1000:.1f} ms)")
    yield Claim(
        f"{many.keys:,} keys beside full passes: longest answer of /healthz, memory at its peak",
        f"{many.health * 1000:.0f} ms, {many.peak:.0f} MB",
    )


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    besides = [
        beside_a_full_pass(keys=options.keys, seconds=options.seconds, latency="15ms", request_rate="0.2"),
        beside_a_full_pass(keys=options.keys, seconds=options.seconds, latency="0ms", request_rate="1"),
    ]
    many = many_keys(keys=options.many)
    conclude("beside_sweep", [*besides, many], list(claims(besides, many)))


if __name__ == "__main__":
    main()
