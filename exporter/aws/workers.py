"""A fixed pool of daemon threads for blocking calls, awaited from an event loop."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Workers:
    """Runs blocking functions on `count` threads, first come first served.

    Not `concurrent.futures`: its threads are joined when the interpreter exits, and one that hangs in a socket would
    delay the exit of the process by the whole time-out. Daemon threads end with it.
    """

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"aws-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[[], T]) -> "asyncio.Future[T]":
        """Queue `function`; the future belongs to the running loop and completes when the thread is free again."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, future, function))
        return future

    def close(self) -> None:
        """Let every thread end once it has done what was queued before; waits for none."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, future, function = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = function()
            except BaseException as caught:  # noqa: BLE001 - told to whoever awaits, never lost in the thread
                error = caught
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:  # the loop is closed: the process is ending and nobody waits
                return
            del job, future, function, result, error  # nothing is kept alive while the thread is idle


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
