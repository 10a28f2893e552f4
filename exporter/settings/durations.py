"""Durations as people write them (`30s`, `1h30m`, `7d`) and as the code uses them: seconds."""

import re
from typing import Annotated, Final

from pydantic import AllowInfNan, BeforeValidator, PlainSerializer

from exporter.settings.kinds import Kind

_MILLISECONDS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_NOTATION: Final = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _MILLISECONDS))


def parse_duration(text: str) -> float:
    """Return the seconds that `text` says: whole numbers with units from days to milliseconds, each at most once.

    Raises:
        ValueError: its text continues a sentence that began with the value.
    """
    text = text.strip()
    if text == "0":
        return 0.0
    match = _NOTATION.fullmatch(text)
    if match is None or not text:
        raise ValueError("has no unit" if re.fullmatch(r"[0-9.]+", text) else "is no duration")
    amounts = zip(match.groups(default="0"), _MILLISECONDS.values(), strict=True)
    return sum(int(amount) * unit for amount, unit in amounts) / 1000


def format_duration(seconds: float) -> str:
    """Write `seconds` in the notation that `parse_duration` reads, to the millisecond: `90.0` is `1m30s`."""
    rest = round(seconds * 1000)
    parts = []
    for name, size in _MILLISECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"


def _seconds(value: object) -> object:
    """Parse text; leave numbers, which only code gives, for pydantic to take as seconds."""
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[
    float,
    AllowInfNan(False),
    BeforeValidator(_seconds),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    Kind("duration", "a duration such as 30s, 15m, 6h or 7d", show=format_duration),
]
"""Seconds; text in a configuration must carry its units."""
