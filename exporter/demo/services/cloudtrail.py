"""AWS CloudTrail: the event history (API Reference, 2013-11-01)."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Final

from exporter.demo.errors import AwsError
from exporter.demo.paging import BadMarkerError, page
from exporter.demo.services.base import Answer, Call, Code, Service, json_codes
from exporter.demo.services.cloudtrail_events import RESOURCE_TYPE, SOURCE, told
from exporter.demo.trail import KEPT_FOR, Event

_LARGEST_PAGE: Final = 50
_FINGERPRINT: Final = 16

# What an event can be looked up by, given the account. KMS names keys by their ARN, so that is a resource's name.
_ATTRIBUTES: Final[Mapping[str, Callable[[Event, str], str | None]]] = {
    "EventId": lambda event, _account: event.event_id,
    "EventName": lambda event, _account: event.deed.name,
    "ReadOnly": lambda event, _account: "true" if event.deed.reads else "false",
    "Username": lambda event, _account: None if event.deed.by is None else event.deed.by.username,
    "ResourceType": lambda _event, _account: RESOURCE_TYPE,
    "ResourceName": lambda event, _account: event.deed.key_arn,
    "EventSource": lambda _event, _account: SOURCE,
    "AccessKeyId": lambda event, account: None if event.deed.by is None else event.deed.by.key_id(account),
}


def lookup_events(call: Call) -> Answer:
    """Tell the management events of the last 90 days, newest first, at most 50 a page."""
    limit = _limit(call)
    matches = _filter(call)
    first, last = _time_range(call)
    if _insight(call):
        return {"Events": []}
    found = {
        event.order: event for event in call.vault.trail.newest_first() if first <= event.at <= last and matches(event)
    }
    events, token = _page(call, found, limit)
    answer: Answer = {"Events": [told(event, call.account_id, call.region) for event in events]}
    if token is not None:
        answer["NextToken"] = token
    return answer


def _limit(call: Call) -> int:
    limit = call.params.get("MaxResults", _LARGEST_PAGE)
    if not isinstance(limit, int) or not 1 <= limit <= _LARGEST_PAGE:
        raise AwsError("InvalidMaxResultsException", f"MaxResults must be between 1 and {_LARGEST_PAGE}.")
    return limit


def _filter(call: Call) -> Callable[[Event], bool]:
    attributes = call.params.get("LookupAttributes") or []
    if len(attributes) > 1:
        raise AwsError("InvalidLookupAttributesException", "You can specify only one lookup attribute.")
    if not attributes:
        return lambda _: True
    name, value = attributes[0].get("AttributeKey"), attributes[0].get("AttributeValue")
    attribute = _ATTRIBUTES.get(name)
    if attribute is None or not value:
        raise AwsError("InvalidLookupAttributesException", f"{name}={value} is no lookup attribute.")
    account_id = call.account_id
    return lambda event: attribute(event, account_id) == value


def _time_range(call: Call) -> tuple[float, float]:
    """Return the moments between which events are told: what is asked for, as far as CloudTrail shows it by now."""
    now = call.world.agenda.time()
    first, last = call.params.get("StartTime", now - KEPT_FOR), call.params.get("EndTime", now)
    if first > last:
        raise AwsError("InvalidTimeRangeException", "StartTime must not be after EndTime.")
    return max(first, now - KEPT_FOR), min(last, now - call.world.rules.event_lag)


def _insight(call: Call) -> bool:
    category = call.params.get("EventCategory")
    if category not in {None, "insight"}:
        raise AwsError("InvalidEventCategoryException", f"{category} is no event category.")
    return category is not None


def _page(call: Call, found: Mapping[str, Event], limit: int) -> tuple[list[Event], str | None]:
    """Return a page and the token of the next one, which is good for the same question only."""
    asked = {name: value for name, value in call.params.items() if name not in {"NextToken", "MaxResults"}}
    question = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:_FINGERPRINT]
    token = call.params.get("NextToken") or question
    if not token.startswith(question):
        raise _bad_token()
    empty_first = call.operation in call.world.rules.empty_pages
    try:
        names, marker = page(list(found), limit, token[_FINGERPRINT:], empty_first=empty_first)
    except BadMarkerError:
        raise _bad_token() from None
    return [found[name] for name in names], None if marker is None else question + marker


def _bad_token() -> AwsError:
    return AwsError("InvalidNextTokenException", "The token is not valid, or of a request with other parameters.")


SERVICE: Final = Service(
    name="cloudtrail",
    regional=True,
    codes=json_codes(throttled=Code("ThrottlingException"), internal=Code("InternalFailure", 500)),
    operations={"LookupEvents": lookup_events},
)
