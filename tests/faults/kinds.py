"""What a fault in force is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exporter.model import Target
from tests.faults.rig import READ_TIMEOUT, Rig
from tests.faults.schedule import Planned
from tests.faults.truth import Trouble

Undo = Callable[[], None]

VOLLEYS = 8 * READ_TIMEOUT
"""Seconds until what hangs when a fault ends has been given up: each endpoint is probed by one target at a time."""
_LONGEST_PAUSE = 20.0


@dataclass(slots=True)
class Injected:
    """A fault in force.

    Attributes:
        trouble: what it means for those who read; None where it must not be felt.
    """

    planned: Planned
    undo: Undo
    trouble: Trouble | None = None

    def end(self) -> None:
        self.undo()
        if self.trouble is not None:
            self.trouble.until = time.time()
            if self.trouble.kind in ("throttle", "quota"):
                self.trouble.grace = min(_LONGEST_PAUSE, 2 * (self.trouble.until - self.trouble.since) + 1)


class Kinds:
    """Begins faults: a method for each kind, of its name."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def begin(self, planned: Planned) -> Injected:
        """Let a fault begin."""
        injected: Injected = getattr(self, planned.kind)(planned)
        if injected.trouble is not None:
            self._rig.troubles.all.append(injected.trouble)
        return injected

    def _trouble(self, planned: Planned, targets: list[Target] | None = None, **what: Any) -> Trouble:
        return Trouble(planned.kind, frozenset(self._rig.targets if targets is None else targets), time.time(), **what)
