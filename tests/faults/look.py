"""A scrape with everything that it is judged by: how late it may be, what was true, what earlier pages told."""

from collections import Counter
from dataclasses import dataclass, field
from math import inf

from exporter.model import Target
from tests.faults.page import Page
from tests.faults.truth import Chronicle, Troubles

SAME = 1.0
"""Seconds between two moments that are taken for one: AWS's answers, and the page, round."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How late a page may be, in seconds.

    Attributes:
        interval: between two passes.
        full_interval: between two full passes, which describe every key.
        keep_failed: how long the last known keys of a failing target are served.
        start: until a process has made its first passes, whatever stands in the way of some.
        allowance: for a machine that does other things too.
    """

    interval: float
    full_interval: float
    keep_failed: float
    start: float
    allowance: float

    @property
    def detect(self) -> float:
        """Until any change of a key is seen, when nothing stands in the way."""
        return self.full_interval + 2 * self.interval + self.allowance

    @property
    def recover(self) -> float:
        """Until a target is up again that can be read again."""
        return 2 * self.interval + self.allowance

    @property
    def kept(self) -> float:
        """How old anything that is served can be."""
        return self.keep_failed + self.detect


@dataclass(slots=True)
class Life:
    """What the pages of one process have told so far.

    Attributes:
        began: when the process was started.
        pending: key to when it was last shown pending.
        success: target to the end of its last pass that succeeded, as pages told it, on our clock.
        unreadable_since: target to when keys of it began to be told as unreadable.
    """

    began: float
    pending: dict[tuple[Target, str], float] = field(default_factory=dict)
    success: dict[Target, float] = field(default_factory=dict)
    unreadable_since: dict[Target, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clock:
    """The exporter's clock: by how many seconds it was ahead of ours since when."""

    steps: tuple[tuple[float, float], ...] = ((-inf, 0.0),)

    def jump(self, at: float, ahead: float) -> "Clock":
        return Clock((*self.steps, (at, ahead)))

    @property
    def ahead(self) -> float:
        return self.steps[-1][1]

    def moments(self, told: float) -> list[float]:
        """Return every moment, on our clock, at which the exporter's clock can have shown `told`."""
        ends = [at for at, _ in self.steps[1:]] + [inf]
        return [
            told - ahead
            for (since, ahead), until in zip(self.steps, ends, strict=True)
            if since - SAME <= told - ahead <= until + SAME
        ]


@dataclass(frozen=True, slots=True)
class Look:
    """A page with everything that it is judged by; it was asked for at `began` and complete at `ended`."""

    page: Page
    began: float
    ended: float
    truth: Chronicle
    troubles: Troubles
    bounds: Bounds
    life: Life
    clock: Clock = Clock()
    checked: Counter[str] = field(default_factory=Counter)

    def moments(self, told: float | None) -> list[float]:
        """Return every moment of the past, on our clock, that a time on the page can mean."""
        moments = [] if told is None else self.clock.moments(told)
        return [moment for moment in moments if moment <= self.ended + SAME]

    def calm_for(self, target: Target) -> float:
        """Return for how long nothing has stood in the way of reading a target."""
        return self.began - max(self.troubles.calm_since(target), self.life.began + self.bounds.start)

    def leaves(self, target: Target) -> float:
        """Return since when a target is no longer to be watched; infinity when it is."""
        return min((t.since for t in self.troubles.about(target) if t.leaves and t.until == inf), default=inf)

    def was_away(self, target: Target) -> bool:
        """Whether a target has left and may not have been read anew since it came back."""
        return any(trouble.leaves for trouble in self.troubles.about(target, self.began))

    def key_may_be_dropped(self, target: Target) -> bool:
        """Whether pending keys of a target may be older than `keep_failed`."""
        eldest = self.life.success.get(target, inf)
        return self.ended - eldest > self.bounds.keep_failed - self.bounds.interval - SAME
