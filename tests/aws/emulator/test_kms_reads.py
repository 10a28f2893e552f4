"""KMS: what DescribeKey, ListKeys, ListAliases and ListResourceTags answer."""

import json
from datetime import UTC, datetime

import pytest

from exporter.demo import lifecycle
from exporter.demo.keys import DAY, CustomKeyStore

MEMBER = "222233334444"


@pytest.fixture
def vault(world):
    return world.vault(world.home.account_id, "eu-west-1")


@pytest.fixture
def described(kms):
    return lambda key: kms.describe_key(KeyId=key.arn)["KeyMetadata"]


def moment(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def test_a_plain_key_is_described_in_full(kms, vault, clock):
    key = vault.create_key(description="Card numbers")

    metadata = kms.describe_key(KeyId=key.key_id)["KeyMetadata"]

    material = metadata.pop("CurrentKeyMaterialId")
    assert len(material) == 64
    assert metadata == {
        "AWSAccountId": "111122223333",
        "KeyId": key.key_id,
        "Arn": f"arn:aws:kms:eu-west-1:111122223333:key/{key.key_id}",
        "CreationDate": moment(clock.time),
        "Enabled": True,
        "Description": "Card numbers",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }


@pytest.mark.parametrize("state", ["Creating", "Disabled", "PendingImport", "Unavailable", "Updating"])
def test_only_an_enabled_key_says_that_it_is_enabled(vault, described, state):
    metadata = described(vault.create_key(state=state))

    assert (metadata["KeyState"], metadata["Enabled"]) == (state, False)


def test_a_pending_key_tells_its_deletion_date(vault, described, clock):
    key = vault.create_key()
    vault.schedule_deletion(key.key_id, 7)

    metadata = described(key)

    assert metadata["KeyState"] == "PendingDeletion"
    assert metadata["DeletionDate"] == moment(clock.time + 7 * DAY)
    assert "PendingDeletionWindowInDays" not in metadata


def test_a_primary_that_waits_for_replicas_tells_its_window_and_no_date(world, vault, described):
    primary = vault.create_key(multi_region=True)
    world.replicate(primary, "us-east-1")
    vault.schedule_deletion(primary.key_id, 14)

    metadata = described(primary)

    assert metadata["KeyState"] == "PendingReplicaDeletion"
    assert metadata["PendingDeletionWindowInDays"] == 14
    assert "DeletionDate" not in metadata


def test_primary_and_replica_tell_the_whole_family(world, vault, described, aws):
    primary = vault.create_key(multi_region=True)
    replica = world.replicate(primary, "us-east-1")
    family = {
        "PrimaryKey": {"Arn": primary.arn, "Region": "eu-west-1"},
        "ReplicaKeys": [{"Arn": replica.arn, "Region": "us-east-1"}],
    }

    of_primary = described(primary)
    of_replica = aws.client("kms", "us-east-1").describe_key(KeyId=primary.key_id)["KeyMetadata"]

    assert primary.key_id.startswith("mrk-")
    assert of_primary["MultiRegion"] is of_replica["MultiRegion"] is True
    assert of_primary["MultiRegionConfiguration"] == {"MultiRegionKeyType": "PRIMARY", **family}
    assert of_replica["MultiRegionConfiguration"] == {"MultiRegionKeyType": "REPLICA", **family}


def test_a_key_without_its_imported_material_waits_for_it(vault, described):
    metadata = described(vault.create_key(origin="EXTERNAL"))

    assert (metadata["Origin"], metadata["KeyState"]) == ("EXTERNAL", "PendingImport")
    assert not metadata.keys() & {"ValidTo", "ExpirationModel", "CurrentKeyMaterialId"}


def test_imported_material_tells_when_it_expires(vault, described, clock):
    key = vault.create_key(origin="EXTERNAL")
    lifecycle.import_material(key, clock.time + 3 * DAY)

    metadata = described(key)

    assert metadata["KeyState"] == "Enabled"
    assert metadata["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert metadata["ValidTo"] == moment(clock.time + 3 * DAY)


def test_imported_material_that_stays_has_no_date(vault, described):
    key = vault.create_key(origin="EXTERNAL")
    lifecycle.import_material(key, None)

    metadata = described(key)

    assert metadata["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert "ValidTo" not in metadata


def test_keys_in_custom_key_stores_tell_where_their_material_is(vault, described):
    hsm = vault.create_key(
        origin="AWS_CLOUDHSM", store=CustomKeyStore("cks-1", cloud_hsm_cluster_id="cluster-1a23b4cdefg")
    )
    external = vault.create_key(origin="EXTERNAL_KEY_STORE", store=CustomKeyStore("cks-2", xks_key_id="bb85"))

    assert described(hsm)["CustomKeyStoreId"] == "cks-1"
    assert described(hsm)["CloudHsmClusterId"] == "cluster-1a23b4cdefg"
    assert described(external)["XksKeyConfiguration"] == {"Id": "bb85"}
    assert "CurrentKeyMaterialId" not in described(external)


@pytest.mark.parametrize(
    ("spec_and_usage", "member", "algorithms"),
    [
        (("RSA_2048", "ENCRYPT_DECRYPT"), "EncryptionAlgorithms", {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}),
        (("SM2", "ENCRYPT_DECRYPT"), "EncryptionAlgorithms", {"SM2PKE"}),
        (
            ("RSA_4096", "SIGN_VERIFY"),
            "SigningAlgorithms",
            {f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)},
        ),
        (("ECC_NIST_P384", "SIGN_VERIFY"), "SigningAlgorithms", {"ECDSA_SHA_384"}),
        (("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"), "SigningAlgorithms", {"ED25519_SHA_512", "ED25519_PH_SHA_512"}),
        (("ML_DSA_65", "SIGN_VERIFY"), "SigningAlgorithms", {"ML_DSA_SHAKE_256"}),
        (("HMAC_384", "GENERATE_VERIFY_MAC"), "MacAlgorithms", {"HMAC_SHA_384"}),
        (("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"), "EncapsulationAlgorithms", {"ML_KEM"}),
        (("ECC_NIST_P256", "KEY_AGREEMENT"), "KeyAgreementAlgorithms", {"ECDH"}),
    ],
)
def test_each_spec_tells_its_algorithms(vault, described, spec_and_usage, member, algorithms):
    spec, usage = spec_and_usage
    metadata = described(vault.create_key(spec=spec, usage=usage))

    assert set(metadata[member]) == algorithms
    assert metadata["KeySpec"] == spec


def test_every_spec_of_the_api_model_has_algorithms(kms, vault, described):
    usages = {
        "SYMMETRIC": "ENCRYPT_DECRYPT",
        "RSA": "ENCRYPT_DECRYPT",
        "SM2": "SIGN_VERIFY",
        "ECC": "SIGN_VERIFY",
        "HMAC": "GENERATE_VERIFY_MAC",
        "ML_DSA": "SIGN_VERIFY",
        "ML_KEM": "ENCAPSULATE_DECAPSULATE",
    }
    specs = kms.meta.service_model.shape_for("KeySpec").enum

    for spec in specs:
        usage = next(usage for family, usage in usages.items() if spec.startswith(family))
        metadata = described(vault.create_key(spec=spec, usage=usage))
        assert sum(name.endswith("Algorithms") for name in metadata) == 1


def test_a_key_is_found_by_id_arn_alias_and_alias_arn(kms, vault):
    key = vault.create_key(alias="alias/app")
    names = [key.key_id, key.arn, "alias/app", "arn:aws:kms:eu-west-1:111122223333:alias/app"]

    assert {kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] for name in names} == {key.arn}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("00000000-0000-0000-0000-000000000000", "NotFoundException"),
        ("alias/nobody", "NotFoundException"),
        ("secret/thing", "NotFoundException"),
        ("arn:aws:kms:us-east-1:111122223333:key/x", "NotFoundException"),
        ("arn:aws:s3:::bucket", "InvalidArnException"),
        ("arn:aws:kms", "InvalidArnException"),
        (f"arn:aws:kms:eu-west-1:{MEMBER}:key/x", "AccessDeniedException"),
    ],
)
def test_what_is_not_there_is_refused(aws, kms, name, code):
    assert aws.code(kms.describe_key, KeyId=name) == code


