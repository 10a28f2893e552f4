"""The check that every answer of these tests goes through must itself be able to fail."""

import base64
import json
from contextlib import nullcontext

import pytest


@pytest.fixture
def rejects(session, answer_check):
    client = session.client("kms", "eu-west-1")
    client.close()
    operation = client.meta.service_model.operation_model("DescribeKey")

    def rejects(metadata) -> bool:
        try:
            answer_check(operation, json.dumps({"KeyMetadata": metadata}).encode())
        except AssertionError:
            return True
        return False

    return rejects


def test_a_plain_answer_passes(rejects):
    assert not rejects({"KeyId": "k", "KeyState": "Enabled", "CreationDate": 1.5, "MultiRegion": False})


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({}, id="required member missing"),
        pytest.param({"KeyId": "k", "KeyColour": "red"}, id="unknown member"),
        pytest.param({"KeyId": "k", "KeyState": "Deleted"}, id="unknown state"),
        pytest.param({"KeyId": "k", "CreationDate": "2026-01-01"}, id="timestamp as text"),
        pytest.param({"KeyId": "k", "Enabled": "true"}, id="boolean as text"),
        pytest.param({"KeyId": 7}, id="string as number"),
        pytest.param({"KeyId": ""}, id="string too short"),
        pytest.param({"KeyId": "k", "PendingDeletionWindowInDays": 400}, id="number out of bounds"),
        pytest.param({"KeyId": "k", "EncryptionAlgorithms": "SYMMETRIC_DEFAULT"}, id="list as string"),
        pytest.param({"KeyId": "k", "Description": "x" * 8193}, id="string too long"),
        pytest.param({"KeyId": "k", "MultiRegionConfiguration": {"Kind": "PRIMARY"}}, id="unknown member further down"),
    ],
)
def test_a_wrong_answer_fails(rejects, metadata):
    assert rejects(metadata)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ({"Plaintext": "eA=="}, False),
        ({"Plaintext": ""}, True),
        ({"Plaintext": 7}, True),
        ({"Plaintext": base64.b64encode(bytes(4097)).decode()}, True),
    ],
    ids=["right", "too short", "number", "too long"],
)
def test_blobs_are_checked(session, answer_check, answer, wrong):
    client = session.client("kms", "eu-west-1")
    client.close()
    operation = client.meta.service_model.operation_model("Decrypt")

    with pytest.raises(AssertionError) if wrong else nullcontext():
        answer_check(operation, json.dumps(answer).encode())


def test_maps_are_checked(session, answer_check):
    client = session.client("kms", "eu-west-1")
    client.close()
    operation = client.meta.service_model.operation_model("ListGrants")

    def body(context):
        return json.dumps({"Grants": [{"Constraints": {"EncryptionContextEquals": context}}]}).encode()

    answer_check(operation, body({"a": "1"}))
    with pytest.raises(AssertionError, match=r"'a'.*is no string"):
        answer_check(operation, body({"a": 1}))


def test_the_clients_of_these_tests_apply_the_check(kms, emulator):
    emulator.faults.change(lambda answer: {**answer, "Colour": "red"}, operation="ListKeys")

    with pytest.raises(AssertionError, match="Colour: unknown"):
        kms.list_keys()


def test_the_check_covers_xml_too(aws, emulator):
    emulator.faults.change(lambda answer: {**answer, "Colour": "red"})

    with pytest.raises(AssertionError, match="Colour: unknown"):
        aws.client("sts").get_caller_identity()
    with pytest.raises(AssertionError, match="Colour: unknown"):
        aws.client("ec2").describe_regions()
