"""Values that nobody may ever see again, and the search for them in whatever was told."""

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

PIECE = 16
"""Characters of a value that count as having told it: an output may be cut, or broken into lines."""


@dataclass
class Canaries:
    """Planted values, by what they are."""

    planted: dict[str, str] = field(default_factory=dict)

    def plant(self, name: str, value: str) -> str:
        """Take note of a value; return it."""
        assert len(value) >= PIECE, "too short to be told from chance"
        self.planted[name] = value
        return value

    def plant_lines(self, name: str, text: str) -> None:
        """Take note of the lines of a PEM file, but for those that every PEM file has."""
        for number, line in enumerate(text.splitlines()):
            if len(line) >= PIECE and not line.startswith("-----"):
                self.plant(f"{name}, line {number}", line)

    def found_in(self, outputs: Mapping[str, str]) -> list[str]:
        """Return which value is found in which output, in any of its forms."""
        return [
            f"{name} in {where}"
            for name, value in self.planted.items()
            for where, text in outputs.items()
            if any(piece in text for form in forms(value) for piece in pieces(form))
        ]


def forms(value: str) -> set[str]:
    """Return the ways in which a value may be written."""
    return {
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        html.escape(value),
        json.dumps(value)[1:-1],
        json.dumps(value)[1:-1].replace("/", r"\/"),
        value.encode().hex(),
        value[::-1],
        *_in_base64(value.encode()),
    }


def pieces(form: str) -> Iterator[str]:
    """Iterate over every run of `PIECE` characters."""
    return (form[start : start + PIECE] for start in range(len(form) - PIECE + 1))


def _in_base64(value: bytes) -> Iterable[str]:
    """Iterate over what Base64 makes of a value at the start of a text or in the middle of one, plain and for URLs."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value + b"\0" * 3)
        # The first characters also depend on what stands before, the last on what comes after.
        certain = encoded[4 if before else 0 : -8].decode()
        yield certain
        yield certain.replace("+", "-").replace("/", "_")
