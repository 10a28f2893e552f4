"""A week of the demo, recorded within minutes: the real exporter asks the real emulator, and both believe a fast clock.

What is recorded are the pages that a scrape would have got at each moment. Only the refresh loop is not the exporter's
own, since it waits on the real clock: here all passes that are due are made at each step of the clock.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from prometheus_client import CollectorRegistry

import exporter
from exporter.acknowledgements import Acknowledgements
from exporter.aws.connection import connect
from exporter.aws.discovery import Memory
from exporter.demo.keys import DAY
from exporter.demo.scenario import demo_world
from exporter.demo.server import EmulatorServer, environment
from exporter.eventlog import EventLog
from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.following import Following
from exporter.inventory import Inventory
from exporter.log import Log, start_logging
from exporter.model import PassKind, Target
from exporter.passes import Passes
from exporter.schedule import Schedule
from exporter.settings import Settings
from exporter.telemetry import Telemetry
from grafana.screenshots import events_queue, week
from grafana.screenshots.backfill import Page, Storage

if TYPE_CHECKING:
    from exporter.aws.calls import Access

DAYS: Final = 7
Exported = Literal["customer", "pending"]
"""`keys.export`, as far as it makes no difference to what AWS is asked for."""
REPLICAS: Final = (
    'instance="kms-exporter:10841",job="kms-exporter"',
    'instance="kms-exporter-2:10841",job="kms-exporter"',
)
"""What Prometheus would add to each series of the first replica and of the second."""

MINUTE: Final = 60.0
_EVERY_FIVE_MINUTES: Final = 300.0
_NO_BUDGET: Final = 1e6
_BUSY: Final = 60.0
"""Seconds that an answer may take: a busy machine is no fault of AWS."""
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


class Untimed:
    """Does not tell how long passes take: the clock stands still meanwhile."""

    def pass_ended(self, mode: str, seconds: float) -> None:
        """Do nothing."""


class Strict(Log):
    """Lets an error of the exporter's own end the recording."""

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
        """Raise it."""
        raise RuntimeError(f"{event} {fields}") from exc_info


class Recorder:
    """The exporter without its threads: passes, looks and scrapes happen when they are asked for."""

    def __init__(self, settings: Settings, clock: Clock, exports: Iterable[Exported]) -> None:
        """Wire the exporter's rooms together as `exporter.service` and `exporter.refresh` do, around `clock`.

        Args:
            settings: all but `keys.export`.
            clock: the time.
            exports: each `keys.export` with which a page is rendered.
        """
        self._clock = clock
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
        self._renderers = [
            Renderer(self._telemetry.registry, export=export, tags={}, acknowledgements=self._acknowledgements)
            for export in exports
        ]
        start_logging(level="critical", form="text")  # what goes wrong in the week is for the pages to tell
        log = Strict(logging.getLogger(__name__))
        eventlog = EventLog(log, self._telemetry)
        rng = random.Random(0)  # noqa: S311 - spreads passes
        self._schedule = Schedule(
            interval=settings.refresh.interval, full_interval=settings.refresh.fallback_interval, rng=rng
        )
        self._connection = connect(settings, memory=Memory(), telemetry=self._telemetry, now=clock, monotonic=clock)
        self._following = Following(
            settings=settings,
            trail=self._connection.trail,
            inventory=self._inventory,
            schedule=self._schedule,
            eventlog=eventlog,
            monotonic=clock,
            rng=rng,
        )
        self._passes = Passes(
            connection=self._connection,
            following=self._following,
            inventory=self._inventory,
            eventlog=eventlog,
            telemetry=Untimed(),
            log=log,
            monotonic=clock,
            start=self._start,
            publish=lambda: None,
            patience=_BUSY,
        )
        assert self._connection.queue is not None  # noqa: S101 - the settings of a recording name one
        self._queue = events_queue.Drain(
            self._connection.queue, self, telemetry=self._telemetry, log=log, clock=clock, rng=rng
        )
        self._accesses: Mapping[Target, Access] = {}
        self._beside: list[asyncio.Task[None]] = []
        self._discover_at = clock()

    async def record(self, moments: Sequence[float]) -> AsyncIterator[list[Page]]:
        """Yield the pages of each moment, in Unix seconds, after the passes that are due."""
        try:
            for moment in moments:
                self._clock.time = moment - _SCRAPED_AFTER
                await self._step()
                self._clock.time = moment
                yield [self._scrape(renderer) for renderer in self._renderers]
        finally:
            self._connection.close()

    async def _step(self) -> None:
        now = self._clock()
        if now >= self._discover_at:
            complete = await self._discover()
            self._discover_at = now + (_EVERY_FIVE_MINUTES if complete else MINUTE)
        await self._queue.drain()
        # Also what is due before the scrape: the first passes over new targets are spread over a moment.
        due = self._schedule.take(now + _SCRAPED_AFTER)
        await asyncio.gather(*(self._pass(self._accesses[target], kind) for target, kind in due))
        while self._beside:
            beside, self._beside = self._beside, []
            await asyncio.gather(*beside)
        self._inventory.expire()
        self._telemetry.acknowledgements_unmatched(len(self._acknowledgements.unmatched(self._inventory.snapshot)))

    async def _discover(self) -> bool:
        """Find accounts and regions; return whether none was refused."""
        async for watch in self._connection.discovery.look():
            self._accesses = watch.accesses
            self._inventory.watch(
                {target: access.account_name for target, access in watch.accesses.items()},
                watch.account_errors,
                None if watch.organization_error is None else not watch.organization_error,
            )
            self._schedule.watch(watch.accesses, self._clock())
            self._connection.investigator.forget(watch.accesses)
            self._following.forget(watch.accesses)
        self._telemetry.targets(len(self._accesses))
        return not watch.organization_error and not any(watch.account_errors.values())

    async def _pass(self, access: "Access", kind: PassKind) -> None:
        started = time.perf_counter()
        ok = await self._passes.make(access, kind)
        self._telemetry.pass_ended(kind, time.perf_counter() - started)
        self._schedule.done(access.target, kind, ok=ok, now=self._clock())

    def access(self, target: Target) -> "Access | None":
        """Return how a target is asked."""
        return self._accesses.get(target)

    def may_watch(self, target: Target) -> bool:
        """Whether a target is watched."""
        return target in self._accesses

    async def look_at(self, access: "Access", key_ids: Collection[str]) -> Collection[str]:
        """Describe keys that events named; return those that did not answer."""
        started = time.perf_counter()
        unanswered = await self._passes.look_at(access, key_ids)
        self._telemetry.pass_ended(PassKind.NAMED, time.perf_counter() - started)
        return unanswered

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._beside.append(asyncio.get_running_loop().create_task(work))

    def _scrape(self, renderer: Renderer) -> Page:
        snapshot = self._inventory.snapshot
        renderer.update(snapshot)
        started = time.perf_counter()
        body = renderer.scrape(snapshot, Format.OPENMETRICS_1_0_0, gzip=False, now=self._clock())
        text = b"".join(body.parts).decode()
        return Page(self._clock(), text, time.perf_counter() - started)


