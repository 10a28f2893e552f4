"""Queues, as boto3 meets them."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from exporter.demo.queues import Redrive

HOME, REGION = "111122223333", "eu-west-1"


@pytest.fixture
def queue(world):
    return world.add_queue("events", REGION)


@pytest.fixture
def sqs(aws):
    return aws.client("sqs", read_timeout=30)


@pytest.fixture
def url(queue, emulator):
    return queue.url(emulator.url)


@pytest.fixture
def receive(sqs, url):
    """Receive up to ten messages with everything that is told of them."""

    def receive(wait=0, **params):
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait, MessageSystemAttributeNames=["All"], **params
        )
        return answer.get("Messages", [])

    return receive


def query_code(call, **params):
    """Return the code of the time of AWS query that a call fails with, beside one of the operation's own."""
    with pytest.raises(ClientError) as failure:
        call(**params)
    operation = call.__self__.meta.service_model.operation_model(failure.value.operation_name)
    error = failure.value.response["Error"]
    assert error["QueryErrorCode"] in {shape.name for shape in operation.error_shapes}
    return error["Code"]


def attributes(sqs, url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]


def counts(sqs, url):
    """Return how many messages can be received and how many were."""
    names = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
    told = attributes(sqs, url, *names)
    return tuple(int(told[name]) for name in names)


class TestMessages:
    def test_what_is_sent_is_received(self, sqs, url, receive, clock):
        sent = sqs.send_message(QueueUrl=url, MessageBody="Hello!")
        (message,) = receive()
        assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "Hello!")
        assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        assert message["Attributes"]["SentTimestamp"] == str(int(clock() * 1000))

    def test_an_empty_queue_answers_without_messages(self, receive):
        assert receive() == []

    def test_at_most_ten_come_at_once(self, queue, receive):
        for number in range(12):
            queue.send(str(number))
        assert [len(receive()) for _ in range(3)] == [10, 2, 0]

    def test_one_that_was_received_is_hidden_for_a_while(self, queue, receive, clock, sqs, url):
        queue.send("Hello!")
        receive()
        assert (receive(), counts(sqs, url)) == ([], (0, 1))
        clock.time += queue.visibility
        (again,) = receive()
        assert again["Attributes"]["ApproximateReceiveCount"] == "2"

    def test_for_as_long_as_the_receiver_says(self, queue, receive, clock):
        queue.send("Hello!")
        receive(VisibilityTimeout=300)
        clock.time += 299
        assert receive() == []
        clock.time += 1
        assert receive()

    def test_the_receiver_may_change_its_mind(self, queue, receive, sqs, url):
        queue.send("Hello!")
        (message,) = receive()
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        assert receive()

    def test_one_is_gone_after_four_days(self, queue, receive, clock):
        queue.send("Hello!")
        clock.time += 4 * 86_400
        assert receive() == []


