"""The demo's organization has everything that there is to see; the uniform one is large and cheap."""

import pytest

from exporter.demo.keys import DAY
from exporter.demo.scenario import demo_world, uniform_world
from exporter.demo.timeline import play
from exporter.demo.trail import KEPT_FOR

ANALYTICS, PAYMENTS, PLATFORM = "333344445555", "222233334444", "111122223333"
HOUR = 3600.0


@pytest.fixture
def demo(clock):
    return demo_world(clock)


@pytest.fixture
def customer_keys(demo):
    return [key for key in list(demo.keys()) if key.manager == "CUSTOMER"]


def aliased(world, account_id, region, name):
    world.agenda.settle()
    vault = world.vault(account_id, region)
    alias = vault.aliases.get(f"alias/{name}")
    return None if alias is None else vault.keys[alias.target]


def test_four_accounts_with_names_can_be_watched(demo):
    assert sorted(account.name for account in demo.accounts.values()) == ["analytics", "legacy", "payments", "platform"]
    assert demo.home.name == "platform"
    assert demo.organization.management_account == demo.home.account_id
    assert {role.account_id for role in demo.roles.values()} == demo.accounts.keys() - {demo.home.account_id}
    assert all(len(account.regions) > 1 for account in demo.accounts.values())


def test_there_are_about_a_hundred_keys_in_every_state(customer_keys):
    assert 60 <= len(customer_keys) <= 120
    assert {key.state for key in customer_keys} == {
        "Creating",
        "Disabled",
        "Enabled",
        "PendingDeletion",
        "PendingImport",
        "PendingReplicaDeletion",
        "Unavailable",
        "Updating",
    }


def test_deletions_are_due_from_today_to_next_month(customer_keys, clock):
    left = sorted(key.deletion_at - clock.time for key in customer_keys if key.deletion_at is not None)

    assert left[0] < 60
    for expected in (5 * HOUR, 1.5 * DAY, 5 * DAY, 6 * DAY, 12 * DAY, 29 * DAY):
        assert any(abs(each - expected) < 1 for each in left)
    assert all(7 <= key.window_days <= 30 for key in customer_keys if key.pending)


def test_one_deletion_is_acknowledged(customer_keys):
    tagged = [key for key in customer_keys if key.pending and "kms-exporter/deletion-approved" in (key.tags or {})]

    assert len(tagged) == 1


def test_a_primary_waits_for_two_replicas_of_which_one_is_forgotten(customer_keys):
    (primary,) = [key for key in customer_keys if key.state == "PendingReplicaDeletion"]

    assert [replica.state for replica in primary.family.replicas] == ["Enabled", "PendingDeletion"]


@pytest.fixture
def scheduled_by(demo):
    """Return who scheduled a key's deletion, as far as LookupEvents would tell: 90 days back, where it is allowed."""

    def scheduled_by(key):
        if (key.region, "LookupEvents") in demo.accounts[key.account_id].denied:
            return None
        told = (
            event.deed.by
            for event in key.vault.trail.newest_first()
            if (event.deed.name, event.deed.key_arn) == ("ScheduleKeyDeletion", key.arn)
            and event.at >= demo.agenda.time() - KEPT_FOR
        )
        return next(told, None)

    return scheduled_by


def test_every_kind_of_principal_schedules_a_deletion(demo, scheduled_by):
    actors = [actor for key in demo.pending() if (actor := scheduled_by(key)) is not None]

    assert {actor.kind for actor in actors} == {"IAMUser", "AssumedRole", "Root"}
    assert any(actor.name.startswith("AWSReservedSSO_") for actor in actors)


def test_of_two_deletions_nobody_can_tell_who_scheduled_them(demo, scheduled_by):
    """One was scheduled longer ago than CloudTrail remembers; of the other, the region's history is closed."""
    unknown = {key.description for key in demo.pending() if scheduled_by(key) is None}

    assert unknown == {"Wallet, second generation", "Invoices of 2019"}


def test_pending_keys_were_used_lately_long_ago_never_or_nobody_knows_when(demo, clock):
    def case(key):
        tracked_since = max(demo.rules.tracking_start, key.created_at)
        if key.last_use is not None and key.last_use.at >= tracked_since:
            return "lately" if clock.time - key.last_use.at < 30 * DAY else "long ago"
        return "never" if tracked_since == key.created_at else "unknown"

    assert {case(key) for key in demo.pending()} == {"lately", "long ago", "never", "unknown"}


def test_pending_keys_are_granted_to_services_to_instances_and_to_nobody(demo):
    grantees = [[grant.grantee for grant in key.grants] for key in demo.pending()]

    assert [] in grantees
    assert any(grantee.startswith("rds.") for each in grantees for grantee in each)
    assert any(":assumed-role/aws:ec2-infrastructure/" in grantee for each in grantees for grantee in each)


def test_denied_uses_of_a_pending_key_grow_while_one_watches(demo, clock):
    key = aliased(demo, PAYMENTS, "eu-west-1", "card-vault-2023")
    play(demo)

    def denied():
        demo.agenda.settle()
        events = key.vault.trail.newest_first()
        return [event.at for event in events if event.deed.key_arn == key.arn and event.deed.error is not None]

    before = denied()
    clock.time += 300

    assert 3 < len(before) < len(denied())
    assert all(at > key.scheduled_at for at in before)


def test_enabled_keys_are_in_use_but_for_some(demo, customer_keys, clock):
    enabled = [key for key in customer_keys if key.state == "Enabled"]
    unused = [key for key in enabled if key.last_use is None]
    idle = [key for key in enabled if key.last_use is not None and clock.time - key.last_use.at == 200 * DAY]

    assert 2 <= len(unused) <= 8
    assert 2 <= len(idle) <= 8
    assert all(key.created_at >= demo.rules.tracking_start for key in unused)
    assert all(key.last_use.at >= demo.rules.tracking_start for key in idle)


