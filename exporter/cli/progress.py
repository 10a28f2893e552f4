"""What only a terminal gets to see: colours, and a bar that shows how far a look at AWS is."""

import os
import sys
from types import TracebackType
from typing import IO, Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from exporter.oneshot import Stage

_DOES: Final = {
    Stage.ACCOUNTS: "Finding accounts and regions",
    Stage.KEYS: "Reading keys",
    Stage.EVIDENCE: "Asking who, why and whether still used",
}


def terminal(stream: IO[str]) -> Console:
    """Return what draws on a terminal, without colours where its user wants none (https://no-color.org)."""
    return Console(
        file=stream,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


class ProgressBar:
    """A bar on standard error; nothing of it stays when it is done."""

    def __init__(self) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[told]}", markup=False),
            TimeElapsedColumn(),
            console=terminal(sys.stderr),
            transient=True,
        )
        self._task = self._bar.add_task(_DOES[Stage.ACCOUNTS], total=None, told="")
        self._targets = ""
        self._keys = 0

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it off the screen."""
        self._bar.stop()

    def progress(self, stage: Stage, done: int, total: int) -> None:
        """Show the stage, and how many of how many targets are done with."""
        self._targets = f"{done}/{total} targets, " if total else ""
        self._bar.update(self._task, description=_DOES[stage], completed=done, total=total or None, told=self._told())

    def request(self, service: str, operation: str, seconds: float) -> None:  # noqa: ARG002 - the protocol's signature
        """Count the keys that were asked about; from many threads, so a few may be missed, which no bar shows."""
        if operation == "DescribeKey":
            self._keys += 1
            self._bar.update(self._task, told=self._told())

    def throttled(self, service: str, operation: str) -> None:
        """Take no note: what was refused is asked again."""

    def _told(self) -> str:
        return f"{self._targets}{self._keys} keys read" if self._targets else ""
