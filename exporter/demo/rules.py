"""What holds in the whole emulated world."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from exporter.demo.agenda import Agenda
from exporter.demo.trail import Event


@dataclass(slots=True)
class Rules:
    """Changeable at any time, but for the deletion lag: see `World.set_deletion_lag`.

    Attributes:
        deletion_lag: how long AWS takes to delete a key once its `DeletionDate` has passed, in seconds (real: up to a
            day); infinity to keep every key until `Vault.delete`.
        tracking_start: since when KMS has recorded which keys are used, in Unix seconds (`TrackingStartDate` of keys
            that are older).
        event_lag: how long CloudTrail takes to show an event, in seconds (real: about five minutes).
        pending_refusal: the code with which a cryptographic operation on a pending key is refused; KMS answers
            `KMSInvalidStateException` or `DisabledException` (KMS Developer Guide, "Key states of AWS KMS keys").
        empty_pages: operations that put an empty page before each page, such as `ListAccounts`.
        missing: operations that a region does not have, as pairs of region and operation.
        witnesses: who is told, with its account and region, of each event that CloudTrail puts on record.
    """

    agenda: Agenda
    random: Random
    deletion_lag: float = 0.0
    tracking_start: float = 0.0
    event_lag: float = 0.0
    pending_refusal: str = "KMSInvalidStateException"
    empty_pages: set[str] = field(default_factory=set)
    missing: set[tuple[str, str]] = field(default_factory=set)
    witnesses: list[Callable[[Event, str, str], None]] = field(default_factory=list)
