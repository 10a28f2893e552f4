"""Waiting for something to become true, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

T = TypeVar("T")


def until(condition: Callable[[], T], *, within: float = 20.0, every: float = 0.05) -> T:
    """Return the first true value of `condition`, asked again and again for `within` seconds.

    An assertion or connection error in `condition` counts as not yet; the last one is told when time is up.
    """
    deadline = time.monotonic() + within
    last: Exception | None = None
    while True:
        try:
            if value := condition():
                return value
            last = None
        except (AssertionError, OSError, httpx.TransportError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {condition}") from last
        time.sleep(every)
