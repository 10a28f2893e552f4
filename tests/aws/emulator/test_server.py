"""Running the emulator: in a thread, stopped and revived, as a process of its own, driven from outside."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions
import pytest
from botocore.utils import get_environ_proxies

from exporter.demo import actors
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import World

HOME = "111122223333"


def call(url, path, order=None):
    """Call one of the emulator's own endpoints and return status and answer."""
    data = None if order is None else json.dumps(order).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, data=data), timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def vault(world):
    return world.vault(HOME, "eu-west-1")


def test_it_can_die_and_come_back_on_the_same_port(emulator, kms):
    assert kms.list_keys()
    url = emulator.url

    emulator.stop()
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        kms.list_keys()
    emulator.start()

    assert emulator.url == url
    assert kms.list_keys()


def test_stopping_cuts_requests_that_hang(aws, emulator, eventually):
    emulator.faults.hang()
    client = aws.client("kms", read_timeout=30)

    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(client.list_keys)
        eventually(lambda: emulator.world.counts.total("ListKeys") == 1)
        emulator.stop()

        assert isinstance(waiting.exception(), botocore.exceptions.BotoCoreError)


def test_stopping_twice_is_stopping_once(world):
    emulator = EmulatorServer(world)
    emulator.start()
    emulator.stop()
    emulator.stop()


