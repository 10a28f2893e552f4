"""Reads command lines out of documents and holds those of `aws` to botocore's models, which the AWS CLI is made of."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any, Final

import botocore.session
from botocore import xform_name

GLOBAL_OPTIONS: Final = frozenset({"--region", "--query", "--output", "--profile", "--max-items", "--page-size"})
"""What the AWS CLI takes with (nearly) every command (AWS CLI user guide, "Global options", "Pagination")."""

_ENDS: Final = frozenset(";|&()<>")
_FENCE: Final = re.compile(r"^( *)```sh\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def shell_blocks(markdown: str) -> list[str]:
    """Return the shell blocks of a document."""
    return [found[2] for found in _FENCE.finditer(markdown)]


def commands(program: str, script: str) -> Iterator[list[str]]:
    """Yield the words of each command of a script that calls `program`, wherever it stands (in a loop, in `$(...)`)."""
    lexer = shlex.shlex(script.replace("\\\n", " ").replace("\n", " ;\n"), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= _ENDS:
            if program in command:
                yield command[command.index(program) :]
            command = []
        else:
            command.append(word)


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def mistakes(command: list[str]) -> list[str]:
    """Return what the AWS CLI would refuse in a command; an unknown service or operation raises."""
    _, cli_service, cli_operation, *rest = command
    service = {"configservice": "config"}.get(cli_service, cli_service)
    operations = {xform_name(name, "-"): name for name in _model(service).operation_names}
    if cli_operation not in operations:
        return [f"{cli_service} has no operation {cli_operation}"]
    shape = _model(service).operation_model(operations[cli_operation]).input_shape
    options = {f"--{xform_name(name, '-')}": name for name in (shape.members if shape else {})}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    unknown = given - options.keys() - GLOBAL_OPTIONS
    missing = set(shape.required_members if shape else ()) - {options[option] for option in given & options.keys()}
    wrong = [f"{option} {value}" for option, value in _enum_values(shape, options, rest) if option]
    return [
        *(f"{cli_operation} has no option {option}" for option in sorted(unknown)),
        *(f"{cli_operation} needs {member}" for member in sorted(missing)),
        *(f"{cli_operation} does not take {text}" for text in wrong),
    ]


def _enum_values(shape: Any, options: dict[str, str], words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield options with a value that their enumeration does not have."""
    for option, value in pairwise(words):
        if option in options:
            allowed = getattr(shape.members[options[option]], "enum", None)
            if allowed and not value.startswith("$") and value not in allowed:
                yield option, value
