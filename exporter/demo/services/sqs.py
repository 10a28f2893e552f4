"""Amazon Simple Queue Service (API Reference, 2012-11-05)."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from exporter.demo.errors import AwsError
from exporter.demo.queues import Letter, Queue
from exporter.demo.services.base import Answer, Call, Code, Codes, Later, Service

_MOST: Final = 10
_LONGEST_WAIT: Final = 20
_LONGEST_BODY: Final = 1024 * 1024


def receive_message(call: Call) -> Answer | Later:
    """Hand out up to ten messages, waiting for the first one up to 20 s."""
    queue, params = _queue(call), call.params
    most = _number(params, "MaxNumberOfMessages", 1, 1, _MOST)
    wait = _number(params, "WaitTimeSeconds", 0, 0, _LONGEST_WAIT)
    visibility = _number(params, "VisibilityTimeout", int(queue.visibility), 0, 43_200)
    letters = queue.receive(most, visibility)
    if not letters:
        return Later({}, wait, queue.heard_by) if wait else {}
    names = {*params.get("AttributeNames", ()), *params.get("MessageSystemAttributeNames", ())}
    return {"Messages": [_told(letter, names) for letter in letters]}


def send_message(call: Call) -> Answer:
    """Put a message into the queue."""
    queue, body = _queue(call), call.params.get("MessageBody", "")
    if not body or len(body.encode()) > _LONGEST_BODY:
        raise _invalid(f"MessageBody must have from 1 to {_LONGEST_BODY} bytes.")
    group = call.params.get("MessageGroupId", "")
    if queue.fifo and not group:
        raise AwsError("MissingParameter", "The request must contain the parameter MessageGroupId.")
    return {"MessageId": queue.send(body, group=group).message_id, "MD5OfMessageBody": _md5(body)}


def delete_message(call: Call) -> Answer:
    """Delete a message by its receipt; one that is gone is no error."""
    if not _queue(call).delete(call.params["ReceiptHandle"]):
        raise AwsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", 404)
    return {}


def delete_message_batch(call: Call) -> Answer:
    """Delete up to ten messages by their receipts; each succeeds or fails by itself."""
    queue, entries = _queue(call), call.params["Entries"]
    ids = [entry["Id"] for entry in entries]
    if not entries:
        raise _query_error("EmptyBatchRequest", "There should be at least one DeleteMessageBatchRequestEntry.")
    if len(entries) > _MOST:
        raise _query_error("TooManyEntriesInBatchRequest", f"Maximum number of entries per request are {_MOST}.")
    if len(set(ids)) < len(ids):
        raise _query_error("BatchEntryIdsNotDistinct", "Two or more entries have the same id.")
    deleted = {entry["Id"]: queue.delete(entry["ReceiptHandle"]) for entry in entries}
    refusal = {
        "SenderFault": True,
        "Code": "ReceiptHandleIsInvalid",
        "Message": "The input receipt handle is invalid.",
    }
    return {
        "Successful": [{"Id": each} for each, good in deleted.items() if good],
        "Failed": [{"Id": each, **refusal} for each, good in deleted.items() if not good],
    }


def change_message_visibility(call: Call) -> Answer:
    """Hide a message that was received for longer, or not any more."""
    seconds = _number(call.params, "VisibilityTimeout", 0, 0, 43_200)
    if not _queue(call).hide(call.params["ReceiptHandle"], seconds):
        raise _query_error("MessageNotInflight", "The message is not in flight.")
    return {}


def get_queue_attributes(call: Call) -> Answer:
    """Tell what the queue is like, and about how many messages it has."""
    queue = _queue(call)
    known = {
        "QueueArn": queue.arn,
        "ApproximateNumberOfMessages": str(len(queue.waiting())),
        "ApproximateNumberOfMessagesNotVisible": str(len(queue.in_flight())),
        "VisibilityTimeout": str(int(queue.visibility)),
        "CreatedTimestamp": str(int(queue.created_at)),
    }
    if queue.fifo:
        known["FifoQueue"] = "true"
    if queue.redrive is not None:
        policy = {"deadLetterTargetArn": queue.redrive.queue.arn, "maxReceiveCount": queue.redrive.max_receives}
        known["RedrivePolicy"] = json.dumps(policy)
    names = set(call.params.get("AttributeNames", ()))
    return {"Attributes": {name: value for name, value in known.items() if name in names or "All" in names}}


def _queue(call: Call) -> Queue:
    """Return the queue that `QueueUrl` names; what comes before account and name is the endpoint's business."""
    account_id, name = ["", "", *call.params.get("QueueUrl", "").split("/")][-2:]
    if account_id and account_id != call.account_id:
        raise SERVICE.codes.denied.error(f"Access to the resource {call.params['QueueUrl']} is denied.")
    queue = call.world.queues.get((account_id, call.region, name))
    if queue is None:
        raise AwsError(
            "com.amazonaws.sqs#QueueDoesNotExist",
            "The specified queue does not exist.",
            query_code="AWS.SimpleQueueService.NonExistentQueue",
        )
    return queue


def _told(letter: Letter, names: set[str]) -> dict[str, Any]:
    known: Mapping[str, Callable[[], str]] = {
        "SentTimestamp": lambda: _milliseconds(letter.sent_at),
        "ApproximateReceiveCount": lambda: str(letter.receives),
        "ApproximateFirstReceiveTimestamp": lambda: _milliseconds(letter.first_received_at),
    }
    told: dict[str, Any] = {
        "MessageId": letter.message_id,
        "ReceiptHandle": letter.receipt,
        "MD5OfBody": _md5(letter.body),
        "Body": letter.body,
    }
    attributes = {name: tell() for name, tell in known.items() if name in names or "All" in names}
    return {**told, "Attributes": attributes} if attributes else told


def _number(params: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = params.get(name, default)
    if not isinstance(value, int) or not least <= value <= most:
        raise _invalid(f"Value {value} for parameter {name} is invalid. Reason: Must be from {least} to {most}.")
    return value


def _milliseconds(at: float) -> str:
    return str(int(at * 1000))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def _query_error(code: str, message: str) -> AwsError:
    return AwsError(f"com.amazonaws.sqs#{code}", message, query_code=f"AWS.SimpleQueueService.{code}")


SERVICE: Final = Service(
    name="sqs",
    regional=True,
    codes=Codes(
        denied=Code("AccessDenied", 403),
        throttled=Code("RequestThrottled", 403),
        internal=Code("InternalFailure", 500),
        unknown_token=Code("InvalidClientTokenId", 403),
        expired_token=Code("ExpiredToken", 403),
        bad_signature=Code("SignatureDoesNotMatch", 403),
        unknown_operation=Code("UnknownOperationException", 404),
    ),
    operations={
        "ReceiveMessage": receive_message,
        "SendMessage": send_message,
        "DeleteMessage": delete_message,
        "DeleteMessageBatch": delete_message_batch,
        "ChangeMessageVisibility": change_message_visibility,
        "GetQueueAttributes": get_queue_attributes,
    },
)