def test_a_port_that_is_taken_is_told(emulator):
    taken = int(emulator.url.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"):
        EmulatorServer(World(), taken).start()


def test_two_emulators_run_side_by_side(emulator):
    with EmulatorServer(World()) as other:
        assert other.url != emulator.url


def test_the_environment_alone_points_boto3_at_it(emulator, vault, tmp_path):
    key = vault.create_key()
    script = "import boto3; print(boto3.client('kms').list_keys()['Keys'][0]['KeyId'])"

    found = subprocess.run(
        [sys.executable, "-c", script],
        env={"HOME": str(tmp_path), "AWS_SESSION_TOKEN": "of other credentials", **environment(emulator.url)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == key.key_id


def test_no_proxy_of_the_user_stands_before_it(emulator, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "intranet.example.org")
    for name, value in environment(emulator.url).items():
        monkeypatch.setenv(name, value)

    assert get_environ_proxies(emulator.url) == {}


def test_a_large_request_is_read_whole(aws, kms):
    assert aws.code(kms.list_keys, Marker="x" * 1_000_000) == "InvalidMarkerException"


@pytest.mark.parametrize("body", ["{", "7", '"text"', "[1]"])
def test_a_request_that_is_no_json_object_is_refused(aws, body):
    with pytest.raises(botocore.exceptions.ClientError, match="SerializationException"):
        aws.client_sending(body).list_keys()


def test_an_unsigned_request_is_refused(emulator):
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(emulator.url, data=b"Action=GetCallerIdentity", timeout=10)

    with failure.value as answer:
        assert answer.code == 403
        assert b"MissingAuthenticationToken" in answer.read()


def test_requests_are_counted(emulator, kms, world):
    kms.list_keys()
    kms.list_keys()
    emulator.faults.deny(operation="ListAliases")
    with pytest.raises(botocore.exceptions.ClientError):
        kms.list_aliases()

    _, stats = call(emulator.url, "/_emulator/stats")

    where = {"account_id": HOME, "region": "eu-west-1", "service": "kms"}
    assert stats == {
        "requests": [{**where, "operation": "ListAliases", "count": 1}, {**where, "operation": "ListKeys", "count": 2}],
        "refusals": {"AccessDeniedException": 1},
    }
    assert world.counts.total("ListKeys", service="kms", region="eu-west-1", account_id=HOME) == 2
    assert world.counts.total("ListKeys", region="us-east-1") == 0
    world.counts.clear()
    assert (world.counts.total(), world.counts.refused()) == (0, 0)


def test_keys_are_changed_from_outside(emulator, vault):
    key = vault.create_key(alias="alias/app")
    where = {"account_id": HOME, "region": "eu-west-1", "key_id": "alias/app"}
    keys = "/_emulator/keys"

    _, told = call(emulator.url, keys, {"action": "schedule", **where, "days": 7})
    assert told["state"] == key.state == "PendingDeletion"
    assert call(emulator.url, "/_emulator/pending")[1]["keys"] == [told]
    call(emulator.url, keys, {"action": "cancel", **where})
    assert key.state == "Disabled"
    call(emulator.url, keys, {"action": "enable", **where})
    assert key.state == "Enabled"
    call(emulator.url, keys, {"action": "disable", **where})
    assert key.state == "Disabled"
    call(emulator.url, keys, {"action": "delete", **where, "key_id": key.key_id})
    assert vault.keys == {}


def test_uses_grants_and_tags_come_from_outside(emulator, vault, kms, clock):
    key = vault.create_key()
    order = {"account_id": HOME, "region": "eu-west-1", "key_id": key.key_id, "by": "assumed-role/app/i-1"}
    keys = "/_emulator/keys"

    call(emulator.url, keys, {**order, "action": "tag", "tags": {"owner": "payments"}})
    call(emulator.url, keys, {**order, "action": "grant", "grantee": "rds.eu-west-1.amazonaws.com"})
    call(emulator.url, keys, {**order, "action": "use", "operation": "Sign", "at": clock.time - 60})
    call(emulator.url, keys, {**order, "action": "schedule", "days": 7})
    status, _ = call(emulator.url, keys, {**order, "action": "use"})

    assert status == 200
    assert key.tags == {"owner": "payments"}
    assert len(kms.list_grants(KeyId=key.key_id)["Grants"]) == 1
    assert key.last_use.operation == "Sign"
    told = [(event.deed.name, event.deed.by.session) for event in vault.trail.newest_first()]
    assert told[0] == ("Decrypt", "i-1")
    assert ("ScheduleKeyDeletion", "i-1") in told


@pytest.mark.parametrize(
    ("text", "actor"),
    [
        ("user/alice", actors.user("alice")),
        ("assumed-role/ci/build-1", actors.assumed_role("ci", "build-1")),
        ("service/rds.amazonaws.com", actors.service("rds.amazonaws.com")),
        ("root", actors.root()),
    ],
)
def test_who_acts_is_told_in_a_text(text, actor):
    assert actors.parse(text) == actor


def test_a_text_that_names_nobody_is_refused():
    with pytest.raises(ValueError, match="'somebody' is no user/NAME"):
        actors.parse("somebody")


def test_time_is_advanced_from_outside(emulator, vault, clock):
    vault.schedule_deletion(vault.create_key().key_id, 7)

    _, told = call(emulator.url, "/_emulator/advance", {"seconds": 7 * 86_400})

    assert told["time"] == clock.time + 7 * 86_400
    assert vault.keys == {}


def test_faults_are_set_and_cleared_from_outside(aws, emulator, kms):
    call(emulator.url, "/_emulator/faults", {"fault": "throttle", "operation": "ListKeys"})
    assert aws.code(kms.list_keys) == "ThrottlingException"

    call(emulator.url, "/_emulator/faults", {"fault": "clear"})
    assert kms.list_keys()


def test_answers_are_changed_from_outside(aws, emulator, vault):
    key = vault.create_key()
    merge = {"KeyMetadata": {"KeyState": "Quantum"}}
    call(emulator.url, "/_emulator/faults", {"fault": "change", "merge": merge, "operation": "DescribeKey"})

    metadata = aws.client("kms", checked=False).describe_key(KeyId=key.key_id)["KeyMetadata"]

    assert metadata["KeyState"] == "Quantum"


@pytest.mark.parametrize(
    ("path", "order", "status"),
    [
        ("/_emulator/nothing", {}, 404),
        ("/_emulator/stats", {}, 404),
        ("/_emulator/faults", {"fault": "explode"}, 400),
        ("/_emulator/faults", {"fault": "deny", "colour": "red"}, 400),
        ("/_emulator/keys", {"action": "schedule"}, 400),
        ("/_emulator/keys", {"action": "eat", "account_id": HOME, "region": "eu-west-1", "key_id": "x"}, 400),
        ("/_emulator/advance", {"seconds": -1}, 400),
        ("/_emulator/advance", "now", 400),
    ],
)
def test_orders_that_make_no_sense_are_refused(emulator, path, order, status):
    found, answer = call(emulator.url, path, order)

    assert found == status
    assert answer["error"]


@pytest.fixture
def start():
    processes = []

    def start(*arguments):
        command = [sys.executable, "-m", "exporter.demo.server", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_process_of_its_own_tells_its_url_and_ends_on_sigterm(start):
    process, url = start("--keys", "3", "--regions", "2", "--accounts", "2", "--pending", "1", "--latency", "1ms")

    _, pending = call(url, "/_emulator/pending")
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()

    assert len(pending["keys"]) == 4
    assert process.wait(10) == 0
    assert rest == ""


def test_a_process_can_play_the_demo(start):
    _, url = start("--demo", "--quotas")

    _, pending = call(url, "/_emulator/pending")

    assert {key["account_id"] for key in pending["keys"]} > {HOME}


def test_a_process_refuses_a_latency_without_meaning():
    command = [sys.executable, "-m", "exporter.demo.server", "--latency", "soon"]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "--latency" in ended.stderr
