"""Keeps the inventory fresh: which target is swept when, beside which others, and what becomes of the outcome."""

import asyncio
import contextlib
import gc
import random
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from exporter.aws.calls import Access
from exporter.aws.connection import Connection
from exporter.aws.discovery import Watch
from exporter.errors import TargetError
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import PassKind, Target, TargetState, Transition, TransitionKind
from exporter.schedule import Schedule
from exporter.sharding import Shard

if TYPE_CHECKING:
    from exporter.settings import Settings

_TICK: Final = 1.0
"""The longest wait between two looks at the clock, in seconds; also how often the loop shows that it is alive."""
_DISCOVER_EVERY: Final = 300.0
_DISCOVER_AGAIN: Final = 30.0
"""Seconds until accounts and regions are asked for anew; sooner when that failed for some."""
SOURCE: Final = "sweep"
"""How changes that passes find are told apart from those that other sources will."""
_ALARMING: Final = frozenset({TransitionKind.SCHEDULED, TransitionKind.RESCHEDULED, TransitionKind.DELETED})


class Telemetry(Protocol):
    """What is told of each pass."""

    def pass_ended(self, mode: str, seconds: float) -> None:
        """Observe the duration of a pass."""
        ...

    def change(self, source: str, event: str) -> None:
        """Count a transition."""
        ...

    def targets(self, count: int) -> None:
        """Show how many targets there are."""
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
        self._telemetry = telemetry
        self._log = log
        self._monotonic = monotonic
        refresh = settings.refresh
        self._schedule = Schedule(interval=refresh.interval, full_interval=refresh.fallback_interval, rng=rng)
        self._expire_at = monotonic()
        self._accesses: Mapping[Target, Access] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._investigated: set[Target] = set()
        self._discovering = False
        self._discover_at = monotonic()
        self._discovered = False
        self._succeeded = False
        self._others_own_all = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
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
        settled = False
        try:
            while not self._stopping:
                now = self.alive_at = self._monotonic()
                if not settled:
                    # What is read first mostly stays. Out of the collector's sight it is not walked again and again,
                    # which would keep scrapes waiting; later passes leave little behind.
                    gc.freeze()
                    settled = self._ready
                self._start_what_is_due(now)
                self._expire(now)
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._idle(now))
        finally:
            self._give_up(self._connection)

    def _idle(self, now: float) -> float:
        """Return how long there is nothing to start, in seconds, a tick at the most."""
        due = [now + _TICK]
        if not self._discovering:
            due.append(self._discover_at)
        if self._accesses and (next_due := self._schedule.next_due()) is not None:
            due.append(next_due)
        return max(0.0, min(due) - now)

    def _start_what_is_due(self, now: float) -> None:
        if now >= self._discover_at and not self._discovering:
            self._discovering = True
            self._discover_at = now + _DISCOVER_AGAIN  # should it crash
            self._start(self._discover())
        if self._accesses:
            for target, kind in self._schedule.take(now):
                self._start(self._pass(self._accesses[target], kind))

    async def _discover(self) -> None:
        try:
            async for watch in self._connection.discovery.look():
                self._take_up(watch)
            self._discovered = True
            self._look_whether_ready()
            failed = watch.organization_error or any(watch.account_errors.values())
            self._discover_at = self._monotonic() + (_DISCOVER_AGAIN if failed else _DISCOVER_EVERY)
        finally:
            self._discovering = False
            self._wake.set()

    def _take_up(self, watch: Watch) -> None:
        owned = {target: access for target, access in watch.accesses.items() if self._shard.owns(target)}
        self._tell_discovered(watch, owned)
        self._accesses = owned
        self._others_own_all = bool(watch.accesses) and not owned
        self._inventory.watch(
            {target: access.account_name for target, access in owned.items()},
            watch.account_errors,
            None if watch.organization_error is None else not watch.organization_error,
        )
        self._schedule.watch(owned, self._monotonic())
        self._connection.investigator.forget(owned)
        self._telemetry.targets(len(owned))
        self._published()
        self._wake.set()

    async def _pass(self, access: Access, kind: PassKind) -> None:
        target, started = access.target, self._monotonic()
        before = self._inventory.state(target)
        ok = False
        try:
            if before is not None:
                ok = await self._sweep(access, kind, before)
        finally:
            now = self._monotonic()
            self._schedule.done(target, kind, ok=ok, now=now)
            self._telemetry.pass_ended(kind, now - started)
            self._succeeded = self._succeeded or ok
            self._look_whether_ready()
            self._wake.set()
        self._start_inquiry(access)

    def _start_inquiry(self, access: Access) -> None:
        """Ask beside the passes, which never wait for it, what pending keys are about."""
        state = self._inventory.state(access.target)
        if state is None or access.target in self._investigated or not self._connection.investigator.due(state):
            return
        self._investigated.add(access.target)
        self._start(self._investigate(access, state))

    async def _investigate(self, access: Access, state: TargetState) -> None:
        target = access.target
        try:
            async for learned in self._connection.investigator.investigate(access, state):
                before = self._inventory.state(target)
                self._inventory.learn(target, learned)
                self._published()
                self._tell_sources(target, before, self._inventory.state(target))
        finally:
            self._investigated.discard(target)

    def _look_whether_ready(self) -> None:
        succeeded = self._succeeded or self._others_own_all
        self._ready = self._ready or (succeeded and self._discovered and not self._schedule.untried)

    async def _sweep(self, access: Access, kind: PassKind, before: TargetState) -> bool:
        """Make one pass and take in what it found; return whether it succeeded."""
        target = access.target
        try:
            result = await self._connection.sweeper.sweep(access, kind, before.keys, before.unreadable)
        except TargetError as error:
            self._inventory.fail(target, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one pass, and is told as that
            self._log.error("pass_crashed", exc_info=error, account_id=target.account_id, region=target.region)
            self._inventory.fail(target, TargetError(target, "pass", type(error).__name__))
        else:
            self._tell_transitions(self._inventory.apply(target, result))
        after = self._inventory.state(target)
        self._published()
        if after is None:
            return False  # it left while it was swept
        self._tell_health(before, after)
        return bool(after.up)

    def _expire(self, now: float) -> None:
        if now < self._expire_at:
            return
        self._expire_at = now + _TICK
        version = self._inventory.snapshot.keys_version
        for target in self._inventory.expire():
            self._log.error("target_dropped", account_id=target.account_id, region=target.region)
        if self._inventory.snapshot.keys_version != version:
            self._published()

    def _configure(self) -> None:
        """Put the settings in force."""
        settings = self._settings
        self._connection = self._connect(settings)
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
        former = self._connection
        try:
            self._configure()
        except Exception as error:  # noqa: BLE001 - botocore could not be set up: go on as before
            self._log.error("reload_failed", exc_info=error)
            return
        self._give_up(former)
        self._accesses = {}  # no pass starts until the accounts are known to the new connection
        self._discover_at = self._monotonic()
        self._wake.set()

    def _give_up(self, connection: Connection) -> None:
        for task in self._tasks:
            task.cancel()
        self._discovering = False
        self._investigated.clear()
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

    def _tell_discovered(self, watch: Watch, owned: Mapping[Target, Access]) -> None:
        known = self._inventory.snapshot.account_errors
        for account_id, error in watch.account_errors.items():
            if error and error != known.get(account_id):
                self._log.warning("account_failed", account_id=account_id, error=error)
            elif account_id in known and not error:
                self._log.info("account_recovered", account_id=account_id)
        if watch.organization_error and self._inventory.snapshot.organization is not False:
            self._log.warning("organization_failed", error=watch.organization_error)
        watched = {state.target for state in self._inventory.snapshot.targets}
        for target in sorted(owned.keys() - watched):
            self._log.info("target_added", account_id=target.account_id, region=target.region)
        for target in sorted(watched - owned.keys()):
            self._log.info("target_removed", account_id=target.account_id, region=target.region)

    def _tell_transitions(self, transitions: tuple[Transition, ...]) -> None:
        for transition in transitions:
            self._telemetry.change(SOURCE, transition.kind)
            key, at = transition.key, transition.key.deletion.at if transition.key.deletion else None
            write = self._log.warning if transition.kind in _ALARMING else self._log.info
            write(
                transition.kind,
                account_id=transition.target.account_id,
                region=transition.target.region,
                key_id=key.key_id,
                alias=key.alias or None,
                before=transition.before or None,
                state=key.state,
                deletion_date=None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
            )

    def _tell_sources(self, target: Target, before: TargetState | None, after: TargetState | None) -> None:
        where = {"account_id": target.account_id, "region": target.region}
        earlier = before.sources if before else {}
        for source, error in after.sources.items() if after else ():
            if error and error != earlier.get(source):
                self._log.warning("source_failed", **where, source=source, error=error)
            elif not error and earlier.get(source):
                self._log.info("source_recovered", **where, source=source)

    def _tell_health(self, before: TargetState, after: TargetState) -> None:
        where = {"account_id": after.target.account_id, "region": after.target.region}
        if before.up is None and after.up and after.keys is not None:
            keys = after.keys.by_id.values()
            self._log.info("target_read", **where, keys=len(keys), pending=sum(key.pending for key in keys))
        elif after.up and before.up is False:
            self._log.info("target_recovered", **where)
        elif not after.up and after.last_error != before.last_error:
            self._log.warning("target_failed", **where, error=after.last_error)
        for key_id in after.unreadable.keys() - before.unreadable.keys():
            self._log.warning("key_unreadable", **where, key_id=key_id, reason=after.unreadable[key_id].reason)
