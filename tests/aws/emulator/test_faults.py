"""Every fault as a real client meets it."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions
import pytest
from botocore.parsers import ResponseParserError

from exporter.demo.counts import RequestKind
from exporter.demo.faults import Faults, merging

MEMBER = "222233334444"

CALLS = {
    "kms": "list_keys",
    "resourcegroupstaggingapi": "get_resources",
    "organizations": "list_accounts",
    "sts": "get_caller_identity",
    "ec2": "describe_regions",
}
every_service = pytest.mark.parametrize("service", CALLS)


@pytest.fixture
def faults(emulator):
    return emulator.faults


@pytest.fixture
def impatient(aws):
    """A client that gives up a read after 0.2 s."""
    return aws.client("kms", read_timeout=0.2, checked=False)


@pytest.fixture
def key(world):
    return world.vault(world.home.account_id, "eu-west-1").create_key()


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("kms", "ThrottlingException", 400),
        ("resourcegroupstaggingapi", "ThrottledException", 400),
        ("organizations", "TooManyRequestsException", 400),
        ("sts", "Throttling", 400),
        ("ec2", "RequestLimitExceeded", 503),
    ],
)
def test_each_service_words_throttling_in_its_own_way(aws, faults, service, code, status):
    faults.throttle()
    client = aws.client(service)

    with pytest.raises(client.exceptions.ClientError) as failure:
        getattr(client, CALLS[service])()

    assert failure.value.response["Error"]["Code"] == code
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@every_service
def test_botocore_retries_what_is_throttled(aws, faults, world, service):
    faults.throttle(times=1)
    client = aws.client(service, attempts=2)

    answer = getattr(client, CALLS[service])()

    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert (world.counts.total(), world.counts.refused()) == (2, 1)


@every_service
def test_internal_errors_are_http_500_and_retried(aws, faults, service):
    faults.internal_error(times=1)
    client = aws.client(service, attempts=2)

    assert getattr(client, CALLS[service])()["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("kms", "AccessDeniedException"),
        ("resourcegroupstaggingapi", "AccessDeniedException"),
        ("organizations", "AccessDeniedException"),
        ("sts", "AccessDenied"),
        ("ec2", "UnauthorizedOperation"),
    ],
)
def test_permission_can_be_withdrawn_and_given_back(aws, faults, service, code):
    call = getattr(aws.client(service), CALLS[service])
    fault = faults.deny()

    assert aws.code(call) == code
    faults.remove(fault)
    assert call()


def test_any_code_can_be_answered(aws, faults, kms):
    faults.refuse("DependencyTimeoutException", 503)

    assert aws.code(kms.list_keys) == "DependencyTimeoutException"


@pytest.mark.parametrize(
    "filters",
    [
        {"service": "sts"},
        {"operation": "ListAliases"},
        {"account_id": MEMBER},
        {"region": "us-east-1"},
        {"operation": "ListKeys", "region": "us-east-1"},
    ],
)
def test_a_fault_hits_only_what_it_is_meant_for(faults, kms, filters):
    faults.deny(**filters)

    assert kms.list_keys()


@pytest.mark.parametrize(
    "filters",
    [{"service": "kms"}, {"operation": "ListKeys"}, {"account_id": "111122223333"}, {"region": "eu-west-1"}],
)
def test_a_fault_hits_what_it_is_meant_for(aws, faults, kms, filters):
    faults.deny(**filters)

    assert aws.code(kms.list_keys) == "AccessDeniedException"


def test_an_unknown_filter_is_refused(faults):
    with pytest.raises(TypeError):
        faults.deny(colour="red")


def test_a_fault_can_be_counted_out(aws, faults, kms):
    fault = faults.deny(times=2)

    assert [aws.code(kms.list_keys) for _ in range(2)] == ["AccessDeniedException"] * 2
    assert kms.list_keys()
    assert fault.hits == 2


def test_a_fraction_of_requests_is_hit_and_the_seed_says_which():
    kind = RequestKind("1", "r", "kms", "ListKeys")

    def pattern(seed):
        faults = Faults(seed)
        faults.throttle(fraction=0.3)
        return [faults.plan(kind).refusal is not None for _ in range(1000)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 200 < sum(pattern(1)) < 400


def test_delays_add_up():
    faults = Faults()
    faults.latency(0.25)
    faults.latency(0.5, operation="ListKeys")

    assert faults.plan(RequestKind("1", "r", "kms", "ListKeys")).delay == 0.75
    assert faults.plan(RequestKind("1", "r", "kms", "ListAliases")).delay == 0.25


def test_a_late_answer_outlasts_an_impatient_client(faults, kms, impatient):
    faults.latency(0.3, times=2)

    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        impatient.list_keys()
    assert kms.list_keys()


@pytest.mark.parametrize("fault", ["hang", "hang_after_headers"])
def test_a_hanging_answer_never_comes(faults, kms, impatient, key, fault):
    getattr(faults, fault)(times=1)

    with pytest.raises((botocore.exceptions.ReadTimeoutError, botocore.exceptions.ResponseStreamingError)):
        impatient.describe_key(KeyId=key.key_id)
    assert kms.describe_key(KeyId=key.key_id)


def test_headers_come_before_an_answer_hangs(faults, post):
    faults.hang_after_headers()

    with post("ListKeys", read_timeout=0.2) as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 0
        with pytest.raises(TimeoutError):
            response.read()


def test_an_answer_that_trickles_comes_whole_and_no_time_out_passes(aws, faults, key):
    faults.trickle(times=1)
    started = time.monotonic()

    answer = aws.client("kms", read_timeout=2).describe_key(KeyId=key.key_id)

    assert answer["KeyMetadata"]["KeyId"] == key.key_id
    assert time.monotonic() - started > 2


def test_a_connection_that_closes_is_a_connection_error(faults, kms):
    faults.close(times=1)

    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        kms.list_keys()
    assert kms.list_keys()


def test_a_truncated_answer_announces_more_than_it_brings(faults, post):
    faults.truncate()

    with post("ListKeys") as response, pytest.raises(http.client.IncompleteRead):
        response.read()


def test_a_garbled_answer_comes_whole_but_is_no_json(faults, post):
    faults.garble()

    with post("ListKeys") as response:
        body = response.read()

    assert len(body) == int(response.headers["Content-Length"])
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize("fault", ["truncate", "garble"])
def test_botocore_takes_broken_json_for_an_empty_answer(aws, faults, key, fault):
    """Why callers must insist on the members that they need: no error is raised."""
    getattr(faults, fault)()
    client = aws.client("kms", checked=False)

    assert client.list_keys().keys() == {"ResponseMetadata"}
    assert client.describe_key(KeyId=key.key_id).keys() == {"ResponseMetadata"}


@pytest.mark.parametrize("fault", ["truncate", "garble"])
@pytest.mark.parametrize("service", ["sts", "ec2"])
def test_botocore_refuses_broken_xml(aws, faults, service, fault):
    getattr(faults, fault)()
    client = aws.client(service, checked=False)

    with pytest.raises(ResponseParserError):
        getattr(client, CALLS[service])()


def test_an_answer_can_be_changed_into_anything(aws, faults, key):
    faults.change(merging({"KeyMetadata": {"KeyState": "Quantum", "KeyManager": None, "DeletionDate": "soon"}}))
    client = aws.client("kms", checked=False)
    raw = {}
    client.meta.events.register("before-parse", lambda response_dict, **_: raw.update(body=response_dict["body"]))

    with pytest.raises((ResponseParserError, ValueError)):
        client.describe_key(KeyId=key.key_id)

    assert b'"KeyState":"Quantum"' in raw["body"]
    assert b"KeyManager" not in raw["body"]
    assert b'"DeletionDate":"soon"' in raw["body"]


def test_an_unknown_state_reaches_the_client_as_it_is(aws, faults, key):
    faults.change(merging({"KeyMetadata": {"KeyState": "Quantum"}}), operation="DescribeKey")

    metadata = aws.client("kms", checked=False).describe_key(KeyId=key.key_id)["KeyMetadata"]

    assert metadata["KeyState"] == "Quantum"


def test_faults_change_while_requests_are_in_flight(aws, emulator, faults, eventually):
    faults.hang(operation="ListKeys")
    stuck, other = aws.client("kms", read_timeout=30), aws.client("kms")

    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(stuck.list_keys)
        eventually(lambda: emulator.world.counts.total("ListKeys") == 1)
        assert other.list_aliases()
        faults.clear()
        assert other.list_keys()
        assert not waiting.done()
        emulator.stop()
        assert isinstance(waiting.exception(), botocore.exceptions.BotoCoreError)
