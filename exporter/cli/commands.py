"""How a command is added to the command line."""

import argparse
from collections.abc import Callable, Mapping, Sequence

from exporter.settings import add_options

Flags = Mapping[str, object]
"""What the parser found, by the name of the option."""

Command = Callable[[Flags, Sequence[str]], int]
"""Gets the flags and the words that no parser knew; returns the exit status."""


class Commands:
    """The commands at one place of the command line."""

    def __init__(self, subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        self._subparsers = subparsers

    @classmethod
    def of(cls, parser: argparse.ArgumentParser) -> "Commands":
        """Let `parser` have commands."""
        return cls(parser.add_subparsers(title="commands", metavar="COMMAND", required=True))

    def group(self, name: str, about: str) -> "Commands":
        """Add a command that has commands of its own."""
        return self.of(self._subparsers.add_parser(name, help=about, allow_abbrev=False))

    def add(
        self,
        name: str,
        command: Command,
        about: str,
        *,
        usage: str = "",
        epilog: str | None = None,
    ) -> argparse.ArgumentParser:
        """Add a command that takes the options of the configuration; return its parser for arguments of its own.

        Args:
            name: the word that calls it.
            command: what it does.
            about: a sentence without its capital and full stop.
            usage: the arguments of its own, as the usage line shows them.
            epilog: what the help ends with.
        """
        parser = self._subparsers.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            usage=" ".join(filter(None, ("%(prog)s", usage, "[--config FILE] [--SECTION.OPTION VALUE ...]"))),
            epilog=epilog,
            allow_abbrev=False,
        )
        parser.set_defaults(command=command)
        add_options(parser)
        return parser
