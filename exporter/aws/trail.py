"""Which keys changed, as CloudTrail tells it: what it costs follows the number of changes, not the number of keys.

An event is never believed: it only names a key, which is then described.
"""

import asyncio
import random
from collections.abc import Callable, Container
from contextlib import aclosing
from dataclasses import dataclass, field
from math import inf
from typing import Final

from exporter.aws.calls import Access, Calls
from exporter.aws.cloudtrail import OVERLAP, REACH, Query, look_up
from exporter.aws.dossier import patience
from exporter.errors import TargetError
from exporter.model import Target

SCHEDULING: Final = "ScheduleKeyDeletion"
OTHERS: Final = (
    "CancelKeyDeletion",
    "EnableKey",
    "DisableKey",
    "ImportKeyMaterial",
    "DeleteImportedKeyMaterial",
    "UpdatePrimaryRegion",
    "ReplicateKey",
)
"""What else can change a key. Pending keys are described in every pass, so none of these hides a deletion."""
OTHERS_EVERY: Final = 300.0
"""Seconds between two looks for one of `OTHERS`, in turn: a lookup names one event, and each costs a request."""
EARLY: Final = 1.0
"""How much earlier than that a look may come, since passes come at their interval but for the moments that it takes to
start them: without it, every second pass would at times be every third."""
MOST_PAGES: Final = 20
"""Pages that one look reads. More than a thousand changes at once are found by describing every key."""
_LOOK_TIME: Final = 120.0


@dataclass(frozen=True, slots=True)
class Look:
    """What came of a look.

    Attributes:
        named: id of each key that an event named to the events' names.
        reason: why changes can't be read, `""` where they can: an AWS error code, or as in `TargetError.reason`.
        errors: calls that failed.
    """

    named: dict[str, frozenset[str]] = field(default_factory=dict)
    reason: str = ""
    errors: tuple[TargetError, ...] = ()


@dataclass(slots=True)
class _Progress:
    """How far one target's history was read.

    Attributes:
        until: event name to the end of what was looked through, in Unix seconds.
        seen: event name to the ids of the events within the overlap, with their times.
        turn: whose turn it is among `OTHERS`.
        others_at: when the last of them was looked for, in monotonic seconds.
        paused_until: when it is worth trying again after a failure.
        reason: what that failure was; `""` once all could be read again.
    """

    others_at: float
    until: dict[str, float] = field(default_factory=dict)
    seen: dict[str, dict[str, float]] = field(default_factory=dict)
    turn: int = 0
    paused_until: float = -inf
    reason: str = ""


class Trail:
    """Reads the changes of every target; remembers how far it has read."""

    def __init__(
        self, *, calls: Calls, now: Callable[[], float], monotonic: Callable[[], float], rng: random.Random
    ) -> None:
        """Begin half an hour ago: whoever looks has described every key since."""
        self._calls = calls
        self._now = now
        self._monotonic = monotonic
        self._rng = rng
        self._progress: dict[Target, _Progress] = {}

    async def look(self, access: Access) -> Look:
        """Return what changed since the last look; never raises TargetError."""
        now = self._monotonic()
        progress = self._progress.get(access.target)
        if progress is None:
            # Targets that begin together do not look for the others together.
            others_at = now - self._rng.uniform(0, OTHERS_EVERY)
            progress = self._progress[access.target] = _Progress(others_at=others_at)
        if now < progress.paused_until:
            return Look(reason=progress.reason)
        names = [SCHEDULING]
        if now - progress.others_at >= OTHERS_EVERY - EARLY:
            names.append(OTHERS[progress.turn])
        named: dict[str, frozenset[str]] = {}
        try:
            for name in names:
                await self._read(access, progress, name, named)
        except TargetError as error:
            progress.reason = error.reason
            progress.paused_until = self._monotonic() + patience(error)
            return Look(named, error.reason, (error,))
        progress.reason = ""
        if len(names) > 1:
            progress.turn = (progress.turn + 1) % len(OTHERS)
            progress.others_at = now
        return Look(named)

    def described(self, target: Target, at: float) -> None:
        """Take note that every key was described in a pass that began then: what could not be read before need not be.

        Else too many events at once, or one that is not as documented, would stand in the way for as long as CloudTrail
        keeps them.
        """
        progress = self._progress.get(target)
        if progress is not None and progress.reason:
            began = self._now() - (self._monotonic() - at)
            progress.until = {name: max(until, began) for name, until in progress.until.items()}

    def forget(self, watched: Container[Target]) -> None:
        """Drop the memory of targets that are not in `watched`."""
        self._progress = {target: kept for target, kept in self._progress.items() if target in watched}

    async def _read(self, access: Access, progress: _Progress, name: str, named: dict[str, frozenset[str]]) -> None:
        """Add the keys that events called `name` are about.

        Raises:
            TargetError: not everything could be read; what was is looked through again, and not named again.
        """
        until = self._now()
        # What was looked through may have ended later than now: the clock has been put back since.
        start = max(until - REACH, min(progress.until.get(name, until), until) - OVERLAP)
        query = Query("EventName", name, start, until, principals=False)
        deadline = asyncio.get_running_loop().time() + _LOOK_TIME
        seen = progress.seen.get(name, {})
        found: dict[str, float] = {}
        pages = 0
        try:
            async with aclosing(look_up(self._calls, access, query, deadline=deadline)) as reading:
                async for page in reading:
                    if page.unreadable:
                        raise TargetError(access.target, "LookupEvents", "invalid_response", f"a {name} can't be read")
                    for event in page.events:
                        found[event.event_id] = event.at
                        if event.event_id not in seen and not event.error_code:
                            for about in event.about:
                                key_id = about.rpartition("/")[2]
                                named[key_id] = named.get(key_id, frozenset()) | {name}
                    pages += 1
                    if pages == MOST_PAGES and page.token is not None:
                        raise TargetError(access.target, "LookupEvents", "too_many_events", f"of {name}")
            progress.until[name] = until
        finally:
            progress.seen[name] = {event_id: at for event_id, at in seen.items() if at >= start} | found
