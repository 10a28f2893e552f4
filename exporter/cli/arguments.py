"""What the arguments of the commands' own have in common: how one is checked, and how a mistake in it is told."""

from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from exporter.settings.kinds import Kind
from exporter.settings.problems import line, quote


def problem(name: str, value: object, reason: str, accepted: str = "") -> str:
    """Write the line about an argument; `value` is None where there is none to show."""
    return line(name, "" if value is None else quote(value), "command line", reason, accepted)


def accepts(kind: Any) -> str:
    """Say what a kind of value, one of those that the options are declared with, accepts."""
    return next(mark.accepts for mark in get_args(kind) if isinstance(mark, Kind))


def refused(name: str, values: Iterable[str], kind: Any) -> Iterator[str]:
    """Yield a line about each of the values that is not of its kind."""
    check = TypeAdapter[str](kind)
    for value in values:
        try:
            check.validate_python(value)
        except ValidationError:
            yield problem(name, value, "is refused", accepts(kind))
