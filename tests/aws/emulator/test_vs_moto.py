"""The same calls against this emulator and against moto, an AWS that no one here wrote: the same answers.

Every difference is listed below with its reason, and a test fails when one comes up or goes away. The reasons are those
of moto 5.2.5: it has no paging, no state errors and few facts of newer API models.
"""

import json
import re
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from exporter.demo.server import EmulatorServer
from exporter.demo.world import World
from tests.support.moto import moto_server

HOME, MEMBER = "123456789012", "222233334444"  # the first is moto's
ROLE = f"arn:aws:iam::{MEMBER}:role/KmsExporter"

SECRETS = frozenset({"AccessKeyId", "SecretAccessKey", "SessionToken", "AssumedRoleId", "UserId"})
KEY_ID = re.compile(r"(mrk-)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")

# Differences between any two answers with `KeyMetadata`.
OF_METADATA = {
    "CurrentKeyMaterialId": "moto does not know it",
    "MultiRegion": "moto leaves it out of single-Region keys",
    "SigningAlgorithms": "moto has an empty list unless a usage was given at creation, KMS leaves it out",
    "KeyUsage": "moto leaves it out unless it was given at creation",
}


class Side:
    """One of the two: makes clients for it, and its answers comparable with the other's."""

    def __init__(self, session, url, resources):
        self._session = session
        self._url = url
        self._resources = resources
        self._names = {}

    def client(self, service):
        config = Config(retries={"total_max_attempts": 1})
        client = self._session.client(service, "eu-west-1", endpoint_url=self._url, config=config)
        self._resources.callback(client.close)
        return client

    def outcome(self, call, **params):
        """Return the answer or the error code, with ids, secrets and moments made comparable and lists sorted."""
        try:
            answer = call(**params)
        except ClientError as error:
            return {"Error": error.response["Error"]["Code"]}
        return self._comparable({name: value for name, value in answer.items() if name != "ResponseMetadata"})

    def _comparable(self, value):
        match value:
            case dict():
                return {
                    name: "secret" if name in SECRETS else self._comparable(member) for name, member in value.items()
                }
            case list():
                return sorted((self._comparable(each) for each in value), key=repr)
            case str():
                return KEY_ID.sub(lambda found: self._names.setdefault(found[0], f"key-{len(self._names)}"), value)
            case datetime():
                return f"in {round((value - datetime.now(UTC)).total_seconds() / 3600)} hours"
            case _:
                return value


