"""The report for people: on a terminal a table that fits it, elsewhere plain text with one key a line."""

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isinf
from typing import Final, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exporter.facts import DAY
from exporter.findings import words
from exporter.findings.report import Finding, Report, Status, Verdict, due_at
from exporter.settings import format_duration
from exporter.settings.problems import one_line
from exporter.times import rfc3339

MOST_COMMANDS: Final = 10
"""Commands that save a key, at most; the other formats have one for each key."""

_UNBROKEN: Final = {"LEFT", "ACCOUNT", "REGION", "ACCOUNT, REGION"}
_AT_LEAST: Final = {"KEY": 16, "SCHEDULED BY": 14, "LAST USED": 10, "ACKNOWLEDGED": 12}
_KEY_ID_LENGTH: Final = 36
_NARROW: Final = 110
"""Columns of a terminal below which account and region share one of the table."""
_WIDE: Final = 150
"""Columns of a terminal from which on there is room for everything."""
_AS_WIDE_AS_IT_GETS: Final = 100_000
_CRITICAL_DAYS: Final = 2
_NEAR_DAYS: Final = 7
_NAMED: Final = 3
"""Keys that are named where something is said of several; more of them are counted."""


class _Cell(NamedTuple):
    """What stands in a cell: the main thing, and below it on a terminal, in brackets elsewhere, what is said of it."""

    main: str
    detail: str = ""
    style: str = ""


def as_plain(report: Report) -> bytes:
    """Return the report as UTF-8 text without any control sequence."""
    out = io.StringIO()
    console = Console(
        file=out, width=_AS_WIDE_AS_IT_GETS, color_system=None, highlight=False, markup=False, emoji=False
    )
    _print(console, report, width=None)
    lines = (line.rstrip() for line in out.getvalue().splitlines())
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def print_table(report: Report, console: Console) -> None:
    """Print the report on a terminal, as wide as that is."""
    _print(console, report, width=console.width)


def _print(console: Console, report: Report, *, width: int | None) -> None:
    """Print the report on a terminal so wide, or as plain text."""
    if report.findings:
        console.print(_table(report, width=width))
        console.print()
    _print_list(console, "Could not check", [f"{gap.subject}: {gap.reason}" for gap in report.gaps], style="bold red")
    _print_list(console, "Not known of these keys", _missing(report.findings))
    if report.unmatched:
        _print_list(console, "Acknowledgements that are about no key", report.unmatched, style="yellow")
    _print_commands(console, report)
    _print_list(console, "Checked", _checked(report))
    _print_verdict(console, report)


def _table(report: Report, *, width: int | None) -> Table:
    if width is None:  # one line for each key, so that it can be searched and cut
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    else:
        padding = int(width >= _NARROW)
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, padding, 0, 0), header_style="bold")
    wide = width is None or width >= _WIDE
    rows = [_cells(finding, report, width=width) for finding in report.findings]
    for name in rows[0]:
        unbroken = width is None or name in _UNBROKEN
        least = _KEY_ID_LENGTH if name == "KEY" and wide else _AT_LEAST.get(name)
        most = least if name == "LAST USED" and not wide else None
        table.add_column(name, overflow="fold", no_wrap=unbroken, min_width=least, max_width=most)
    for row in rows:
        table.add_row(*(_drawn(cell, width=width) for cell in row.values()))
    return table


def _cells(finding: Finding, report: Report, *, width: int | None) -> Mapping[str, _Cell]:
    """Return the cells by their columns; of what has no room, the commands that save keys tell the most important."""
    facts = finding.facts
    urgency = _urgency(finding)
    alias, key_id = facts.key.alias, facts.key.key_id
    narrow, wide = width is not None and width < _NARROW, width is None or width >= _WIDE
    account_id, region = facts.target.account_id, facts.target.region
    return {
        "LEFT": _Cell(words.left(facts), style=urgency),
        "KEY": _Cell(alias or key_id, key_id if alias and wide else "", style=urgency),
        **(
            {"ACCOUNT, REGION": _Cell(account_id, region)}
            if narrow
            else {"ACCOUNT": _Cell(account_id, facts.account_name), "REGION": _Cell(region)}
        ),
        "SCHEDULED BY": _Cell(words.who(finding, principals=report.principals)),
        "LAST USED": _Cell(words.last_used(facts), words.denied(facts), style="bold red" if facts.needed else ""),
        "ACKNOWLEDGED": _Cell(words.acknowledged(facts), style="" if facts.acknowledged else "yellow"),
    }


