"""CloudTrail: who did what to the keys (CloudTrail API Reference, LookupEvents; KMS Developer Guide, logging)."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from exporter.demo import actors
from exporter.demo.errors import AwsError
from exporter.demo.keys import DAY
from exporter.demo.trail import Deed, Trail

HOME, MEMBER = "111122223333", "222233334444"
ROLE = f"arn:aws:iam::{MEMBER}:role/KmsExporter"


@pytest.fixture
def cloudtrail(aws):
    return aws.client("cloudtrail")


@pytest.fixture
def vault(world):
    return world.vault(HOME, "eu-west-1")


@pytest.fixture
def lookup(cloudtrail):
    """Look events up by one attribute."""

    def lookup(name, value, client=cloudtrail, **asked):
        attributes = [{"AttributeKey": name, "AttributeValue": value}]
        return client.lookup_events(LookupAttributes=attributes, **asked)["Events"]

    return lookup


@pytest.fixture
def names(lookup):
    """Return the names of a key's events, newest first."""
    return lambda key, **asked: [event["EventName"] for event in lookup("ResourceName", key.arn, **asked)]


@pytest.fixture
def record(lookup):
    """Return the whole record of a key's latest event."""
    return lambda key: json.loads(lookup("ResourceName", key.arn)[0]["CloudTrailEvent"])


