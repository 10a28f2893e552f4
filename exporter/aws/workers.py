"""A fixed pool of daemon threads for blocking calls, awaited from an event loop."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

_Outcome = tuple["asyncio.Future[Any]", Callable[[Any], object], Any, BaseException | None]
_Job = tuple[asyncio.AbstractEventLoop, float, "asyncio.Future[Any]", Callable[[Any], object], Callable[[], Any]]

_LONG: Final = 0.2
"""Seconds that something may wait until one more thread is woken."""
_TICK: Final = 0.05
"""Seconds until the loop looks for that, and for what is done."""


def ignore(_: object) -> None:
    """Do nothing about a result."""


class Workers:
    """Runs blocking functions on up to `count` threads, first come first served, for one event loop.

    A thread that is awake goes on with what waits: a request for which one was woken takes more CPU time than one in a
    row (`python -m benchmarks.pacing`). One more is woken when the wait is long, because what is asked answers slowly,
    or hangs.

    Not `concurrent.futures`: its threads are joined when the interpreter exits, and one that hangs in a socket would
    delay the exit of the process by the whole time-out. Daemon threads end with it.
    """

    def __init__(self, count: int) -> None:
        self._jobs: deque[_Job] = deque()
        self._count = count
        self._asleep: list[threading.Lock] = []
        """What each thread that sleeps waits for; the one that fell asleep last is woken first."""
        self._lock = threading.Lock()
        self._closing = False
        self._watching = False
        self._done: deque[_Outcome] = deque()
        self._told = False
        self._threads = [threading.Thread(target=self._work, name=f"aws-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(
        self, function: Callable[[], T], landed: Callable[[T], object] = ignore, *, long: bool = False
    ) -> "asyncio.Future[T]":
        """Queue `function`; the future belongs to the running loop. One that is `long` has a thread woken for it.

        `landed` is called in the loop with the result as soon as the thread is free again, even when the future was
        cancelled meanwhile.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._jobs.append((loop, loop.time(), future, landed, function))
            if long or len(self._asleep) == self._count:
                self._wake_one()
        if not self._watching:
            self._watching = True
            loop.call_later(_TICK, self._watch, loop)
        return future

    def close(self) -> None:
        """Let every thread end once it has done what was queued before; waits for none."""
        with self._lock:
            self._closing = True
            while self._asleep:
                self._wake_one()

    def _wake_one(self) -> None:
        if self._asleep:
            self._asleep.pop().release()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake one more thread for what waits long, and take what is done meanwhile."""
        with self._lock:
            self._watching = bool(self._jobs)
            if self._jobs and loop.time() - self._jobs[0][1] > _LONG:
                self._wake_one()
        self._settle()
        if self._watching:
            loop.call_later(_TICK, self._watch, loop)

    def _take(self, gate: threading.Lock) -> _Job | None:
        """Return the next job, asleep until there is one; None when there will be none."""
        while True:
            with self._lock:
                if self._jobs:
                    return self._jobs.popleft()
                if self._closing:
                    return None
                self._asleep.append(gate)
            gate.acquire()

    def _work(self) -> None:
        gate = threading.Lock()
        gate.acquire()
        while (job := self._take(gate)) is not None:
            loop, _, future, landed, function = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = function()
            except BaseException as caught:  # noqa: BLE001 - told to whoever awaits, never lost in the thread
                error = caught
            self._done.append((future, landed, result, error))
            del job, future, landed, function, result, error  # nothing is kept alive while the thread is idle
            # The loop is woken once for all that is done when no more waits, since waking it costs as much again.
            if not self._jobs and not self._told:
                self._told = True
                try:
                    loop.call_soon_threadsafe(self._settle)
                except RuntimeError:  # the loop is closed: the process is ending and nobody waits
                    return

    def _settle(self) -> None:
        self._told = False  # before looking: what is done from now on is told again
        while self._done:
            future, landed, result, error = self._done.popleft()
            if error is None:
                landed(result)
            if future.cancelled():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
