"""KMS: what GetKeyPolicy and GetKeyRotationStatus answer."""

import json

import pytest


@pytest.fixture
def vault(world):
    return world.vault(world.home.account_id, "eu-west-1")


def test_a_key_has_the_default_policy(kms, vault):
    answer = kms.get_key_policy(KeyId=vault.create_key().arn)

    (statement,) = json.loads(answer["Policy"])["Statement"]
    assert answer["PolicyName"] == "default"
    assert statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Allow", "kms:*", "*")


def test_there_is_no_other_policy(aws, kms, vault):
    key = vault.create_key()

    assert kms.get_key_policy(KeyId=key.key_id, PolicyName="default")
    assert aws.code(kms.get_key_policy, KeyId=key.key_id, PolicyName="AWS_RAM") == "NotFoundException"


@pytest.mark.parametrize(("manager", "rotated"), [("CUSTOMER", False), ("AWS", True)])
def test_only_aws_managed_keys_are_rotated(kms, vault, manager, rotated):
    key = vault.create_key(manager=manager)

    answer = kms.get_key_rotation_status(KeyId=key.key_id)

    assert (answer["KeyId"], answer["KeyRotationEnabled"]) == (key.arn, rotated)


@pytest.mark.parametrize("operation", ["get_key_policy", "get_key_rotation_status"])
def test_aliases_are_not_taken(aws, kms, vault, operation):
    vault.create_key(alias="alias/payments")

    assert aws.code(getattr(kms, operation), KeyId="alias/payments") == "NotFoundException"