def _drawn(cell: _Cell, *, width: int | None) -> Text:
    main, detail = one_line(cell.main), one_line(cell.detail)
    drawn = Text(main, style=cell.style)
    if detail:
        drawn = Text.assemble(drawn, f" ({detail})" if width is None else (f"\n{detail}", "dim"))
    return drawn


def _urgency(finding: Finding) -> str:
    if finding.verdict is Verdict.ACKNOWLEDGED:
        return "green"
    days = (due_at(finding.facts) - finding.facts.now) / DAY
    return "bold red" if days < _CRITICAL_DAYS else "red" if days < _NEAR_DAYS else "yellow"


def _missing(findings: Iterable[Finding]) -> list[str]:
    """Return what is not known: for each reason the facts and the keys that it costs."""
    facts: defaultdict[str, dict[str, None]] = defaultdict(dict)
    keys: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for finding in findings:
        for source, reason in finding.missing.items():
            facts[reason][words.SOURCES[source]] = None
            keys[reason][words.name_of(finding.facts)] = None
    return [f"{', '.join(facts[reason])} ({_names(list(names))}): {reason}" for reason, names in keys.items()]


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else _count(len(names), "key")


def _print_list(console: Console, title: str, lines: Sequence[str], *, style: str = "bold") -> None:
    if lines:
        console.print(Text(title, style=style))
        for line in lines:
            console.print(Padding(Text(one_line(line)), (0, 0, 0, 2), expand=False))
        console.print()


def _print_commands(console: Console, report: Report) -> None:
    """Print how to save keys, each command on a line of its own, however long: to be copied whole."""
    unacknowledged = [finding for finding in report.findings if finding.verdict is not Verdict.ACKNOWLEDGED]
    if not unacknowledged:
        return
    console.print(Text("To save a key", style="bold"))
    for finding in unacknowledged[:MOST_COMMANDS]:
        console.print(Text(f"  {one_line(finding.facts.save_commands[0])}"), soft_wrap=True)
    if (more := len(unacknowledged) - MOST_COMMANDS) > 0:
        console.print(Text(f"  ... and {more} more, which --output json tells", style="dim"))
    console.print()


def _checked(report: Report) -> list[str]:
    caller = report.caller
    targets = f"{report.complete_targets} of {_count(len(report.targets), 'target')} (an account in a region)"
    lines = [
        f"{_count(report.keys, 'key')} in {targets}, {_count(len(report.accounts), 'account')}",
        f"from {rfc3339(report.started)} to {rfc3339(report.ended)}, with kms-exporter {report.version}",
        f"by {caller.arn}" if caller else "by an identity that AWS did not tell",
    ]
    if report.scope.accounts:
        lines.append(f"only accounts {', '.join(sorted(report.scope.accounts))}")
    if report.scope.regions:
        lines.append(f"only regions {', '.join(sorted(report.scope.regions))}")
    if not isinf(report.fail_within):
        lines.append(f"only deletions due within {format_duration(report.fail_within)} fail")
    return lines


def _print_verdict(console: Console, report: Report) -> None:
    style = "bold green" if report.status is Status.CLEAR else "bold red"
    console.print(Text(" ".join(_verdict(report)), style=style))


def _verdict(report: Report) -> Iterator[str]:
    anything = bool(report.keys or report.complete_targets)
    if report.gaps:
        yield f"Could not check {'everything' if anything else 'anything'} ({_count(len(report.gaps), 'thing')})."
    else:
        yield "Everything was checked."
    if anything:
        within = "" if isinf(report.fail_within) else f", due within {format_duration(report.fail_within)}"
        yield f"{_count(report.count(Verdict.FAILS), 'unacknowledged deletion')} pending{within}."
    if later := report.count(Verdict.LATER):
        yield f"{_count(later, 'unacknowledged deletion')} due later."
    if calm := report.count(Verdict.ACKNOWLEDGED):
        yield f"{_count(calm, 'acknowledged deletion')}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
