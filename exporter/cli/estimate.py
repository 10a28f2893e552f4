"""`estimate`: how many requests watching takes, and what they cost."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from exporter.aws.connection import connect
from exporter.aws.discovery import Memory
from exporter.census import Census, count_keys
from exporter.cli.arguments import problem
from exporter.cli.bar import Silent
from exporter.cli.commands import Commands, Flags
from exporter.errors import ConfigError
from exporter.estimate import DAYS_A_MONTH, Cost, Estimate, dollars, estimate
from exporter.fleet import REGIONS_FROM_THE_START, Fleet, spread, with_pending
from exporter.prices import AS_OF, PRICES
from exporter.settings import Settings, load
from exporter.shortfalls import shortfalls

_USAGE: Final = """(--keys N [--targets N] [--accounts N] | --live) [--pending N]
                             [--output FORMAT]
                            """
_EPILOG: Final = """The estimate is of the steady state with the options given: the first pass after a start, retries,
and a few requests for each change of a key are left out. Exit status: 0; 1 with --live when something could
not be counted, so that there is more than is shown; 2 for arguments that can't be used."""


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add(
        "estimate",
        _estimate,
        "tell how many requests watching takes, what they cost, and how near they come to the quotas",
        usage=_USAGE,
        epilog=_EPILOG,
    )
    what = parser.add_argument_group("what is watched")
    what.add_argument("--keys", metavar="N", help="customer managed keys, in all targets together")
    what.add_argument(
        "--targets",
        metavar="N",
        help="targets (an account in a region each) over which the keys are spread evenly\ndefault: 1",
    )
    what.add_argument(
        "--accounts",
        metavar="N",
        help="accounts of these targets\n"
        f"default: as many as it takes with aws.regions, or else {REGIONS_FROM_THE_START} regions, in each",
    )
    what.add_argument(
        "--live",
        action="store_true",
        help="count keys, targets and accounts by listing them once, with the options and credentials of serve",
    )
    what.add_argument(
        "--pending", metavar="N", help="of the keys, how many are pending deletion, which no list tells\ndefault: 0"
    )
    parser.add_argument(
        "--output", choices=("table", "json"), default="table", help="a table for people, or JSON\ndefault: table"
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """The command's own flags.

    Attributes:
        targets: with the others of its kind, None where it was not given.
    """

    live: bool
    keys: int | None
    targets: int | None
    accounts: int | None
    pending: int | None

    @classmethod
    def of(cls, flags: Flags) -> "_Order":
        """Read them; raise ConfigError with a line for each mistake."""
        problems: list[str] = []
        numbers = {
            name: _number(flags.get(name), f"--{name}", least, problems)
            for name, least in (("keys", 0), ("targets", 1), ("accounts", 1), ("pending", 0))
        }
        order = cls(live=bool(flags.get("live")), **numbers)
        problems += [] if problems else order.conflicts()
        if problems:
            raise ConfigError("\n".join(problems))
        return order

    def conflicts(self) -> list[str]:
        """Return what can't stand together."""
        if self.live:
            counted = {"--keys": self.keys, "--targets": self.targets, "--accounts": self.accounts}
            return [
                problem(flag, value, "can't be given with --live, which counts")
                for flag, value in counted.items()
                if value is not None
            ]
        if self.keys is None:
            return [problem("--keys", None, "is missing", "a number of keys, or --live to have them counted")]
        conflicts = []
        if self.pending is not None and self.pending > self.keys:
            conflicts.append(problem("--pending", self.pending, f"is more than --keys {self.keys}"))
        targets = self.targets or 1
        if self.accounts is not None and self.accounts > targets:
            reason = f"is more than {targets} target{'s' * (targets > 1)}"
            conflicts.append(problem("--accounts", self.accounts, reason))
        return conflicts


def _number(text: object, flag: str, least: int, problems: list[str]) -> int | None:
    if text is None:
        return None
    try:
        number = int(str(text).replace(",", "").replace("_", ""))
    except ValueError:
        number = least - 1
    if number < least:
        problems.append(problem(flag, text, "is refused", f"a whole number from {least} on"))
    return number


def _estimate(flags: Flags, unrecognized: Sequence[str]) -> int:
    order = _Order.of(flags)
    settings = load(flags, os.environ, unrecognized).settings
    gaps: tuple[str, ...] = ()
    if order.live:
        census = asyncio.run(_count(settings))
        gaps = census.gaps
        fleet = Fleet.of(settings, with_pending(census.holdings, order.pending or 0), census.accounts)
        notes = _notes_of_census(order)
    else:
        fleet = _fleet(settings, order)
        notes = ("Keys are taken to be spread evenly over the targets, each with one alias; AWS managed keys as none.",)
    for gap in gaps:
        print(f"kms-exporter: could not be counted: {gap}", file=sys.stderr)
    if not fleet.holdings:
        raise ConfigError("--live (command line) found nothing to watch")
    found = estimate(settings, fleet)
    pending_known = order.pending is not None or not order.live
    # Where its reader goes away, the status is of what was counted all the same. Rich would end the process itself
    # (`Console.on_broken_pipe`).
    with contextlib.suppress(BrokenPipeError, SystemExit):
        if flags["output"] == "json":
            print(json.dumps(_document(settings, found, pending_known=pending_known, notes=notes, gaps=gaps), indent=2))
        else:
            _print(settings, found, pending_known=pending_known, notes=notes)
    return int(bool(gaps))


def _fleet(settings: Settings, order: _Order) -> Fleet:
    targets = order.targets or 1
    accounts = order.accounts or ceil(targets / (len(settings.aws.regions) or REGIONS_FROM_THE_START))
    return Fleet.of(settings, spread(order.keys or 0, targets, order.pending or 0), accounts)


def _notes_of_census(order: _Order) -> tuple[str, ...]:
    if order.pending is not None:
        return ()
    return ("Pending keys are not counted, which lists do not tell, and cost more than others: give --pending.",)


async def _count(settings: Settings) -> Census:
    connection = connect(settings, memory=Memory(), telemetry=Silent(), now=time.time, monotonic=time.monotonic)
    try:
        return await count_keys(connection, settings)
    finally:
        connection.close()


def _print(settings: Settings, found: Estimate, *, pending_known: bool, notes: Sequence[str]) -> None:
    from exporter.cli.estimate_table import print_estimate  # noqa: PLC0415 - `serve` does without rich
    from exporter.cli.progress import terminal  # noqa: PLC0415

    print_estimate(terminal(sys.stdout), settings, found, pending_known=pending_known, notes=notes)


def _document(
    settings: Settings, found: Estimate, *, pending_known: bool, notes: Sequence[str], gaps: Sequence[str]
) -> Mapping[str, Any]:
    fleet, refresh = found.fleet, settings.refresh
    return {
        "keys": fleet.keys,
        "targets": fleet.targets,
        "accounts": fleet.accounts,
        "pending": fleet.pending if pending_known else None,
        "settings": {
            "aws.request_rate": settings.aws.request_rate,
            "refresh.interval": refresh.interval,
            "refresh.full_interval": refresh.full_interval,
            "refresh.fallback_interval": refresh.fallback_interval,
        },
        "days_a_month": DAYS_A_MONTH,
        "prices": {
            "as_of": AS_OF,
            "usd_per_request": {service: price.dollars for service, price in PRICES.items()},
            "sources": {service: price.source for service, price in PRICES.items()},
        },
        "modes": {mode.value: _mode(settings, cost) for mode, cost in found.costs.items()},
        "events_readable_of_naive": found.of_naive,
        "notes": list(notes),
        "warnings": list(shortfalls(settings, found)),
        "not_counted": list(gaps),
    }


def _mode(settings: Settings, cost: Cost) -> Mapping[str, Any]:
    return {
        "full_pass_seconds": cost.full_pass,
        "full_pass_every_seconds": cost.full_every,
        "operations": [
            {
                "service": operation.service,
                "operation": operation.name,
                **_costs(requests, dollars(operation, requests)),
                "requests_per_second_at_most_in_one_place": cost.rates[operation],
                "quota_per_second": operation.quota,
                "share_per_second": operation.quota * settings.aws.request_rate,
            }
            for operation, requests in cost.requests.items()
        ],
        "total": _costs(cost.total, cost.dollars),
    }


def _costs(requests: float, usd: float) -> Mapping[str, float]:
    return {
        "requests_per_day": requests,
        "requests_per_month": requests * DAYS_A_MONTH,
        "usd_per_day": usd,
        "usd_per_month": usd * DAYS_A_MONTH,
    }
