"""Reading an operation's input, refusing what the API model refuses."""

from typing import Any

from exporter.demo.errors import AwsError
from exporter.demo.services.base import Call


def invalid(message: str) -> AwsError:
    """Return the refusal of a parameter."""
    return AwsError("ValidationException", message)


def text(call: Call, name: str, *, longest: int) -> str:
    """Return a required string of at least one character.

    Raises:
        AwsError: `ValidationException`.
    """
    value = call.params.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise invalid(
            f"1 validation error detected: Value at '{_member(name)}' must have length between 1 and {longest}"
        )
    return value


def count(call: Call, name: str, *, largest: int, default: int) -> int:
    """Return a number from 1 to `largest`.

    Raises:
        AwsError: `ValidationException`.
    """
    value: Any = call.params.get(name, default)
    if not isinstance(value, int) or not 1 <= value <= largest:
        bound = (
            "less than or equal to " + str(largest)
            if isinstance(value, int) and value > largest
            else "greater than or equal to 1"
        )
        raise invalid(
            f"1 validation error detected: Value '{value}' at '{_member(name)}' failed to satisfy constraint: "
            f"Member must have value {bound}"
        )
    return value


def _member(name: str) -> str:
    return name[0].lower() + name[1:]
