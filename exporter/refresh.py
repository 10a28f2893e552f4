"""Keeps the inventory fresh: which targets there are, which is swept when, and which settings are in force."""

import asyncio
import contextlib
import gc
import random
from collections.abc import Callable, Collection, Coroutine, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Final, Protocol

from exporter.aws.calls import Access
from exporter.aws.connection import Connection
from exporter.aws.discovery import Watch
from exporter.aws.queue import Queue
from exporter.cross_check import CrossCheck
from exporter.eventlog import EventLog
from exporter.following import Following
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import HOME, PassKind, Target
from exporter.passes import Passes
from exporter.passes import Telemetry as PassTelemetry
from exporter.queue_reader import QueueReader
from exporter.queue_reader import Telemetry as QueueTelemetry
from exporter.schedule import Schedule
from exporter.sharding import Shard

if TYPE_CHECKING:
    from exporter.settings import Settings

_TICK: Final = 1.0
"""The longest wait between two looks at the clock, in seconds; also how often the loop shows that it is alive."""
_NAP: Final = 0.02
_NAP_AT_REST: Final = 1 / 60
"""The shortest, in seconds, and once ready as a share of the interval: what is due at about the same time is started
together. A request on its own costs twice the CPU time of one in a row: threads and caches have gone to sleep."""
DISCOVER_EVERY: Final = 300.0
_DISCOVER_AGAIN: Final = 30.0
"""Seconds until accounts and regions are asked for anew; sooner when that failed for some."""


class Telemetry(PassTelemetry, QueueTelemetry, Protocol):
    """What is told of passes, of the queue, and of what is watched."""

    def change(self, source: str, event: str) -> None:
        """Count a transition."""
        ...

    def targets(self, count: int) -> None:
        """Show how many targets there are."""
        ...

    def reload_failed(self) -> None:
        """Show that a configuration could not be put in force."""
        ...

    def queue_gone(self) -> None:
        """Show that no queue is read any more."""
        ...


