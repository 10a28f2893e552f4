"""What somebody who runs `cancel-deletion` asked for, checked before AWS is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, get_args

from pydantic import TypeAdapter, ValidationError

from exporter.cli.commands import Flags
from exporter.errors import ConfigError
from exporter.oneshot import Scope
from exporter.remediation.names import ACCEPTED, KeyName, read_name
from exporter.settings.kinds import Kind
from exporter.settings.problems import line, one_line, quote
from exporter.settings.values import AccountId, Region, RoleName


@dataclass(frozen=True, slots=True)
class Wishes:
    """The arguments.

    Attributes:
        names: the keys; none with `everything`.
        everything: every pending key that is not acknowledged.
        region: of ids and aliases, `""` for that of the AWS configuration.
        scope: of `everything`.
        role_name: `""` for none.
        ticket: `""` for none.
        record: `""` for none.
    """

    names: tuple[KeyName, ...]
    everything: bool
    region: str
    scope: Scope
    role_name: str
    reason: str
    ticket: str
    record: str
    enable: bool
    dry_run: bool
    yes: bool


def read_wishes(flags: Flags) -> Wishes:
    """Check the arguments.

    Raises:
        ConfigError: a line for each that can't be used.
    """
    given: dict[str, Any] = dict(flags)
    names, bad_names = _names(given["keys"])
    problems = [*bad_names, *_conflicts(given), *_malformed(given)]
    if problems:
        raise ConfigError("\n".join(problems))
    everything, regions = bool(given["everything"]), cast("list[str]", given["regions"])
    return Wishes(
        names=names,
        everything=everything,
        region="" if everything or not regions else regions[0],
        scope=Scope(frozenset(given["accounts"]), frozenset(regions)),
        role_name=given["role_name"],
        reason=given["reason"].strip(),
        ticket=given["ticket"].strip(),
        record=given["record"],
        enable=given["enable"],
        dry_run=given["dry_run"],
        yes=given["yes"],
    )


def _names(texts: list[str]) -> tuple[tuple[KeyName, ...], list[str]]:
    names, problems = [], []
    for text in texts:
        try:
            names.append(read_name(text))
        except ValueError as error:
            problems.append(_told("KEY", text, str(error), ACCEPTED))
    return tuple(names), problems


def _conflicts(given: dict[str, Any]) -> Iterator[str]:
    if given["everything"] and given["keys"]:
        yield _told("--all-unacknowledged", "", "leaves no room for a KEY", "one or the other")
    if not given["everything"] and not given["keys"]:
        yield _told("KEY", "", "is missing", f"{ACCEPTED}, or --all-unacknowledged")
    if not given["everything"] and given["accounts"]:
        yield _told("--account", given["accounts"][0], "names no key", "with --all-unacknowledged only")
    if not given["everything"] and len(given["regions"]) > 1:
        yield _told("--region", ", ".join(given["regions"]), "is more than one", "one region for all ids and aliases")
    if not given["dry_run"] and not given["reason"].strip():
        yield _told("--reason", "", "is missing", "why the deletions are cancelled, for the record")


def _malformed(given: dict[str, Any]) -> Iterator[str]:
    for flag, value, kind in (
        *(("--region", region, Region) for region in given["regions"]),
        *(("--account", account, AccountId) for account in given["accounts"]),
        *(("--role-name", name, RoleName) for name in [given["role_name"]] if name),
    ):
        try:
            TypeAdapter[str](kind).validate_python(value)
        except ValidationError:
            accepted = next(mark.accepts for mark in get_args(kind) if isinstance(mark, Kind))
            yield _told(flag, value, "is refused", accepted)


def _told(name: str, value: str, reason: str, accepted: str) -> str:
    return one_line(line(name, quote(value) if value else "", "command line", reason, accepted))
