"""A week of the demo, recorded within minutes: the real exporter asks the real emulator, and both believe a fast clock.

What is recorded are the pages that a scrape would have got at each moment. Only the refresh loop is not the exporter's
own, since it waits on the real clock: here its passes are made one after the other, a step of the clock apart.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry

import exporter
from exporter.aws.connection import Connection, connect
from exporter.aws.discovery import Memory
from exporter.demo.keys import DAY
from exporter.demo.scenario import demo_world
from exporter.demo.server import EmulatorServer, environment
from exporter.errors import TargetError
from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.inventory import Inventory
from exporter.model import PassKind, Target
from exporter.settings import Settings
from exporter.telemetry import Telemetry
from grafana.screenshots import week
from grafana.screenshots.backfill import Page, Storage

if TYPE_CHECKING:
    from exporter.aws.calls import Access

DAYS: Final = 7
REPLICAS: Final = (
    'instance="kms-exporter:10841",job="kms-exporter"',
    'instance="kms-exporter-2:10841",job="kms-exporter"',
)
"""What Prometheus would add to each series of the first replica and of the second."""

MINUTE: Final = 60.0
_EVERY_FIVE_MINUTES: Final = 300.0
_SCRAPED_AFTER: Final = 20.0
"""Seconds from a pass to the scrape that tells what it found."""


@dataclass(slots=True)
class Clock:
    """A clock that stands still until it is set.

    Attributes:
        time: Unix seconds.
    """

    time: float

    def __call__(self) -> float:
        """Return the time."""
        return self.time


class Recorder:
    """The exporter without its threads: passes and scrapes happen when they are asked for."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Wire the exporter's rooms together as `exporter.service` does, around `clock`."""
        self._clock = clock
        self._settings = settings
        self._telemetry = Telemetry(CollectorRegistry(), version=exporter.__version__, revision="", loaded_at=clock())
        self._telemetry.refresh_interval(settings.refresh.interval)
        self._inventory = Inventory(
            keep_failed=settings.refresh.keep_failed,
            keep_tombstones=settings.deletions.keep_tombstones,
            now=clock,
            monotonic=clock,
        )
        self._renderer = Renderer(self._telemetry.registry, export=settings.keys.export, tags={})
        self._accesses: Mapping[Target, Access] = {}
        self._full_due: dict[Target, float] = {}
        self._discover_at = clock()
        self._rng = random.Random(0)  # noqa: S311 - spreads passes

    async def record(self, moments: Sequence[float]) -> AsyncIterator[Page]:
        """Yield the page of each moment, in Unix seconds, after a pass over every target."""
        connection = connect(
            self._settings, memory=Memory(), telemetry=self._telemetry, now=self._clock, monotonic=self._clock
        )
        try:
            for moment in moments:
                self._clock.time = moment - _SCRAPED_AFTER
                await self._step(connection)
                self._clock.time = moment
                yield self._scrape()
        finally:
            connection.close()

    async def _step(self, connection: Connection) -> None:
        now = self._clock()
        if now >= self._discover_at:
            complete = await self._discover(connection)
            self._discover_at = now + (_EVERY_FIVE_MINUTES if complete else MINUTE)
        await asyncio.gather(*(self._sweep(connection, access) for access in self._accesses.values()))
        self._inventory.expire()

    def _kind(self, target: Target) -> PassKind:
        """Return which kind of pass is due: full ones come every five minutes, and not for all targets at once."""
        now = self._clock()
        if now < self._full_due.setdefault(target, now - self._rng.uniform(0, _EVERY_FIVE_MINUTES)):
            return PassKind.CHANGES
        missed = (now - self._full_due[target]) // _EVERY_FIVE_MINUTES
        self._full_due[target] += (missed + 1) * _EVERY_FIVE_MINUTES
        return PassKind.FULL

    async def _discover(self, connection: Connection) -> bool:
        """Find accounts and regions; return whether none was refused."""
        async for watch in connection.discovery.look():
            self._accesses = watch.accesses
            self._inventory.watch(
                {target: access.account_name for target, access in watch.accesses.items()},
                watch.account_errors,
                None if watch.organization_error is None else not watch.organization_error,
            )
        self._telemetry.targets(len(self._accesses))
        return not watch.organization_error and not any(watch.account_errors.values())

    async def _sweep(self, connection: Connection, access: "Access") -> None:
        kind = self._kind(access.target)
        before = self._inventory.state(access.target)
        assert before is not None  # noqa: S101 - `_discover` made the inventory watch it
        started = time.perf_counter()
        try:
            result = await connection.sweeper.sweep(access, kind, before.keys, before.unreadable)
        except TargetError as error:
            self._inventory.fail(access.target, error)
        else:
            for transition in self._inventory.apply(access.target, result):
                self._telemetry.change("sweep", transition.kind)
        self._telemetry.pass_ended(kind, time.perf_counter() - started)

    def _scrape(self) -> Page:
        snapshot = self._inventory.snapshot
        self._renderer.update(snapshot)
        started = time.perf_counter()
        body = self._renderer.scrape(snapshot, Format.OPENMETRICS_1_0_0, gzip=False, now=self._clock())
        text = b"".join(body.parts).decode()
        return Page(self._clock(), text, time.perf_counter() - started)


