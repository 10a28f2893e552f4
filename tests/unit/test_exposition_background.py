"""Rendering beside the event loop."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from exporter.exposition.background import RenderThread
from exporter.log import Log

PATIENCE = 10.0


class Renderings:
    """Counts renderings; each takes so long on a clock of its own, and the pauses after them are noted."""

    def __init__(self, seconds: float = 0.0, fail: bool = False) -> None:
        self.seconds = seconds
        self.fail = fail
        self.time = 0.0
        self.done = threading.Semaphore(0)
        self.paused = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)
        self.pauses: list[float] = []

    def render(self) -> None:
        self.time += self.seconds
        self.done.release()
        if self.fail:
            raise RuntimeError("out of ink")

    def clock(self) -> float:
        return self.time

    def pause(self, stopping: threading.Event, seconds: float) -> None:
        self.pauses.append(seconds)
        self.paused.release()
        if not stopping.is_set():
            assert self.may_go_on.acquire(timeout=PATIENCE)

    def wait(self) -> None:
        assert self.paused.acquire(timeout=PATIENCE)


@contextmanager
def running(renderings: Renderings, *, share: float = 0.1) -> Iterator[Callable[[], None]]:
    log = Log(logging.getLogger("test"))
    thread = RenderThread(renderings.render, log, share=share, clock=renderings.clock, pause=renderings.pause)
    thread.start()
    assert thread.alive
    yield thread.notify
    renderings.may_go_on.release()
    thread.stop(PATIENCE)
    assert not thread.alive


def test_what_is_notified_is_rendered() -> None:
    renderings = Renderings()
    with running(renderings) as notify:
        notify()
        renderings.wait()
    assert renderings.done.acquire(blocking=False)


def test_notifications_during_a_pause_share_a_rendering() -> None:
    renderings = Renderings()
    with running(renderings) as notify:
        notify()
        renderings.wait()
        for _ in range(5):
            notify()
        renderings.may_go_on.release()
        renderings.wait()
    assert len(renderings.pauses) == 2


@pytest.mark.parametrize(("share", "pause"), [(0.1, 18.0), (0.5, 2.0), (1.0, 0.0)])
def test_the_pause_keeps_rendering_within_its_share(share: float, pause: float) -> None:
    renderings = Renderings(seconds=2.0)
    with running(renderings, share=share) as notify:
        notify()
        renderings.wait()
    assert renderings.pauses == [pytest.approx(pause)]


def test_a_rendering_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    renderings = Renderings(fail=True)
    with running(renderings) as notify:
        notify()
        renderings.wait()
        renderings.fail = False
        notify()
        renderings.may_go_on.release()
        renderings.wait()
    (record,) = caplog.records
    assert record.getMessage() == "render_failed"
    assert "out of ink" in str(record.exc_info)


def test_it_stops_in_the_middle_of_a_pause() -> None:
    rendered = threading.Event()
    thread = RenderThread(rendered.set, Log(logging.getLogger("test")), share=1e-9)
    thread.start()
    thread.notify()
    assert rendered.wait(PATIENCE)
    thread.stop(PATIENCE)
    assert not thread.alive
