"""The parser, and what becomes of errors."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import exporter
from exporter.cli import cancel, check, estimate, running
from exporter.cli.commands import Command, Commands
from exporter.errors import ConfigError
from exporter.settings.problems import one_line

_UNUSABLE: Final = 2
"""The exit status for a configuration or a command line that can't be used."""
_INTERRUPTED: Final = 130


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command that `argv` (the process' arguments) names, and exit with its status."""
    namespace, unrecognized = _parser().parse_known_args(argv)
    command: Command = namespace.command
    status = 0
    try:
        status = command(vars(namespace), unrecognized)
        sys.stdout.flush()
    except ConfigError as error:
        for line in str(error).splitlines():
            print(f"kms-exporter: {one_line(line)}", file=sys.stderr)
        sys.exit(_UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `kms-exporter config show | head -1`
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "kms-exporter",
        description="Prometheus exporter for AWS KMS keys that are about to be destroyed.",
        epilog="kms-exporter COMMAND --help shows every option.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kms-exporter {exporter.__version__}")
    commands = Commands.of(parser)
    running.add(commands)
    check.add(commands)
    estimate.add(commands)
    cancel.add(commands)
    return parser