def moments(end: float, coarse: float, fine_hours: float) -> list[float]:
    """Return the moments of a week that ends at `end`: `coarse` seconds apart, and a minute apart at last."""
    fine_from = end - fine_hours * 3600
    early = [end - DAYS * DAY + coarse * step for step in range(int((fine_from - end + DAYS * DAY) / coarse))]
    late = [fine_from + MINUTE * step for step in range(int((end - fine_from) / MINUTE) + 1)]
    return early + late


async def write(storage: Storage, export: str, times: Sequence[float]) -> None:
    """Record the demo's week.

    Args:
        storage: where the pages go.
        export: `keys.export`.
        times: when pages are recorded, in Unix seconds.
    """
    clock = Clock(times[0] - _SCRAPED_AFTER)
    world = demo_world(clock)
    with EmulatorServer(world) as emulator:
        os.environ.update(environment(emulator.url))
        week.play(world, emulator.faults)
        settings = Settings.model_validate(
            {
                # The request budget waits on the real clock, so it is as large as can be; and a busy machine is no
                # fault of AWS, hence the time-outs.
                "aws": {
                    "organization": {"enabled": True},
                    "request_rate": 1,
                    "connect_timeout": 60,
                    "read_timeout": 60,
                },
                "keys": {"export": export},
            }
        )
        async for page in Recorder(settings, clock).record(times):
            storage.add(page)


def main(arguments: Sequence[str]) -> int:
    """Record a week; in a process of its own, since AWS' environment variables are set for all of it."""
    parser = argparse.ArgumentParser(prog="python -m grafana.screenshots.history", description=__doc__)
    parser.add_argument("folder", type=Path, help="directory for Prometheus' --storage.tsdb.path")
    parser.add_argument("--end", type=float, required=True, help="the end of the week, Unix seconds")
    parser.add_argument("--export", choices=("customer", "pending", "all"), default="customer", help="keys.export")
    parser.add_argument("--coarse", type=float, default=600, help="seconds between two pages early in the week")
    parser.add_argument("--fine-hours", type=float, default=6.5, help="hours at the end with a page every minute")
    parser.add_argument("--doubled", type=Path, help="a second directory, in which two replicas served every page")
    asked = parser.parse_args(arguments)
    folders = {asked.folder: REPLICAS[:1]} | ({asked.doubled: REPLICAS} if asked.doubled else {})
    with Storage(folders) as storage:
        asyncio.run(write(storage, asked.export, moments(asked.end, asked.coarse, asked.fine_hours)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
