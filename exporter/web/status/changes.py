"""What happened to keys lately, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exporter.model import Snapshot, Transition, TransitionKind
from exporter.times import minute, relative, rfc3339
from exporter.web.status.pending import Line, Tone
from exporter.web.status.query import PageQuery

MAX_CHANGES: Final = 25
"""Changes on the page; the JSON has more."""

_WORDS: Final[dict[TransitionKind, tuple[str, Tone]]] = {
    TransitionKind.CREATED: ("created", "plain"),
    TransitionKind.SCHEDULED: ("deletion scheduled", "near"),
    TransitionKind.CANCELLED: ("deletion cancelled", "good"),
    TransitionKind.RESCHEDULED: ("deletion scheduled anew", "near"),
    TransitionKind.DELETED: ("deleted for ever", "urgent"),
    TransitionKind.STATE_CHANGED: ("state changed", "plain"),
    TransitionKind.VANISHED: ("vanished without having been pending", "near"),
}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of a key, in words."""

    change: Transition
    account_name: str
    now: float

    @property
    def what(self) -> Line:
        """What happened."""
        return Line(*_WORDS[self.change.kind])

    @property
    def states(self) -> str:
        """The state before and after; `""` where the kind says it all."""
        before, after = self.change.before, self.change.key.state
        return f"{before} to {after}" if before and before != after else ""

    @property
    def iso(self) -> str | None:
        """When it was found."""
        return rfc3339(self.change.at)

    @property
    def at(self) -> str:
        """When it was found."""
        return minute(self.change.at)

    @property
    def ago(self) -> str:
        """How long ago that was."""
        return relative(self.change.at, self.now)


def latest_changes(snapshot: Snapshot, query: PageQuery, now: float) -> Sequence[ChangeRow]:
    """Return the latest changes in the accounts and regions that are asked for, newest first."""
    names = {state.target.account_id: state.account_name for state in snapshot.targets}
    return [
        ChangeRow(change, names.get(change.target.account_id, ""), now)
        for change in snapshot.transitions
        if query.account in {"", change.target.account_id} and query.region in {"", change.target.region}
    ][:MAX_CHANGES]
