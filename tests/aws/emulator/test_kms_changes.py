"""KMS: what changes a key, and in which states it is refused (KMS Developer Guide, "Key states of AWS KMS keys")."""

import math

import pytest

from exporter.demo import lifecycle
from exporter.demo.keys import DAY

MEMBER = "222233334444"


@pytest.fixture
def vault(world):
    return world.vault(world.home.account_id, "eu-west-1")


@pytest.fixture
def state(kms):
    return lambda key: kms.describe_key(KeyId=key.key_id)["KeyMetadata"]["KeyState"]


def pending_key(vault, days=7):
    key = vault.create_key()
    vault.schedule_deletion(key.key_id, days)
    return key


def test_created_keys_are_listed_and_described(kms):
    created = kms.create_key(Description="Ledger", Tags=[{"TagKey": "owner", "TagValue": "payments"}])["KeyMetadata"]

    assert created["KeyState"] == "Enabled"
    assert [key["KeyId"] for key in kms.list_keys()["Keys"]] == [created["KeyId"]]
    assert kms.list_resource_tags(KeyId=created["KeyId"])["Tags"] == [{"TagKey": "owner", "TagValue": "payments"}]


def test_keys_are_created_as_asked(kms):
    created = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", MultiRegion=True)["KeyMetadata"]

    assert created["KeySpec"] == "RSA_2048"
    assert created["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
    assert kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyState"] == "PendingImport"
    assert kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["MacAlgorithms"]


def test_an_asymmetric_key_needs_its_usage(aws, kms):
    assert aws.code(kms.create_key, KeySpec="RSA_2048") == "ValidationException"


def test_a_key_in_a_custom_key_store_needs_the_store(aws, kms):
    assert aws.code(kms.create_key, Origin="AWS_CLOUDHSM") == "CustomKeyStoreNotFoundException"


def test_scheduling_tells_the_date(kms, vault, clock):
    key = vault.create_key()

    answer = kms.schedule_key_deletion(KeyId=key.key_id, PendingWindowInDays=7)

    assert answer["KeyId"] == key.arn
    assert (answer["KeyState"], answer["PendingWindowInDays"]) == ("PendingDeletion", 7)
    assert answer["DeletionDate"].timestamp() == clock.time + 7 * DAY


def test_the_window_is_thirty_days_unless_asked(kms, vault, clock):
    key = vault.create_key()

    answer = kms.schedule_key_deletion(KeyId=key.arn)

    assert answer["DeletionDate"].timestamp() == clock.time + 30 * DAY


@pytest.mark.parametrize("days", [1, 6, 31, 365])
def test_a_window_out_of_bounds_is_refused(aws, kms, vault, days):
    key = vault.create_key()

    code = aws.code(kms.schedule_key_deletion, KeyId=key.key_id, PendingWindowInDays=days)

    assert code == "ValidationException"
    assert not key.pending


@pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingImport", "Unavailable"])
def test_states_in_which_a_deletion_can_be_scheduled(kms, vault, state):
    key = vault.create_key(state=state)

    assert kms.schedule_key_deletion(KeyId=key.key_id)["KeyState"] == "PendingDeletion"


@pytest.mark.parametrize("state", ["Creating", "Updating", "PendingDeletion", "PendingReplicaDeletion"])
def test_states_in_which_a_deletion_can_not_be_scheduled(aws, kms, vault, state):
    key = vault.create_key(state=state)

    assert aws.code(kms.schedule_key_deletion, KeyId=key.key_id) == "KMSInvalidStateException"


def test_a_cancelled_key_is_disabled_until_it_is_enabled(kms, vault, state):
    key = pending_key(vault)

    assert kms.cancel_key_deletion(KeyId=key.arn)["KeyId"] == key.arn
    assert state(key) == "Disabled"
    kms.enable_key(KeyId=key.key_id)
    assert state(key) == "Enabled"
    assert "DeletionDate" not in kms.describe_key(KeyId=key.key_id)["KeyMetadata"]


@pytest.mark.parametrize("state", ["Enabled", "Disabled", "Creating", "PendingImport", "Unavailable", "Updating"])
def test_what_is_not_pending_can_not_be_cancelled(aws, kms, vault, state):
    key = vault.create_key(state=state)

    assert aws.code(kms.cancel_key_deletion, KeyId=key.key_id) == "KMSInvalidStateException"


def test_a_cancelled_key_whose_material_is_gone_waits_for_it(kms, vault, state):
    key = vault.create_key(origin="EXTERNAL")
    vault.schedule_deletion(key.key_id)

    kms.cancel_key_deletion(KeyId=key.key_id)

    assert state(key) == "PendingImport"


@pytest.mark.parametrize("operation", ["enable_key", "disable_key"])
@pytest.mark.parametrize(
    "state", ["PendingDeletion", "PendingReplicaDeletion", "PendingImport", "Creating", "Updating"]
)
def test_keys_that_can_be_neither_enabled_nor_disabled(aws, kms, vault, operation, state):
    key = vault.create_key(state=state)

    assert aws.code(getattr(kms, operation), KeyId=key.key_id) == "KMSInvalidStateException"
    assert key.state == state


def test_keys_are_disabled_and_enabled(kms, vault, state):
    key = vault.create_key()

    kms.disable_key(KeyId=key.key_id)
    assert state(key) == "Disabled"
    kms.enable_key(KeyId=key.key_id)
    assert state(key) == "Enabled"


def test_an_unavailable_key_stays_so(kms, vault, state):
    key = vault.create_key(state="Unavailable")

    kms.disable_key(KeyId=key.key_id)

    assert state(key) == "Unavailable"


@pytest.mark.parametrize("state", ["PendingDeletion", "PendingReplicaDeletion"])
def test_a_pending_key_takes_neither_tags_nor_aliases_but_is_read(aws, kms, vault, state):
    key = vault.create_key(state=state, tags={"owner": "sales"})

    tags = [{"TagKey": "kms-exporter/deletion-approved", "TagValue": "too late"}]
    assert aws.code(kms.tag_resource, KeyId=key.key_id, Tags=tags) == "KMSInvalidStateException"
    assert aws.code(kms.create_alias, AliasName="alias/x", TargetKeyId=key.key_id) == "KMSInvalidStateException"
    assert kms.list_resource_tags(KeyId=key.key_id)["Tags"] == [{"TagKey": "owner", "TagValue": "sales"}]


def test_tags_are_added_and_changed(kms, vault):
    key = vault.create_key(tags={"a": "1", "b": "2"})

    kms.tag_resource(KeyId=key.key_id, Tags=[{"TagKey": "b", "TagValue": ""}, {"TagKey": "c", "TagValue": "3"}])

    assert key.tags == {"a": "1", "b": "", "c": "3"}


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([], "ValidationException"),
        ([("aws:owner", "x")], "TagException"),
        ([("a", "1"), ("a", "2")], "TagException"),
        ([(f"k{number}", "") for number in range(51)], "LimitExceededException"),
    ],
)
def test_tags_that_are_refused(aws, kms, vault, tags, code):
    key = vault.create_key()

    found = aws.code(kms.tag_resource, KeyId=key.key_id, Tags=[{"TagKey": k, "TagValue": v} for k, v in tags])

    assert found == code
    assert key.tags is None


