"""The limit of requests, `rate_limit` in a web configuration."""

import time
from collections.abc import Callable


class Bucket:
    """A token bucket: it holds `burst` requests, and one more every `interval` seconds."""

    def __init__(self, interval: float, burst: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin full."""
        self._interval = interval
        self._burst = burst
        self._monotonic = monotonic
        self._tokens = float(burst)
        self._filled_at = monotonic()

    def take(self) -> bool:
        """Tell whether a request may come now."""
        now = self._monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) / self._interval)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
