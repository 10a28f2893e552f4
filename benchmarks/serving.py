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
import random
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
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.plain import PlainCollector
from exporter.acknowledgements import Acknowledgements
from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.model import Deletion, Key, Keys, Snapshot, Target, TargetState
from exporter.telemetry import Telemetry
from exporter.web.app import create_app
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

NOW: Final = 1_790_000_000.0


def snapshot_of(keys: int) -> Snapshot:
    """Make one target with so many keys, of which 25 in 1,000 are pending deletion, each with one alias."""
    rng = random.Random(keys)
    by_id = {}
    for number in range(keys):
        key_id = f"{rng.getrandbits(128):032x}"
        key_id = "-".join((key_id[:8], key_id[8:12], key_id[12:16], key_id[16:20], key_id[20:]))
        pending = number % 40 == 0
        by_id[key_id] = Key(
            key_id,
            f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}",
            "PendingDeletion" if pending else "Enabled",
            description=f"Encrypts volume {number}",
            key_spec="SYMMETRIC_DEFAULT",
            key_usage="ENCRYPT_DECRYPT",
            origin="AWS_KMS",
            aliases=(f"alias/volume-{number}",),
            created_at=NOW - 1000 * number - 0.5,
            deletion=Deletion(at=NOW + 30 * number) if pending else None,
        )
    state = TargetState(
        Target("111122223333", "eu-west-1"), "payments", Keys(by_id), up=True, last_success=NOW, last_full=NOW
    )
    return Snapshot(NOW, 1, (state,), {"111122223333": True})


def telemetry() -> Telemetry:
    """Make the exporter's own metrics as they are after some passes."""
    made = Telemetry(CollectorRegistry(), version="0", revision="", loaded_at=NOW)
    for operation in ("ListKeys", "ListAliases", "DescribeKey", "GetResources", "AssumeRole", "ListRegions"):
        made.request("kms", operation, 0.015)
    return made


class Served:
    """What `exporter.web.contract.Exporter` asks for, without anything behind it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.acknowledgements = Acknowledgements()
        self.renderer = Renderer(telemetry().registry, export="customer", tags={})
        self.renderer.update(snapshot)

    def now(self) -> float:
        return NOW

    def alive(self) -> bool:
        return True

    def ready(self) -> bool:
        return True

    def reload(self) -> None:
        return


def plain(keys: int) -> ASGIApp:
    registry = telemetry().registry
    registry.register(PlainCollector(snapshot_of(keys), lambda: NOW))
    return make_asgi_app(registry)


def ours(keys: int) -> ASGIApp:
    return create_app(Served(snapshot_of(keys)))


def bare(keys: int) -> ASGIApp:
    served = Served(snapshot_of(keys))
    bodies = {
        gzip: b"".join(served.renderer.scrape(served.snapshot, Format.OPENMETRICS_1_0_0, gzip=gzip, now=NOW).parts)
        for gzip in (False, True)
    }
    headers = {gzip: [(b"content-length", str(len(body)).encode())] for gzip, body in bodies.items()}

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        gzip = (b"accept-encoding", b"gzip") in scope["headers"]
        await send({"type": "http.response.start", "status": 200, "headers": headers[gzip]})
        await send({"type": "http.response.body", "body": bodies[gzip]})

    return app


WAYS: Final[dict[str, Callable[[int], ASGIApp]]] = {"plain": plain, "ours": ours, "bare": bare}


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


def compare(keys: int) -> None:
    for gzip in (False, True):
        coding = "gzip" if gzip else "identity"
        results = measure(["plain"], keys, gzip=gzip, scrapes=5) if keys <= PLAIN_UP_TO else {}
        results |= measure(["ours", "bare"], keys, gzip=gzip, scrapes=max(20, 2_000_000 // keys))
        for way, result in results.items():
            print(
                f"{keys:>7} keys  {coding:<8}  {way:<5}  {result.size / 1e6:6.2f} MB  "
                f"CPU {result.cpu * 1e3:8.2f} ms  p50 {result.p50 * 1e3:8.2f} ms  p99 {result.p99 * 1e3:8.2f} ms"
            )
        ours, bare = results["ours"], results["bare"]
        print(f"{'':25}ours / bare: CPU {ours.cpu / bare.cpu:.2f}, p50 {ours.p50 / bare.p50:.2f}")
        if plain := results.get("plain"):
            print(f"{'':25}plain / ours: CPU {plain.cpu / ours.cpu:.0f}, p50 {plain.p50 / ours.p50:.0f}")


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
    for count in keys:
        compare(count)
    idle, rendering = loop_blocked(max(keys))
    print(
        f"{max(keys):>7} keys  event loop kept waiting {rendering * 1e3:.1f} ms at most while all keys are rendered, "
        f"{idle * 1e3:.1f} ms idle"
    )


if __name__ == "__main__":
    main()