def test_a_key_policy_can_deny_one_key_alone(aws, kms, vault):
    closed = vault.create_key(alias="alias/break-glass", denied={"DescribeKey"})
    beside = vault.create_key()

    assert aws.code(kms.describe_key, KeyId=closed.key_id) == "AccessDeniedException"
    assert aws.code(kms.describe_key, KeyId="alias/break-glass") == "AccessDeniedException"
    assert kms.describe_key(KeyId=beside.key_id)
    assert kms.list_resource_tags(KeyId=closed.key_id)["Tags"] == []


def test_a_deleted_key_can_be_listed_though_it_is_gone(aws, kms, vault):
    key = vault.create_key()
    vault.delete(key.key_id, listed=True)

    assert [each["KeyId"] for each in kms.list_keys()["Keys"]] == [key.key_id]
    assert aws.code(kms.describe_key, KeyId=key.key_id) == "NotFoundException"


def test_describing_a_predefined_alias_creates_its_key(kms, vault):
    vault.add_alias("alias/aws/sns", None)
    assert kms.list_keys()["Keys"] == []
    assert "TargetKeyId" not in kms.list_aliases()["Aliases"][0]

    metadata = kms.describe_key(KeyId="alias/aws/sns")["KeyMetadata"]

    assert metadata["KeyManager"] == "AWS"
    assert [each["KeyId"] for each in kms.list_keys()["Keys"]] == [metadata["KeyId"]]
    assert kms.list_aliases()["Aliases"][0]["TargetKeyId"] == metadata["KeyId"]


