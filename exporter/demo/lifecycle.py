"""How a key's state changes (KMS Developer Guide, "Key states of AWS KMS keys" and "Deleting KMS keys").

Every function changes one key, the world's lock held by the caller.
"""

from functools import partial
from typing import Final

from exporter.demo.errors import AwsError
from exporter.demo.keys import DAY, Family, ImportedMaterial, Key
from exporter.demo.trail import Deed

DEFAULT_WINDOW: Final = 30
WINDOWS: Final = range(7, 31)

_SETTLED: Final = frozenset({"Enabled", "Disabled"})
_SCHEDULABLE: Final = _SETTLED | {"PendingImport", "Unavailable"}
_TRANSIENT: Final = {
    "Creating": "is creating",
    "Updating": "is updating",
    "PendingDeletion": "is pending deletion",
    "PendingReplicaDeletion": "is pending replica deletion",
    "PendingImport": "is pending import",
    "Unavailable": "is unavailable",
}


def schedule_deletion(key: Key, days: int = DEFAULT_WINDOW) -> None:
    """Start the waiting period, or wait for the replicas first (`ScheduleKeyDeletion`).

    Raises:
        AwsError: `ValidationException` for a window out of 7 to 30 days, `KMSInvalidStateException` in the wrong state.
    """
    if days not in WINDOWS:
        raise AwsError("ValidationException", f"PendingWindowInDays must be between 7 and 30, got {days}")
    require_state(key, _SCHEDULABLE)
    key.window_days = days
    key.scheduled_at = key.vault.rules.agenda.time()
    if key.is_primary and key.family is not None and key.family.replicas:
        key.state = "PendingReplicaDeletion"
    else:
        _start_waiting(key)


def cancel_deletion(key: Key) -> None:
    """Save a pending key; it stays unusable (`CancelKeyDeletion`).

    Raises:
        AwsError: `KMSInvalidStateException` when it is not pending.
    """
    if not key.pending:
        raise AwsError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    key.state = "PendingImport" if key.origin == "EXTERNAL" and key.material is None else "Disabled"
    key.deletion_at = key.window_days = key.scheduled_at = None


def enable(key: Key) -> None:
    """Make it usable (`EnableKey`); an unavailable key takes the request and stays unavailable.

    Raises:
        AwsError: `KMSInvalidStateException` in the wrong state.
    """
    _switch(key, "Enabled")


def disable(key: Key) -> None:
    """Make it unusable (`DisableKey`); an unavailable key takes the request and stays unavailable.

    Raises:
        AwsError: `KMSInvalidStateException` in the wrong state.
    """
    _switch(key, "Disabled")


def require_not_pending(key: Key) -> None:
    """Refuse what a key on its way to destruction does not allow.

    Raises:
        AwsError: `KMSInvalidStateException`.
    """
    if key.pending:
        raise _wrong_state(key)


def require_state(key: Key, allowed: frozenset[str]) -> None:
    """Refuse what is possible in some states only.

    Raises:
        AwsError: `KMSInvalidStateException`.
    """
    if key.state not in allowed:
        raise _wrong_state(key)


def require_enabled(key: Key) -> None:
    """Refuse what needs an enabled key: cryptographic operations and new grants.

    A moment before a pending key was scheduled (`Agenda.as_of`) counts as one when it was enabled.

    Raises:
        AwsError: `DisabledException` or `KMSInvalidStateException`.
    """
    rules = key.vault.rules
    if key.state == "Enabled" or (key.scheduled_at is not None and rules.agenda.time() < key.scheduled_at):
        return
    if key.state == "Disabled":
        raise AwsError("DisabledException", f"{key.arn} is disabled.")
    error = _wrong_state(key)
    raise AwsError(rules.pending_refusal, error.message) if key.pending else error


def import_material(key: Key, expires_at: float | None) -> None:
    """Give a key of origin `EXTERNAL` its material, which AWS deletes once it expires (`ImportKeyMaterial`).

    Args:
        key: the key; one in `PendingImport` becomes `Enabled`.
        expires_at: `ValidTo`, None for material that does not expire.
    """
    key.material = ImportedMaterial(expires_at)
    if key.state == "PendingImport":
        key.state = "Enabled"
    if expires_at is not None:
        key.vault.rules.agenda.plan(expires_at, partial(_expire_material, key, key.material))


def lose_replica(family: Family) -> None:
    """Start the waiting period of a primary whose last replica is gone (`PendingReplicaDeletion`)."""
    primary = family.primary
    if primary is not None and primary.state == "PendingReplicaDeletion" and not family.replicas:
        _start_waiting(primary)


def plan_removal(key: Key) -> None:
    """Plan that a key in `PendingDeletion` vanishes when its date and AWS's delay after it have passed."""
    rules = key.vault.rules
    if key.deletion_at is not None:
        rules.agenda.plan(key.deletion_at + rules.deletion_lag, partial(_remove_if_due, key))


def _remove_if_due(key: Key) -> None:
    """Remove the key unless it is gone, was cancelled or has another date since this was planned."""
    rules = key.vault.rules
    if key.vault.keys.get(key.key_id) is not key or key.deletion_at is None:
        return
    if key.deletion_at + rules.deletion_lag <= rules.agenda.time():
        key.vault.remove(key)


def _expire_material(key: Key, material: ImportedMaterial) -> None:
    if key.material is not material:
        return
    key.material = None
    key.vault.tell(Deed("DeleteExpiredKeyMaterial", None, key.arn, response={"keyId": key.arn}))
    if key.state in _SETTLED:
        key.state = "PendingImport"


def _switch(key: Key, state: str) -> None:
    require_state(key, _SETTLED | {"Unavailable"})
    if key.state != "Unavailable":
        key.state = state


def _start_waiting(key: Key) -> None:
    key.state = "PendingDeletion"
    key.deletion_at = key.vault.rules.agenda.time() + (key.window_days or DEFAULT_WINDOW) * DAY
    plan_removal(key)


def _wrong_state(key: Key) -> AwsError:
    return AwsError("KMSInvalidStateException", f"{key.arn} {_TRANSIENT.get(key.state, f'is {key.state}')}.")
