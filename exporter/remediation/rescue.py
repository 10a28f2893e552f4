"""Carries a plan out: cancels, enables, looks until the state holds, and tells what became of each key."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from exporter.aws import changes
from exporter.aws.calls import Calls
from exporter.errors import TargetError
from exporter.model import Key, Target
from exporter.remediation.journal import Journal
from exporter.remediation.plan import Step
from exporter.remediation.results import Change, Outcome, Result

_AT_ONCE: Final = 32
"""Keys of one target that are worked on at once: a key takes some seconds, and five a second can be begun."""
_CALL_TIME: Final = 300.0
"""Seconds for one request with its retries: on the day of an attack others use up the same quotas."""
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0
_HOLD: Final = 1.0
"""Seconds between two looks that must both find the wanted state: KMS is eventually consistent
(https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency)."""
_NOT_FOUND: Final = "NotFoundException"
_REFUSALS: Final = frozenset({"AccessDeniedException", "AccessDenied", _NOT_FOUND, "UnsupportedOperationException"})
"""Errors that no time heals, and that say that nothing was changed."""


class Listener(Protocol):
    """Who is told how it goes, while it goes."""

    def changed(self, step: Step, change: Change) -> None:
        """Hear that AWS accepted a change."""
        ...

    def ended(self, result: Result) -> None:
        """Hear what became of a key."""
        ...


class Rescue:
    """Works on many keys at once, at the whole rate that AWS allows in each account and region.

    One key that fails stops no other. Belongs to one event loop.
    """

    def __init__(self, *, calls: Calls, journal: Journal, listener: Listener, patience: float) -> None:
        """Wait up to `patience` seconds (loop time) for a change to show; `calls` keep to the request quotas."""
        self._calls = calls
        self._journal = journal
        self._listener = listener
        self._patience = patience
        self._stopping = False
        self._tasks: list[asyncio.Task[Result]] = []

    def stop(self) -> None:
        """Begin no further key, and finish those under way; the second time, give those up too."""
        if self._stopping:
            for task in self._tasks:
                task.cancel()
        self._stopping = True

    async def run(self, steps: Sequence[Step]) -> list[Result]:
        """Do what the steps say, the first first; return a result for each, in their order."""
        places: dict[Target, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
        self._tasks = [asyncio.create_task(self._in_turn(step, places[step.access.target])) for step in steps]
        return await asyncio.gather(*self._tasks)

    async def _in_turn(self, step: Step, places: asyncio.Semaphore) -> Result:
        key = _KeyUnderWay(self._calls, self._journal, self._listener, self._patience, step)
        try:
            async with places:
                if self._stopping:
                    return Result(step, Outcome.NOT_REACHED)
                result = await key.save()
        except asyncio.CancelledError:
            if not key.begun:
                return Result(step, Outcome.NOT_REACHED)
            result = key.result(Outcome.INTERRUPTED, "stopped in the middle: run again on the same record")
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one key, and is told as that
            result = key.result(Outcome.UNKNOWN, f"{type(error).__name__}: {error}")
        self._journal.ended(result)
        self._listener.ended(result)
        return result


@dataclass(slots=True)
class _KeyUnderWay:
    """One key while it is being saved.

    Attributes:
        begun: whether a change may have been sent.
        seen: the key as it was last described in this run.
        done: the changes that AWS accepted.
    """

    calls: Calls
    journal: Journal
    listener: Listener
    patience: float
    step: Step
    begun: bool = False
    seen: Key | None = None
    done: list[Change] = field(default_factory=list)

    async def save(self) -> Result:
        """Do all of it."""
        self.begun = True
        if self.step.action.cancels and (failed := await self._cancel()):
            return failed
        return await self._enable_and_verify()

    def result(self, outcome: Outcome, detail: str = "") -> Result:
        """Say what became of the key, and how far it came."""
        return Result(self.step, outcome, self.seen, detail, tuple(self.done))

    async def _cancel(self) -> Result | None:
        """Cancel the deletion; return what became of the key where that failed."""
        self.journal.cancelling(self.step)
        try:
            request_id = await changes.cancel_key_deletion(
                self.calls, self.step.access, self.step.facts.key.key_id, deadline=self._call_deadline()
            )
        except TargetError as error:
            return await self._doubt(error)
        self._accepted("CancelKeyDeletion", request_id)
        return None

    async def _doubt(self, error: TargetError) -> Result | None:
        """Find out what a failed CancelKeyDeletion did: its answer may be lost, or somebody else was faster."""
        looks = 1 if error.reason in _REFUSALS else 5
        pauses = _Pauses()
        for look in range(looks):
            if look:
                await asyncio.sleep(next(pauses))
            try:
                key = await self._look()
            except TargetError as unseen:
                if unseen.reason == _NOT_FOUND:
                    return self.result(Outcome.GONE, "AWS has deleted it")
                continue
            if not key.pending:
                self._accepted("CancelKeyDeletion", "", f"answered with {error.reason}, and no longer pending")
                return None
        outcome = Outcome.UNKNOWN if self.seen is None else Outcome.STILL_PENDING
        return self.result(outcome, str(error))

    async def _enable_and_verify(self) -> Result:
        """Look at the key until it is as wanted, enabling it once it can be."""
        trouble, held, enabled = "", 0, False
        pauses = _Pauses()
        give_up_at = self._now() + self.patience
        while True:
            try:
                key = await self._look()
            except TargetError as error:
                trouble, held = str(error), 0
                if error.reason in _REFUSALS:
                    return self._unverified(trouble)
            else:
                held = held + 1 if self._settled(key, enabled=enabled) else 0
                if held > 1:
                    return self._as_found(key)
                if not held and not key.pending and not enabled:
                    enabled, trouble, hopeless = await self._enable()
                    if hopeless:
                        return self._unverified(trouble)
                    if enabled:
                        pauses = _Pauses()
            if self._now() >= give_up_at:
                return self._unverified(trouble or f"the change does not show after {self.patience:.0f} s")
            await asyncio.sleep(_HOLD if held else next(pauses))

    def _settled(self, key: Key, *, enabled: bool) -> bool:
        """Whether the key is in a state that this command brings it to, or can bring it no further from."""
        if key.pending:
            return False
        if not self.step.action.enables or key.state in {"Enabled", "PendingImport"}:
            return True
        return enabled and key.state == "Unavailable"

    async def _enable(self) -> tuple[bool, str, bool]:
        """Enable the key; return whether AWS accepted it, what stood in the way, and whether waiting can't help."""
        try:
            request_id = await changes.enable_key(
                self.calls, self.step.access, self.step.facts.key.key_id, deadline=self._call_deadline()
            )
        except TargetError as error:
            # In the wrong state: the cancellation has not reached the whole of KMS yet. An answer may also be lost.
            return False, str(error), error.reason in _REFUSALS
        self._accepted("EnableKey", request_id)
        return True, "", False

    def _as_found(self, key: Key) -> Result:
        if key.state == "PendingImport":
            return self.result(Outcome.NEEDS_MATERIAL, "its key material has to be imported again")
        if not self.step.action.enables:
            return self.result(Outcome.LEFT_DISABLED, "" if key.state == "Disabled" else f"it is {key.state}")
        if key.state == "Unavailable":
            return self.result(Outcome.UNAVAILABLE, "its custom key store is not connected")
        return self.result(Outcome.SAVED)

    def _unverified(self, trouble: str) -> Result:
        """Say how it stands when the wanted state did not come, or could not be seen."""
        if self.seen is None:  # what was done is told with the result
            return self.result(Outcome.UNKNOWN, trouble)
        if self.seen.pending:
            return self.result(Outcome.STILL_PENDING, trouble)
        if self.seen.state == "Unavailable":
            return self.result(Outcome.UNAVAILABLE, trouble)
        return self.result(Outcome.NOT_ENABLED if self.step.action.enables else Outcome.UNKNOWN, trouble)

    async def _look(self) -> Key:
        """Describe the key.

        Raises:
            TargetError: it can't be.
        """
        key_id = self.step.facts.key.key_id
        found = await changes.describe(self.calls, self.step.access, key_id, deadline=self._call_deadline())
        self.seen = found.key
        return found.key

    def _accepted(self, operation: str, request_id: str, detail: str = "") -> None:
        change = Change(operation, request_id, self.journal.now())
        self.done.append(change)
        self.journal.changed(self.step, change, detail)
        self.listener.changed(self.step, change)

    def _call_deadline(self) -> float:
        return self._now() + _CALL_TIME

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class _Pauses:
    """Seconds to wait between two looks, longer each time."""

    def __init__(self) -> None:
        self._following = _FIRST_PAUSE

    def __next__(self) -> float:
        pause, self._following = self._following, min(_LONGEST_PAUSE, self._following * 2)
        return pause
