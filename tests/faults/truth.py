"""What the oracle holds a page against: what was true of each key when, and what stood in the way of reading it.

Times are Unix seconds of our own clock, which no fault moves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from exporter.model import PENDING_STATES, Target


@dataclass(frozen=True, slots=True)
class Fact:
    """What a key is at some time."""

    state: str
    deletion_at: float | None = None

    @property
    def pending(self) -> bool:
        return self.state in PENDING_STATES


@dataclass(frozen=True, slots=True)
class Span:
    """A time during which a fact held; None: there was no such key.

    The change of a key takes a moment in which a reader may meet either fact: spans overlap by it.
    """

    fact: Fact | None
    since: float
    until: float = inf


@dataclass(slots=True)
class Chronicle:
    """What was true of each key, and what AWS told of it that was not."""

    spans: dict[Target, dict[str, list[Span]]] = field(default_factory=dict)
    lies: dict[str, dict[str, float]] = field(default_factory=dict)

    def write(self, target: Target, key_id: str, fact: Fact | None, since: float, now: float) -> None:
        """Note what a change that began at `since` and was done by `now` has made of a key."""
        spans = self.spans.setdefault(target, {}).setdefault(key_id, [])
        if spans:
            last = spans[-1]
            spans[-1] = Span(last.fact, last.since, now)
        spans.append(Span(fact, since))

    def lie(self, key_id: str, state: str, now: float) -> None:
        """Note that AWS called a key's state something that it is not."""
        self.lies.setdefault(key_id, {})[state] = now

    def told(self, key_id: str, since: float) -> set[str]:
        """Return what AWS has called a key's state, and it was not, since a moment."""
        return {state for state, at in dict(self.lies.get(key_id, {})).items() if at >= since}

    def keys(self, target: Target) -> Iterable[str]:
        """Return every key that there ever was."""
        return self.spans.get(target, {})

    def facts(self, target: Target, key_id: str, since: float, until: float) -> list[Fact | None]:
        """Return what was true of a key at some moment of a time."""
        spans = self.spans.get(target, {}).get(key_id, [])
        return [span.fact for span in spans if span.since <= until and span.until >= since]

    def standing(self, target: Target, key_id: str) -> Span:
        """Return what is true of a key now, with the moment since when nobody can have read anything else."""
        spans = self.spans[target][key_id]
        return Span(spans[-1].fact, spans[-2].until if len(spans) > 1 else spans[-1].since)

    def pending_since(self, target: Target, key_id: str) -> float | None:
        """Return since when a key is pending without a break; None when it is not."""
        since = None
        for before, span in zip([None, *self.spans[target][key_id]], self.spans[target][key_id], strict=False):
            if span.fact is None or not span.fact.pending:
                since = None
            elif since is None:
                since = before.until if before else span.since
        return since


@dataclass(slots=True)
class Trouble:
    """Something that stands in the way of reading some targets.

    Attributes:
        targets: whom it concerns.
        grace: seconds after its end during which it may still be felt, such as a pause that throttling caused.
        total: no pass over these targets can succeed.
        fails_after: seconds that a pass under it may take to fail.
        slow: passes may take long without failing.
        leaves: the targets are no longer to be watched.
    """

    kind: str
    targets: frozenset[Target]
    since: float
    until: float = inf
    grace: float = 0.0
    total: bool = False
    fails_after: float = 0.0
    slow: bool = False
    leaves: bool = False

    @property
    def over(self) -> float:
        return self.until + self.grace


@dataclass(slots=True)
class Troubles:
    """Every trouble so far, in the order in which they began."""

    all: list[Trouble] = field(default_factory=list)

    def about(self, target: Target, since: float = -inf) -> Iterator[Trouble]:
        """Yield what concerned a target at some time since a moment."""
        return (trouble for trouble in self.all if target in trouble.targets and trouble.over >= since)

    def calm_since(self, target: Target) -> float:
        """Return since when nothing stands in the way; infinity when something does."""
        return max((trouble.over for trouble in self.about(target)), default=-inf)

    def total_since(self, target: Target) -> float:
        """Return since when no pass can have succeeded; infinity when one may."""
        return min((t.since for t in self.about(target) if t.total and t.until == inf), default=inf)

    def failed_since(self, target: Target) -> float:
        """Return since when a pass under a total trouble must have failed, were there no pause between passes."""
        return min((t.since + t.fails_after for t in self.about(target) if t.total and t.until == inf), default=inf)
