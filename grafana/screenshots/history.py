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
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry

import exporter
from exporter.acknowledgements import Acknowledgements
from exporter.aws.connection import Connection, connect
from exporter.aws.discovery import Memory
from exporter.demo.keys import DAY
from exporter.demo.scenario import demo_world
from exporter.demo.server import EmulatorServer, environment
from exporter.errors import TargetError
from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.inventory import Inventory
from exporter.model import Pass, PassKind, Target, TargetState
from exporter.settings import Settings
from exporter.telemetry import Telemetry
from grafana.screenshots import following, week
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
_NO_BUDGET: Final = 1e6
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
        self._telemetry.shard(settings.shard.index, settings.shard.total)
        self._inventory = Inventory(
            keep_failed=settings.refresh.keep_failed,
            keep_tombstones=settings.deletions.keep_tombstones,
            now=clock,
            monotonic=clock,
        )
        self._acknowledgements = Acknowledgements.of(settings)
        self._renderer = Renderer(
            self._telemetry.registry, export=settings.keys.export, tags={}, acknowledgements=self._acknowledgements
        )
        self._accesses: Mapping[Target, Access] = {}
        self._full_at: dict[Target, float] = {}
        self._listed_at: dict[Target, float] = {}
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
        await following.drain(
            connection, partial(self._look_at, connection), telemetry=self._telemetry, now=self._clock
        )
        await asyncio.gather(*(self._look(connection, access) for access in self._accesses.values()))
        self._inventory.expire()
        self._telemetry.acknowledgements_unmatched(len(self._acknowledgements.unmatched(self._inventory.snapshot)))

    def _kind(self, state: TargetState) -> PassKind:
        """Return which kind of pass is due: how often full ones come follows from whether events can be read.

        The first one after the first comes early by chance, so that those of all targets drift apart.
        """
        target, now = state.target, self._clock()
        interval = state.events.full_interval if state.events else self._settings.refresh.fallback_interval
        if now < self._full_at.get(target, -inf) + interval:
            return PassKind.CHANGES
        spread = 0.0 if target in self._full_at else self._rng.uniform(0, self._settings.refresh.full_interval)
        self._full_at[target] = now - spread
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

    async def _look(self, connection: Connection, access: "Access") -> None:
        """Make a pass over a target, then ask what there is to know of its pending keys."""
        await self._sweep(connection, access)
        state = self._inventory.state(access.target)
        if state is not None and connection.investigator.due(state):
            async for learned in connection.investigator.investigate(access, state):
                self._inventory.learn(access.target, learned)

    async def _sweep(self, connection: Connection, access: "Access") -> None:
        before = self._inventory.state(access.target)
        assert before is not None  # noqa: S101 - `_discover` made the inventory watch it
        kind = self._kind(before)
        started = time.perf_counter()
        try:
            result = await self._ask(connection, access, kind, before)
        except TargetError as error:
            self._inventory.fail(access.target, error)
        else:
            self._take_in(access.target, result)
        self._telemetry.pass_ended(kind, time.perf_counter() - started)

    async def _ask(self, connection: Connection, access: "Access", kind: PassKind, before: TargetState) -> Pass:
        """Make a pass: for changes, without the list of keys as long as that is young and events can be read.

        Raises:
            TargetError: nothing could be learned of the target.
        """
        sweeper, target, now = connection.sweeper, access.target, self._clock()
        look = await following.follow(
            connection, access, settings=self._settings, inventory=self._inventory, telemetry=self._telemetry
        )
        young = now < self._listed_at.get(target, -inf) + self._settings.refresh.fallback_interval
        if kind is PassKind.CHANGES and young and not look.reason and before.keys is not None:
            return await sweeper.changes_named(access, look.named, before.keys, before.unreadable)
        result = await sweeper.sweep(access, kind, before.keys, before.unreadable, look.named)
        self._listed_at[target] = now
        return result

    async def _look_at(self, connection: Connection, target: Target, key_ids: Collection[str]) -> bool:
        """Describe keys that an event named; return whether their target is watched."""
        access, before = self._accesses.get(target), self._inventory.state(target)
        if access is None or before is None:
            return False
        if before.keys is not None:
            started = time.perf_counter()
            result = await connection.sweeper.look_at(access, key_ids, before.keys)
            self._take_in(target, result)
            self._telemetry.pass_ended(result.kind, time.perf_counter() - started)
        return True

    def _take_in(self, target: Target, result: Pass) -> None:
        for transition in self._inventory.apply(target, result):
            self._telemetry.change("sweep", transition.kind)

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
    queue_url = following.add_queue(world)
    with EmulatorServer(world) as emulator:
        os.environ.update(environment(emulator.url))
        week.play(world, emulator.faults)
        async for page in Recorder(_settings(export, times[-1], queue_url), clock).record(times):
            storage.add(page)


def _settings(export: str, end: float, queue_url: str) -> Settings:
    settings = Settings.model_validate(
        {
            # A busy machine is no fault of AWS, hence the time-outs.
            "aws": {"organization": {"enabled": True}, "connect_timeout": 60, "read_timeout": 60},
            "keys": {"export": export, "last_usage": True},
            "changes": {"sqs_queue_url": queue_url},
            "deletions": {"acknowledgements": week.acknowledgements(end)},
        }
    )
    # The request budget waits on the real clock, a week of which nobody has: it is as good as none.
    return settings.model_copy(update={"aws": settings.aws.model_copy(update={"request_rate": _NO_BUDGET})})


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
