"""What is read out of the messages that EventBridge sends, and what is taken for none of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.eventbridge import CHANGING, LONGEST, NoEventError, Notice, read_notice
from exporter.model import Target
from tests.support.eventbridge import ACCOUNT, KEY_ID, REGION, api_call, event, key_arn, text

HERE = Target(ACCOUNT, REGION)
OTHER_ID = "mrk-1234abcd12ab34cd56ef1234567890ab"


def about(**parts: Any) -> dict[Target, frozenset[str]]:
    """Return what a request's event is about."""
    return dict(read_notice(text(api_call(**parts))).about)


def notification(message: Any) -> dict[str, Any]:
    """Return what SNS makes of a message."""
    return {"Type": "Notification", "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:kms", "Message": message}


def without(member: str, **parts: Any) -> dict[str, Any]:
    whole = api_call(**parts)
    del whole[member]
    return whole


class TestRequests:
    def test_a_key_is_named_by_its_arn(self) -> None:
        assert read_notice(text(api_call())) == Notice("ScheduleKeyDeletion", {HERE: frozenset({KEY_ID})})

    @pytest.mark.parametrize("name", [KEY_ID, key_arn(), OTHER_ID])
    def test_or_by_what_the_caller_called_it(self, name: str) -> None:
        assert about(arns=(), requestParameters={"keyId": name}) == {HERE: frozenset({name.rpartition("/")[2]})}

    def test_both_names_are_one_key(self) -> None:
        assert about(requestParameters={"keyId": KEY_ID}, responseElements={"keyId": key_arn()}) == {
            HERE: frozenset({KEY_ID})
        }

    def test_an_arn_says_itself_where_the_key_is(self) -> None:
        """Of a multi-Region key, an event may name the primary and the replica."""
        replica = key_arn(OTHER_ID, region="us-east-1")
        assert about(name="ReplicateKey", arns=(key_arn(OTHER_ID), replica)) == {
            HERE: frozenset({OTHER_ID}),
            Target(ACCOUNT, "us-east-1"): frozenset({OTHER_ID}),
        }

    @pytest.mark.parametrize("member", ["account", "region"])
    def test_then_the_event_need_not(self, member: str) -> None:
        assert read_notice(text(without(member))).about == {HERE: frozenset({KEY_ID})}

    @pytest.mark.parametrize("arn", [key_arn().replace("arn:aws:", f"arn:{part}:") for part in ("aws-cn", "aws-iso-b")])
    def test_any_partition_will_do(self, arn: str) -> None:
        assert about(arns=(arn,)) == {HERE: frozenset({KEY_ID})}

    @pytest.mark.parametrize(
        "name", ["alias/aws/ebs", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/ebs", "", "a b", "a\nb"]
    )
    def test_what_is_no_key_is_never_asked_for(self, name: str) -> None:
        """Describing a predefined alias of AWS's can create its key."""
        assert about(arns=(), requestParameters={"keyId": name}) == {}

    def test_a_request_that_was_refused_changed_nothing(self) -> None:
        assert about(errorCode="KMSInvalidStateException") == {}

    @pytest.mark.parametrize("name", ["CreateGrant", "Decrypt", "PutKeyPolicy"])
    def test_nor_did_one_that_is_about_something_else(self, name: str) -> None:
        assert about(name=name) == {}

    def test_what_aws_does_itself_counts_too(self) -> None:
        deletion = api_call("DeleteKey", eventType="AwsServiceEvent") | {
            "detail-type": "AWS Service Event via CloudTrail"
        }
        assert read_notice(text(deletion)).about == {HERE: frozenset({KEY_ID})}


class TestEventsOfKms:
    @pytest.mark.parametrize("kind", ["KMS CMK Deletion", "KMS Imported Key Material Expiration"])
    def test_a_key_is_named_by_its_arn(self, kind: str) -> None:
        sent = event(kind, {"key-id": KEY_ID}, resources=(key_arn(),))
        assert read_notice(text(sent)) == Notice(kind, {HERE: frozenset({KEY_ID})})

    def test_or_by_its_id(self) -> None:
        assert read_notice(text(event("KMS CMK Deletion", {"key-id": KEY_ID}))).about == {HERE: frozenset({KEY_ID})}

    def test_a_rotation_changes_nothing_that_is_told(self) -> None:
        sent = event("KMS CMK Rotation", {"key-id": KEY_ID}, resources=(key_arn(),))
        assert read_notice(text(sent)) == Notice("KMS CMK Rotation")


def test_an_event_may_come_through_sns() -> None:
    assert read_notice(json.dumps(notification(text(api_call())))) == read_notice(text(api_call()))


def test_an_event_of_another_service_is_about_no_key() -> None:
    assert not read_notice(text(api_call() | {"source": "aws.s3", "detail": {"bucket": {}}})).about


def test_every_name_that_is_counted_is_known_beforehand() -> None:
    assert {"ScheduleKeyDeletion", "CancelKeyDeletion", "DeleteKey", "KMS CMK Deletion"} <= CHANGING


POISON = {
    "nothing": "",
    "no JSON": "Hello!",
    "half of it": text(api_call())[:200],
    "a text": '"ScheduleKeyDeletion"',
    "a number": "17",
    "nothing at all": "null",
    "a list of events": text([api_call()]),
    "a notification of SNS about something else": json.dumps({"Type": "Notification", "Message": "Hello!"}),
    "a notification within a notification": json.dumps(notification(json.dumps(notification(text(api_call()))))),
    **{f"without {member}": text(without(member)) for member in ("source", "detail-type", "detail")},
    "a bare id without an account": text(without("account", arns=(), requestParameters={"keyId": KEY_ID})),
    "a number for the account": text(api_call() | {"account": 111122223333}),
    "a name for the account": text(api_call() | {"account": "payments"}),
    "an account of other digits": text(api_call() | {"account": "١١١١٢٢٢٢٣٣٣٣"}),
    "no region": text(api_call() | {"region": "somewhere else"}),
    "a text for the detail": text(api_call() | {"detail": text(api_call()["detail"])}),
    "a number for the event's name": text(api_call(eventName=7)),
    "no name": text(event("AWS API Call via CloudTrail", {})),
    "a text for the resources": text(api_call(resources="all")),
    "a number for the resources": text(api_call(resources=3)),
    "texts for the resources": text(api_call(resources=[key_arn()])),
    "a number for an ARN": text(api_call(resources=[{"ARN": 3}])),
    "a list for the request": text(api_call(requestParameters=["keyId"])),
    "a list for the key": text(api_call(requestParameters={"keyId": [KEY_ID]})),
    "numbers for the keys": text(event("KMS CMK Deletion", {}, resources=(1, 2))),
    "no list of keys": text(event("KMS CMK Deletion", {}, resources=None)),
    "more keys than one event names": text(api_call(arns=tuple(key_arn(f"key-{number}") for number in range(101)))),
    "nested too deeply": "[" * 100_000,
    "a number of ten thousand digits": '{"source": ' + "9" * 10_000 + "}",
    "longer than SQS allows": text(api_call()) + " " * LONGEST,
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON)
def test_what_is_no_event_is_refused_in_one_line_that_tells_nothing_of_it(body: str) -> None:
    with pytest.raises(NoEventError) as refusal:
        read_notice(body)
    told = str(refusal.value)
    assert told
    assert len(told.splitlines()) == 1
    assert len(told) < 100
    assert KEY_ID not in told


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.text())
def test_no_text_does_any_harm(body: str) -> None:
    _read_or_refuse(body)


@given(st.sampled_from([*api_call(), *api_call()["detail"]]), json_values)
def test_nor_does_an_event_with_anything_in_any_place(member: str, value: Any) -> None:
    whole = api_call()
    (whole if member in whole else whole["detail"])[member] = value
    _read_or_refuse(text(whole))


def _read_or_refuse(body: str) -> None:
    try:
        notice = read_notice(body)
    except NoEventError:
        return
    for key_ids in notice.about.values():
        assert all(key_id.replace("-", "").isalnum() for key_id in key_ids)
