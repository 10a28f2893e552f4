"""What events tell of targets: which keys to look at, and whether a pass may rely on them."""

import random
from collections.abc import Callable, Collection, Container
from math import inf
from typing import TYPE_CHECKING, Final

from exporter.aws.calls import Access
from exporter.aws.trail import EARLY, Look, Trail
from exporter.eventlog import CLOUDTRAIL, EventLog
from exporter.inventory import Inventory
from exporter.model import Events, Target, TargetState
from exporter.schedule import Schedule

if TYPE_CHECKING:
    from exporter.settings import Settings

_SUSPECT_FOR: Final = 150.0
"""Seconds during which a key that an event named is described in every pass once it was: KMS's answer may be older than
the event (https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency)."""


class Following:
    """Follows the events of every target, for one configuration; belongs to the refresh loop."""

    def __init__(
        self,
        *,
        settings: "Settings",
        trail: Trail,
        inventory: Inventory,
        schedule: Schedule,
        eventlog: EventLog,
        monotonic: Callable[[], float],
        rng: random.Random,
    ) -> None:
        """Tell `inventory` and `schedule` which targets' changes can be read."""
        self._rng = rng
        self._settings = settings
        self._trail = trail
        self._inventory = inventory
        self._schedule = schedule
        self._eventlog = eventlog
        self._monotonic = monotonic
        self._beside: set[Target] = set()
        self._suspects: dict[Target, dict[str, float]] = {}
        self._listed_at: dict[Target, float] = {}

    def forget(self, watched: Container[Target]) -> None:
        """Drop the memory of targets that are not in `watched`."""
        self._trail.forget(watched)
        self._suspects = {target: keys for target, keys in self._suspects.items() if target in watched}
        self._listed_at = {target: at for target, at in self._listed_at.items() if target in watched}

    def begin(self, target: Target) -> bool:
        """Return whether CloudTrail is to be asked beside a pass, which must not wait for it; then `end` it."""
        if not self._settings.changes.cloudtrail:
            self._take_events(target, "disabled")
            return False
        if target in self._beside:
            return False
        self._beside.add(target)
        return True

    def end(self, target: Target) -> None:
        """Take note that what began beside a pass is over."""
        self._beside.discard(target)

    async def look(self, access: Access) -> Look:
        """Ask CloudTrail what has changed; never raises TargetError."""
        look = await self._trail.look(access)
        if look.errors:
            self._inventory.count_errors(access.target, look.errors)
        self._take_events(access.target, look.reason)
        self._eventlog.named(CLOUDTRAIL, (name for names in look.named.values() for name in names))
        return look

    def suspect(self, target: Target, key_ids: Collection[str]) -> None:
        """Remember the keys that an event named, and will not name again, until KMS was asked about them."""
        if key_ids:
            self._suspects.setdefault(target, {}).update(dict.fromkeys(key_ids, inf))

    def suspects(self, target: Target) -> frozenset[str]:
        """Return the keys that an event named and KMS did not answer about yet, or a moment ago."""
        named = self._suspects.get(target)
        if not named:
            return frozenset()
        now = self._monotonic()
        self._suspects[target] = recent = {key_id: until for key_id, until in named.items() if until > now}
        return frozenset(recent)

    def answered(self, target: Target, key_ids: Collection[str]) -> None:
        """Take note that KMS was asked about keys, suspects among them, after they were named."""
        until = self._monotonic() + _SUSPECT_FOR
        suspects = self._suspects.get(target, {})
        suspects |= {key_id: until for key_id in key_ids if suspects.get(key_id) == inf}

    def listed(self, target: Target, at: float) -> None:
        """Take note that all keys of a target were listed in a pass that began then."""
        # The second list comes early by chance, so that targets that began together do not list their keys together.
        early = 0.0 if target in self._listed_at else self._rng.uniform(0, self._settings.refresh.fallback_interval)
        self._listed_at[target] = at - early

    def described(self, target: Target, at: float) -> None:
        """Take note that all keys of a target were described in a pass that began then."""
        self._trail.described(target, at)

    def can_rely_on_events(self, state: TargetState) -> bool:
        """Whether a pass may do without the list of keys, which costs as much as everything else in it.

        A key that CloudTrail does not name is found in the list, every `refresh.fallback_interval`.
        """
        age = self._monotonic() - self._listed_at.get(state.target, -inf)
        readable = state.events is not None and not state.events.reason and self._settings.changes.cloudtrail
        return (
            readable
            and state.up is True
            and age < self._settings.refresh.fallback_interval - EARLY
            and state.target not in self._beside
        )

    def _take_events(self, target: Target, reason: str) -> None:
        """Let full passes be as far apart as it takes, now that changes can be read, or no longer."""
        before = self._inventory.state(target)
        refresh = self._settings.refresh
        interval = refresh.fallback_interval if reason else refresh.full_interval
        self._schedule.set_full_interval(target, interval)
        self._inventory.events(target, Events("none" if reason else CLOUDTRAIL, reason, interval))
        if before is not None and (after := self._inventory.state(target)) is not None:
            self._eventlog.events(before, after)
