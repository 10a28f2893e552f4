"""What somebody who runs `cancel-deletion` asked for, checked before AWS is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from exporter.cli.arguments import problem, refused
from exporter.cli.commands import Flags
from exporter.errors import ConfigError
from exporter.oneshot import Scope
from exporter.remediation.names import ACCEPTED, KeyName, read_name
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
            problems.append(problem("KEY", text, str(error), ACCEPTED))
    return tuple(names), problems


def _conflicts(given: dict[str, Any]) -> Iterator[str]:
    if given["everything"] and given["keys"]:
        yield problem("--all-unacknowledged", None, "leaves no room for a KEY", "one or the other")
    if not given["everything"] and not given["keys"]:
        yield problem("KEY", None, "is missing", f"{ACCEPTED}, or --all-unacknowledged")
    if not given["everything"] and given["accounts"]:
        yield problem("--account", given["accounts"][0], "names no key", "with --all-unacknowledged only")
    if not given["everything"] and len(given["regions"]) > 1:
        yield problem("--region", ", ".join(given["regions"]), "is more than one", "one region for all ids and aliases")
    if not given["dry_run"] and not given["reason"].strip():
        yield problem("--reason", None, "is missing", "why the deletions are cancelled, for the record")


def _malformed(given: dict[str, Any]) -> Iterator[str]:
    yield from refused("--region", given["regions"], Region)
    yield from refused("--account", given["accounts"], AccountId)
    if given["role_name"]:
        yield from refused("--role-name", [given["role_name"]], RoleName)
