"""What CloudTrail remembers (CloudTrail User Guide, "Working with CloudTrail event history")."""

import hashlib
import itertools
from bisect import insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from exporter.demo.actors import Actor
from exporter.demo.errors import AwsError
from exporter.demo.keys import DAY

KEPT_FOR: Final = 90 * DAY
MOST_EVENTS: Final = 50_000
"""Events that a trail holds; it forgets the oldest, so that an emulator which serves for weeks stays small."""

_FAR: Final = 10**13


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done or tried.

    Attributes:
        name: the operation.
        by: None for KMS itself, which deletes keys and expired material.
        key_arn: the key it was done to.
        request: `requestParameters`.
        response: `responseElements`.
        error: the refusal, None for success.
        reads: whether CloudTrail counts it as read-only; cryptographic operations are.
    """

    name: str
    by: Actor | None
    key_arn: str
    request: Mapping[str, Any] | None = None
    response: Mapping[str, Any] | None = None
    error: AwsError | None = None
    reads: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A deed on record.

    Attributes:
        at: Unix seconds, whole ones as CloudTrail tells them.
        number: tells events of one second apart, and which came first.
        event_id: `eventID`.
        request_id: `requestID`.
    """

    deed: Deed
    at: int
    number: int
    event_id: str
    request_id: str

    @property
    def order(self) -> str:
        """A text that sorts the newest event first."""
        return f"{_FAR - self.at:014d}{_FAR - self.number:014d}"


class Trail:
    """The events of one account and region, by time."""

    __slots__ = ("_events", "_most", "_numbers", "_seed")

    def __init__(self, account_id: str, region: str, most: int = MOST_EVENTS) -> None:
        self._seed = f"{account_id}/{region}"
        self._most = most
        self._events: list[Event] = []
        self._numbers = itertools.count()

    def add(self, deed: Deed, at: float) -> Event:
        """Put a deed on record; the world's lock is held by the caller."""
        number = next(self._numbers)
        request_id = (deed.by.request_id if deed.by is not None else "") or self._id("request", number)
        event = Event(deed, int(at), number, self._id("event", number), request_id)
        insort(self._events, event, key=_by_time)
        if len(self._events) > self._most:
            del self._events[0]
        return event

    def newest_first(self) -> Iterator[Event]:
        """Iterate over the events on record."""
        return reversed(self._events)

    def _id(self, kind: str, number: int) -> str:
        digest = hashlib.blake2b(f"{self._seed}/{kind}/{number}".encode(), digest_size=16).digest()
        return str(UUID(bytes=digest, version=4))


def _by_time(event: Event) -> tuple[int, int]:
    return event.at, event.number