def differences(ours, theirs, path=""):
    """Yield the paths at which two answers differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ("Error" in ours) == ("Error" in theirs):
        for name in ours.keys() | theirs.keys():
            yield from differences(ours.get(name), theirs.get(name), f"{path}.{name}" if path else name)
    elif ours != theirs:
        yield path


@pytest.fixture(scope="module")
def moto_url():
    with moto_server() as url:
        yield url


@pytest.fixture
def compare(session, moto_url):
    """Run a script on both sides; it yields outcomes, and the paths at which these differ are returned.

    moto keeps its state from test to test, so a script looks only at keys that it made itself.
    """
    world = World(home_account=HOME, home_regions=["eu-west-1", "us-east-1"])
    world.add_account(MEMBER, "payments", ["eu-west-1"])
    world.add_role(MEMBER, "KmsExporter")
    world.create_organization()

    with EmulatorServer(world) as emulator, ExitStack() as resources:
        ours = Side(session, emulator.url, resources)
        theirs = Side(session, moto_url, resources)

        def compare(script):
            found = set()
            for mine, other in zip(script(ours), script(theirs), strict=True):
                found |= set(differences(mine, other))
            return found

        yield compare


def metadata_differences(*names):
    assert set(names) <= OF_METADATA.keys()
    return {f"KeyMetadata.{name}" for name in names}


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ({}, {"CurrentKeyMaterialId", "MultiRegion", "SigningAlgorithms", "KeyUsage"}),
        (
            {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"},
            {"CurrentKeyMaterialId", "MultiRegion"},
        ),
        ({"KeySpec": "RSA_4096", "KeyUsage": "SIGN_VERIFY"}, {"MultiRegion"}),
        ({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}, {"MultiRegion"}),
        ({"MultiRegion": True, "KeyUsage": "ENCRYPT_DECRYPT"}, {"CurrentKeyMaterialId"}),
    ],
    ids=lambda value: ",".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_created_keys_are_described_alike(compare, asked, known):
    def script(side):
        kms = side.client("kms")
        created = kms.create_key(Description="Ledger", **asked)["KeyMetadata"]["KeyId"]
        yield side.outcome(kms.describe_key, KeyId=created)

    assert compare(script) == metadata_differences(*known)


def test_a_deletion_is_scheduled_and_told_alike(compare):
    known = {
        "KeyId": "KMS answers the ARN, moto the id",
        "KeyState": "moto leaves it out",
        "PendingWindowInDays": "moto leaves it out",
    }

    def script(side):
        kms = side.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        yield side.outcome(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
        yield {"KeyMetadata": side.outcome(kms.describe_key, KeyId=key)["KeyMetadata"]}

    assert compare(script) == known.keys() | metadata_differences(*OF_METADATA)


def test_a_deletion_is_cancelled_and_told_alike(compare):
    known = {"KeyId": "KMS answers the ARN, moto the id"}

    def script(side):
        kms = side.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.schedule_key_deletion(KeyId=key)
        yield side.outcome(kms.cancel_key_deletion, KeyId=key)
        yield side.outcome(kms.describe_key, KeyId=key)

    assert compare(script) == known.keys() | metadata_differences(*OF_METADATA)


def test_keys_are_disabled_and_enabled_alike(compare):
    def script(side):
        kms = side.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        yield side.outcome(kms.disable_key, KeyId=key)
        yield side.outcome(kms.describe_key, KeyId=key)
        yield side.outcome(kms.enable_key, KeyId=key)
        yield side.outcome(kms.describe_key, KeyId=key)

    assert compare(script) == metadata_differences(*OF_METADATA)


def test_aliases_are_alike(compare):
    known = {"Aliases": "moto tells no dates"}

    def aliases(side, kms, key):
        answer = side.outcome(kms.list_aliases, KeyId=key)
        for alias in answer["Aliases"]:
            alias.pop("CreationDate", None)
            alias.pop("LastUpdatedDate", None)
        return answer

    def script(side, aliases=aliases):
        kms = side.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        name = f"alias/{side.outcome(kms.describe_key, KeyId=key)['KeyMetadata']['KeyId']}"
        yield side.outcome(kms.create_alias, AliasName=name, TargetKeyId=key)
        yield side.outcome(kms.create_alias, AliasName=name, TargetKeyId=key)
        yield aliases(side, kms, key)

    def dated(side):
        yield from script(side, lambda side, kms, key: side.outcome(kms.list_aliases, KeyId=key))

    assert compare(script) == set()
    assert compare(dated) == known.keys()


def test_keys_are_found_by_alias_alike(compare):
    def script(side):
        kms = side.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/of-{key}", TargetKeyId=key)
        yield side.outcome(kms.describe_key, KeyId=f"alias/of-{key}")

    assert compare(script) == metadata_differences(*OF_METADATA)


def test_tags_are_alike(compare):
    def script(side):
        kms = side.client("kms")
        key = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]["KeyId"]
        yield side.outcome(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "b", "TagValue": ""}])
        yield side.outcome(kms.list_resource_tags, KeyId=key)

    assert compare(script) == set()


def test_policy_and_rotation_are_alike(compare):
    known = {
        "KeyId": "moto leaves it out of the rotation status",
        "PolicyName": "moto leaves it out",
    }

    def script(side):
        kms = side.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        policy = kms.get_key_policy(KeyId=key, PolicyName="default")
        policy["Policy"] = json.loads(policy["Policy"])
        yield side.outcome(lambda: policy)
        yield side.outcome(kms.get_key_rotation_status, KeyId=key)

    assert compare(script) == known.keys()


def test_grants_are_alike(compare):
    known = {"Grants": "moto answers the id for the ARN, without date and issuer, and null for what was not said"}
    of_grants = {"CreationDate", "IssuingAccount", "KeyId", "GrantId"}

    def grants(side, kms, key):
        answer = side.outcome(kms.list_grants, KeyId=key)
        for grant in answer["Grants"]:
            for name in of_grants:
                grant.pop(name, None)
        said = [{name: value for name, value in grant.items() if value is not None} for grant in answer["Grants"]]
        return {"Grants": sorted(said, key=repr)}

    def script(side, listed=grants):
        kms = side.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        created = kms.create_grant(KeyId=key, GranteePrincipal=ROLE, Operations=["Decrypt"], Name="a")
        yield {"created": sorted(created.keys() - {"ResponseMetadata"})}
        kms.create_grant(
            KeyId=key,
            GranteePrincipal=ROLE,
            RetiringPrincipal=ROLE,
            Operations=["Encrypt", "Decrypt"],
            Constraints={"EncryptionContextSubset": {"a": "1"}},
        )
        yield listed(side, kms, key)
        yield side.outcome(kms.revoke_grant, KeyId=key, GrantId=created["GrantId"])
        yield listed(side, kms, key)

    def whole(side):
        yield from script(side, lambda side, kms, key: side.outcome(kms.list_grants, KeyId=key))

    assert compare(script) == set()
    assert compare(whole) == known.keys()


def test_what_is_encrypted_is_decrypted_alike(compare):
    known = {"EncryptionAlgorithm": "moto leaves it out when it encrypts"}

    def script(side):
        kms = side.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        encrypted = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={"a": "1"})
        blob = encrypted.pop("CiphertextBlob")
        yield side.outcome(lambda: encrypted)
        yield side.outcome(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "1"})
        yield side.outcome(kms.decrypt, CiphertextBlob=blob)
        made = kms.generate_data_key(KeyId=key, NumberOfBytes=20)
        yield {"KeyId": side.outcome(lambda: made)["KeyId"], "size": len(made["Plaintext"])}

    assert compare(script) == known.keys()


def test_the_tagging_api_answers_alike(compare):
    known = {"PaginationToken": "moto leaves it out after the last page, AWS leaves it empty"}

    def script(side):
        kms, tagging = side.client("kms"), side.client("resourcegroupstaggingapi")
        key = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]["Arn"]
        yield side.outcome(tagging.get_resources, ResourceARNList=[key])

    assert compare(script) == known.keys()


def test_keys_are_listed_alike(compare):
    def script(side):
        kms = side.client("kms")
        mine = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)}
        answer = kms.list_keys()
        answer["Keys"] = [key for key in answer["Keys"] if key["KeyId"] in mine]
        yield side.outcome(lambda: answer)

    assert compare(script) == set()


@pytest.mark.parametrize("name", ["00000000-0000-0000-0000-000000000000", "alias/nobody"])
def test_what_is_not_there_is_refused_alike(compare, name):
    def script(side):
        kms = side.client("kms")
        yield side.outcome(kms.describe_key, KeyId=name)

    assert compare(script) == set()


def test_identities_are_alike(compare):
    known = {
        "Arn": "the users have other names, and moto puts a user into STS",
        "PackedPolicySize": "moto tells the size of a policy that was not passed",
    }

    def script(side):
        sts = side.client("sts")
        yield side.outcome(sts.get_caller_identity)
        yield side.outcome(sts.assume_role, RoleArn=ROLE, RoleSessionName="exporter", DurationSeconds=900)

    assert compare(script) == known.keys()


def test_the_management_account_is_listed_alike(compare):
    known = {
        "Name": "named by who made it",
        "Email": "named by who made it",
        "Arn": "the organizations have other ids",
        "Status": "retired by AWS on 2026-09-09, moto still has it",
    }

    def script(side):
        organizations = side.client("organizations")
        with suppress(ClientError):  # this emulator's organization is there already
            organizations.create_organization(FeatureSet="ALL")
        (account,) = (each for each in organizations.list_accounts()["Accounts"] if each["Id"] == HOME)
        yield side.outcome(lambda: account)

    assert compare(script) == known.keys()


def test_regions_are_alike(compare):
    def script(side):
        ec2 = side.client("ec2")
        yield side.outcome(ec2.describe_regions, RegionNames=["eu-west-1", "us-east-1"])

    assert compare(script) == set()


def test_where_this_emulator_is_the_stricter_one(compare):
    """The API Reference is with the emulator each time; what moto lets pass would hide a client's mistakes."""
    known = {
        "schedule twice": "a pending key can't be scheduled",
        "enable pending": "a pending key can't be enabled",
        "tag pending": "a pending key can't be tagged",
        "cancel twice": "only a pending key can be cancelled",
        "three days": "windows are from 7 to 30 days",
        "aws alias": "alias/aws/ is AWS's own",
        "aws tag": "aws: is AWS's own",
        "no usage": "an asymmetric key needs its usage",
        "unknown region": "there is no such region",
        "decrypt disabled": "a disabled key serves nobody",
        "decrypt pending": "a pending key serves nobody",
    }

    def steps(side):
        kms, ec2 = side.client("kms"), side.client("ec2")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        tag = {"TagKey": "a", "TagValue": "1"}
        yield "schedule", side.outcome(kms.schedule_key_deletion, KeyId=key)
        yield "schedule twice", side.outcome(kms.schedule_key_deletion, KeyId=key)
        yield "tag pending", side.outcome(kms.tag_resource, KeyId=key, Tags=[tag])
        yield "cancel", side.outcome(kms.cancel_key_deletion, KeyId=key)
        yield "cancel twice", side.outcome(kms.cancel_key_deletion, KeyId=key)
        yield "three days", side.outcome(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=3)
        yield "aws alias", side.outcome(kms.create_alias, AliasName=f"alias/aws/{key}", TargetKeyId=key)
        yield "aws tag", side.outcome(kms.tag_resource, KeyId=key, Tags=[{**tag, "TagKey": "aws:a"}])
        yield "no usage", side.outcome(kms.create_key, KeySpec="RSA_2048")
        yield "unknown region", side.outcome(ec2.describe_regions, RegionNames=["eu-moon-1"])
        second = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.schedule_key_deletion(KeyId=second)
        yield "enable pending", side.outcome(kms.enable_key, KeyId=second)
        third = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=third, Plaintext=b"secret")["CiphertextBlob"]
        kms.disable_key(KeyId=third)
        yield "decrypt disabled", side.outcome(kms.decrypt, CiphertextBlob=blob)
        kms.schedule_key_deletion(KeyId=third)
        yield "decrypt pending", side.outcome(kms.decrypt, CiphertextBlob=blob)

    def script(side):
        for name, outcome in steps(side):
            yield {name: "refused" if "Error" in outcome else "done"}

    assert compare(script) == known.keys()
