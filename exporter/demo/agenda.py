"""The emulated world's time, and what happens when it comes."""

import heapq
import itertools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Action = Callable[[], None]


class Agenda:
    """Time that is read from a clock passed in, and the events planned on it.

    Nothing runs on its own: whoever looks at the world settles it first (`settle`), and every event that is due happens
    then, in order and dated by the moment it was planned for. An observer can't tell this from events on time, and a
    test with its own clock needs no thread and no sleep.

    Attributes:
        lock: held by whoever reads or changes the world.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        self._now = now
        self._ahead = 0.0
        self._happening: float | None = None
        self._planned: list[tuple[float, int, Action]] = []
        self._order = itertools.count()

    def time(self) -> float:
        """Return the time in Unix seconds; during an event, the moment that it was planned for."""
        with self.lock:
            return self._now() + self._ahead if self._happening is None else self._happening

    def advance(self, seconds: float) -> None:
        """Put the time ahead of the clock by so much more, and let happen what has become due.

        Raises:
            ValueError: for a step back.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards")
        with self.lock:
            self._ahead += seconds
            self.settle()

    def plan(self, at: float, action: Action) -> None:
        """Let `action` happen at a moment; one that is never (infinity) is not planned."""
        if at < math.inf:
            with self.lock:
                heapq.heappush(self._planned, (at, next(self._order), action))

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        if not self._planned:
            return
        with self.lock:
            if self._happening is not None:
                return
            now = self.time()
            while self._planned and self._planned[0][0] <= now:
                at, _, action = heapq.heappop(self._planned)
                with self.as_of(at):
                    action()

    @contextmanager
    def as_of(self, moment: float) -> Iterator[None]:
        """Let what is done inside be dated by another moment, which is how a world gets a past."""
        with self.lock:
            outer, self._happening = self._happening, moment
            try:
                yield
            finally:
                self._happening = outer
