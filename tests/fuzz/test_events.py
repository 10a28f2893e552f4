"""Texts in which AWS tells of events: CloudTrail's records, EventBridge's messages, AWS Config's results.

A record that can't be read costs nothing but itself, and a message names no key that its text does not name.
"""

import json
from pathlib import Path
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from exporter.aws import config
from exporter.aws.cloudtrail import Event, Page, Query, look_up, read_event
from exporter.aws.eventbridge import NoEventError, Notice, read_notice
from exporter.aws.principals import Principal, read_principal
from exporter.aws.queue import Batch, Level, Queue
from exporter.errors import TargetError
from exporter.model import DeniedUses, Evidence, Key, Scheduling
from tests.fuzz.corpus import VALID, each_kept, noting, valid
from tests.fuzz.documents import anything, mutated, strings
from tests.fuzz.effort import tries
from tests.fuzz.told import everything_can_be_told, snapshot_of
from tests.fuzz.wire import Wire
from tests.support.snapshots import NOW

KEY_ID: Final = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY: Final = Key(KEY_ID, f"arn:aws:kms:eu-west-1:111122223333:key/{KEY_ID}", "PendingDeletion")
URL: Final = "https://sqs.eu-west-1.amazonaws.com/111122223333/kms-events"
QUERY: Final = Query("EventName", "ScheduleKeyDeletion", NOW - 3600, NOW)


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass" if data.isascii() else "replace")


def one_line(told: str) -> None:
    assert told.splitlines() == [told]


def record(data: bytes) -> Event | None:
    """Read a record of CloudTrail; None for one that is refused as it should be."""
    with noting("event", data):
        try:
            event = read_event(text(data))
        except (LookupError, TypeError, ValueError, RecursionError):
            return None
        assert event.about <= set(strings(json.loads(data)))
        by, arn = event.principal.name, event.principal.arn
        everything_can_be_told(
            snapshot_of(
                KEY,
                evidence={
                    KEY_ID: Evidence(
                        Scheduling(event.at, by, arn, event.event_id, event.window),
                        denied_uses=DeniedUses(1, event.at, by, event.name),
                    )
                },
            )
        )
    return event


def notice(data: bytes) -> Notice | None:
    """Read a message; None for one that is no event."""
    with noting("notice", data):
        try:
            found = read_notice(text(data))
        except NoEventError as error:
            one_line(str(error))
            return None
        told = text(data).replace("\\", "")
        for key_ids in found.about.values():
            assert all(f'"{key_id}"' in told or f':key/{key_id}"' in told for key_id in key_ids)
    return found


@each_kept("event")
def test_records_that_are_kept(kept_input: Path) -> None:
    assert (record(kept_input.read_bytes()) is not None) is kept_input.name.startswith(VALID)


@tries(80)
@given(anything(valid("event")))
def test_a_record_is_read_or_refused(data: bytes) -> None:
    record(data)


@each_kept("notice")
def test_messages_that_are_kept(kept_input: Path) -> None:
    assert (notice(kept_input.read_bytes()) is not None) is kept_input.name.startswith(VALID)


@tries(250)
@given(anything(valid("notice")))
def test_a_message_names_what_it_names_or_is_no_event(data: bytes) -> None:
    notice(data)


@each_kept("config_results")
def test_results_that_are_kept(kept_input: Path) -> None:
    assert config.read_key(kept_input.read_text()).key_id == KEY_ID


@tries(120)
@given(anything(valid("config_results")))
def test_a_result_is_read_or_refused(data: bytes) -> None:
    with noting("config_results", data):
        try:
            key = config.read_key(text(data))
        except (LookupError, TypeError, ValueError, RecursionError):
            return
        told = {key.arn, key.key_id, key.state, key.target.account_id, key.target.region}
        assert told <= set(strings(json.loads(data)))


@each_kept("principal")
def test_principals_that_are_kept(kept_input: Path) -> None:
    assert read_principal(json.loads(kept_input.read_bytes())).name


@tries(120)
@given(mutated(valid("principal")))
def test_of_any_principal_the_best_is_made(data: bytes) -> None:
    try:
        identity: Any = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(identity, dict):
        found = read_principal(identity)
        assert isinstance(found, Principal)
        assert not found.arn or found.arn in identity.values()


def history(aws: Wire, body: bytes) -> list[Page] | TargetError:
    async def pages() -> list[Page]:
        return [page async for page in look_up(aws.calls, aws.access, QUERY, deadline=aws.deadline())]

    aws.answers(body, service="cloudtrail")
    return aws.result(pages())


@each_kept("lookup_events")
def test_pages_that_are_kept(aws: Wire, kept_input: Path) -> None:
    (page,) = history(aws, kept_input.read_bytes())
    assert len(page.events) == 2
    assert not page.unreadable


@tries(80)
@given(body=anything(valid("lookup_events")))
def test_what_a_page_has_is_read_or_counted(aws: Wire, body: bytes) -> None:
    with noting("lookup_events", body):
        found = history(aws, body)
        if isinstance(found, TargetError):
            assert found.reason == "invalid_response"
        else:
            entries = json.loads(body)["Events"]
            assert all(len(page.events) + len(page.unreadable) == len(entries) for page in found)


def queue(aws: Wire, body: bytes) -> Queue:
    aws.answers(body, service="sqs")
    return Queue(calls=aws.calls, access=aws.access, url=URL, now=lambda: NOW, close=lambda: None)


def received(aws: Wire, body: bytes) -> Batch | TargetError:
    with noting("queue_messages", body):
        found = aws.result(queue(aws, body).receive())
        if isinstance(found, TargetError):
            assert found.reason == "invalid_response"
        else:
            for message in found.messages:
                notice(message.body.encode("utf-8", "surrogatepass"))
                assert message.age == message.age + 0.0  # a number
    return found


@each_kept("queue_messages")
def test_batches_that_are_kept(aws: Wire, kept_input: Path) -> None:
    found = received(aws, kept_input.read_bytes())
    assert isinstance(found, Batch) is kept_input.name.startswith(VALID)


@tries(80)
@given(body=anything(valid("queue_messages")))
def test_a_batch_is_received_or_told_as_invalid(aws: Wire, body: bytes) -> None:
    received(aws, body)


@tries(40)
@given(body=anything(valid("queue_level")))
def test_a_level_is_read_or_told_as_invalid(aws: Wire, body: bytes) -> None:
    found = aws.result(queue(aws, body).level())
    assert isinstance(found, Level) or found.reason == "invalid_response"


@tries(40)
@given(body=anything(valid("queue_failures")))
def test_what_became_of_a_deletion_is_told_or_nothing_is(aws: Wire, body: bytes) -> None:
    batch = received(aws, valid("queue_messages")[0])
    assert isinstance(batch, Batch)
    found = aws.result(queue(aws, body).delete(batch.messages))
    assert found is None or (isinstance(found, TargetError) and isinstance(found.reason, str))


@tries(40)
@given(st.binary(max_size=3_000))
def test_bytes_are_no_message(data: bytes) -> None:
    assert notice(data) is None
