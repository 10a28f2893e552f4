"""An estimate for people: requests, dollars and quotas, the modes side by side."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.aws.calls import Operation
from exporter.aws.kms import DESCRIBE_KEY
from exporter.estimate import DAYS_A_MONTH, OPERATIONS, Estimate, Mode, dollars
from exporter.prices import AS_OF, PRICES
from exporter.settings import Settings, format_duration
from exporter.shortfalls import length, shortfalls

_NAMES: Final = {Mode.EVENTS: ("EVENTS", "READABLE"), Mode.NO_EVENTS: ("NOT", "READABLE"), Mode.NAIVE: ("", "NAIVE")}
"""What stands above the two columns of a mode."""
_WIDTH: Final = 8
_LONGEST_NAME: Final = 17
_MILLION: Final = 1_000_000
_BILLION: Final = 1_000_000_000
_CENT: Final = 0.01
_NEAR: Final = 0.5
_LEAST_PERCENT: Final = 0.1
_WHOLE_PERCENT: Final = 10
_WHOLE: Final = 100
"""Numbers from which on no decimals are of interest."""
_NONE: Final = Text("-", style="dim")


def print_estimate(
    console: Console, settings: Settings, found: Estimate, *, pending_known: bool, notes: Sequence[str]
) -> None:
    """Print everything on a terminal or, plainly, anywhere else."""
    console.print(Text(_what_is_watched(found, pending_known=pending_known), style="bold"))
    console.print()
    _print_lines(console, _modes(settings))
    console.print(_side_by_side("REQUESTS", found, _asked, lambda _, requests: requests, _count))
    console.print()
    console.print(_side_by_side("US DOLLARS", found, _charged, dollars, _money))
    console.print()
    console.print(_quotas(settings, found))
    console.print()
    _print_lines(console, [_full_pass(settings, found), *notes, _prices()], style="dim")
    warnings = list(shortfalls(settings, found))
    for warning in warnings:
        console.print(Text.assemble(("Warning: ", "bold yellow"), warning))
    if warnings:
        console.print()
    console.print(_verdict(settings, found))


def _print_lines(console: Console, lines: Iterable[str], *, style: str = "") -> None:
    for line in lines:
        console.print(Text(line, style=style))
    console.print()


def _what_is_watched(found: Estimate, *, pending_known: bool) -> str:
    fleet = found.fleet
    places = f"{_counted(fleet.targets, 'target')} (an account in a region), {_counted(fleet.accounts, 'account')}"
    pending = f"{fleet.pending:,} pending deletion" if pending_known else "how many are pending is not known"
    return f"{_counted(fleet.keys, 'key')} in {places}; {pending}"


def _modes(settings: Settings) -> Sequence[str]:
    """Say what the modes are."""
    refresh = settings.refresh
    full, fallback, interval = map(
        format_duration, (refresh.full_interval, refresh.fallback_interval, refresh.interval)
    )
    return (
        f"Events readable: changes every {interval}, every key every {full}.",
        f"Not readable:    new and pending keys every {interval}, every key every {fallback}.",
        f"Naive:           every key every {interval}, to see a change as soon.",
    )


def _side_by_side(
    title: str,
    found: Estimate,
    operations: Callable[[Estimate], Sequence[Operation]],
    measure: Callable[[Operation, float], float],
    write: Callable[[float], str],
) -> Table:
    """Return a table of what each mode takes, by operation, a day and a month."""
    table = _table(title)
    for first, second in _NAMES.values():
        table.add_column("")
        table.add_column(f"{first}\na day", justify="right", no_wrap=True, min_width=_WIDTH)
        table.add_column(f"{second}\na month", justify="right", no_wrap=True, min_width=_WIDTH)
    rows: list[tuple[str, list[float | None]]] = []
    for operation in operations(found):
        asked = (cost.requests.get(operation) for cost in found.costs.values())
        rows.append((operation.name, [None if times is None else measure(operation, times) for times in asked]))
    for name, values in rows:
        table.add_row(name, *_cells(values, write))
    table.add_section()
    totals = [sum(values[column] or 0 for _, values in rows) for column in range(len(_NAMES))]
    table.add_row("all", *_cells(totals, write), style="bold")
    return table


def _cells(values: Iterable[float | None], write: Callable[[float], str]) -> Iterable[str | Text]:
    for value in values:
        yield ""
        if value is None:
            yield from (_NONE, _NONE)
        else:
            yield write(value)
            yield write(value * DAYS_A_MONTH)


def _asked(found: Estimate) -> Sequence[Operation]:
    """Return what is asked for in any mode."""
    return [operation for operation in OPERATIONS if any(operation in cost.requests for cost in found.costs.values())]


def _charged(found: Estimate) -> Sequence[Operation]:
    return [operation for operation in _asked(found) if PRICES[operation.service].dollars]


def _quotas(settings: Settings, found: Estimate) -> Table:
    """Return how near each operation comes to its quota and to the share that may be used of it."""
    table = _table("A SECOND,\nWHERE MOST")
    table.add_column("QUOTA", justify="right", no_wrap=True)
    table.add_column(f"SHARE\n{settings.aws.request_rate:g}", justify="right", no_wrap=True)
    for first, second in _NAMES.values():
        table.add_column(first, justify="right", no_wrap=True, min_width=_WIDTH - 1)
        table.add_column(f"{second}\nof share", justify="right", no_wrap=True, min_width=_WIDTH)
    for operation in _asked(found):
        share = operation.quota * settings.aws.request_rate
        cells: list[str | Text] = []
        for cost in found.costs.values():
            rate = cost.rates.get(operation)
            cells += (_NONE, _NONE) if rate is None else (_rate(rate), _part(rate / share))
        table.add_row(operation.name, _rate(operation.quota), _rate(share), *cells)
    return table


def _table(title: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0, header_style="bold")
    table.add_column(title, overflow="fold", min_width=_LONGEST_NAME)
    return table


def _full_pass(settings: Settings, found: Estimate) -> str:
    share = DESCRIBE_KEY.quota * settings.aws.request_rate
    lasts = length(found.costs[Mode.EVENTS].full_pass)
    return f"A full pass of the target with the most keys lasts {lasts}, at {share:g} DescribeKey a second."


def _prices() -> str:
    kms, sqs = PRICES["kms"].dollars * 10_000, PRICES["sqs"].dollars * _MILLION
    return (
        f"Prices of {AS_OF}, without free tiers: 10,000 requests to KMS {kms:.2f} USD, a million to SQS {sqs:.2f} USD, "
        f"the others nothing. A month has {DAYS_A_MONTH} days."
    )


def _verdict(settings: Settings, found: Estimate) -> Text:
    events, naive = found.costs[Mode.EVENTS], found.costs[Mode.NAIVE]
    if found.of_naive is None:
        return Text("There are no keys.", style="bold")
    interval = format_duration(settings.refresh.interval)
    return Text(
        f"With events readable, {_percent(found.of_naive)} of the requests of describing every key every {interval}, "
        f"and {_money(events.dollars * DAYS_A_MONTH)} instead of {_money(naive.dollars * DAYS_A_MONTH)} USD a month.",
        style="bold green",
    )


def _count(number: float) -> str:
    if number >= _BILLION:
        return f"{number / _BILLION:,.2f} G"
    if number >= _MILLION:
        return f"{number / _MILLION:,.2f} M"
    return f"{number:,.0f}"


def _money(usd: float) -> str:
    return f"{usd:,.2f}" if usd >= _CENT / 2 or not usd else "< 0.01"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= _WHOLE else f"{rate:.2g}"


def _part(share: float) -> Text:
    style = "bold red" if share > 1 else "yellow" if share > _NEAR else ""
    return Text(_percent(share), style=style)


def _percent(share: float) -> str:
    percent = share * 100
    if percent < _LEAST_PERCENT / 2:
        return f"< {_LEAST_PERCENT:g}%"
    return f"{percent:.1f}%" if percent < _WHOLE_PERCENT else f"{percent:,.0f}%"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
