"""The check that every answer of these tests goes through must itself be able to fail."""

import json

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
        pytest.param({"KeyId": "k", "MultiRegionConfiguration": {"Kind": "PRIMARY"}}, id="unknown member further down"),
    ],
)
def test_a_wrong_answer_fails(rejects, metadata):
    assert rejects(metadata)


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