def test_an_empty_account_lists_nothing(kms):
    assert kms.list_keys()["Keys"] == []
    assert kms.list_keys()["Truncated"] is False
    assert kms.list_aliases()["Aliases"] == []


@pytest.mark.parametrize(("there", "pages"), [(999, 1), (1000, 1), (1001, 2), (2000, 2)])
def test_keys_come_a_thousand_a_page(kms, vault, there, pages):
    ids = {vault.create_key().key_id for _ in range(there)}

    answers = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1000}))

    assert len(answers) == pages
    listed = [key["KeyId"] for answer in answers for key in answer["Keys"]]
    assert (set(listed), len(listed)) == (ids, there)


def test_a_page_of_keys_holds_a_hundred_unless_asked(kms, vault):
    for _ in range(101):
        vault.create_key()

    first = kms.list_keys()

    assert (len(first["Keys"]), first["Truncated"]) == (100, True)
    assert len(kms.list_keys(Marker=first["NextMarker"])["Keys"]) == 1


@pytest.mark.parametrize(("there", "pages"), [(100, 1), (101, 2), (250, 3)])
def test_aliases_come_a_hundred_a_page(kms, vault, there, pages):
    key = vault.create_key(alias=[f"alias/{number:03d}" for number in range(there)])

    answers = list(kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 100}))

    assert len(answers) == pages
    aliases = [alias for answer in answers for alias in answer["Aliases"]]
    assert [alias["AliasName"] for alias in aliases] == [f"alias/{number:03d}" for number in range(there)]
    assert {alias["TargetKeyId"] for alias in aliases} == {key.key_id}


def test_a_page_of_aliases_holds_fifty_unless_asked(kms, vault):
    vault.create_key(alias=[f"alias/{number:03d}" for number in range(51)])

    assert len(kms.list_aliases()["Aliases"]) == 50


def test_aliases_of_one_key(kms, vault):
    key = vault.create_key(alias=["alias/b", "alias/a"])
    vault.create_key(alias="alias/other")

    assert [alias["AliasName"] for alias in kms.list_aliases(KeyId=key.arn)["Aliases"]] == ["alias/a", "alias/b"]