class Refresher:
    """The refresh loop. Runs in an event loop of its own; `reload` and `stop` may be called from any thread.

    Passes run side by side and share nothing but the requests in flight, so one that waits, hangs or fails delays no
    other.
    """

    def __init__(
        self,
        *,
        settings: "Settings",
        connect: Callable[["Settings"], Connection],
        inventory: Inventory,
        published: Callable[[], None],
        telemetry: Telemetry,
        log: Log,
        monotonic: Callable[[], float],
        rng: random.Random,
    ) -> None:
        """Refresh `inventory`, calling `published` after each change of it; `connect` builds the AWS side."""
        self._settings = settings
        self._connect = connect
        self._inventory = inventory
        self._published = published
        self._published_version = inventory.keys_version
        self._telemetry = telemetry
        self._log = log
        self._eventlog = EventLog(log, telemetry)
        self._monotonic = monotonic
        self._rng = rng
        self._cross_check = CrossCheck(
            inventory=inventory, published=published, eventlog=self._eventlog, monotonic=monotonic
        )
        refresh = settings.refresh
        self._schedule = Schedule(interval=refresh.interval, full_interval=refresh.fallback_interval, rng=rng)
        self._expire_at = monotonic()
        self._accesses: Mapping[Target, Access] = {}
        self._watch = Watch()
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue_read: Queue | None = None
        self._discovering = False
        self._discover_at = monotonic()
        self._discovered = False
        self._succeeded = False
        self._others_own_all = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._sleeps_until = inf
        self._stopping = False
        self._ready = False
        self.alive_at = monotonic()

    @property
    def ready(self) -> bool:
        """Whether every target was tried once and one succeeded; stays true.

        A shard that has no part of the targets has nothing to wait for.
        """
        return self._ready

    def stop(self) -> None:
        """Make `run` return soon; passes under way are given up."""
        self._stopping = True
        self._call(self._wake.set)

    def reload(self, settings: "Settings") -> None:
        """Go on with other settings; what is known stays."""
        self._settings = settings
        self._call(self._take_on)

    async def run(self) -> None:
        """Refresh until stopped."""
        self._loop = asyncio.get_running_loop()
        self._configure()
        settled, settle_at, frozen = False, self._monotonic(), -1
        try:
            while not self._stopping:
                now = self.alive_at = self._monotonic()
                if not settled and now >= settle_at:
                    # What is read first mostly stays. Out of the collector's sight it is not walked again and again,
                    # which would keep scrapes waiting; later passes leave little behind. Not more often, and not where
                    # nothing was read, since what is garbage in that moment stays too.
                    if frozen != self._inventory.keys_version:
                        frozen = self._inventory.keys_version
                        gc.freeze()
                    settled, settle_at = self._ready, now + _TICK
                self._start_what_is_due(now)
                self._expire(now)
                self._sleeps_until = self._next_due(now)
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    nap = self._nap_at_rest if self._ready else _NAP
                    await asyncio.wait_for(self._wake.wait(), max(nap, self._sleeps_until - now))
        finally:
            self._give_up(self._connection)

    def _next_due(self, now: float) -> float:
        """Return until when there is nothing to start, a tick from now at the latest."""
        due = [now + _TICK]
        if not self._discovering:
            due.append(self._discover_at)
        if self._accesses and (next_due := self._schedule.next_due()) is not None:
            due.append(next_due)
        return min(due)

    def _start_what_is_due(self, now: float) -> None:
        if now >= self._discover_at and not self._discovering:
            self._discovering = True
            self._discover_at = now + _DISCOVER_AGAIN  # should it crash
            self._start(self._discover())
        if self._cross_check.take(now):
            self._start(self._cross_check.ask())
        if self._accesses:
            for target, kind in self._schedule.take(now):
                self._start(self._pass(self._accesses[target], kind))

    async def _discover(self) -> None:
        try:
            async for watch in self._connection.discovery.look():
                self._take_up(watch)
            self._cross_check.discovered(watch.accesses)
            self._discovered = True
            self._look_whether_ready()
            failed = watch.organization_error or any(watch.account_errors.values())
            self._discover_at = self._monotonic() + (_DISCOVER_AGAIN if failed else DISCOVER_EVERY)
        finally:
            self._discovering = False
            self._wake.set()

    def _take_up(self, watch: Watch) -> None:
        owned = {target: access for target, access in watch.accesses.items() if self._shard.owns(target)}
        self._eventlog.discovered(self._inventory.snapshot, watch, owned)
        self._accesses = owned
        self._watch = watch
        self._others_own_all = bool(watch.accesses) and not owned
        self._inventory.watch(
            {target: access.account_name for target, access in owned.items()},
            watch.account_errors,
            None if watch.organization_error is None else not watch.organization_error,
        )
        self._schedule.watch(owned, self._monotonic())
        self._connection.investigator.forget(owned)
        self._following.forget(owned)
        self._telemetry.targets(len(owned))
        self._published()
        self._wake.set()

    async def _pass(self, access: Access, kind: PassKind) -> None:
        ok = False
        try:
            ok = await self._passes.make(access, kind)
        finally:
            self._schedule.done(access.target, kind, ok=ok, now=self._monotonic())
            self._succeeded = self._succeeded or ok
            self._look_whether_ready()
            if (next_due := self._schedule.next_due()) is not None and next_due < self._sleeps_until:
                self._wake.set()

    def access(self, target: Target) -> Access | None:
        """Return how a target that this process watches is asked; None where it does not, or can't."""
        return self._accesses.get(target)

    def may_watch(self, target: Target) -> bool:
        """Whether a target is this process's to watch, or may turn out to be once every account can be entered."""
        found = self._watch
        unsettled = found.organization_error or any(map(found.account_errors.get, (HOME, target.account_id)))
        return target in self._accesses or (bool(unsettled) and self._shard.owns(target))

    async def look_at(self, access: Access, key_ids: Collection[str]) -> Collection[str]:
        """Describe keys that events named; return those that did not answer."""
        return await self._passes.look_at(access, key_ids)

    def _look_whether_ready(self) -> None:
        succeeded = self._succeeded or self._others_own_all
        self._ready = self._ready or (succeeded and self._discovered and not self._schedule.untried)
        if self._ready and self._discovered:
            self._start_reading_queue()

    def _start_reading_queue(self) -> None:
        """Read the queue from now on: a message that comes before its target can be asked would only have to wait."""
        queue = self._connection.queue
        if queue is not None and queue is not self._queue_read:
            self._queue_read = queue
            self._start(self._read_queue(queue))

    async def _read_queue(self, queue: Queue) -> None:
        reader = QueueReader(
            queue=queue,
            watcher=self,
            telemetry=self._telemetry,
            log=self._log,
            monotonic=self._monotonic,
            rng=self._rng,
        )
        try:
            await reader.run()
        finally:
            if self._queue_read is queue:  # not that of a configuration that came after it
                self._queue_read = None  # should it crash, the next pass starts it again

    def _expire(self, now: float) -> None:
        if now < self._expire_at:
            return
        self._expire_at = now + _TICK
        for target in self._inventory.expire():
            self._log.error("target_dropped", account_id=target.account_id, region=target.region)
        self._publish()

    def _publish(self) -> None:
        """Have the keys rendered anew if they changed; whatever else a snapshot tells is rendered when scraped."""
        version = self._inventory.keys_version
        if version != self._published_version:
            self._published_version = version
            self._published()

    def _configure(self) -> None:
        """Put the settings in force."""
        settings = self._settings
        self._connection = self._connect(settings)
        self._following = Following(
            settings=settings,
            trail=self._connection.trail,
            inventory=self._inventory,
            schedule=self._schedule,
            eventlog=self._eventlog,
            monotonic=self._monotonic,
            rng=self._rng,
        )
        self._passes = Passes(
            connection=self._connection,
            following=self._following,
            inventory=self._inventory,
            eventlog=self._eventlog,
            telemetry=self._telemetry,
            log=self._log,
            monotonic=self._monotonic,
            start=self._start,
            publish=self._publish,
        )
        self._cross_check.configure(self._connection.aggregator, settings)
        self._nap_at_rest = min(_TICK, _NAP_AT_REST * settings.refresh.interval)
        self._shard = Shard(settings.shard.index, settings.shard.total)
        self._inventory.keep_failed = settings.refresh.keep_failed
        self._inventory.keep_tombstones = settings.deletions.keep_tombstones
        self._schedule.change(
            interval=settings.refresh.interval,
            full_interval=settings.refresh.fallback_interval,
            now=self._monotonic(),
        )

    def _take_on(self) -> None:
        """Put other settings in force in the middle of everything."""
        former, passes = self._connection, self._passes
        try:
            self._configure()
        except Exception as error:  # noqa: BLE001 - botocore could not be set up: go on as before
            self._log.error("reload_failed", exc_info=error)
            self._telemetry.reload_failed()
            return
        passes.close()
        self._give_up(former)
        if former.queue is not None and self._connection.queue is None:
            self._telemetry.queue_gone()
        self._accesses = {}  # no pass starts until the accounts are known to the new connection
        self._discover_at = self._monotonic()
        self._wake.set()

    def _give_up(self, connection: Connection) -> None:
        for task in self._tasks:
            task.cancel()
        self._discovering = self._discovered = False
        connection.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("task_crashed", exc_info=error)

    def _call(self, function: Callable[[], object]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)
