"""Days in a minute: the real refresh loop against the emulator, on a clock that skips time in which nothing happens.

While a request is on the wire the clock runs as ours does; when all that is left is to wait, it is put ahead to the end
of the wait. So intervals, budgets, time-outs and sessions are what they are in operation, and requests are really sent.
"""

import asyncio
import logging
import os
import random
import selectors
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from exporter.aws.connection import Connection, connect
from exporter.aws.discovery import Memory
from exporter.aws.workers import Workers, ignore
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import World
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.refresh import Refresher
from exporter.settings import Settings

T = TypeVar("T")

EPOCH = 1_800_000_000.0
"""When a simulation begins, in Unix seconds."""


class Clock:
    """Seconds since it was made, and those that were skipped."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() - self._started + self._skipped

    def unix(self) -> float:
        return EPOCH + self()

    def skip(self, seconds: float) -> None:
        self._skipped += seconds


class BusyWorkers(Workers):
    """Workers of which one can tell whether they have something to do; asked in the event loop."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.busy = 0

    def submit(
        self, function: Callable[[], T], landed: Callable[[T], object] = ignore, *, long: bool = False
    ) -> "asyncio.Future[T]":
        self.busy += 1
        future = super().submit(function, landed, long=long)
        future.add_done_callback(self._left)
        return future

    def _left(self, _: object) -> None:
        self.busy -= 1


class SkippingSelector(selectors.DefaultSelector):
    """Waits while requests are on the wire, and else skips the time that it is told to wait."""

    def __init__(self, clock: Clock, workers: BusyWorkers) -> None:
        super().__init__()
        self._clock = clock
        self._workers = workers

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0 or self._workers.busy:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self._clock.skip(timeout)
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop on a simulation's clock."""

    def __init__(self, clock: Clock, workers: BusyWorkers) -> None:
        super().__init__(SkippingSelector(clock, workers))
        self._clock = clock

    def time(self) -> float:
        return self._clock()


class Request(NamedTuple):
    """A request that was sent `at` (simulated seconds)."""

    service: str
    operation: str
    at: float


class Ended(NamedTuple):
    """A pass that ended `at` (simulated seconds) and took so long."""

    mode: str
    at: float
    seconds: float


@dataclass
class Record:
    """Everything that was told to telemetry."""

    clock: Clock
    requests: list[Request] = field(default_factory=list)
    passes: list[Ended] = field(default_factory=list)

    def request(self, service: str, operation: str, seconds: float) -> None:
        self.requests.append(Request(service, operation, self.clock() - seconds))

    def throttled(self, service: str, operation: str) -> None:
        raise AssertionError(f"{service}:{operation} was throttled")

    def pass_ended(self, mode: str, seconds: float) -> None:
        self.passes.append(Ended(mode, self.clock(), seconds))

    def change(self, source: str, event: str) -> None:
        """Nobody asks."""

    def targets(self, count: int) -> None:
        """Nobody asks."""

    def counted(self, since: float, until: float) -> Counter[str]:
        """Return the requests of a span of time by operation."""
        return Counter(request.operation for request in list(self.requests) if since <= request.at < until)


class Simulation:
    """A world that is served, and the refresh loop that watches it."""

    def __init__(self, world: Callable[[Callable[[], float]], World], settings: Settings, latency: float = 0.0) -> None:
        """Build the world with the simulated clock; AWS answers after `latency` seconds."""
        self.clock = Clock()
        self.record = Record(self.clock)
        self.world = world(self.clock.unix)
        self._settings = settings
        self._latency = latency
        self._workers = BusyWorkers(settings.refresh.concurrency)
        self.inventory = Inventory(
            keep_failed=settings.refresh.keep_failed,
            keep_tombstones=settings.deletions.keep_tombstones,
            now=self.clock.unix,
            monotonic=self.clock,
        )

    def run(self, until: float) -> None:
        """Watch the world from the start to so many simulated seconds."""
        with EmulatorServer(self.world) as emulator, aws_at(emulator.url):
            if self._latency:
                emulator.faults.latency(self._latency)
            with asyncio.Runner(loop_factory=lambda: SkippingLoop(self.clock, self._workers)) as runner:
                runner.run(self._watch(until))

    async def _watch(self, until: float) -> None:
        refresher = Refresher(
            settings=self._settings,
            connect=self._connect,
            inventory=self.inventory,
            published=lambda: None,
            telemetry=self.record,
            log=Log(logging.Logger("simulation", logging.CRITICAL)),  # noqa: LOG001 - belongs to this alone
            monotonic=self.clock,
            rng=random.Random(0),
        )
        watching = asyncio.create_task(refresher.run())
        await asyncio.sleep(until - self.clock())
        refresher.stop()
        await watching

    def _connect(self, settings: Settings) -> Connection:
        return connect(
            settings,
            memory=Memory(),
            telemetry=self.record,
            now=self.clock.unix,
            monotonic=self.clock,
            rng=random.Random(0),
            workers=self._workers,
        )


@contextmanager
def aws_at(url: str) -> Iterator[None]:
    """Let this process know no AWS but the one at `url`."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environment(url))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
