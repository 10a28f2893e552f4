"""How fast and how many: the request budget of an operation, and an endpoint's share of the requests in flight."""

import asyncio
import random
from collections import deque

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 20.0


class Pace:
    """Spaces the requests of one operation in one account and region evenly over time.

    A virtual scheduling queue (GCRA): each request is given the next free moment, so nothing has to be refilled and an
    unused past is never saved up for a burst. Throttling pauses this operation alone, with jitter and growing while
    it goes on, since KMS counts each operation against its own quota
    (https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html).
    """

    __slots__ = ("_next_free", "_paused_until", "_spacing", "_throttles_in_a_row")

    def __init__(self, rate: float) -> None:
        """Allow `rate` requests a second."""
        self._spacing = 1.0 / rate
        self._next_free = 0.0
        self._paused_until = 0.0
        self._throttles_in_a_row = 0

    def reserve(self, count: int, now: float) -> float:
        """Take `count` requests out of the budget; return how many seconds to wait before they may be sent."""
        start = max(now, self._next_free)
        self._next_free = start + count * self._spacing
        return start - now

    def give_back(self, count: int) -> None:
        """Return `count` requests to the budget that were reserved and then not sent."""
        self._next_free -= count * self._spacing

    def throttled(self, now: float, rng: random.Random) -> None:
        """Pause after AWS refused a request for its rate."""
        if now < self._paused_until:
            return  # it was on its way when the pause began: a volley that is refused together is one refusal
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**self._throttles_in_a_row)
        self._throttles_in_a_row = min(self._throttles_in_a_row + 1, 16)
        self._next_free = self._paused_until = max(self._next_free, now) + rng.uniform(longest / 2, longest)

    def accepted(self) -> None:
        """Forget the throttling: AWS answered."""
        self._throttles_in_a_row = 0


class Lane:
    """The requests in flight to one endpoint (a service in a region).

    An endpoint that hangs holds a thread for a whole time-out at each request. So no endpoint may hold all threads, and
    one that just hung gets a single probe at a time until it answers: the others keep the rest.
    """

    __slots__ = ("_busy", "_hangs", "_limit", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._busy = 0
        self._hangs = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait, first come first served, until one more request may be in flight."""
        if not self._waiting and self._busy < self._allowed:
            self._busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place was given in the very moment of giving up
                self._busy -= 1
                self._admit()
            raise

    def leave(self, *, hung: bool | None) -> None:
        """Give the place back; `hung` says whether the endpoint let the request time out, None that none was sent."""
        self._busy -= 1
        if hung is not None:
            self._hangs = hung
        self._admit()

    @property
    def _allowed(self) -> int:
        return 1 if self._hangs else self._limit

    def _admit(self) -> None:
        while self._waiting and self._busy < self._allowed:
            turn = self._waiting.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)
