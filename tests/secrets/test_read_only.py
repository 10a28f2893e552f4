"""What is asked of AWS in a whole run, counted by AWS: nothing that changes anything, but where a person cancels."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data

from exporter.demo import beyond
from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from tests.iam.test_policies import called
from tests.support.processes import exporter_process
from tests.support.waiting import until

HOME, REGION = "111122223333", "eu-west-1"
QUEUE = "kms-events"
NEWER = {("kms", "GetKeyLastUsage")}
"""Reads that policy_sentry does not know yet."""
OWN_AFFAIRS = {("sts", "AssumeRole"), ("sqs", "DeleteMessageBatch")}
"""What neither reads nor changes a thing of the account's: entering a role, and clearing the exporter's own queue."""
IAM_NAMES = {"resourcegroupstaggingapi": "tag"}
SAVING = {("kms", "CancelKeyDeletion"), ("kms", "EnableKey")}
EVERYTHING_ON = {
    "KMS_EXPORTER_AWS__ORGANIZATION__ENABLED": "true",
    "KMS_EXPORTER_AWS__REQUEST_RATE": "1",
    "KMS_EXPORTER_KEYS__TAGS": '["owner"]',
    "KMS_EXPORTER_KEYS__LAST_USAGE": "true",
    "KMS_EXPORTER_CHANGES__CONFIG_AGGREGATOR": beyond.AGGREGATOR,
    "KMS_EXPORTER_REFRESH__INTERVAL": "5s",
}


def reads(service: str, name: str) -> bool:
    """Return whether IAM says that an operation only reads."""
    data: Any = get_action_data(IAM_NAMES.get(service, service), name)
    rows = data[IAM_NAMES.get(service, service)] if data else []
    return bool(rows) and {row["access_level"] for row in rows} <= {"Read", "List"}


@pytest.fixture
def emulator() -> Iterator[EmulatorServer]:
    world = uniform_world(3, [REGION], 2, pending=1)
    beyond.add(world, REGION)
    world.bridge.add_rule(world.add_queue(QUEUE, REGION))
    with EmulatorServer(world) as running:
        yield running


def variables(emulator: EmulatorServer) -> dict[str, str]:
    queue = {"KMS_EXPORTER_CHANGES__SQS_QUEUE_URL": f"{emulator.url}/{HOME}/{QUEUE}"}
    return {**environment(emulator.url), **EVERYTHING_ON, **queue}


def asked(emulator: EmulatorServer) -> set[str]:
    """Return the name of every operation that AWS was asked for, whatever it answered."""
    return {kind.operation for kind in emulator.world.counts.requests.copy()}


def states(emulator: EmulatorServer) -> dict[str, str]:
    return {key.arn: key.state for key in emulator.world.keys()}  # noqa: SIM118 - it is no dictionary


def test_every_operation_of_the_service_reads() -> None:
    writing = {each for each in called() - NEWER - OWN_AFFAIRS if not reads(*each)}
    assert writing == set()


def test_what_changes_keys_is_what_saves_them() -> None:
    assert {each for each in called(changing=True) if not reads(*each)} == SAVING


def test_a_run_of_the_service_with_everything_on_asks_for_nothing_else(emulator: EmulatorServer) -> None:
    with exporter_process("serve", env=variables(emulator)) as process:
        process.ready()
        vault = emulator.world.vault(HOME, REGION)
        key_id = next(key.key_id for key in vault.keys.values() if not key.pending and key.manager == "CUSTOMER")
        vault.schedule_deletion(key_id, 7)
        before = states(emulator)
        until(lambda: {name for _, name in called()} <= asked(emulator), within=60)
        assert process.end() == 0

    assert asked(emulator) == {name for _, name in called()}
    assert states(emulator) == before


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("estimate", "--live"),
        ("cancel-deletion", "--all-unacknowledged", "--region", REGION, "--reason", "a drill", "--yes", "--dry-run"),
    ],
    ids=lambda command: command[0],
)
def test_a_command_that_saves_nothing_changes_nothing(emulator: EmulatorServer, command: tuple[str, ...]) -> None:
    before = states(emulator)
    subprocess.run(
        [sys.executable, "-m", "exporter", *command],
        env={"PATH": os.environ["PATH"], **variables(emulator)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert "ListKeys" in asked(emulator), "it did not come to look at keys"
    assert asked(emulator) <= {name for _, name in called() | called(changing=True)}
    assert asked(emulator).isdisjoint({name for _, name in SAVING})
    assert states(emulator) == before