def test_imported_material_is_about_to_expire(customer_keys, clock):
    dates = [key.material.expires_at for key in customer_keys if key.material and key.material.expires_at]

    assert sorted(date - clock.time for date in dates) == [3 * DAY, 20 * DAY]


def test_one_key_can_not_be_described_and_one_has_no_name(demo, customer_keys):
    named = {alias.target for vault in demo.vaults() for alias in vault.aliases.values()}

    assert [key.denied for key in customer_keys if key.denied] == [{"DescribeKey"}]
    assert any(key.key_id not in named for key in customer_keys)


def test_there_are_aws_managed_keys_and_aliases_without_one(demo):
    aliases = [alias for vault in demo.vaults() for alias in vault.aliases.values() if "alias/aws/" in alias.name]

    assert any(alias.target is None for alias in aliases)
    assert any(key.manager == "AWS" for key in list(demo.keys()))


@pytest.mark.parametrize("hostile", ['"', "\\", "\n", "<script>", "🔑", "\x00", "{{"])
def test_texts_are_hostile(customer_keys, hostile):
    assert any(hostile in key.description for key in customer_keys)


def test_texts_are_as_long_as_kms_allows(customer_keys):
    assert 4096 < max(len(key.description) for key in customer_keys) <= 8192
    assert max(len(name) for key in customer_keys for name in key.tags or {}) == 128


def test_every_answer_about_the_demo_is_one_that_kms_could_give(aws, emulator, demo):
    emulator.world.accounts = demo.accounts
    checked = 0
    for vault in demo.vaults():
        if vault.account_id != demo.home.account_id:
            continue
        emulator.world.vault(vault.account_id, vault.region).keys.update(vault.keys)
        client = aws.client("kms", vault.region)
        for key in vault.keys.values():
            checked += bool(client.describe_key(KeyId=key.key_id))
            assert client.list_resource_tags(KeyId=key.key_id)
    assert checked > 20


def test_without_its_timeline_only_dates_move_the_demo(demo, clock):
    before = len(demo.pending())
    clock.time += 59
    assert len(demo.pending()) == before
    clock.time += 1
    assert len(demo.pending()) == before - 1


def test_what_happens_while_one_watches(demo, clock):
    play(demo)
    scheduled = aliased(demo, ANALYTICS, "us-east-1", "lake-raw")
    saved = aliased(demo, PAYMENTS, "eu-central-1", "chargebacks")
    vanishing = aliased(demo, PLATFORM, "us-east-1", "sandbox-demo")

    def states():
        demo.agenda.settle()
        return scheduled.state, saved.state, vanishing.key_id in vanishing.vault.keys

    assert states() == ("Enabled", "PendingDeletion", True)
    clock.time += 20
    assert states() == ("PendingDeletion", "PendingDeletion", True)
    clock.time += 20
    assert states() == ("PendingDeletion", "Disabled", True)
    clock.time += 20
    assert states() == ("PendingDeletion", "Disabled", False)


def test_a_long_demo_goes_on_showing_history(demo, clock):
    play(demo)
    clock.time += 90
    size = len(list(demo.keys()))
    scheduled = set()
    for _ in range(240):
        clock.time += 10
        scheduled |= {(key.account_id, key.key_id) for key in demo.pending()}
    still = {(key.account_id, key.key_id) for key in demo.pending()}

    assert len(scheduled - still) > 10
    assert len(list(demo.keys())) <= size + 2


def test_the_timeline_puts_up_with_whoever_interferes(demo, clock):
    play(demo)
    lake, chargebacks = demo.vault(ANALYTICS, "us-east-1"), demo.vault(PAYMENTS, "eu-central-1")
    lake.schedule_deletion(lake.aliases["alias/lake-raw"].target)
    chargebacks.delete(chargebacks.aliases["alias/chargebacks"].target)
    clock.time += 40 * DAY

    demo.agenda.settle()

    assert aliased(demo, ANALYTICS, "us-east-1", "lake-raw") is None


def test_a_uniform_world_is_what_was_asked_for(clock):
    world = uniform_world(10, 3, 4, pending=2, now=clock)

    assert len(world.accounts) == 4
    assert {len(vault.keys) for vault in world.vaults()} == {10}
    assert {len(vault.aliases) for vault in world.vaults()} == {10}
    assert {len(vault.pending()) for vault in world.vaults()} == {2}
    assert len(world.vaults()) == 12
    assert {role.name for role in world.roles.values()} == {"KmsExporter"}
    assert len(world.roles) == 3


def test_pending_keys_of_a_uniform_world_are_due_over_the_next_month(clock):
    world = uniform_world(30, 1, pending=30, now=clock)
    left = sorted(key.deletion_at - clock.time for key in world.pending())

    assert 0 < left[0] <= DAY
    assert 29 * DAY <= left[-1] <= 30 * DAY


def test_deletions_of_a_uniform_world_are_on_record(clock):
    world = uniform_world(10, 1, pending=3, now=clock)
    (vault,) = world.vaults()

    events = list(vault.trail.newest_first())

    assert {event.deed.name for event in events} == {"ScheduleKeyDeletion"}
    assert {event.deed.key_arn for event in events} == {key.arn for key in vault.pending()}


def test_regions_of_a_uniform_world_can_be_named(clock):
    world = uniform_world(1, ["eu-north-1"], now=clock)

    assert world.home.regions == {"eu-north-1"}
