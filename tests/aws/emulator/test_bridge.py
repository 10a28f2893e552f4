"""What rules of EventBridge send into queues."""

import contextlib
import json

import pytest

from exporter.demo.errors import AwsError

HOME, MEMBER = "111122223333", "222233334444"
IRELAND, VIRGINIA = "eu-west-1", "us-east-1"


@pytest.fixture
def queue(world):
    return world.add_queue("events", IRELAND)


@pytest.fixture
def events(queue):
    """Return every event that has arrived."""
    return lambda: [json.loads(letter.body) for letter in queue.waiting()]


def test_a_request_comes_with_the_record_of_cloudtrail(world, queue, events):
    vault = world.vault(HOME, IRELAND)
    key = vault.create_key()
    world.bridge.add_rule(queue)
    vault.schedule_deletion(key.key_id, days=7)
    (event,) = events()
    detail = event.pop("detail")
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.kms",
        "account": HOME,
        "time": "2026-09-21T14:13:20Z",
        "region": IRELAND,
        "resources": [],
    }
    assert (detail["eventSource"], detail["eventName"]) == ("kms.amazonaws.com", "ScheduleKeyDeletion")
    assert detail["requestParameters"] == {"keyId": key.key_id, "pendingWindowInDays": 7}
    assert [resource["ARN"] for resource in detail["resources"]] == [key.arn]


def test_so_does_one_that_was_refused(world, queue, events):
    vault = world.vault(HOME, IRELAND)
    key = vault.create_key(state="Disabled")
    world.bridge.add_rule(queue)
    with contextlib.suppress(AwsError):
        vault.cancel_deletion(key.key_id)
    assert [event["detail"]["errorCode"] for event in events()] == ["KMSInvalidStateException"]


def test_uses_of_keys_do_not_come(world, queue, events):
    vault = world.vault(HOME, IRELAND)
    key = vault.create_key()
    world.bridge.add_rule(queue)
    vault.use(key.key_id)
    assert events() == []


def test_a_rule_takes_only_what_it_is_about(world, queue, events):
    world.bridge.add_rule(queue, accounts=[HOME], regions=[IRELAND], names=["CreateKey"])
    keys = [world.vault(*place).create_key() for place in ((HOME, IRELAND), (HOME, VIRGINIA), (MEMBER, IRELAND))]
    for key in keys:
        key.vault.disable(key.key_id)
    assert [(event["account"], event["region"], event["detail"]["eventName"]) for event in events()] == [
        (HOME, IRELAND, "CreateKey")
    ]


def test_kms_itself_tells_of_a_key_that_it_deletes(world, queue, events):
    vault = world.vault(HOME, IRELAND)
    key = vault.create_key()
    vault.schedule_deletion(key.key_id, days=7)
    world.bridge.add_rule(queue)
    world.agenda.advance(7 * 86_400)
    by_cloudtrail, by_kms = events()
    assert (by_cloudtrail["detail-type"], by_cloudtrail["detail"]["eventName"]) == (
        "AWS Service Event via CloudTrail",
        "DeleteKey",
    )
    assert (by_kms["detail-type"], by_kms["resources"], by_kms["detail"]) == (
        "KMS CMK Deletion",
        [key.arn],
        {"key-id": key.key_id},
    )
    assert by_kms["id"] != by_cloudtrail["id"]


def test_kms_itself_tells_of_material_that_expires(world, queue, events, clock):
    vault = world.vault(HOME, IRELAND)
    key = vault.create_key(origin="EXTERNAL")
    vault.import_material(key.key_id, clock() + 60)
    world.bridge.add_rule(queue)
    world.agenda.advance(60)
    assert "KMS Imported Key Material Expiration" in [event["detail-type"] for event in events()]


def test_an_event_may_take_its_time(world, queue, events):
    world.bridge.add_rule(queue)
    world.bridge.lag = 5
    world.vault(HOME, IRELAND).create_key()
    assert events() == []
    world.agenda.advance(5)
    assert len(events()) == 1


def test_two_rules_send_it_to_two_queues(world, queue, events):
    other = world.add_queue("other", IRELAND)
    for each in (queue, other):
        world.bridge.add_rule(each)
    world.vault(HOME, IRELAND).create_key()
    assert len(events()) == len(other.waiting()) == 1