def test_a_scheduled_deletion_tells_who_when_and_which_key(kms, vault, lookup, clock):
    key = vault.create_key()
    kms.schedule_key_deletion(KeyId=key.key_id, PendingWindowInDays=7)

    (event,) = lookup("EventName", "ScheduleKeyDeletion")

    assert event["EventTime"].timestamp() == clock.time
    assert (event["Username"], event["ReadOnly"]) == ("kms-exporter", "false")
    assert event["EventSource"] == "kms.amazonaws.com"
    assert event["Resources"] == [{"ResourceType": "AWS::KMS::Key", "ResourceName": key.arn}]
    record = json.loads(event["CloudTrailEvent"])
    assert record["eventID"] == event["EventId"]
    assert record["eventTime"] == datetime.fromtimestamp(clock.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert record["requestParameters"] == {"keyId": key.key_id, "pendingWindowInDays": 7}
    assert record["resources"] == [{"accountId": HOME, "type": "AWS::KMS::Key", "ARN": key.arn}]
    assert (record["eventType"], record["recipientAccountId"], record["awsRegion"]) == (
        "AwsApiCall",
        HOME,
        "eu-west-1",
    )


def test_the_date_of_a_deletion_is_text_for_people(kms, vault, record, clock):
    clock.time = datetime(2026, 11, 30, 17, 37, 47, tzinfo=UTC).timestamp()
    key = vault.create_key()
    kms.schedule_key_deletion(KeyId=key.key_id, PendingWindowInDays=7)

    assert record(key)["responseElements"] == {
        "keyId": key.arn,
        "keyState": "PendingDeletion",
        "deletionDate": "Dec 7, 2026, 5:37:47 PM",
    }


def test_a_primary_that_waits_for_its_replicas_has_no_date(world, vault, record):
    primary = vault.create_key(multi_region=True)
    world.replicate(primary, "us-east-1")
    vault.schedule_deletion(primary.key_id, 9)

    assert record(primary)["responseElements"] == {
        "keyId": primary.arn,
        "keyState": "PendingReplicaDeletion",
        "pendingWindowInDays": 9,
    }


def test_the_request_names_the_key_as_the_caller_did(kms, vault, record):
    key = vault.create_key()
    kms.schedule_key_deletion(KeyId=key.arn)

    assert record(key)["requestParameters"]["keyId"] == key.arn


def test_the_request_id_is_that_of_the_response(kms, vault, record):
    key = vault.create_key()
    response = kms.disable_key(KeyId=key.key_id)

    assert record(key)["requestID"] == response["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize(
    ("by", "identity", "username"),
    [
        (actors.user("alice"), {"type": "IAMUser", "arn": f"arn:aws:iam::{HOME}:user/alice"}, "alice"),
        (
            actors.assumed_role("ci-pipeline", "build-1"),
            {"type": "AssumedRole", "arn": f"arn:aws:sts::{HOME}:assumed-role/ci-pipeline/build-1"},
            "build-1",
        ),
        (actors.root(), {"type": "Root", "arn": f"arn:aws:iam::{HOME}:root", "principalId": HOME}, "root"),
        (actors.service("rds.amazonaws.com"), {"type": "AWSService", "invokedBy": "rds.amazonaws.com"}, None),
        (actors.identity_center_user("a1b2"), {"type": "IdentityCenterUser", "accountId": HOME}, None),
    ],
    ids=lambda value: value.kind if isinstance(value, actors.Actor) else "",
)
def test_every_kind_of_principal_is_told(vault, lookup, by, identity, username):
    vault.schedule_deletion(vault.create_key().key_id, by=by)

    (event,) = lookup("EventName", "ScheduleKeyDeletion")

    assert event.get("Username") == username
    assert json.loads(event["CloudTrailEvent"])["userIdentity"].items() >= identity.items()


def test_a_session_tells_the_role_behind_it(vault, record):
    key = vault.create_key()
    vault.schedule_deletion(key.key_id, by=actors.sso_role("AdministratorAccess", "alice@example.com"))

    identity = record(key)["userIdentity"]

    issuer = identity["sessionContext"]["sessionIssuer"]
    assert identity["arn"].endswith(f":assumed-role/{issuer['userName']}/alice@example.com")
    assert issuer["userName"].startswith("AWSReservedSSO_AdministratorAccess_")
    assert issuer["arn"] == f"arn:aws:iam::{HOME}:role/aws-reserved/sso.amazonaws.com/eu-west-1/{issuer['userName']}"
    assert identity["principalId"] == f"{issuer['principalId']}:alice@example.com"


def test_who_calls_over_http_is_told(aws, world, lookup):
    answer = aws.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="alice", ExternalId="tell-nobody")
    key = world.vault(MEMBER, "eu-west-1").create_key()
    aws.client("kms", credentials=answer["Credentials"]).schedule_key_deletion(KeyId=key.key_id)

    (event,) = lookup(
        "EventName", "ScheduleKeyDeletion", client=aws.client("cloudtrail", credentials=answer["Credentials"])
    )

    identity = json.loads(event["CloudTrailEvent"])["userIdentity"]
    assert event["AccessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert identity["arn"] == answer["AssumedRoleUser"]["Arn"]
    assert identity["principalId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


def do_nothing(vault, key):
    del vault, key


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (do_nothing, "CreateKey"),
        (lambda vault, key: vault.disable(key.key_id), "DisableKey"),
        (lambda vault, key: vault.enable(key.key_id), "EnableKey"),
        (lambda vault, key: vault.tag(key.key_id, {"a": "1"}), "TagResource"),
        (lambda vault, key: vault.grant(key.key_id, "rds.eu-west-1.amazonaws.com"), "CreateGrant"),
        (lambda vault, key: vault.use(key.key_id, "GenerateDataKey"), "GenerateDataKey"),
        (lambda vault, key: vault.schedule_deletion(key.key_id), "ScheduleKeyDeletion"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_done_to_a_key_is_recorded(vault, names, done, expected):
    key = vault.create_key()
    done(vault, key)

    assert names(key)[0] == expected


def test_a_cancelled_deletion_is_recorded(kms, vault, names):
    key = vault.create_key()
    vault.schedule_deletion(key.key_id)
    kms.cancel_key_deletion(KeyId=key.key_id)
    kms.enable_key(KeyId=key.key_id)

    assert names(key) == ["EnableKey", "CancelKeyDeletion", "ScheduleKeyDeletion", "CreateKey"]


def test_imported_material_comes_and_expires_on_record(vault, names, record, clock):
    key = vault.create_key(origin="EXTERNAL")
    vault.import_material(key.key_id, clock.time + DAY)
    clock.time += DAY

    assert names(key) == ["DeleteExpiredKeyMaterial", "ImportKeyMaterial", "CreateKey"]
    assert record(key)["eventType"] == "AwsServiceEvent"


def test_a_replica_is_recorded_with_its_primary(world, vault, names):
    primary = vault.create_key(multi_region=True)
    world.replicate(primary, "us-east-1")

    assert names(primary) == ["ReplicateKey", "CreateKey"]


def test_kms_itself_deletes_a_key_when_its_time_has_come(vault, record, clock):
    key = vault.create_key()
    vault.schedule_deletion(key.key_id, 7)
    clock.time += 8 * DAY

    deleted = record(key)

    assert (deleted["eventName"], deleted["eventType"]) == ("DeleteKey", "AwsServiceEvent")
    assert deleted["userIdentity"] == {"accountId": HOME, "invokedBy": "AWS Internal"}
    assert deleted["eventTime"] == datetime.fromtimestamp(clock.time - DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_reading_is_not_recorded(kms, vault, names):
    key = vault.create_key()
    kms.describe_key(KeyId=key.key_id)
    kms.list_resource_tags(KeyId=key.key_id)
    kms.list_grants(KeyId=key.key_id)
    kms.get_key_last_usage(KeyId=key.key_id)

    assert names(key) == ["CreateKey"]


def test_a_refused_use_is_recorded_with_its_error(vault, lookup):
    key = vault.create_key()
    vault.schedule_deletion(key.key_id)

    assert not vault.use(key.key_id, by=actors.user("batch"))

    (event,) = lookup("EventName", "Decrypt")
    record = json.loads(event["CloudTrailEvent"])
    assert (event["ReadOnly"], event["Username"]) == ("true", "batch")
    assert record["errorCode"] == "KMSInvalidStateException"
    assert record["errorMessage"] == f"{key.arn} is pending deletion."
    assert record["responseElements"] is None


def test_a_pending_key_may_refuse_as_if_disabled(world, vault, record):
    world.rules.pending_refusal = "DisabledException"
    key = vault.create_key()
    vault.schedule_deletion(key.key_id)
    vault.use(key.key_id)

    refused = record(key)

    assert refused["errorCode"] == "DisabledException"
    assert refused["errorMessage"] == f"{key.arn} is pending deletion."


def test_a_disabled_key_refuses_in_other_words(vault, record):
    key = vault.create_key(state="Disabled")
    vault.use(key.key_id)

    refused = record(key)

    assert (refused["errorCode"], refused["errorMessage"]) == ("DisabledException", f"{key.arn} is disabled.")


def test_a_refused_change_is_recorded_too(vault, lookup):
    key = vault.create_key()
    vault.schedule_deletion(key.key_id, by=actors.user("alice"))
    with suppress(AwsError):
        vault.schedule_deletion(key.key_id, by=actors.user("bob"))

    refused, done = lookup("EventName", "ScheduleKeyDeletion")

    assert (refused["Username"], done["Username"]) == ("bob", "alice")
    assert json.loads(refused["CloudTrailEvent"])["errorCode"] == "KMSInvalidStateException"
    assert "errorCode" not in json.loads(done["CloudTrailEvent"])


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("EventName", "DisableKey", {"DisableKey"}),
        ("ReadOnly", "true", {"Sign"}),
        ("ReadOnly", "false", {"CreateKey", "DisableKey"}),
        ("Username", "alice", {"CreateKey"}),
        ("Username", "bob", {"DisableKey"}),
        ("ResourceType", "AWS::KMS::Key", {"CreateKey", "DisableKey", "Sign"}),
        ("ResourceType", "AWS::S3::Bucket", set()),
        ("EventSource", "kms.amazonaws.com", {"CreateKey", "DisableKey", "Sign"}),
        ("EventSource", "s3.amazonaws.com", set()),
        ("AccessKeyId", "AKIABOB", {"DisableKey"}),
    ],
)
def test_events_are_looked_up_by_one_attribute(vault, lookup, name, value, found):
    key = vault.create_key(by=actors.user("alice"))
    vault.use(key.key_id, "Sign", by=actors.service("acm.amazonaws.com"))
    vault.disable(key.key_id, by=actors.Actor(actors.USER, "bob", access_key_id="AKIABOB"))

    assert {event["EventName"] for event in lookup(name, value)} == found


def test_an_event_is_found_by_its_id(kms, vault, lookup):
    key = vault.create_key()
    vault.use(key.key_id)
    event_id = kms.get_key_last_usage(KeyId=key.key_id)["KeyLastUsage"]["CloudTrailEventId"]

    assert [event["EventName"] for event in lookup("EventId", event_id)] == ["Decrypt"]


def test_a_key_is_looked_up_by_its_arn_only(vault, lookup):
    key = vault.create_key()
    vault.create_key()

    assert len(lookup("ResourceName", key.arn)) == 1
    assert lookup("ResourceName", key.key_id) == []


def test_without_an_attribute_everything_is_told(cloudtrail, vault):
    vault.create_key()
    vault.create_key()

    assert len(cloudtrail.lookup_events()["Events"]) == 2


def test_the_newest_event_comes_first_even_of_one_second(vault, names, clock):
    key = vault.create_key()
    vault.disable(key.key_id)
    vault.enable(key.key_id)
    clock.time += 1
    vault.disable(key.key_id)
    with vault.rules.agenda.as_of(clock.time - DAY):
        vault.tag(key.key_id, {"a": "1"})

    assert names(key) == ["DisableKey", "EnableKey", "DisableKey", "CreateKey", "TagResource"]


def test_events_come_fifty_a_page(cloudtrail, vault, clock):
    key = vault.create_key()
    for _ in range(120):
        clock.time += 1
        vault.use(key.key_id)
    attributes = [{"AttributeKey": "EventName", "AttributeValue": "Decrypt"}]

    pages = list(cloudtrail.get_paginator("lookup_events").paginate(LookupAttributes=attributes))

    assert [len(page["Events"]) for page in pages] == [50, 50, 20]
    times = [event["EventTime"] for page in pages for event in page["Events"]]
    assert all(later > earlier for later, earlier in pairwise(times))


def test_what_comes_in_between_two_pages_neither_skips_nor_repeats(cloudtrail, vault):
    key = vault.create_key()
    vault.disable(key.key_id)
    vault.enable(key.key_id)
    first = cloudtrail.lookup_events(MaxResults=1)
    vault.tag(key.key_id, {"a": "1"})

    second = cloudtrail.lookup_events(NextToken=first["NextToken"])

    assert [event["EventName"] for event in second["Events"]] == ["DisableKey", "CreateKey"]
    assert "NextToken" not in second


def test_a_page_of_events_may_be_empty_though_more_follow(cloudtrail, world, vault):
    world.rules.empty_pages.add("LookupEvents")
    vault.create_key()

    first = cloudtrail.lookup_events()

    assert first["Events"] == []
    assert len(cloudtrail.lookup_events(NextToken=first["NextToken"])["Events"]) == 1


def test_a_token_is_good_for_its_own_question_only(aws, cloudtrail, vault):
    vault.disable(vault.create_key().key_id)
    token = cloudtrail.lookup_events(MaxResults=1)["NextToken"]
    other = [{"AttributeKey": "EventName", "AttributeValue": "CreateKey"}]

    code = aws.code(cloudtrail.lookup_events, NextToken=token, LookupAttributes=other)

    assert code == "InvalidNextTokenException"
    assert aws.code(cloudtrail.lookup_events, NextToken="from nowhere") == "InvalidNextTokenException"
    assert aws.code(cloudtrail.lookup_events, NextToken=f"{token}x") == "InvalidNextTokenException"


def test_events_are_told_within_a_time_range(vault, names, clock):
    key = vault.create_key()
    clock.time += 10
    vault.disable(key.key_id)
    clock.time += 10
    vault.enable(key.key_id)

    assert names(key, StartTime=clock.time - 10) == ["EnableKey", "DisableKey"]
    assert names(key, EndTime=clock.time - 10) == ["DisableKey", "CreateKey"]
    assert names(key, StartTime=clock.time - 10, EndTime=clock.time - 10) == ["DisableKey"]


def test_a_time_range_that_ends_before_it_starts_is_refused(aws, cloudtrail, clock):
    code = aws.code(cloudtrail.lookup_events, StartTime=clock.time, EndTime=clock.time - 1)

    assert code == "InvalidTimeRangeException"


def test_events_are_forgotten_after_ninety_days(vault, names, clock):
    key = vault.create_key()
    clock.time += 90 * DAY
    assert names(key) == ["CreateKey"]

    clock.time += 1
    assert names(key) == []
    assert names(key, StartTime=clock.time - 365 * DAY) == []


def test_an_event_takes_its_time_to_appear(world, vault, names, clock):
    world.rules.event_lag = 300
    key = vault.create_key()

    clock.time += 299
    assert names(key) == []
    clock.time += 1
    assert names(key) == ["CreateKey"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        (
            {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": each} for each in "ab"]},
            "InvalidLookupAttributesException",
        ),
        (
            {"LookupAttributes": [{"AttributeKey": "Colour", "AttributeValue": "red"}]},
            "InvalidLookupAttributesException",
        ),
        ({"EventCategory": "outsight"}, "InvalidEventCategoryException"),
    ],
)
def test_questions_that_make_no_sense_are_refused(aws, cloudtrail, asked, code):
    assert aws.code(cloudtrail.lookup_events, **asked) == code


def test_there_are_no_insights(cloudtrail, vault):
    vault.create_key()

    assert cloudtrail.lookup_events(EventCategory="insight")["Events"] == []


def test_regions_and_accounts_have_events_of_their_own(aws, world, vault):
    vault.create_key()
    world.vault(MEMBER, "eu-west-1").create_key()

    assert aws.client("cloudtrail", "us-east-1").lookup_events()["Events"] == []
    assert len(aws.client("cloudtrail").lookup_events()["Events"]) == 1


def test_the_history_of_one_region_can_be_closed_to_an_account(aws, world):
    world.home.denied.add(("us-east-1", "LookupEvents"))

    assert aws.code(aws.client("cloudtrail", "us-east-1").lookup_events) == "AccessDeniedException"
    assert aws.client("cloudtrail").lookup_events()["Events"] == []


def test_the_history_of_an_account_can_be_closed_by_a_fault(aws, emulator, cloudtrail):
    fault = emulator.faults.deny(service="cloudtrail", account_id=HOME)
    assert aws.code(cloudtrail.lookup_events) == "AccessDeniedException"

    emulator.faults.remove(fault)
    assert cloudtrail.lookup_events()["Events"] == []


def test_more_than_two_lookups_a_second_are_throttled(aws, emulator, cloudtrail):
    emulator.faults.use_quotas(share=1e-6)
    cloudtrail.lookup_events()

    assert aws.code(cloudtrail.lookup_events) == "ThrottlingException"


def test_a_trail_forgets_the_oldest_event_when_it_is_full():
    trail = Trail(HOME, "eu-west-1", most=2)
    for at in (10.0, 30.0, 20.0):
        trail.add(Deed("DisableKey", actors.root(), "arn:aws:kms:eu-west-1:111122223333:key/k"), at)

    assert [event.at for event in trail.newest_first()] == [30, 20]
