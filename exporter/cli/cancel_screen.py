"""The terminal of `cancel-deletion`: shows the plan, asks, tells how it goes and how it ended.

Where standard output is no terminal everything is plain lines.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from exporter.cli import cancel_facts, cancel_text
from exporter.cli.cancel_facts import Line, Tone
from exporter.cli.progress import terminal
from exporter.remediation.plan import Plan, Step
from exporter.remediation.results import Change, Result

_STYLES: Final = {Tone.PLAIN: "", Tone.QUIET: "dim", Tone.STRONG: "bold", Tone.GOOD: "green", Tone.BAD: "bold red"}
_MOST_PANELS: Final = 5
"""Plans of more keys are shown as a table."""
_MOST_ROWS: Final = 40
"""Rows of a table on a terminal; a pipe gets all of them."""


class Screen:
    """Shows and asks. Listens to a rescue.

    What can't be shown, since whoever read standard output went away, is left out: keys are saved all the same.
    """

    def __init__(self) -> None:
        self._console = terminal(sys.stdout)
        self._terminal = self._console.is_terminal
        self._progress: Progress | None = None
        self._few = True

    def show(self, plan: Plan) -> None:
        """Show what is known of each key, and what will be done."""
        for gap in cancel_text.of_gaps(plan):
            self._line(gap)
        if not self._terminal:
            for step in plan.steps:
                self._plain(step)
        elif few(plan):
            for step in plan.steps:
                self._print(_panel(step))
        else:
            self._print(_table(plan.steps[:_MOST_ROWS]))
            if len(plan.steps) > _MOST_ROWS:
                more = len(plan.steps) - _MOST_ROWS
                self._line(Line(f"and {more} more; --dry-run | less shows every one", Tone.STRONG))

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines."""
        for line in lines:
            self._line(line)

    def ask(self, question: str, wanted: str) -> bool:
        """Return whether somebody at the terminal typed what was wanted."""
        try:
            self._print(Text(question, "bold"), end=" ")
            answer = sys.stdin.readline()
        except KeyboardInterrupt:
            self._print(Text())
            return False
        return answer.strip() == wanted

    @contextlib.contextmanager
    def saving(self, plan: Plan) -> Iterator[None]:
        """Show how far a rescue is: each change of a few keys, else a bar on a terminal and a line for each key."""
        self._few = few(plan)
        if self._few or not self._terminal:
            yield
            return
        with Progress(
            TextColumn("saving keys"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=self._console
        ) as self._progress:
            self._progress.add_task("", total=len(plan.to_change))
            yield
        self._progress = None

    def changed(self, step: Step, change: Change) -> None:
        """Tell that AWS accepted a change."""
        if self._few:
            what = "deletion cancelled" if change.operation == "CancelKeyDeletion" else "enabled; verifying"
            self._line(Line(f"{cancel_facts.title(step)}: {what}", Tone.QUIET))

    def ended(self, result: Result) -> None:
        """Tell what became of a key."""
        if self._progress is not None:
            self._progress.advance(self._progress.task_ids[0])
        if not self._few and not (self._terminal and result.outcome.good):
            self._line(next(cancel_text.of_result(result)))

    def _plain(self, step: Step) -> None:
        self._print(Text(cancel_facts.title(step)))
        for row in cancel_facts.rows(step):
            self._print(Text(f"  {row.label:<13}{row.value}"))

    def _line(self, line: Line) -> None:
        self._print(Text(line.text, _STYLES[line.tone]))

    def _print(self, what: RenderableType, end: str = "\n") -> None:
        # Rich ends the process when the reader of a pipe goes away (`Console.on_broken_pipe`), after which it is quiet.
        with contextlib.suppress(OSError, SystemExit):
            # Lines are left to the terminal to wrap: what is copied from one is what was said.
            self._console.print(what, end=end, soft_wrap=isinstance(what, Text))


def few(plan: Plan) -> bool:
    """Whether there is room to tell all about each key."""
    return len(plan.steps) <= _MOST_PANELS


def _panel(step: Step) -> Panel:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in cancel_facts.rows(step):
        grid.add_row(row.label, Text(row.value, _STYLES[row.tone]))
    heading = Text(cancel_facts.title(step), "bold")
    return Panel(grid, title=heading, title_align="left", border_style="red" if step.facts.needed else "dim")


def _table(steps: Sequence[Step]) -> Table:
    """Draw a line for each key; what is to be done only where it differs, since the question says it too."""
    differs = len({step.action for step in steps}) > 1
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    # Of columns that may be wrapped rich takes the room that is missing.
    table.add_column("key", overflow="ellipsis")
    for heading in ("account", "region", "deleted in"):
        table.add_column(heading, no_wrap=True)
    table.add_column("scheduled by", overflow="ellipsis")
    for heading in ("used", "denied", *(("will",) if differs else ())):
        table.add_column(heading, no_wrap=True)
    for step in steps:
        style = _STYLES[Tone.BAD] if step.facts.needed else ""
        table.add_row(*cancel_facts.cells(step), *((step.action.replace("_", " "),) if differs else ()), style=style)
    return table