def test_an_alias_names_its_key(kms, vault, clock):
    key = vault.create_key()
    kms.create_alias(AliasName="alias/app", TargetKeyId=key.arn)

    alias = kms.list_aliases()["Aliases"][0]

    assert alias["AliasArn"] == "arn:aws:kms:eu-west-1:111122223333:alias/app"
    assert alias["TargetKeyId"] == key.key_id
    assert alias["CreationDate"].timestamp() == alias["LastUpdatedDate"].timestamp() == clock.time


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("alias/taken", "AlreadyExistsException"),
        ("alias/with space", "InvalidAliasNameException"),
        ("app", "InvalidAliasNameException"),
        ("alias/aws/app", "NotAuthorizedException"),
    ],
)
def test_aliases_that_are_refused(aws, kms, vault, name, code):
    key = vault.create_key(alias="alias/taken")

    assert aws.code(kms.create_alias, AliasName=name, TargetKeyId=key.key_id) == code


@pytest.mark.parametrize(
    "operation", ["schedule_key_deletion", "cancel_key_deletion", "enable_key", "disable_key", "list_resource_tags"]
)
def test_operations_that_take_no_alias(aws, kms, vault, operation):
    vault.create_key(alias="alias/app")

    assert aws.code(getattr(kms, operation), KeyId="alias/app") == "NotFoundException"


@pytest.mark.parametrize("operation", ["schedule_key_deletion", "enable_key", "disable_key"])
def test_aws_managed_keys_are_nobodys_to_change(aws, kms, vault, operation):
    vault.add_alias("alias/aws/ebs", None)
    key = vault.predefined_key("alias/aws/ebs")

    assert aws.code(getattr(kms, operation), KeyId=key.key_id) == "AccessDeniedException"


def test_a_due_key_vanishes_with_its_aliases(aws, kms, vault, clock):
    key = pending_key(vault)
    vault.add_alias("alias/app", key.key_id)
    clock.time += 7 * DAY - 1
    assert kms.describe_key(KeyId=key.key_id)
    clock.time += 1

    assert aws.code(kms.describe_key, KeyId=key.key_id) == "NotFoundException"
    assert kms.list_keys()["Keys"] == []
    assert kms.list_aliases()["Aliases"] == []


