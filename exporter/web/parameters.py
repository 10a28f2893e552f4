"""Parameters of a request: what is wrong with them is told in one line."""

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl

from exporter.errors import ExporterError

MAX_LENGTH: Final = 500
"""Characters that a value may have."""


class ParameterError(ExporterError):
    """A parameter of the request can't be used; the text names it and what is accepted."""


def read_parameters(text: str, accepted: Collection[str]) -> Mapping[str, str]:
    """Return the parameters of a query string.

    Raises:
        ParameterError: one is unknown, given more than once, or longer than anything that is meant.
    """
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in found:
            raise ParameterError(f"{name} is given more than once")
        if name not in accepted:
            raise ParameterError(f"unknown parameter {name!r}; accepted are {listed(accepted)}")
        if len(value) > MAX_LENGTH:
            raise ParameterError(f"{name} is longer than {MAX_LENGTH} characters")
        found[name] = value
    return found


def whole_number(name: str, value: str, most: int) -> int:
    """Return a parameter's value as a number from 1 to `most`.

    Raises:
        ParameterError: it is none.
    """
    if value.isascii() and value.isdigit() and len(value) <= len(str(most)) and 1 <= int(value) <= most:
        return int(value)
    raise ParameterError(f"{name}={value!r} is no whole number from 1 to {most}")


def one_of(name: str, value: str, accepted: Collection[str]) -> str:
    """Return a parameter's value, which must be one of `accepted`.

    Raises:
        ParameterError: it is none of them.
    """
    if value in accepted:
        return value
    raise ParameterError(f"{name}={value!r} is not accepted; accepted are {listed(accepted)}")


def listed(words: Collection[str]) -> str:
    """Return words as people list them: `limit, after and pending`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
