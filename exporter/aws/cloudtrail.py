"""CloudTrail's event history: who called what, for 90 days, whether or not the account has a trail.

Events reach it some minutes after they happened, on average about five
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html), and not always in their order.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

from exporter.aws.calls import Access, Calls, Operation
from exporter.aws.principals import NOBODY, Principal, read_principal
from exporter.aws.reading import days, seconds, text

LOOKUP_EVENTS: Final = Operation("cloudtrail", "LookupEvents", quota=2)
"""https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html"""

OVERLAP: Final = 1800.0
"""How much of what was looked through is looked through again, in seconds: events come late, and out of order."""
REACH: Final = 90 * 86400.0
"""How far back events are kept, in seconds."""

PAGE: Final = 50


class _CloudTrailClient(Protocol):
    """What is used of boto3's client."""

    def lookup_events(self, **request: Any) -> Mapping[str, Any]:
        """Return a page."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """One request that somebody made to KMS.

    Attributes:
        name: the operation.
        at: Unix seconds, whole ones.
        principal: who made it; nobody where principals are hidden.
        error_code: `""` for one that succeeded.
        about: ARNs and ids of the keys that it names.
        window: the waiting period that ScheduleKeyDeletion was asked for, in seconds.
    """

    event_id: str
    name: str
    at: float
    principal: Principal
    error_code: str = ""
    error_message: str = ""
    about: frozenset[str] = frozenset()
    window: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, newest first.

    Attributes:
        unreadable: the names of those that could not be read beside, `""` for one of which not even that could be.
        token: where the next page begins; None on the last.
    """

    events: tuple[Event, ...]
    unreadable: tuple[str, ...] = ()
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Which events are looked for.

    Attributes:
        attribute: the one lookup attribute that AWS allows, such as `EventName`.
        start: Unix seconds; CloudTrail reaches no further back than `REACH`.
        principals: whether to read who made a request.
    """

    attribute: str
    value: str
    start: float
    end: float
    principals: bool = True


async def look_up(calls: Calls, access: Access, query: Query, *, deadline: float) -> AsyncGenerator[Page, None]:
    """Yield what CloudTrail knows, newest first, page by page: whoever has seen enough stops.

    Raises:
        TargetError: a page could not be had.
    """
    token: str | None = ""
    while token is not None:
        page = await calls.one(access, LOOKUP_EVENTS, partial(_one_page, query, token), deadline=deadline)
        yield page
        token = page.token


def _one_page(query: Query, token: str, cloudtrail: _CloudTrailClient) -> Page:
    request: dict[str, Any] = {
        "LookupAttributes": [{"AttributeKey": query.attribute, "AttributeValue": query.value}],
        "StartTime": datetime.fromtimestamp(query.start, UTC),
        "EndTime": datetime.fromtimestamp(query.end, UTC),
        "MaxResults": PAGE,
    }
    if token:
        request["NextToken"] = token  # is good for the very same parameters only
    answer = cloudtrail.lookup_events(**request)
    following = answer.get("NextToken") or None
    if following is not None and following == token:
        raise ValueError("the next page is the same page again")
    entries = answer["Events"]
    read = [(entry, _try_event(entry, query.principals)) for entry in entries]
    events = tuple(event for _, event in read if event is not None)
    return Page(events, tuple(_name_of(entry) for entry, event in read if event is None), following)


def _try_event(entry: Mapping[str, Any], principals: bool) -> Event | None:
    """Read one event; None for one that is not as documented, which must not cost the others."""
    try:
        return read_event(entry["CloudTrailEvent"], principals=principals)
    except (LookupError, TypeError, ValueError, RecursionError):
        return None


def _name_of(entry: object) -> str:
    """Return what an event is called beside its record; `""` where nothing tells."""
    name = entry.get("EventName") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) else ""


def read_event(content: str, *, principals: bool = True) -> Event:
    """Read a `CloudTrailEvent`, which is a record in JSON.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html

    Raises:
        LookupError: it lacks what each record has, or names no resource.
        TypeError: a member is of another type.
        ValueError: it is no JSON, or its time is none.
    """
    record = _mapping(json.loads(content))
    about = names_in(record)
    if not about:
        raise LookupError("it names no key")
    return Event(
        event_id=text(record["eventID"]),
        name=text(record["eventName"]),
        at=seconds(datetime.fromisoformat(text(record["eventTime"]))),
        principal=read_principal(_mapping(record.get("userIdentity"))) if principals else NOBODY,
        error_code=text(record.get("errorCode") or ""),
        error_message=text(record.get("errorMessage") or ""),
        about=about,
        window=_window(_mapping(record.get("requestParameters")).get("pendingWindowInDays")),
    )


def names_in(record: Mapping[str, Any]) -> frozenset[str]:
    """Return what a record calls the keys that it is about.

    `requestParameters.keyId` is an id or an ARN, as the caller wrote it; `resources` holds ARNs.

    Raises:
        TypeError: a member is of another type.
    """
    names = {text(_mapping(resource).get("ARN") or "") for resource in record.get("resources") or ()}
    elements = (_mapping(record.get(name)) for name in ("requestParameters", "responseElements"))
    names |= {text(element.get("keyId") or "") for element in elements}
    return frozenset(names - {""})


def _window(asked_for: object) -> float | None:
    """Return the waiting period; None for one that can't be read, which is no reason to be silent about the event."""
    try:
        return days(asked_for)
    except (TypeError, ValueError):
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"an object expected, {value!r} found")
    return value
