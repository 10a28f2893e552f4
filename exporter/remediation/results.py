"""What became of a key."""

from dataclasses import dataclass
from enum import StrEnum

from exporter.model import Key
from exporter.remediation.plan import Step


class Outcome(StrEnum):
    """How it ended; the first three are what was asked for."""

    SAVED = "saved"
    LEFT_DISABLED = "left_disabled"
    """Its deletion is cancelled, and it was not to be enabled."""
    UNCHANGED = "unchanged"
    """There was no deletion to cancel."""
    NOT_ENABLED = "not_enabled"
    """Its deletion is cancelled, and it still serves nobody."""
    NEEDS_MATERIAL = "needs_material"
    """Its deletion is cancelled, and its key material has to be imported again."""
    UNAVAILABLE = "unavailable"
    """Its deletion is cancelled, and its custom key store is not connected."""
    STILL_PENDING = "still_pending"
    GONE = "gone"
    UNKNOWN = "unknown"
    """Nobody could be asked any more how it stands."""
    INTERRUPTED = "interrupted"
    """The command was stopped while it was busy with this key."""
    NOT_REACHED = "not_reached"
    """The command was stopped before."""

    @property
    def good(self) -> bool:
        """Whether nothing is left to do."""
        return self in {Outcome.SAVED, Outcome.LEFT_DISABLED, Outcome.UNCHANGED}


@dataclass(frozen=True, slots=True)
class Change:
    """A change that AWS accepted.

    Attributes:
        operation: `CancelKeyDeletion` or `EnableKey`.
        request_id: of AWS, `requestID` in CloudTrail; `""` where its answer was lost.
        at: Unix seconds.
    """

    operation: str
    request_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one key.

    Attributes:
        after: as it was last seen; None when it was never described again.
        detail: what there is to say about it, one line, `""` when all went as planned.
        changes: in their order.
    """

    step: Step
    outcome: Outcome
    after: Key | None = None
    detail: str = ""
    changes: tuple[Change, ...] = ()
