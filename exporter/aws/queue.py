"""The SQS queue into which EventBridge rules put what happens to keys: received, deleted, measured.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from exporter.aws.calls import Access, Calls, Operation
from exporter.aws.reading import text
from exporter.errors import TargetError

Answer = TypeVar("Answer")

RECEIVE_MESSAGE: Final = Operation("sqs", "ReceiveMessage", quota=300)
DELETE_MESSAGE_BATCH: Final = Operation("sqs", "DeleteMessageBatch", quota=300)
GET_QUEUE_ATTRIBUTES: Final = Operation("sqs", "GetQueueAttributes", quota=300)
"""A FIFO queue's quotas; a standard queue takes nearly any number
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)."""

POLL: Final = 20
"""Seconds that SQS waits for a message before it says that there is none, the longest that it allows."""
COMES_BACK_AFTER: Final = 60
"""Seconds after which SQS hands out a message again that was received and not deleted; whatever the queue's own
timeout, since one of 0 would bring a message that can't be handled back at once, for ever."""

_MOST: Final = 10
_CALL_TIME: Final = 120.0
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d+")


class _SqsClient(Protocol):
    """What is used of boto3's client."""

    def receive_message(self, **request: Any) -> Mapping[str, Any]:
        """Return messages."""
        ...

    def delete_message_batch(self, **request: Any) -> Mapping[str, Any]:
        """Delete messages."""
        ...

    def get_queue_attributes(self, **request: Any) -> Mapping[str, Any]:
        """Return what the queue is like."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was received.

    Attributes:
        receipt: what deletes it; each time that it is received it has another one.
        receives: how often it was received, this time included.
        age: how long ago it was sent, in seconds.
    """

    message_id: str
    receipt: str
    body: str
    receives: int
    age: float


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll brought.

    Attributes:
        messages: ten at the most. None is an answer too: nothing waited.
        at: when it came, in Unix seconds.
    """

    messages: Sequence[Message]
    at: float


@dataclass(frozen=True, slots=True)
class Level:
    """How a queue stands.

    Attributes:
        waiting: about how many messages can be received.
        redrives: whether a message that is received too often is moved to another queue.
    """

    waiting: int
    redrives: bool


class Queue:
    """One queue, asked with threads and connections of its own: a poll that hangs for its 20 s holds up no sweep."""

    def __init__(
        self, *, calls: Calls, access: Access, url: str, now: Callable[[], float], close: Callable[[], None]
    ) -> None:
        """Ask for the queue at `url`; `now` gives Unix seconds, `close` lets go of what `calls` works with."""
        self.close = close
        self._calls = calls
        self._access = access
        self._url = url
        self._now = now

    async def receive(self) -> Batch:
        """Wait up to 20 s for messages.

        Raises:
            TargetError: the queue did not answer.
        """
        return await self._ask(RECEIVE_MESSAGE, self._receive)

    async def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages, ten at the most; one whose receipt is no longer good comes again.

        Raises:
            TargetError: SQS failed for some or all.
        """
        failed = await self._ask(DELETE_MESSAGE_BATCH, lambda sqs: self._delete(sqs, messages))
        if failed is not None:
            raise TargetError(self._access.target, DELETE_MESSAGE_BATCH.name, *failed)

    async def level(self) -> Level:
        """Return how the queue stands.

        Raises:
            TargetError: the queue did not answer.
        """
        return await self._ask(GET_QUEUE_ATTRIBUTES, self._level)

    async def _ask(self, operation: Operation, request: Callable[[Any], Answer]) -> Answer:
        deadline = asyncio.get_running_loop().time() + _CALL_TIME
        return await self._calls.one(self._access, operation, request, deadline=deadline)

    def _receive(self, sqs: _SqsClient) -> Batch:
        answer = sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_MOST,
            WaitTimeSeconds=POLL,
            VisibilityTimeout=COMES_BACK_AFTER,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        at = self._now()
        messages = [
            Message(
                message_id=text(message["MessageId"]),
                receipt=text(message["ReceiptHandle"]),
                body=text(message["Body"]),
                receives=int(message["Attributes"]["ApproximateReceiveCount"]),
                age=at - int(message["Attributes"]["SentTimestamp"]) / 1000,
            )
            for message in answer.get("Messages") or ()
        ]
        return Batch(messages, at)

    def _delete(self, sqs: _SqsClient, messages: Sequence[Message]) -> tuple[str, str] | None:
        """Return code and text of a failure that is SQS's own, None where there is none."""
        # By number: a standard queue may hand out the same message twice in one answer, and ids must be distinct.
        entries = [{"Id": str(number), "ReceiptHandle": each.receipt} for number, each in enumerate(messages)]
        answer = sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        failures = (each for each in answer.get("Failed") or () if not each["SenderFault"])
        return next(((text(each["Code"]), text(each.get("Message", ""))) for each in failures), None)

    def _level(self, sqs: _SqsClient) -> Level:
        names = ["ApproximateNumberOfMessages", "RedrivePolicy"]
        attributes = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return Level(int(attributes["ApproximateNumberOfMessages"]), bool(attributes.get("RedrivePolicy")))


def owner_of(url: str) -> str:
    """Return the id of the account that a queue belongs to, from its URL."""
    return url.rstrip("/").split("/")[-2]


def region_of(url: str) -> str | None:
    """Return the region of a queue as its URL tells it; None for one that does not, such as an emulator's.

    https://docs.aws.amazon.com/general/latest/gr/sqs-service.html: `sqs.REGION.amazonaws.com`, formerly
    `REGION.queue.amazonaws.com`; through a VPC endpoint `vpce-ID.sqs.REGION.vpce.amazonaws.com`.
    """
    host = urlsplit(url).hostname or ""
    return next((label for label in host.split(".") if _REGION.fullmatch(label)), None)
