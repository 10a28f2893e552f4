"""Whose request it is: access keys, tokens, signatures, expiry, regions that are not enabled."""

import pytest

from exporter.demo.principals import HOME_ACCESS_KEY, HOME_SECRET_KEY
from exporter.demo.world import World

MEMBER = "222233334444"
ROLE = f"arn:aws:iam::{MEMBER}:role/KmsExporter"

CALLS = {
    "kms": "list_keys",
    "resourcegroupstaggingapi": "get_resources",
    "organizations": "list_accounts",
    "sts": "get_caller_identity",
    "ec2": "describe_regions",
    "cloudtrail": "lookup_events",
}
UNKNOWN = {
    "kms": "UnrecognizedClientException",
    "resourcegroupstaggingapi": "UnrecognizedClientException",
    "organizations": "UnrecognizedClientException",
    "sts": "InvalidClientTokenId",
    "ec2": "AuthFailure",
    "cloudtrail": "UnrecognizedClientException",
}
EXPIRED = {
    "kms": "ExpiredTokenException",
    "resourcegroupstaggingapi": "ExpiredTokenException",
    "organizations": "ExpiredTokenException",
    "sts": "ExpiredToken",
    "ec2": "RequestExpired",
    "cloudtrail": "ExpiredTokenException",
}
UNSIGNED = {
    "kms": "InvalidSignatureException",
    "resourcegroupstaggingapi": "InvalidSignatureException",
    "organizations": "InvalidSignatureException",
    "sts": "SignatureDoesNotMatch",
    "ec2": "AuthFailure",
    "cloudtrail": "InvalidSignatureException",
}

every_service = pytest.mark.parametrize("service", CALLS)


@pytest.fixture
def refusal(aws):
    def refusal(service, region="eu-west-1", **credentials):
        client = aws.client(service, region, credentials=credentials or None)
        return aws.code(getattr(client, CALLS[service]))

    return refusal


@pytest.fixture
def session_credentials(aws):
    answer = aws.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="exporter", ExternalId="tell-nobody")
    return answer["Credentials"]


@every_service
def test_an_unknown_access_key_is_refused(refusal, service):
    assert refusal(service, AccessKeyId="AKIAUNKNOWN", SecretAccessKey=HOME_SECRET_KEY) == UNKNOWN[service]


@every_service
def test_a_signature_with_another_secret_is_refused(refusal, service):
    assert refusal(service, AccessKeyId=HOME_ACCESS_KEY, SecretAccessKey="guessed") == UNSIGNED[service]


@every_service
def test_a_session_without_its_token_is_refused(refusal, session_credentials, service):
    del session_credentials["SessionToken"]

    assert refusal(service, **session_credentials) == UNKNOWN[service]


@every_service
def test_an_expired_session_is_refused(refusal, session_credentials, clock, service):
    clock.time += 3600

    assert refusal(service, **session_credentials) == EXPIRED[service]


@every_service
def test_a_revoked_session_is_unknown(refusal, session_credentials, world, service):
    world.credentials.revoke(MEMBER)

    assert refusal(service, **session_credentials) == UNKNOWN[service]


def test_a_session_is_good_until_it_expires(aws, session_credentials, clock):
    clock.time += 3599

    assert aws.client("kms", credentials=session_credentials).list_keys()


@pytest.mark.parametrize("service", ["kms", "resourcegroupstaggingapi", "cloudtrail"])
def test_a_region_that_is_not_enabled_is_closed(refusal, world, service):
    world.home.regions.discard("us-east-1")

    assert refusal(service, "us-east-1") == "UnrecognizedClientException"


def test_an_operation_that_the_emulator_lacks_is_refused_by_name(aws):
    client = aws.client("kms", checked=False)
    with pytest.raises(client.exceptions.ClientError, match="kms:ListKeyPolicies") as failure:
        client.list_key_policies(KeyId="x")

    assert failure.value.response["Error"]["Code"] == "UnknownOperationException"


def test_a_service_that_the_emulator_lacks_is_refused_by_name(aws):
    client = aws.client("dynamodb", checked=False)
    with pytest.raises(client.exceptions.ClientError, match="dynamodb"):
        client.list_tables()


def test_home_credentials_can_be_a_roles():
    world = World(home_is_role=True)

    assert world.credentials.home.chained
    assert ":assumed-role/" in world.credentials.home.arn
