"""Uses of a key that were denied because it is pending deletion: who would miss it."""

from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from exporter.aws.cloudtrail import OVERLAP, Event
from exporter.model import DeniedUses, Key

CRYPTOGRAPHIC: Final = frozenset(
    {
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "ReEncrypt",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""What AWS counts as a use of a key: `Operation` of GetKeyLastUsage
(https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyLastUsageData.html), and
https://docs.aws.amazon.com/kms/latest/developerguide/kms-cryptography.html#cryptographic-operations."""

_CODES: Final = ("DisabledException", "KMSInvalidStateException")
_MESSAGE: Final = "pending deletion"
_ROUNDING: Final = 60.0


def is_denied_use(event: Event, key: Key) -> bool:
    """Whether somebody tried to use `key`, which is pending, and could not.

    Told by the code *or* by the message: AWS documents both, for different operations
    (https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html). The message names the key that is in the
    wrong state; ReEncrypt is about two.
    """
    if event.name not in CRYPTOGRAPHIC:
        return False
    message = event.error_message.lower()
    if not event.error_code.startswith(_CODES) and _MESSAGE not in message:
        return False
    return ":key/" not in message or key.key_id.lower() in message


@dataclass(slots=True)
class Uses:
    """The denied uses of a key that were counted so far; moments are Unix seconds.

    Attributes:
        since: only events from then on count.
        looked_until: up to when was looked; None before the first look.
        unread_until: up to when is left to be read of what the first look had no time for; None for nothing.
        skipped: whether some events will never be read: there were too many at once, or it can't be told what they are.
        counted: event id to its time, for events that may be found again.
        known: what an earlier count of the same deletion found, before a reload; it stands until this one is through.
    """

    since: float
    known: DeniedUses | None = None
    looked_until: float | None = None
    unread_until: float | None = None
    skipped: bool = False
    count: int = 0
    last: Event | None = None
    counted: dict[str, float] = field(default_factory=dict)

    @property
    def look_from(self) -> float:
        """Where the next look begins."""
        return self.since if self.looked_until is None else max(self.since, self.looked_until - OVERLAP)

    def add(self, event: Event) -> None:
        """Count a denied use, unless it is known."""
        if event.at < self.since or event.event_id in self.counted:
            return
        self.counted[event.event_id] = event.at
        self.count += 1
        if self.last is None or event.at > self.last.at:
            self.last = event

    def looked(self, until: float, cut_at: float | None = None) -> None:
        """Take note of a look that ended with all read, or that was cut at an event of that time.

        The first look may have weeks to read. Of a later one that is cut, the next look reads what lies in its overlap.
        """
        if self.looked_until is None:
            self.unread_until = cut_at
        else:
            self.skipped = self.skipped or cut_at is not None
        self.looked_until = until
        self._forget()

    def looked_further(self, cut_at: float | None) -> None:
        """Take note of a look at what the first one left: at all of it, or down to an event of that time."""
        moved_on = cut_at is not None and self.unread_until is not None and cut_at < self.unread_until
        self.unread_until = cut_at if moved_on else None
        self.skipped = self.skipped or (cut_at is not None and not moved_on)
        self._forget()

    def told(self) -> DeniedUses:
        """Return what is told of them."""
        complete = self.unread_until is None and not self.skipped
        if not complete and self.known is not None and self.known.count > self.count:
            return replace(self.known, complete=False)
        if self.last is None:
            return DeniedUses(self.count, complete=complete)
        return DeniedUses(self.count, self.last.at, self.last.principal.name, self.last.name, complete)

    def _forget(self) -> None:
        """Forget the events that no look can find again."""
        newer = inf if self.looked_until is None else self.looked_until - OVERLAP - _ROUNDING
        older = -inf if self.unread_until is None else self.unread_until + _ROUNDING
        self.counted = {event_id: at for event_id, at in self.counted.items() if at >= newer or at <= older}