def moments(end: float, coarse: float, fine_hours: float) -> list[float]:
    """Return the moments of a week that ends at `end`: `coarse` seconds apart, and a minute apart at last."""
    fine_from = end - fine_hours * 3600
    early = [end - DAYS * DAY + coarse * step for step in range(int((fine_from - end + DAYS * DAY) / coarse))]
    late = [fine_from + MINUTE * step for step in range(int((end - fine_from) / MINUTE) + 1)]
    return early + late


async def write(storages: Mapping[Exported, Storage], times: Sequence[float]) -> None:
    """Record the demo's week.

    Args:
        storages: where the pages of each `keys.export` go.
        times: when pages are recorded, in Unix seconds.
    """
    clock = Clock(times[0] - _SCRAPED_AFTER)
    world = demo_world(clock)
    queue_url = events_queue.add(world)
    with EmulatorServer(world) as emulator:
        os.environ.update(environment(emulator.url))
        week.play(world, emulator.faults)
        async for pages in Recorder(_settings(times[-1], queue_url), clock, storages).record(times):
            for storage, page in zip(storages.values(), pages, strict=True):
                storage.add(page)


def _settings(end: float, queue_url: str) -> Settings:
    settings = Settings.model_validate(
        {
            "aws": {"organization": {"enabled": True}, "connect_timeout": _BUSY, "read_timeout": _BUSY},
            "keys": {"last_usage": True},
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
    parser.add_argument("--coarse", type=float, default=600, help="seconds between two pages early in the week")
    parser.add_argument("--fine-hours", type=float, default=6.5, help="hours at the end with a page every minute")
    parser.add_argument("--doubled", type=Path, help="a directory, in which two replicas served every page")
    parser.add_argument("--pending", type=Path, help="a directory, in which only pending keys have series of their own")
    asked = parser.parse_args(arguments)
    folders = {asked.folder: REPLICAS[:1]} | ({asked.doubled: REPLICAS} if asked.doubled else {})
    with ExitStack() as stack:
        storages: dict[Exported, Storage] = {"customer": stack.enter_context(Storage(folders))}
        if asked.pending:
            storages["pending"] = stack.enter_context(Storage({asked.pending: REPLICAS[:1]}))
        asyncio.run(write(storages, moments(asked.end, asked.coarse, asked.fine_hours)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
