"""When each target is swept next, and how deeply. Arithmetic on a clock that is passed in; it never waits."""

import heapq
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from exporter.model import PassKind, Target

_SPREAD_PER_TARGET: Final = 0.01
"""Seconds over which the first passes are spread, for each target: the first requests of a fleet come as a slope."""
_APART: Final = 1.0
"""Seconds that lie between the later passes of any two targets, where the interval has room for that: those that began
together would ask together in every interval, and keep each other and the scrapes waiting."""
_LONGEST_BACKOFF: Final = 2.0
"""In intervals: a target that works again is found out within two."""
SHORTEST_REST: Final = 0.1
"""In intervals: what is left between two passes that take longer than the interval."""


@dataclass(slots=True)
class _Entry:
    """One target.

    Attributes:
        full_at: when the last full pass that succeeded was started; None as long as the next pass must be a full one.
        full_interval: how far apart full passes over this target are.
        share: of that interval, the part after which the next is due.
        spread: whether it was told apart from those that began together with it.
    """

    due: float
    full_interval: float
    full_at: float | None = None
    share: float = 1.0
    started: float = 0.0
    failures: int = 0
    tried: bool = False
    spread: bool = False
    running: bool = False

    def kind_at(self, now: float) -> PassKind:
        full = self.full_at is None or now >= self.full_at + self.share * self.full_interval
        return PassKind.FULL if full else PassKind.CHANGES


class Schedule:
    """The due times of all targets. Times are monotonic seconds."""

    def __init__(self, *, interval: float, full_interval: float, rng: random.Random) -> None:
        """Sweep each target every `interval` seconds, and in full when `full_interval` has passed since it last was.

        `set_full_interval` changes the latter for single targets.
        """
        self._interval = interval
        self._full_interval = full_interval
        self._rng = rng
        self._entries: dict[Target, _Entry] = {}
        self._heap: list[tuple[float, Target]] = []
        self._untried = 0

    @property
    def untried(self) -> int:
        """How many targets have not ended their first pass."""
        return self._untried

    def watch(self, targets: Iterable[Target], now: float) -> None:
        """Take `targets` for all there are: new ones are due soon, spread out; others are forgotten."""
        wanted = set(targets)
        for target in self._entries.keys() - wanted:
            del self._entries[target]
        new = wanted - self._entries.keys()
        spread = min(self._interval, _SPREAD_PER_TARGET * (len(new) - 1))
        for target in new:
            self._entries[target] = entry = _Entry(
                due=now + self._rng.uniform(0, spread), full_interval=self._full_interval
            )
            heapq.heappush(self._heap, (entry.due, target))
        self._untried = sum(not entry.tried for entry in self._entries.values())

    def change(self, *, interval: float, full_interval: float, now: float) -> None:
        """Take on another configuration: what was running is due again, and each target's next pass is a full one."""
        self._interval = interval
        self._full_interval = full_interval
        for entry in self._entries.values():
            entry.due = now if entry.running else min(entry.due, now + interval)
            entry.full_at, entry.full_interval = None, full_interval
            entry.running = False
        self._heap = [(entry.due, target) for target, entry in self._entries.items()]
        heapq.heapify(self._heap)

    def take(self, now: float) -> list[tuple[Target, PassKind]]:
        """Return the passes to start now; each target is out of the schedule until `done` is told."""
        passes = []
        while self._heap and self._heap[0][0] <= now:
            due, target = heapq.heappop(self._heap)
            entry = self._entries.get(target)
            if entry is None or entry.running or entry.due != due:
                continue  # forgotten since it was put in the heap, and perhaps watched again
            entry.running = True
            entry.started = due  # not now: that passes start a moment late must not add up
            passes.append((target, entry.kind_at(now)))
        return passes

    def set_full_interval(self, target: Target, seconds: float) -> None:
        """Let full passes over `target` be so far apart; a shorter time may make the next one due at once."""
        if (entry := self._entries.get(target)) is not None:
            entry.full_interval = seconds

    def next_due(self) -> float | None:
        """Return when `take` may next have something, None when nothing waits."""
        return self._heap[0][0] if self._heap else None

    def done(self, target: Target, kind: PassKind, *, ok: bool, now: float) -> None:
        """Put a target back: after a failure with a growing, jittered distance, and for the same kind of pass."""
        entry = self._entries.get(target)
        if entry is None or not entry.running:
            return
        entry.running = False
        first, entry.tried = not entry.tried, True
        self._untried -= first
        if ok:
            begun = now if first else entry.started
            if not entry.spread and not self._untried:  # as long as some are untried, none keeps them waiting
                entry.spread, begun = True, begun - self._early()
            entry.due = max(begun + self._interval, now + SHORTEST_REST * self._interval)
            if kind is PassKind.FULL:
                # The second full pass comes early by chance, so that targets that began together drift apart.
                entry.share = 1.0 if not first and not entry.failures else self._rng.uniform(0.5, 1.0)
                entry.full_at = entry.started
            entry.failures = 0
        else:
            entry.failures += 1
            # The power is bounded too: after a day of failures it would be more than a float can be.
            intervals = min(_LONGEST_BACKOFF, 2.0 ** min(entry.failures - 1, 16))
            entry.due = now + intervals * self._interval * self._rng.uniform(0.5, 1.0)
        heapq.heappush(self._heap, (entry.due, target))

    def _early(self) -> float:
        """Return by how much one pass over a target comes early, so that they are spread from then on."""
        room = (1 - SHORTEST_REST) * self._interval
        return self._rng.uniform(0, min(room, _APART * (len(self._entries) - 1)))
