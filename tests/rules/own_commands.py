"""Holds the `kms-exporter ...` command lines of documents to the parsers of these commands."""

import argparse
from collections.abc import Mapping
from typing import Final

from exporter.cli import cancel, check, running
from exporter.cli.cancel_wishes import read_wishes
from exporter.cli.commands import Commands
from exporter.errors import ConfigError

VARIABLES: Final[Mapping[str, str]] = {
    "$ACCOUNT": "111122223333",
    "$REGION": "eu-west-1",
    "$ARN": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "$RECORD": "record.jsonl",
}
"""What docs/runbooks/README.md sets."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise ValueError(message)


def own_mistakes(command: list[str]) -> list[str]:
    """Return what `kms-exporter` would refuse in a command."""
    program, *words = (VARIABLES.get(word, word) for word in command)
    parser = _Parser(program, allow_abbrev=False)
    commands = Commands.of(parser)
    for add in (running.add, check.add, cancel.add):
        add(commands)
    try:
        namespace, unknown = parser.parse_known_args(words)
        if words[0] == "cancel-deletion":
            read_wishes(vars(namespace))
    except (ValueError, ConfigError) as error:
        return str(error).splitlines()
    return [f"unknown: {word}" for word in unknown]
