"""How a mistake is told: one line with the option, its value, where it came from and what is accepted."""

import json
from typing import Final

from exporter.settings.catalogue import Location

_LONGEST: Final = 80


def line(name: str, shown: str, origin: str, reason: str, accepted: str = "") -> str:
    """Write the line, whatever is in a value that is shown.

    Args:
        name: the option's path, or the flag or variable that names none.
        shown: the value as `quote` gives it, `""` to leave it out.
        origin: where the value came from, `""` to leave it out.
        reason: what is wrong, a predicate of the value.
        accepted: what would do, a noun.
    """
    subject = f"{name}{f': {shown}' if shown else ''}{f' ({origin})' if origin else ''}"
    return one_line(f"{subject} {reason}{f'; accepted: {accepted}' if accepted else ''}")


def unreadable(name: str, path: str, origin: str, error: OSError) -> str:
    """Write the line about a file that can't be read, with its whole path; `name` is that of the option."""
    return line(name, f'"{path}"', origin, f"can't be read: {error.strerror or error}", "a YAML file")


def quote(value: object) -> str:
    """Show a value, cut short where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 3]}..."
    return f'"{text}"' if isinstance(value, str) else text


def one_line(text: str) -> str:
    """Escape what would break a line or a terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def place(location: Location) -> str:
    """Write a location as a dotted path with indexes: `aws.accounts[0].role_arn`."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path