def test_aws_may_be_late(kms, aws, world, vault, clock):
    world.set_deletion_lag(DAY)
    key = pending_key(vault)
    clock.time += 8 * DAY - 1
    assert kms.describe_key(KeyId=key.key_id)["KeyMetadata"]["DeletionDate"].timestamp() < clock.time
    clock.time += 1

    assert aws.code(kms.describe_key, KeyId=key.key_id) == "NotFoundException"


def test_a_lag_that_changes_holds_for_keys_pending_already(kms, aws, world, vault, clock):
    key = pending_key(vault)
    world.set_deletion_lag(math.inf)
    clock.time += 400 * DAY
    assert kms.describe_key(KeyId=key.key_id)
    world.set_deletion_lag(0)

    assert aws.code(kms.describe_key, KeyId=key.key_id) == "NotFoundException"


def test_a_saved_key_outlives_its_date(kms, vault, clock, state):
    key = pending_key(vault)
    kms.cancel_key_deletion(KeyId=key.key_id)
    clock.time += 8 * DAY

    assert state(key) == "Disabled"


def test_a_key_scheduled_again_lives_until_its_new_date(kms, vault, clock, state):
    key = pending_key(vault, 7)
    clock.time += 6 * DAY
    kms.cancel_key_deletion(KeyId=key.key_id)
    kms.schedule_key_deletion(KeyId=key.key_id, PendingWindowInDays=7)
    clock.time += 6 * DAY

    assert state(key) == "PendingDeletion"


def test_a_key_deleted_before_its_date_stays_gone(kms, vault, clock):
    key = pending_key(vault)
    vault.delete(key.key_id)
    clock.time += 8 * DAY

    assert kms.list_keys()["Keys"] == []


def test_the_primarys_clock_starts_when_the_last_replica_is_gone(kms, world, vault, clock):
    primary = vault.create_key(multi_region=True)
    replica = world.replicate(primary, "us-east-1")
    start = clock.time

    answer = kms.schedule_key_deletion(KeyId=primary.key_id, PendingWindowInDays=10)
    assert answer["KeyState"] == "PendingReplicaDeletion"
    assert "DeletionDate" not in answer
    replica.vault.schedule_deletion(replica.key_id, 7)
    clock.time += 9 * DAY

    metadata = kms.describe_key(KeyId=primary.key_id)["KeyMetadata"]
    assert metadata["KeyState"] == "PendingDeletion"
    assert metadata["DeletionDate"].timestamp() == start + 17 * DAY
    assert metadata["MultiRegionConfiguration"]["ReplicaKeys"] == []


def test_a_primary_waits_for_every_replica(world, vault, state):
    primary = vault.create_key(multi_region=True)
    world.home.regions.add("eu-central-1")
    replicas = [world.replicate(primary, region) for region in ("us-east-1", "eu-central-1")]
    vault.schedule_deletion(primary.key_id)

    replicas[0].vault.delete(primary.key_id)
    assert state(primary) == "PendingReplicaDeletion"
    replicas[1].vault.delete(primary.key_id)
    assert state(primary) == "PendingDeletion"


def test_a_waiting_primary_can_be_saved(kms, world, vault, state):
    primary = vault.create_key(multi_region=True)
    replica = world.replicate(primary, "us-east-1")
    vault.schedule_deletion(primary.key_id)

    kms.cancel_key_deletion(KeyId=primary.key_id)
    replica.vault.delete(replica.key_id)

    assert state(primary) == "Disabled"


def test_a_replica_is_deleted_on_its_own(aws, world, vault, state):
    primary = vault.create_key(multi_region=True)
    world.replicate(primary, "us-east-1")

    answer = aws.client("kms", "us-east-1").schedule_key_deletion(KeyId=primary.key_id)

    assert answer["KeyState"] == "PendingDeletion"
    assert state(primary) == "Enabled"


def test_material_that_expires_leaves_the_key_without_it(kms, vault, clock):
    key = vault.create_key(origin="EXTERNAL")
    lifecycle.import_material(key, clock.time + DAY)
    clock.time += DAY

    metadata = kms.describe_key(KeyId=key.key_id)["KeyMetadata"]

    assert metadata["KeyState"] == "PendingImport"
    assert not metadata.keys() & {"ValidTo", "ExpirationModel"}


def test_material_imported_anew_outlives_the_old_date(vault, clock, state):
    key = vault.create_key(origin="EXTERNAL")
    lifecycle.import_material(key, clock.time + DAY)
    lifecycle.import_material(key, clock.time + 9 * DAY)
    clock.time += 2 * DAY

    assert state(key) == "Enabled"
