"""The queue at an SQS and an EventBridge that no one here wrote: put_events, through a rule, into a queue, to a look.

moto 5.2.5 sends no events of its own to EventBridge; they are put in by hand, as CloudTrail would.
"""

import asyncio
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from exporter.aws.connection import Connection, connect
from exporter.aws.discovery import Memory
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import Target
from exporter.refresh import Refresher
from exporter.settings import Settings
from tests.aws.harness import PATIENCE, Hasty, Heard
from tests.support.eventbridge import api_call, event, key_arn
from tests.support.moto import moto_server

if TYPE_CHECKING:
    from tests.aws.harness import Eventually

HOME, IRELAND = "123456789012", "eu-west-1"
PATTERN = (Path(__file__).parents[2] / "iam" / "events" / "pattern.json").read_text()


@dataclass
class Cloud:
    """moto, and what there is of it."""

    kms: Any
    sqs: Any
    events: Any
    url: str

    def put(self, sent: dict[str, Any]) -> None:
        """Give an event to EventBridge."""
        entry = {
            "Source": sent["source"],
            "DetailType": sent["detail-type"],
            "Resources": sent["resources"],
            "Detail": json.dumps(sent["detail"]),
        }
        assert self.events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def left(self) -> tuple[str, ...]:
        """Return how many messages wait, and how many are being looked into."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        told = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return tuple(told[name] for name in names)


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with moto_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_REGION", IRELAND)
        yield


@pytest.fixture
def cloud(moto: None) -> Cloud:
    """A rule that sends events of KMS into a queue."""
    del moto
    session = boto3.Session(region_name=IRELAND)
    kms, sqs, events = (session.client(name) for name in ("kms", "sqs", "events"))
    url = sqs.create_queue(QueueName="kms-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="kms", EventPattern=PATTERN)
    events.put_targets(Rule="kms", Targets=[{"Id": "queue", "Arn": arn}])
    return Cloud(kms, sqs, events, url)


class Running:
    """A refresh loop that learns of changes from the queue alone, in a thread as in the running exporter."""

    def __init__(self, url: str) -> None:
        self.heard = Heard()
        self.inventory = Inventory(keep_failed=600, keep_tombstones=600, now=time.time, monotonic=time.monotonic)
        self.refresher = Refresher(
            settings=Settings.model_validate(
                {"aws": {"regions": [IRELAND]}, "changes": {"sqs_queue_url": url, "cloudtrail": False}}
            ),
            connect=self._connect,
            inventory=self.inventory,
            published=lambda: None,
            telemetry=self.heard,
            log=Log(logging.getLogger("exporter")),
            monotonic=time.monotonic,
            rng=random.Random(0),
        )
        self.thread = threading.Thread(target=lambda: asyncio.run(self.refresher.run()), daemon=True)
        self.thread.start()

    def pending(self) -> set[str]:
        known = [state.keys for state in self.inventory.snapshot.targets if state.keys is not None]
        return {key.key_id for keys in known for key in keys.by_id.values() if key.pending}

    def outcomes(self) -> dict[str, int]:
        return {name: count for name, count in (self.heard.messages or {}).items() if count}

    def stop(self) -> None:
        self.refresher.stop()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "it goes on"

    def _connect(self, settings: Settings) -> Connection:
        return connect(
            settings, memory=Memory(), telemetry=self.heard, now=time.time, monotonic=time.monotonic, rng=Hasty()
        )


Run = Callable[[], Running]


@pytest.fixture
def key_ids(cloud: Cloud) -> list[str]:
    return [cloud.kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]


@pytest.fixture
def run(cloud: Cloud) -> Iterator[Run]:
    """Start refresh loops that are stopped in the end."""
    with ExitStack() as stack:

        def started() -> Running:
            running = Running(cloud.url)
            stack.callback(running.stop)
            return running

        yield started


@pytest.fixture
def running(run: Run, key_ids: list[str], eventually: "Eventually") -> Running:
    running = run()
    eventually(lambda: running.refresher.ready)
    assert running.inventory.state(Target(HOME, IRELAND)) is not None
    assert len(key_ids) == 2
    return running


def scheduled(key_id: str, account_id: str = HOME) -> dict[str, Any]:
    return api_call(arns=(key_arn(key_id, account_id=account_id),))


def test_a_deletion_is_found_by_its_event(
    cloud: Cloud, running: Running, key_ids: list[str], eventually: "Eventually"
) -> None:
    cloud.kms.schedule_key_deletion(KeyId=key_ids[0], PendingWindowInDays=7)
    cloud.put(scheduled(key_ids[0]))
    eventually(lambda: running.pending() == {key_ids[0]})
    eventually(lambda: cloud.left() == ("0", "0"))
    assert running.outcomes() == {"handled": 1}
    assert running.heard.passes == {"full": 1, "named": 1}


def test_so_is_what_waited_while_nobody_read(
    cloud: Cloud, run: Run, running: Running, key_ids: list[str], eventually: "Eventually"
) -> None:
    running.stop()
    for key_id in key_ids:
        cloud.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        cloud.put(scheduled(key_id))
    other = run()
    eventually(lambda: cloud.left() == ("0", "0"))
    assert other.pending() == set(key_ids)


def test_events_of_kms_and_of_others_and_poison(
    cloud: Cloud, running: Running, key_ids: list[str], eventually: "Eventually"
) -> None:
    cloud.put(event("KMS CMK Deletion", {"key-id": key_ids[0]}, resources=(key_arn(key_ids[0], account_id=HOME),)))
    cloud.put(api_call("CreateGrant"))  # no rule takes it
    cloud.put(scheduled(key_ids[0], account_id="999988887777"))
    cloud.sqs.send_message(QueueUrl=cloud.url, MessageBody="Hello!")
    eventually(lambda: running.outcomes() == {"handled": 1, "ignored": 1, "poison": 1})
    eventually(lambda: cloud.left() == ("0", "1"))


def test_a_fifo_queue_will_do(cloud: Cloud, run: Run, key_ids: list[str], eventually: "Eventually") -> None:
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    cloud.url = cloud.sqs.create_queue(QueueName="kms.fifo", Attributes=attributes)["QueueUrl"]
    arn = cloud.sqs.get_queue_attributes(QueueUrl=cloud.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    target = {"Id": "fifo", "Arn": arn, "SqsParameters": {"MessageGroupId": "kms"}}
    cloud.events.put_targets(Rule="kms", Targets=[target])
    running = run()
    eventually(lambda: running.refresher.ready)
    cloud.kms.schedule_key_deletion(KeyId=key_ids[0], PendingWindowInDays=7)
    cloud.put(scheduled(key_ids[0]))
    eventually(lambda: running.pending() == {key_ids[0]})
    eventually(lambda: cloud.left() == ("0", "0"))


def test_a_queue_that_is_not_there_yet_is_read_once_it_is(
    cloud: Cloud, run: Run, key_ids: list[str], eventually: "Eventually"
) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.url)
    running = run()
    eventually(lambda: running.heard.queue.get("up") == 0)
    cloud.sqs.create_queue(QueueName="kms-events")
    cloud.kms.schedule_key_deletion(KeyId=key_ids[0], PendingWindowInDays=7)
    cloud.put(scheduled(key_ids[0]))
    eventually(lambda: running.heard.queue.get("up") == 1 and running.pending() == {key_ids[0]})
