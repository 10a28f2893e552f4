"""Snapshots made by hand, for tests of what is told about them."""

from collections.abc import Mapping
from typing import Any, Final

from exporter.model import Deletion, Evidence, Key, Keys, Target, TargetState

NOW: Final = 1_790_000_000.0
"""2026-09-21T14:13:20Z."""
DAY: Final = 86_400.0
HOUR: Final = 3_600.0

IRELAND: Final = Target("111122223333", "eu-west-1")
LONDON: Final = Target("111122223333", "eu-west-2")
OTHER: Final = Target("444455556666", "eu-west-1")

HOSTILE: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) autofocus '",
    "</style><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "\ud800",
    "\u202egnp.exe\u202c",
    "\x00\x1b[31m\r\nline",
)
"""Text that tries to become something else."""


def key(key_id: str, state: str = "Enabled", **known: Any) -> Key:
    """Return a key of Ireland's."""
    return Key(key_id, f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}", state, **known)


def pending(key_id: str, days: float = 10, **known: Any) -> Key:
    """Return a key whose deletion is so many days away."""
    return key(key_id, "PendingDeletion", deletion=Deletion(at=NOW + days * DAY), **known)


def state(target: Target, *keys: Key, evidence: Mapping[str, Evidence] | None = None, **known: Any) -> TargetState:
    """Return a target with these keys, which was read without a failure unless `known` says otherwise."""
    held = Keys({key.key_id: key for key in keys}, evidence=evidence or {})
    return TargetState(target, **{"keys": held, "up": True, **known})
