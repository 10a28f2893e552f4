"""Records of CloudTrail: what is read of them, and which are not taken for readable."""

import json
from typing import Any

import pytest

from exporter.aws.cloudtrail import read_event
from exporter.aws.principals import NOBODY, Principal

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:us-west-2:111122223333:key/{KEY_ID}"
DAY = 86_400.0

# https://docs.aws.amazon.com/kms/latest/developerguide/ct-schedule-key-deletion.html
SCHEDULED: dict[str, Any] = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "EX_PRINCIPAL_ID",
        "arn": "arn:aws:iam::111122223333:user/Alice",
        "accountId": "111122223333",
        "accessKeyId": "EXAMPLE_KEY_ID",
        "userName": "Alice",
    },
    "eventTime": "2021-03-23T18:58:30Z",
    "eventSource": "kms.amazonaws.com",
    "eventName": "ScheduleKeyDeletion",
    "awsRegion": "us-west-2",
    "sourceIPAddress": "192.0.2.0",
    "userAgent": "AWS Internal",
    "requestParameters": {"pendingWindowInDays": 20, "keyId": KEY_ID},
    "responseElements": {"keyId": ARN, "keyState": "PendingDeletion", "deletionDate": "Apr 12, 2021 18:58:30 PM"},
    "requestID": "ee408f36-ea01-422b-ac14-b0f147c68334",
    "eventID": "3c4226b0-1e81-48a8-a333-7fa5f3cbd118",
    "readOnly": False,
    "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": ARN}],
    "eventType": "AwsApiCall",
    "recipientAccountId": "111122223333",
}
DENIED: dict[str, Any] = SCHEDULED | {
    "eventName": "Decrypt",
    "errorCode": "KMSInvalidStateException",
    "errorMessage": f"{ARN} is pending deletion.",
    "requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "responseElements": None,
}
DELETED: dict[str, Any] = SCHEDULED | {
    "eventName": "DeleteKey",
    "userIdentity": {"accountId": "111122223333", "invokedBy": "AWS Internal"},
    "requestParameters": None,
    "responseElements": None,
    "eventType": "AwsServiceEvent",
}


def changed(record: dict[str, Any], **members: Any) -> str:
    return json.dumps(record | members)


def without(record: dict[str, Any], member: str) -> str:
    return json.dumps({name: value for name, value in record.items() if name != member})


def test_of_a_scheduled_deletion_it_is_read_who_when_and_for_how_long() -> None:
    event = read_event(json.dumps(SCHEDULED))
    assert (event.event_id, event.name) == ("3c4226b0-1e81-48a8-a333-7fa5f3cbd118", "ScheduleKeyDeletion")
    assert event.at == 1_616_525_910.0
    assert event.principal == Principal("Alice", "arn:aws:iam::111122223333:user/Alice")
    assert event.window == 20 * DAY
    assert (event.error_code, event.error_message) == ("", "")
    assert {ARN, KEY_ID} == event.about


def test_of_a_denied_use_it_is_read_why() -> None:
    event = read_event(json.dumps(DENIED))
    assert (event.error_code, event.error_message) == ("KMSInvalidStateException", f"{ARN} is pending deletion.")
    assert event.window is None


def test_what_kms_does_by_itself_is_readable_too() -> None:
    assert read_event(json.dumps(DELETED)).principal == Principal("AWS Internal")


def test_principals_can_be_left_out() -> None:
    assert read_event(json.dumps(SCHEDULED), principals=False).principal == NOBODY


@pytest.mark.parametrize(
    ("members", "about"),
    [
        ({"resources": None}, {ARN, KEY_ID}),
        ({"resources": [], "responseElements": None}, {KEY_ID}),
        ({"requestParameters": {"keyId": ARN}}, {ARN}),
        ({"resources": [{"type": "AWS::KMS::Key"}], "requestParameters": None}, {ARN}),
    ],
    ids=["no resources", "the request only", "asked by ARN", "a resource without an ARN"],
)
def test_the_key_is_found_wherever_it_is_named(members: dict[str, Any], about: set[str]) -> None:
    assert read_event(changed(SCHEDULED, **members)).about == about


def test_a_scheduling_without_a_window_leaves_it_open() -> None:
    assert read_event(changed(SCHEDULED, requestParameters={"keyId": KEY_ID})).window is None


def test_nobody_need_be_told() -> None:
    assert read_event(without(SCHEDULED, "userIdentity")).principal == NOBODY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"text"',
        "null",
        "[" * 100_000,
        *(without(SCHEDULED, member) for member in ("eventID", "eventName", "eventTime")),
        *(changed(SCHEDULED, **{member: 7}) for member in ("eventID", "eventName", "eventTime", "resources")),
        *(changed(SCHEDULED, **{member: "x"}) for member in ("eventTime", "requestParameters", "responseElements")),
        changed(SCHEDULED, userIdentity="alice"),
        changed(SCHEDULED, errorCode=7),
        changed(SCHEDULED, resources=[{"ARN": 7}]),
        changed(SCHEDULED, resources=[ARN]),
        changed(SCHEDULED, resources=None, requestParameters=None, responseElements=None),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_not_as_documented_is_not_guessed_at(text: str) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, RecursionError)):
        read_event(text)
