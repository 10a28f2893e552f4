"""Rendering beside the event loop, without ever taking much of a core."""

import threading
import time
from collections.abc import Callable
from typing import Final

from exporter.log import Log

SHARE: Final = 0.1
"""Part of a core that rendering may take: changes that come faster share a rendering."""


class RenderThread:
    """Calls `render` after `notify`, in a thread of its own.

    However often it is notified, a rendering is followed by a pause so long that renderings take `share` of the time
    at most. What is notified meanwhile is rendered once, after the pause, as it is then.
    """

    def __init__(
        self,
        render: Callable[[], object],
        log: Log,
        *,
        share: float = SHARE,
        clock: Callable[[], float] = time.perf_counter,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        """Prepare the thread.

        Args:
            render: renders the newest snapshot.
            log: told of a rendering that failed.
            share: part of the time that rendering may take, above 0 and at most 1.
            clock: seconds, from any origin.
            pause: waits for the event, for so many seconds at most.
        """
        self._render = render
        self._log = log
        self._share = share
        self._clock = clock
        self._pause = pause
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="render", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def notify(self) -> None:
        """Tell that there is something new; returns at once."""
        self._wanted.set()

    def stop(self, timeout: float | None = None) -> None:
        """Stop after the rendering under way, and wait up to `timeout` seconds for it."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while self._wanted.wait() and not self._stopping.is_set():
            self._wanted.clear()
            started = self._clock()
            try:
                self._render()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next change deserves another try
                # The page at hand is served meanwhile, and its snapshot timestamp tells its age.
                self._log.error("render_failed", exc_info=error)
            self._pause(self._stopping, (self._clock() - started) * (1 / self._share - 1))
