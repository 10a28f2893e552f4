"""How far a look at AWS is: shown where somebody watches, and told to nobody anywhere else."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from exporter.aws.calls import Telemetry
from exporter.oneshot import Stage


class Bar(Telemetry, Protocol):
    """Shows how far a look is."""

    def progress(self, stage: Stage, done: int, total: int) -> None:
        """Show it."""
        ...


class Silent:
    """Shows and counts nothing."""

    def progress(self, stage: Stage, done: int, total: int) -> None:
        """Show nothing."""

    def request(self, service: str, operation: str, seconds: float) -> None:
        """Count nothing."""

    def throttled(self, service: str, operation: str) -> None:
        """Count nothing."""


def progress_bar() -> AbstractContextManager[Bar]:
    """Return a bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        return nullcontext(Silent())
    from exporter.cli.progress import ProgressBar  # noqa: PLC0415 - `serve` does without rich

    return ProgressBar()