@pytest.mark.parametrize(
    ("operation", "limit"), [("list_keys", 1001), ("list_keys", 0), ("list_aliases", 101), ("list_aliases", 0)]
)
def test_a_limit_out_of_bounds_is_refused(aws, operation, limit):
    client = aws.client_sending(f'{{"Limit": {limit}}}')

    assert aws.code(getattr(client, operation)) == "ValidationException"


@pytest.mark.parametrize("key_id", ["", "x" * 2049, None, 7])
def test_a_key_id_that_can_be_none_is_refused(aws, key_id):
    client = aws.client_sending(json.dumps({"KeyId": key_id}))

    assert aws.code(client.describe_key, KeyId="ignored") == "ValidationException"


@pytest.mark.parametrize("operation", ["list_keys", "list_aliases"])
@pytest.mark.parametrize("marker", ["from nowhere", "!", "Mjp4", "eA=="])
def test_a_marker_from_nowhere_is_refused(aws, kms, operation, marker):
    assert aws.code(getattr(kms, operation), Marker=marker) == "InvalidMarkerException"


def test_a_page_may_be_empty_though_more_follow(kms, world, vault):
    ids = {vault.create_key().key_id for _ in range(3)}
    world.rules.empty_pages.add("ListKeys")

    answers = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))

    assert [len(answer["Keys"]) for answer in answers] == [0, 2, 0, 1]
    assert {key["KeyId"] for answer in answers for key in answer["Keys"]} == ids


def test_listing_survives_changes_between_pages(kms, vault):
    keys = sorted((vault.create_key() for _ in range(4)), key=lambda key: key.key_id)
    first = kms.list_keys(Limit=2)
    vault.delete(keys[1].key_id)

    second = kms.list_keys(Limit=2, Marker=first["NextMarker"])

    assert [key["KeyId"] for key in second["Keys"]] == [keys[2].key_id, keys[3].key_id]


def test_keys_that_others_share_are_none(kms, vault):
    vault.create_key()

    assert kms.list_keys(ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])["Keys"] == []


def test_tags_come_fifty_a_page(kms, vault):
    key = vault.create_key(tags={f"k{number:02d}": str(number) for number in range(50)})

    assert len(kms.list_resource_tags(KeyId=key.key_id)["Tags"]) == 50
    first = kms.list_resource_tags(KeyId=key.key_id, Limit=49)
    assert first["Truncated"] is True
    assert kms.list_resource_tags(KeyId=key.key_id, Marker=first["NextMarker"])["Tags"] == [
        {"TagKey": "k49", "TagValue": "49"}
    ]


def test_regions_and_accounts_hold_their_own_keys(aws, world, vault):
    vault.create_key()
    elsewhere = world.vault(world.home.account_id, "us-east-1").create_key()
    world.vault(MEMBER, "eu-west-1").create_key()

    listed = aws.client("kms", "us-east-1").list_keys()["Keys"]

    assert [key["KeyArn"] for key in listed] == [elsewhere.arn]


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eusc-de-east-1", "aws-eusc")],
)
def test_arns_are_of_the_regions_partition(aws, world, region, partition):
    world.home.regions.add(region)
    key = world.vault(world.home.account_id, region).create_key()

    metadata = aws.client("kms", region).describe_key(KeyId=key.key_id)["KeyMetadata"]

    assert metadata["Arn"].startswith(f"arn:{partition}:kms:{region}:")


def test_hostile_text_arrives_as_it_is(kms, vault):
    text = '"quoted" \\ back\nline <b>html</b> ключ 🔑 \x00'
    key = vault.create_key(description=text, tags={"größe": text})

    assert kms.describe_key(KeyId=key.key_id)["KeyMetadata"]["Description"] == text
    assert kms.list_resource_tags(KeyId=key.key_id)["Tags"] == [{"TagKey": "größe", "TagValue": text}]
