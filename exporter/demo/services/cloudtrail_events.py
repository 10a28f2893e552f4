"""An event as LookupEvents tells it, with the record that its trail would hold.

KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail", has an example of each.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from exporter.demo.actors import PERSON, ROLE, SERVICE, USER, Actor
from exporter.demo.arns import arn
from exporter.demo.trail import Event

SOURCE: Final = "kms.amazonaws.com"
RESOURCE_TYPE: Final = "AWS::KMS::Key"

_INTERNAL: Final = "AWS Internal"
_NOON: Final = 12


def told(event: Event, account_id: str, region: str) -> dict[str, Any]:
    """Return a member of `Events`."""
    deed = event.deed
    answer: dict[str, Any] = {
        "EventId": event.event_id,
        "EventName": deed.name,
        "ReadOnly": "true" if deed.reads else "false",
        "EventTime": event.at,
        "EventSource": SOURCE,
        "Resources": [{"ResourceType": RESOURCE_TYPE, "ResourceName": deed.key_arn}],
        "CloudTrailEvent": json.dumps(record(event, account_id, region)),
    }
    if deed.by is not None:
        if deed.by.kind not in {SERVICE, PERSON}:
            answer["AccessKeyId"] = deed.by.key_id(account_id)
        if deed.by.username is not None:
            answer["Username"] = deed.by.username
    return answer


def record(event: Event, account_id: str, region: str) -> dict[str, Any]:
    """Return the record that a trail holds, and that EventBridge is given."""
    deed = event.deed
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(event, account_id, region),
        "eventTime": _iso(event.at),
        "eventSource": SOURCE,
        "eventName": deed.name,
        "awsRegion": region,
        "sourceIPAddress": _INTERNAL if deed.by is None else deed.by.address,
        "userAgent": _INTERNAL if deed.by is None else deed.by.agent,
    }
    if deed.error is not None:
        record |= {"errorCode": deed.error.code, "errorMessage": deed.error.message}
    record |= {"requestParameters": _readable(deed.request), "responseElements": _readable(deed.response)}
    if deed.by is not None:
        record["requestID"] = event.request_id
    return record | {
        "eventID": event.event_id,
        "readOnly": deed.reads,
        "resources": [{"accountId": account_id, "type": RESOURCE_TYPE, "ARN": deed.key_arn}],
        "eventType": "AwsServiceEvent" if deed.by is None else "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account_id,
        "eventCategory": "Management",
    }


def _identity(event: Event, account_id: str, region: str) -> dict[str, Any]:
    """Return `userIdentity` (CloudTrail User Guide, "CloudTrail userIdentity element")."""
    by = event.deed.by
    if by is None:
        return {"accountId": account_id, "invokedBy": _INTERNAL}
    if by.kind == SERVICE:
        return {"type": SERVICE, "invokedBy": by.name}
    if by.kind == PERSON:
        store = arn("identitystore", "", account_id, "identitystore/d-9067642ac7", of=region)
        return {
            "type": PERSON,
            "accountId": account_id,
            "onBehalfOf": {"userId": by.name, "identityStoreArn": store},
            "credentialId": event.request_id,
        }
    identity = {
        "type": by.kind,
        "principalId": by.user_id(account_id),
        "arn": by.arn(account_id, region),
        "accountId": account_id,
        "accessKeyId": by.key_id(account_id),
    }
    if by.kind == USER:
        return {**identity, "userName": by.name}
    if by.kind == ROLE:
        return {**identity, "sessionContext": _session(by, event.at, account_id, region)}
    return identity


def _session(by: Actor, at: int, account_id: str, region: str) -> dict[str, Any]:
    return {
        "sessionIssuer": {
            "type": "Role",
            "principalId": by.role_id(account_id),
            "arn": by.role_arn(account_id, region),
            "accountId": account_id,
            "userName": by.name,
        },
        "attributes": {"creationDate": _iso(at), "mfaAuthenticated": "false"},
    }


def _readable(element: Any) -> Any:
    """Turn moments, the only fractions that there are, into the text that CloudTrail has for them."""
    match element:
        case Mapping():
            return {name: _readable(value) for name, value in element.items()}
        case float():
            return _text(element)
        case _:
            return element


def _text(at: float) -> str:
    """Return a moment as `Dec 7, 2026, 5:37:47 PM`: for people, and not in one format over the years."""
    moment = datetime.fromtimestamp(at, UTC)
    hour = moment.hour % _NOON or _NOON
    return f"{moment:%b} {moment.day}, {moment.year}, {hour}:{moment:%M:%S} {'AM' if moment.hour < _NOON else 'PM'}"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
