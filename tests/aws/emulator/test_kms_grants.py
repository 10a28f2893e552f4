"""KMS: grants (KMS API Reference, CreateGrant, ListGrants, RevokeGrant)."""

import pytest

HOME = "111122223333"
GRANTEE = f"arn:aws:iam::{HOME}:role/reader"


@pytest.fixture
def vault(world):
    return world.vault(HOME, "eu-west-1")


@pytest.fixture
def key(vault):
    return vault.create_key()


def test_a_grant_is_listed_as_it_was_made(kms, key, clock):
    constraints = {"EncryptionContextEquals": {"aws:ebs:id": "vol-1"}}
    made = kms.create_grant(
        KeyId=key.key_id,
        GranteePrincipal=GRANTEE,
        RetiringPrincipal=GRANTEE,
        Operations=["Decrypt", "CreateGrant"],
        Name="volume",
        Constraints=constraints,
    )

    (grant,) = kms.list_grants(KeyId=key.arn)["Grants"]

    assert grant.pop("CreationDate").timestamp() == clock.time
    assert grant == {
        "KeyId": key.arn,
        "GrantId": made["GrantId"],
        "GranteePrincipal": GRANTEE,
        "RetiringPrincipal": GRANTEE,
        "IssuingAccount": f"arn:aws:iam::{HOME}:root",
        "Operations": ["Decrypt", "CreateGrant"],
        "Name": "volume",
        "Constraints": constraints,
    }


def test_what_was_not_said_of_a_grant_is_not_told(kms, key):
    kms.create_grant(KeyId=key.key_id, GranteePrincipal=GRANTEE, Operations=["Decrypt"])

    (grant,) = kms.list_grants(KeyId=key.key_id)["Grants"]

    assert not grant.keys() & {"Name", "RetiringPrincipal", "Constraints", "GranteeServicePrincipal"}


def test_a_service_is_granted_in_its_own_member(kms, key):
    source = {"SourceArn": f"arn:aws:dynamodb:eu-west-1:{HOME}:table/cards"}
    kms.create_grant(
        KeyId=key.key_id,
        GranteeServicePrincipal="dynamodb.amazonaws.com",
        Operations=["Decrypt"],
        Constraints=source,
    )

    (grant,) = kms.list_grants(KeyId=key.key_id, GranteeServicePrincipal="dynamodb.amazonaws.com")["Grants"]

    assert grant["GranteeServicePrincipal"] == "dynamodb.amazonaws.com"
    assert "GranteePrincipal" not in grant
    assert kms.list_grants(KeyId=key.key_id, GranteePrincipal="dynamodb.amazonaws.com")["Grants"] == []


def test_services_that_grant_to_themselves_are_told_as_grantees(kms, vault, key):
    vault.grant(key.key_id, "rds.eu-west-1.amazonaws.com")

    (grant,) = kms.list_grants(KeyId=key.key_id)["Grants"]

    assert grant["GranteePrincipal"] == "rds.eu-west-1.amazonaws.com"


def test_grants_come_fifty_a_page_and_a_hundred_at_most(aws, kms, vault, key):
    for number in range(120):
        vault.grant(key.key_id, f"{GRANTEE}-{number}")

    assert len(kms.list_grants(KeyId=key.key_id)["Grants"]) == 50
    pages = list(kms.get_paginator("list_grants").paginate(KeyId=key.key_id, PaginationConfig={"PageSize": 100}))
    assert [len(page["Grants"]) for page in pages] == [100, 20]
    assert len({grant["GrantId"] for page in pages for grant in page["Grants"]}) == 120
    assert aws.code(kms.list_grants, KeyId=key.key_id, Limit=101) == "ValidationException"


def test_a_marker_from_nowhere_is_refused(aws, kms, key):
    assert aws.code(kms.list_grants, KeyId=key.key_id, Marker="nowhere") == "InvalidMarkerException"


def test_grants_are_found_by_grantee_and_id(aws, kms, vault, key):
    mine = vault.grant(key.key_id, GRANTEE)
    vault.grant(key.key_id, f"{GRANTEE}-2")

    assert [grant["GrantId"] for grant in kms.list_grants(KeyId=key.key_id, GranteePrincipal=GRANTEE)["Grants"]] == [
        mine.grant_id
    ]
    assert len(kms.list_grants(KeyId=key.key_id, GrantId=mine.grant_id)["Grants"]) == 1
    assert aws.code(kms.list_grants, KeyId=key.key_id, GrantId="nothing") == "InvalidGrantIdException"


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion", "PendingReplicaDeletion", "PendingImport"])
def test_grants_are_listed_and_revoked_in_any_state(kms, vault, key, state):
    grant = vault.grant(key.key_id, GRANTEE)
    key.state = state

    assert len(kms.list_grants(KeyId=key.key_id)["Grants"]) == 1
    kms.revoke_grant(KeyId=key.key_id, GrantId=grant.grant_id)
    assert kms.list_grants(KeyId=key.key_id)["Grants"] == []


@pytest.mark.parametrize(
    ("state", "code"),
    [("Disabled", "DisabledException"), ("PendingDeletion", "KMSInvalidStateException")],
)
def test_a_key_that_is_not_enabled_is_granted_to_nobody(aws, kms, key, state, code):
    key.state = state

    refused = aws.code(kms.create_grant, KeyId=key.key_id, GranteePrincipal=GRANTEE, Operations=["Decrypt"])

    assert refused == code


@pytest.mark.parametrize(
    "asked",
    [
        {"GranteePrincipal": GRANTEE, "Operations": []},
        {"GranteePrincipal": GRANTEE, "Operations": ["Paint"]},
        {"Operations": ["Decrypt"]},
    ],
)
def test_a_grant_needs_a_grantee_and_operations_that_there_are(aws, kms, key, asked):
    assert aws.code(kms.create_grant, KeyId=key.key_id, **asked) == "ValidationException"


def test_a_grant_that_is_not_there_can_not_be_revoked(aws, kms, key):
    assert aws.code(kms.revoke_grant, KeyId=key.key_id, GrantId="nothing") == "NotFoundException"


def test_grants_are_not_listed_by_alias(aws, kms, vault):
    vault.create_key(alias="alias/b")

    assert aws.code(kms.list_grants, KeyId="alias/b") == "NotFoundException"


def test_a_policy_can_deny_to_list_grants(aws, kms, key):
    key.denied = frozenset({"ListGrants"})

    assert aws.code(kms.list_grants, KeyId=key.key_id) == "AccessDeniedException"
