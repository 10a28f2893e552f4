"""What is asked about a target, and what becomes of the answer: passes, looks at keys that events named, inquiries."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final, Protocol

from exporter.aws.calls import Access
from exporter.aws.connection import Connection
from exporter.aws.sweep import Notice
from exporter.aws.trail import Look
from exporter.errors import TargetError
from exporter.eventlog import EventLog
from exporter.following import Following
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import Keys, Pass, PassKind, Target, TargetState, asked_about, without

PATIENCE: Final = 3.0
"""Seconds that a pass waits for CloudTrail, then it lists the keys: nothing may hold up a look at a pending key.
CloudTrail answers twice a second at the most, and whoever else asks it has a share of that."""


class Telemetry(Protocol):
    """What is told of passes."""

    def pass_ended(self, mode: str, seconds: float) -> None:
        """Observe the duration of a pass."""
        ...


class Passes:
    """Asks AWS for one configuration, and takes in what it answers; belongs to the refresh loop.

    Passes and looks run side by side, so what one has read may be older than what another one has taken in meanwhile.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        following: Following,
        inventory: Inventory,
        eventlog: EventLog,
        telemetry: Telemetry,
        log: Log,
        monotonic: Callable[[], float],
        start: Callable[[Coroutine[Any, Any, None]], None],
        publish: Callable[[], None],
        patience: float = PATIENCE,
    ) -> None:
        """Keep `inventory` up to date, calling `publish` after each change; `start` runs what a pass need not await.

        A pass waits for CloudTrail as long as `patience` allows, in seconds.
        """
        self._connection = connection
        self._following = following
        self._inventory = inventory
        self._eventlog = eventlog
        self._telemetry = telemetry
        self._log = log
        self._monotonic = monotonic
        self._start = start
        self._publish = publish
        self._patience = patience
        self._closed = False
        self._investigated: set[Target] = set()
        self._overtaken: dict[Target, set[str]] = {}
        """Target of each pass under way to the keys that looks have read since it began."""

    def close(self) -> None:
        """Take in no more notices: other settings are in force."""
        self._closed = True

    async def make(self, access: Access, kind: PassKind) -> bool:
        """Make one pass and take in what it found; return whether it succeeded."""
        target, started = access.target, self._monotonic()
        before = self._inventory.state(target)
        ok = False
        try:
            if before is not None:
                ok = await self._make(access, kind, before)
        finally:
            seconds = self._monotonic() - started
            self._telemetry.pass_ended(kind, seconds)
            self._log.debug(
                "pass_ended",
                account_id=target.account_id,
                region=target.region,
                mode=kind,
                seconds=round(seconds, 3),
                up=ok,
            )
        self._start_inquiry(access)
        return ok

    async def look_at(self, access: Access, key_ids: Collection[str]) -> Collection[str]:
        """Describe keys that events named; return those that did not answer."""
        target, now = access.target, self._monotonic()
        before = self._inventory.state(target)
        if before is None:
            return key_ids
        self._following.suspect(target, key_ids)
        if before.keys is None:
            return key_ids  # the first pass may have described them already, before the event: the next one looks again
        result = await self._connection.sweeper.look_at(access, key_ids, before.keys)
        self._following.answered(target, asked_about(result, key_ids))
        result = self._without_what_changed(target, result, before.keys)
        answered = result.read.keys() | result.gone
        if target in self._overtaken:
            self._overtaken[target] |= answered
        self._telemetry.pass_ended(result.kind, self._monotonic() - now)
        self._take_in(target, result)
        self._start_inquiry(access)
        if result.ended_by is not None:
            return set(key_ids) - answered
        return result.unreadable.keys()

    async def _make(self, access: Access, kind: PassKind, before: TargetState) -> bool:
        target = access.target
        overtaken = self._overtaken[target] = set()

        def notice(found: Pass) -> None:
            if not self._closed:
                self._take_in(target, without(found, overtaken))
                self._start_inquiry(access)

        try:
            result = await self._ask(access, kind, before, notice)
        except TargetError as error:
            self._inventory.fail(target, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one pass, and is told as that
            self._log.error("pass_crashed", exc_info=error, account_id=target.account_id, region=target.region)
            self._inventory.fail(target, TargetError(target, "pass", type(error).__name__))
        else:
            self._take_in(target, without(result, overtaken) if overtaken else result)
        finally:
            self._overtaken.pop(target, None)
        after = self._inventory.state(target)
        self._publish()
        if after is None:
            return False  # it left while it was swept
        self._eventlog.passed(before, after)
        return bool(after.up)

    async def _ask(self, access: Access, kind: PassKind, before: TargetState, notice: Notice) -> Pass:
        """Ask AWS what there is; for changes, CloudTrail alone as long as it can be read and the list of keys is young.

        Raises:
            TargetError: nothing could be learned of the target.
        """
        target, sweeper, following = access.target, self._connection.sweeper, self._following
        if kind is PassKind.CHANGES and before.keys is not None and following.can_rely_on_events(before):
            look = await self._look_in_time(access)
            if look is not None:
                following.suspect(target, look.named)  # also where it failed: what it has read, it names once
            if look is not None and not look.reason:
                suspects = following.suspects(target)
                result = await sweeper.changes_named(access, suspects, before.keys, before.unreadable, noticed=notice)
                following.answered(target, asked_about(result, suspects))
                return result
        elif following.begin(target):
            self._start(self._follow(access, None))
        began = self._monotonic()
        suspects = following.suspects(target)
        result = await sweeper.sweep(access, kind, before.keys, before.unreadable, suspects, noticed=notice)
        following.answered(target, asked_about(result, suspects))
        if result.ended_by is None:
            following.listed(target, began)
            if result.kind is PassKind.FULL:
                following.described(target, began)
        return result

    async def _look_in_time(self, access: Access) -> Look | None:
        """Ask CloudTrail what has changed; return None where it takes longer than a pass may wait, or is not asked."""
        if not self._following.begin(access.target):
            return None
        awaited: asyncio.Future[Look] = asyncio.get_running_loop().create_future()
        self._start(self._follow(access, awaited))
        # Not `wait_for`: a look that ends in the very moment that it gives up would be lost, with all that it names.
        await asyncio.wait([awaited], timeout=self._patience)
        if awaited.done():
            return awaited.result()
        awaited.cancel()
        return None

    async def _follow(self, access: Access, awaited: asyncio.Future[Look] | None) -> None:
        """Ask CloudTrail, and tell the pass that waits for it; once none does, look at the keys that events named."""
        try:
            look = await self._following.look(access)
            if awaited is not None and not awaited.done():
                awaited.set_result(look)
            elif look.named:
                await self.look_at(access, look.named)
        finally:
            self._following.end(access.target)

    def _without_what_changed(self, target: Target, look: Pass, before: Keys) -> Pass:
        """Leave out keys that a pass has found otherwise while a look was under way; it takes its time for aliases.

        A pending key stays: better told for an interval too long than for one too late.
        """
        state = self._inventory.state(target)
        if state is None or state.keys is None:
            return look
        now = state.keys.by_id
        changed = {key_id for key_id in look.read if now.get(key_id) is not before.by_id.get(key_id)}
        return without(look, {key_id for key_id in changed if not look.read[key_id].pending})

    def _take_in(self, target: Target, result: Pass) -> None:
        self._eventlog.changed(self._inventory.apply(target, result))
        self._publish()

    def _start_inquiry(self, access: Access) -> None:
        """Ask beside the passes, which never wait for it and don't fail with it, what pending keys are about."""
        if access.target not in self._investigated:
            self._start(self._investigate(access))

    async def _investigate(self, access: Access) -> None:
        target = access.target
        state = self._inventory.state(target)
        if state is None or target in self._investigated or not self._connection.investigator.due(state):
            return
        self._investigated.add(target)
        try:
            async for learned in self._connection.investigator.investigate(access, state):
                before = self._inventory.state(target)
                self._inventory.learn(target, learned)
                self._publish()
                if before is not None and (after := self._inventory.state(target)) is not None:
                    self._eventlog.learned(before, after)
        finally:
            self._investigated.discard(target)
