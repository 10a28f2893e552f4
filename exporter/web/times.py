"""Moments and ages as people and programs read them; both in seconds."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def rfc3339(moment: float | None) -> str | None:
    """Return Unix seconds as RFC 3339 in UTC, to the second; None for what is not known."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def age(seconds: float) -> str:
    """Return a duration in its largest unit, `3 min`; `0 s` for what a clock that was set makes negative."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"
