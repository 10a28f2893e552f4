"""A fixed pool of daemon threads for blocking calls, awaited from an event loop."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_Outcome = tuple["asyncio.Future[Any]", Callable[[Any], object], Any, BaseException | None]
_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[Any], object], Callable[[], Any]]


def ignore(_: object) -> None:
    """Do nothing about a result."""


class Workers:
    """Runs blocking functions on `count` threads, first come first served, for one event loop.

    Not `concurrent.futures`: its threads are joined when the interpreter exits, and one that hangs in a socket would
    delay the exit of the process by the whole time-out. Daemon threads end with it.
    """

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._done: deque[_Outcome] = deque()
        self._told = False
        self._threads = [threading.Thread(target=self._work, name=f"aws-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[[], T], landed: Callable[[T], object] = ignore) -> "asyncio.Future[T]":
        """Queue `function`; the future belongs to the running loop.

        `landed` is called in the loop with the result as soon as the thread is free again, even when the future was
        cancelled meanwhile.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, future, landed, function))
        return future

    def close(self) -> None:
        """Let every thread end once it has done what was queued before; waits for none."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, future, landed, function = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = function()
            except BaseException as caught:  # noqa: BLE001 - told to whoever awaits, never lost in the thread
                error = caught
            self._done.append((future, landed, result, error))
            del job, future, landed, function, result, error  # nothing is kept alive while the thread is idle
            # The loop is woken once for all that is done by the time it looks, since that costs a system call.
            if not self._told:
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