class TestDeletion:
    def test_a_message_is_deleted_by_its_receipt(self, queue, receive, sqs, url):
        queue.send("Hello!")
        (message,) = receive()
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert counts(sqs, url) == (0, 0)

    def test_twice_is_no_error(self, queue, receive, sqs, url):
        queue.send("Hello!")
        (message,) = receive()
        for _ in range(2):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def test_an_old_receipt_deletes_nothing(self, queue, receive, sqs, url, clock):
        queue.send("Hello!")
        (message,) = receive()
        clock.time += queue.visibility
        receive()
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert counts(sqs, url) == (0, 1)

    def test_each_of_a_batch_succeeds_or_fails_by_itself(self, queue, receive, sqs, url):
        queue.send("Hello!")
        (message,) = receive()
        entries = [
            {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
            {"Id": "bad", "ReceiptHandle": "nonsense"},
        ]
        answer = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        assert [each["Id"] for each in answer["Successful"]] == ["good"]
        assert [(each["Id"], each["Code"]) for each in answer["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]
        assert counts(sqs, url) == (0, 0)

    @pytest.mark.parametrize(
        ("ids", "code"),
        [
            ([], "AWS.SimpleQueueService.EmptyBatchRequest"),
            (["1", "1"], "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
            ([str(number) for number in range(11)], "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
        ],
        ids=["empty", "ids not distinct", "too many"],
    )
    def test_a_batch_that_is_none_is_refused(self, sqs, url, ids, code):
        entries = [{"Id": each, "ReceiptHandle": "a#1"} for each in ids]
        assert query_code(sqs.delete_message_batch, QueueUrl=url, Entries=entries) == code


class TestLongPolls:
    def test_one_ends_when_a_message_comes(self, queue, receive, eventually):
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(receive, 20)
            eventually(lambda: queue.listened_to)
            queue.send("Hello!")
            assert [message["Body"] for message in waiting.result(10)] == ["Hello!"]

    def test_or_when_a_hidden_one_can_be_seen_again(self, queue, receive, clock, eventually):
        queue.send("Hello!")
        receive()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(receive, 20)
            eventually(lambda: queue.listened_to)
            clock.time += queue.visibility
            assert waiting.result(10)

    def test_or_when_its_time_is_over(self, receive):
        started = time.monotonic()
        assert receive(wait=1) == []
        assert time.monotonic() - started >= 1

    def test_one_whose_client_has_left_takes_no_message(self, aws, queue, url, eventually):
        impatient = aws.client("sqs", read_timeout=0.2, checked=False)
        with pytest.raises(ReadTimeoutError):
            impatient.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        eventually(lambda: not queue.listened_to)
        queue.send("Hello!")
        assert len(queue.waiting()) == 1


class TestDeadLetters:
    def test_what_is_received_too_often_moves_on(self, world, queue, receive, clock):
        dead = world.add_queue("dead", REGION)
        queue.redrive = Redrive(dead, max_receives=2)
        queue.send("Hello!")
        for _ in range(2):
            assert receive()
            clock.time += queue.visibility
        assert receive() == []
        assert [letter.body for letter in dead.waiting()] == ["Hello!"]

    def test_the_policy_is_told(self, world, queue, sqs, url):
        assert attributes(sqs, url, "RedrivePolicy") == {}
        dead = world.add_queue("dead", REGION)
        queue.redrive = Redrive(dead, max_receives=2)
        policy = json.loads(attributes(sqs, url, "RedrivePolicy")["RedrivePolicy"])
        assert policy == {"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2}


class TestFifo:
    @pytest.fixture
    def queue(self, world):
        return world.add_queue("events.fifo", REGION)

    def test_a_message_that_is_out_holds_up_its_group_alone(self, queue, sqs, url):
        for group, body in (("a", "1"), ("a", "2"), ("b", "3")):
            queue.send(body, group=group)
        bodies = []
        while messages := sqs.receive_message(QueueUrl=url).get("Messages"):
            bodies += [message["Body"] for message in messages]
        assert bodies == ["1", "3"]

    def test_a_message_needs_a_group(self, sqs, url):
        assert attributes(sqs, url, "FifoQueue") == {"FifoQueue": "true"}
        with pytest.raises(ClientError, match="MissingParameter"):
            sqs.send_message(QueueUrl=url, MessageBody="Hello!")
        sqs.send_message(QueueUrl=url, MessageBody="Hello!", MessageGroupId="a")


class TestRefusals:
    def test_a_queue_that_is_not_there(self, sqs, emulator):
        code = query_code(sqs.receive_message, QueueUrl=f"{emulator.url}/{HOME}/nowhere")
        assert code == "AWS.SimpleQueueService.NonExistentQueue"

    def test_one_of_another_region(self, aws, url):
        code = query_code(aws.client("sqs", "us-east-1").receive_message, QueueUrl=url)
        assert code == "AWS.SimpleQueueService.NonExistentQueue"

    def test_one_of_another_account(self, aws, world, sqs, emulator):
        theirs = world.add_queue("theirs", REGION, account_id="222233334444")
        assert aws.code(sqs.receive_message, QueueUrl=theirs.url(emulator.url)) == "AccessDenied"

    @pytest.mark.parametrize(
        "params", [{"MaxNumberOfMessages": 11}, {"WaitTimeSeconds": 21}, {"VisibilityTimeout": -1}]
    )
    def test_numbers_out_of_bounds(self, aws, sqs, url, params):
        assert aws.code(sqs.receive_message, QueueUrl=url, **params) == "InvalidParameterValue"

    def test_a_message_without_a_body(self, aws, sqs, url):
        assert aws.code(sqs.send_message, QueueUrl=url, MessageBody="") == "InvalidParameterValue"
