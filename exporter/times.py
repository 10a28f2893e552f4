"""Moments and durations as people and programs read them; both in seconds."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def rfc3339(moment: float | None) -> str | None:
    """Return Unix seconds as RFC 3339 in UTC, to the second; None for what is not known."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def minute(moment: float) -> str:
    """Return Unix seconds as people read them, `2026-09-21 14:13 UTC`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def day(moment: float) -> str:
    """Return the day of Unix seconds, `2026-09-21`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def age(seconds: float) -> str:
    """Return a duration in its largest unit, `3 min`; `0 s` for what a clock that was set makes negative."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def span(seconds: float) -> str:
    """Return a duration in its two largest units, `6 d 12 h`: as exact as a countdown needs to be.

    `status.js` counts down in the same words.
    """
    whole = max(int(seconds), 0)
    for (size, unit), (part, small) in pairwise(_UNITS):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {small}"
    return f"{whole} s"


def relative(moment: float, now: float) -> str:
    """Return how far a moment is from now: `3 h ago`, `in 3 h`."""
    return f"{age(now - moment)} ago" if moment <= now else f"in {age(moment - now)}"
