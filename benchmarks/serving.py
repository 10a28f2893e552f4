"""What a scrape costs: this exporter, the same series through prometheus-client, the same bytes from a bare ASGI app.

    python -m benchmarks.serving [--keys 10000 100000]

Each way is served by uvicorn with the same settings, in a process of its own on loopback, and scraped over one
connection. CPU is that of the serving process. The last line tells how long the event loop of a process that
renders all its keys anew, without pause, kept a timer waiting.
"""

import argparse
import asyncio
import gc
import http.client
import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Final

import uvloop

from benchmarks.results import Claim, conclude
from benchmarks.served import WAYS, Served, snapshot_of
from exporter.model import Keys
from exporter.web.server import serve

SWITCH_INTERVAL: Final = 0.0005
"""As `kms-exporter serve` sets it."""

PLAIN_UP_TO: Final = 20_000
"""Keys beyond which prometheus-client takes too many seconds a scrape to be worth the wait."""

ACCEPT: Final = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""As Prometheus 3 sends it; with gzip, unless `enable_compression` is switched off."""


@dataclass(frozen=True)
class Row:
    """A way of serving; seconds, and MB."""

    keys: int
    coding: str
    way: str
    cpu: float
    p50: float
    p99: float
    size: float

    def line(self) -> str:
        """Return the row of the table."""
        return (
            f"{self.keys:>7} keys  {self.coding:<8}  {self.way:<5}  {self.size:6.2f} MB  "
            f"CPU {self.cpu * 1e3:8.2f} ms  p50 {self.p50 * 1e3:8.2f} ms  p99 {self.p99 * 1e3:8.2f} ms"
        )


@dataclass(frozen=True)
class Result:
    """Seconds."""

    cpu: float
    times: list[float]
    size: int

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.times, n=100, method="inclusive")[98]


def run_server(way: str, keys: int, pipe: Connection) -> None:
    """Serve; tell the address, then for each message the CPU seconds of this process."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    app = WAYS[way](keys)
    if way == "ours":
        gc.freeze()  # as `kms-exporter serve` does

    def tell() -> None:
        while pipe.recv():
            pipe.send(time.process_time())

    threading.Thread(target=tell, daemon=True).start()
    serve(app, "127.0.0.1", 0, listening=pipe.send, hangup=lambda: None)


@contextmanager
def server(way: str, keys: int) -> Iterator[tuple[str, Callable[[], float]]]:
    """Run a server; yield its address and what tells its CPU seconds."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=run_server, args=(way, keys, far))
    process.start()

    def cpu() -> float:
        near.send(True)
        seconds: float = near.recv()
        return seconds

    try:
        yield near.recv(), cpu
    finally:
        process.terminate()
        process.join()


class Scraper:
    """Scrapes one server over one connection."""

    def __init__(self, address: str, cpu: Callable[[], float], *, gzip: bool) -> None:
        self._connection = http.client.HTTPConnection(address)
        self._headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip" if gzip else "identity"}
        self._room = memoryview(bytearray(1 << 20))
        self._cpu = cpu
        self._size = self._scrape()
        self._cpu_before = cpu()
        self._times: list[float] = []

    def scrape(self) -> None:
        started = time.perf_counter()
        self._scrape()
        self._times.append(time.perf_counter() - started)

    def result(self) -> Result:
        return Result((self._cpu() - self._cpu_before) / len(self._times), self._times, self._size)

    def _scrape(self) -> int:
        self._connection.request("GET", "/metrics", headers=self._headers)
        response = self._connection.getresponse()
        size = 0
        while count := response.readinto(self._room):
            size += count
        return size


def measure(ways: Sequence[str], keys: int, *, gzip: bool, scrapes: int) -> dict[str, Result]:
    """Scrape in turns, so that what else this machine does meets all of them alike."""
    with ExitStack() as stack:
        scrapers = {way: Scraper(*stack.enter_context(server(way, keys)), gzip=gzip) for way in ways}
        for _ in range(scrapes):
            for scraper in scrapers.values():
                scraper.scrape()
        return {way: scraper.result() for way, scraper in scrapers.items()}


def compare(keys: int) -> Iterator[Row]:
    """Measure each way, not compressed and compressed."""
    for gzip in (False, True):
        coding = "gzip" if gzip else "identity"
        results = measure(["plain"], keys, gzip=gzip, scrapes=5) if keys <= PLAIN_UP_TO else {}
        results |= measure(["ours", "bare"], keys, gzip=gzip, scrapes=max(20, 2_000_000 // keys))
        for way, found in results.items():
            row = Row(keys, coding, way, found.cpu, found.p50, found.p99, found.size / 1e6)
            print(row.line(), flush=True)
            yield row


def claims(rows: Sequence[Row]) -> Iterator[Claim]:
    """Compare ours with the others of the same size and coding."""
    by_way = {(row.keys, row.coding, row.way): row for row in rows}
    for (keys, coding, way), ours in by_way.items():
        if way != "ours":
            continue
        scrape = f"a scrape of {keys:,} keys, {'compressed' if coding == 'gzip' else 'not compressed'}"
        if plain := by_way.get((keys, coding, "plain")):
            yield Claim.at_least(f"{scrape}: CPU of prometheus_client's application", plain.cpu / ours.cpu, 1)
            yield Claim.at_least(f"{scrape}: p50 of prometheus_client's application", plain.p50 / ours.p50, 1)
        bare = by_way[keys, coding, "bare"]
        yield Claim(f"{scrape}: p50 against bare bytes", f"{ours.p50 / bare.p50:.2f} times ({ours.p50 * 1e3:.1f} ms)")


def loop_blocked(keys: int) -> tuple[float, float]:
    """Return the longest wait, in seconds, of a timer for the event loop: idle, and while keys are rendered."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    served = Served(snapshot_of(keys))
    (state,) = served.snapshot.targets
    assert state.keys is not None
    other = replace(state, keys=Keys(state.keys.by_id))
    versions = [replace(served.snapshot, keys_version=2, targets=(other,)), replace(served.snapshot, keys_version=3)]
    gc.collect()
    gc.freeze()

    def render() -> None:
        for version in versions * 2:
            served.renderer.update(version)

    async def longest_wait(work: Awaitable[None]) -> float:
        task = asyncio.ensure_future(work)
        longest, last = 0.0, time.perf_counter()
        while not task.done():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        return longest

    async def both() -> tuple[float, float]:
        return await longest_wait(asyncio.sleep(1)), await longest_wait(asyncio.to_thread(render))

    return uvloop.run(both())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, nargs="+", default=[10_000, 100_000])
    keys: list[int] = parser.parse_args().keys
    rows = [row for count in keys for row in compare(count)]
    idle, rendering = loop_blocked(max(keys))
    waits = Claim(
        f"longest wait for the event loop while {max(keys):,} keys are rendered",
        f"{rendering * 1e3:.1f} ms ({idle * 1e3:.1f} ms idle)",
    )
    conclude("serving", rows, [*claims(rows), waits])


if __name__ == "__main__":
    main()
