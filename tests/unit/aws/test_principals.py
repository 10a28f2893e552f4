"""Whoever CloudTrail names is told as people know them."""

from typing import Any

import pytest

from exporter.aws.principals import NOBODY, Principal, read_principal

ROLE_ARN = "arn:aws:sts::111122223333:assumed-role/Deploy/build-42"
ISSUER = {
    "type": "Role",
    "principalId": "AROAIDPPEZS35WEXAMPLE",
    "arn": "arn:aws:iam::111122223333:role/teams/Deploy",
    "accountId": "111122223333",
    "userName": "Deploy",
}

EXAMPLES: dict[str, tuple[dict[str, Any], Principal]] = {
    "an IAM user": (
        {
            "type": "IAMUser",
            "principalId": "AIDAJ45Q7YFFAREXAMPLE",
            "arn": "arn:aws:iam::111122223333:user/teams/alice",
            "accountId": "111122223333",
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "alice",
        },
        Principal("alice", "arn:aws:iam::111122223333:user/teams/alice"),
    ),
    "an IAM user whose name is only in the ARN": (
        {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/teams/alice"},
        Principal("alice", "arn:aws:iam::111122223333:user/teams/alice"),
    ),
    "a role's session": (
        {
            "type": "AssumedRole",
            "principalId": "AROAIDPPEZS35WEXAMPLE:build-42",
            "arn": ROLE_ARN,
            "accountId": "111122223333",
            "sessionContext": {"sessionIssuer": ISSUER, "attributes": {"mfaAuthenticated": "false"}},
        },
        Principal("Deploy/build-42", ROLE_ARN),
    ),
    "a person through IAM Identity Center's role": (
        {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/alice@example.com",
        },
        Principal(
            "AWSReservedSSO_Admin_0123456789abcdef/alice@example.com",
            "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/alice@example.com",
        ),
    ),
    "a role's session without an ARN": (
        {
            "type": "AssumedRole",
            "principalId": "AROAIDPPEZS35WEXAMPLE:build-42",
            "sessionContext": {"sessionIssuer": ISSUER},
        },
        Principal("Deploy/build-42"),
    ),
    "a role's session of which only the session is known": (
        {"type": "AssumedRole", "principalId": "AROAIDPPEZS35WEXAMPLE:build-42"},
        Principal("build-42"),
    ),
    "a role of EC2's own": (
        {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0abc"},
        Principal(
            "aws:ec2-infrastructure/i-0abc", "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0abc"
        ),
    ),
    "the root user, whatever the account's alias": (
        {"type": "Root", "arn": "arn:aws:iam::111122223333:root", "userName": "my-company"},
        Principal("root", "arn:aws:iam::111122223333:root"),
    ),
    "an AWS service": (
        {"type": "AWSService", "invokedBy": "rds.amazonaws.com"},
        Principal("rds.amazonaws.com"),
    ),
    "KMS itself": (
        {"accountId": "111122223333", "invokedBy": "AWS Internal"},
        Principal("AWS Internal"),
    ),
    "a person of IAM Identity Center": (
        {
            "type": "IdentityCenterUser",
            "accountId": "111122223333",
            "onBehalfOf": {
                "userId": "544894e8-80c1-707f-60e3-3ba6510dfac1",
                "identityStoreArn": "arn:aws:identitystore::111122223333:identitystore/d-9067642ac7",
            },
            "credentialId": "EXAMPLEVHULjJdTUdPJfofVa1sufHDoj7aYcOYcxFVllWR_Whr1fEXAMPLE",
        },
        Principal("544894e8-80c1-707f-60e3-3ba6510dfac1"),
    ),
    "a federated user": (
        {
            "type": "FederatedUser",
            "principalId": "111122223333:alice",
            "arn": "arn:aws:sts::111122223333:federated-user/alice",
        },
        Principal("alice", "arn:aws:sts::111122223333:federated-user/alice"),
    ),
    "a user of a SAML provider": (
        {"type": "SAMLUser", "principalId": "SampleUniqueIdentifier", "userName": "alice", "identityProvider": "sso"},
        Principal("alice"),
    ),
    "a user of a web identity provider": (
        {
            "type": "WebIdentityUser",
            "principalId": "accounts.google.com:application-id:user-id",
            "userName": "user-id",
            "identityProvider": "accounts.google.com",
        },
        Principal("user-id"),
    ),
    "another account": (
        {"type": "AWSAccount", "principalId": "AIDAQRSTUVWXYZEXAMPLE", "accountId": "444455556666"},
        Principal("account 444455556666"),
    ),
    "a type of tomorrow": (
        {"type": "Robot", "principalId": "AXYZ:welder-7", "accountId": "111122223333"},
        Principal("welder-7"),
    ),
    "an unknown one of which only the account is told": (
        {"type": "Unknown", "accountId": "444455556666"},
        Principal("account 444455556666"),
    ),
    "one of which only the type is told": ({"type": "Directory"}, Principal("Directory")),
    "nobody": ({}, NOBODY),
}


@pytest.mark.parametrize(("identity", "principal"), EXAMPLES.values(), ids=EXAMPLES)
def test_it_is_told_as_people_know_it(identity: dict[str, Any], principal: Principal) -> None:
    assert read_principal(identity) == principal


@pytest.mark.parametrize("odd", [None, 7, [], {}, {"userName": 7}], ids=repr)
@pytest.mark.parametrize(
    "member", ["type", "userName", "arn", "principalId", "sessionContext", "onBehalfOf", "invokedBy", "accountId"]
)
def test_odd_members_do_no_harm(member: str, odd: object) -> None:
    for identity, _ in EXAMPLES.values():
        read_principal(identity | {member: odd})


def test_an_odd_session_context_leaves_the_rest() -> None:
    identity = {"type": "AssumedRole", "principalId": "AROA:build", "sessionContext": {"sessionIssuer": "Deploy"}}
    assert read_principal(identity) == Principal("build")
