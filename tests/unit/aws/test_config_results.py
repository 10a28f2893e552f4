"""How a result of an advanced query of AWS Config is read: strictly, since it is text that anything may be in."""

import json
from typing import Any

import pytest

from exporter.aws.config import QUERY, read_key
from exporter.model import ConfigKey, Target

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:eu-west-1:111122223333:key/{KEY_ID}"
ROW: dict[str, Any] = {
    "accountId": "111122223333",
    "awsRegion": "eu-west-1",
    "resourceId": KEY_ID,
    "arn": ARN,
    "configuration": {"keyState": "PendingDeletion"},
    "configurationItemCaptureTime": "2026-09-21T14:13:20.500Z",
}


def row(**members: Any) -> str:
    return json.dumps({**ROW, **members})


def without(name: str) -> str:
    return json.dumps({member: value for member, value in ROW.items() if member != name})


def test_a_result_names_a_key_its_state_and_when_that_was_captured() -> None:
    assert read_key(row()) == ConfigKey(
        Target("111122223333", "eu-west-1"), KEY_ID, ARN, "PendingDeletion", 1_790_000_000.5
    )


def test_a_primary_that_waits_for_its_replicas_is_pending_too() -> None:
    assert read_key(row(configuration={"keyState": "PendingReplicaDeletion"})).state == "PendingReplicaDeletion"


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("cn-north-1", "arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"),
        ("us-gov-west-1", "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"),
    ],
)
def test_any_partition_and_a_multi_region_key_are_understood(region: str, arn: str) -> None:
    read = read_key(row(awsRegion=region, arn=arn, resourceId="mrk-0123456789abcdef0123456789abcdef"))

    assert (read.target.region, read.arn) == (region, arn)


@pytest.mark.parametrize(
    "members",
    [
        {"configurationItemCaptureTime": None},
        {"configurationItemCaptureTime": "yesterday"},
        {"configurationItemCaptureTime": 1_790_000_000},
        {"configurationItemCaptureTime": []},
    ],
    ids=str,
)
def test_a_time_that_can_not_be_read_costs_the_time_and_not_the_key(members: dict[str, Any]) -> None:
    assert read_key(row(**members)).captured_at is None


def test_so_does_one_that_is_not_there() -> None:
    assert read_key(without("configurationItemCaptureTime")).captured_at is None


def test_a_time_without_a_zone_is_utc() -> None:
    assert read_key(row(configurationItemCaptureTime="2026-09-21T14:13:20")).captured_at == 1_790_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{",
        "NaN",
        "[" * 100_000,
        "1" * 5000,
        *[without(name) for name in ROW if name != "configurationItemCaptureTime"],
        row(configuration=None),
        row(configuration="PendingDeletion"),
        row(configuration={}),
        row(configuration={"keyState": ["PendingDeletion"]}),
        row(configuration={"keyState": "Enabled"}),
        row(configuration={"keyState": "pendingdeletion"}),
        row(arn=None),
        row(arn=["arn"]),
        row(arn=""),
        row(arn=f"arn:aws:kms:eu-west-1:111122223333:alias/{KEY_ID}"),
        row(arn=f"arn:aws:s3:eu-west-1:111122223333:key/{KEY_ID}"),
        row(arn=ARN + "\n"),
        row(accountId="222233334444"),
        row(accountId=111122223333),
        row(awsRegion="us-east-1"),
        row(resourceId="another"),
        row(accountId="\ud800", arn=f"arn:aws:kms:eu-west-1:\ud800:key/{KEY_ID}"),
        row(resourceId='x"} 1\n', arn='arn:aws:kms:eu-west-1:111122223333:key/x"} 1\n'),
        row(accountId="١١١١٢٢٢٢٣٣٣٣", arn=f"arn:aws:kms:eu-west-1:١١١١٢٢٢٢٣٣٣٣:key/{KEY_ID}"),
    ],
    ids=lambda text: text[:60],
)
def test_what_is_not_as_documented_is_refused(text: str) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, RecursionError)):
        read_key(text)


def test_the_query_asks_for_keys_in_the_states_that_end_in_destruction() -> None:
    assert QUERY.endswith(
        " WHERE resourceType = 'AWS::KMS::Key'"
        " AND configuration.keyState IN ('PendingDeletion', 'PendingReplicaDeletion')"
    )
