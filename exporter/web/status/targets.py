"""What is watched, in words: what could not be checked comes first and says so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain, islice
from typing import Final

from exporter.model import Source, TargetState
from exporter.times import age
from exporter.web.status.pending import Line, Tone
from exporter.web.status.query import PageQuery
from exporter.web.status.selection import Page, cut

MAX_UNREADABLE: Final = 100
"""Unreadable keys that are named for a target; all are counted."""

_TOLD_BY: Final = {
    Source.SCHEDULED_BY: "who scheduled",
    Source.DENIED_USES: "denied uses",
    Source.LAST_USAGE: "last use",
    Source.GRANTS: "grants",
    Source.ACKNOWLEDGEMENT_TAG: "acknowledgement by tag",
}


class Trouble(IntEnum):
    """What is wrong with a target, the worst last."""

    NONE = 0
    SOURCES = 1
    UNTRIED = 2
    UNREADABLE_KEYS = 3
    FAILED = 4


_STATUS: Final[dict[Trouble, tuple[str, Tone]]] = {
    Trouble.NONE: ("checked", "good"),
    Trouble.SOURCES: ("checked, some facts unknown", "near"),
    Trouble.UNTRIED: ("not checked yet", "near"),
    Trouble.UNREADABLE_KEYS: ("could not check every key", "near"),
    Trouble.FAILED: ("could not check", "urgent"),
}


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target, in words."""

    state: TargetState
    now: float

    @property
    def status(self) -> Line:
        """How the last pass went."""
        return Line(*_STATUS[trouble(self.state)])

    @property
    def checked(self) -> str:
        """When the last pass succeeded."""
        return self._ago(self.state.last_success)

    @property
    def checked_in_full(self) -> str:
        """When every key was last asked for."""
        return self._ago(self.state.last_full)

    @property
    def keys(self) -> str:
        """How many keys are known."""
        return "unknown" if self.state.keys is None else str(len(self.state.keys.by_id))

    @property
    def reasons(self) -> str:
        """Why keys could not be described."""
        return ", ".join(sorted({unreadable.reason for unreadable in self.state.unreadable.values()}))

    @property
    def unreadable(self) -> Sequence[tuple[str, str, str]]:
        """Id, reason and age of some of the keys that could not be described."""
        return [
            (key_id, unreadable.reason, age(self.now - unreadable.since))
            for key_id, unreadable in islice(self.state.unreadable.items(), MAX_UNREADABLE)
        ]

    @property
    def errors(self) -> Sequence[tuple[str, str]]:
        """What failed, and why: the pass, then the sources of facts about pending keys."""
        failed = [("last pass", self.state.last_error)] if self.state.last_error else []
        return [*failed, *((_TOLD_BY[source], error) for source, error in self.state.sources.items() if error)]

    def _ago(self, moment: float | None) -> str:
        return "never" if moment is None else f"{age(self.now - moment)} ago"


def trouble(state: TargetState) -> Trouble:
    """Return the worst that is wrong with a target."""
    if state.up is False:
        return Trouble.FAILED
    if state.unreadable:
        return Trouble.UNREADABLE_KEYS
    if state.up is None:
        return Trouble.UNTRIED
    return Trouble.SOURCES if any(state.sources.values()) else Trouble.NONE


def select_targets(states: Sequence[TargetState], query: PageQuery, now: float) -> Page[TargetRow]:
    """Return the page of targets that is asked for, the worst first."""
    ranked: dict[Trouble, list[TargetState]] = {kind: [] for kind in sorted(Trouble, reverse=True)}
    for state in states:
        if query.account in {"", state.target.account_id} and query.region in {"", state.target.region}:
            ranked[trouble(state)].append(state)
    rows: Iterator[TargetRow] = (TargetRow(state, now) for state in chain.from_iterable(ranked.values()))
    return cut(rows, query.targets_page, sum(map(len, ranked.values())))
