"""From ScheduleKeyDeletion, through EventBridge and SQS, to the series on /metrics, in a real process."""

import re
import signal
import sys
import time

import httpx
import pytest

from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from tests.support.processes import exporter_process
from tests.support.waiting import until

HOME, REGION = "111122223333", "eu-west-1"


@pytest.fixture
def emulator():
    """A thousand keys, and nothing but a message that would tell of one within the hour."""
    world = uniform_world(1000, (REGION,))
    world.bridge.add_rule(world.add_queue("kms-events", REGION))
    with EmulatorServer(world) as running:
        yield running


def started(emulator, *options: str):
    """Run an exporter that looks at nothing by itself for an hour after its first pass."""
    quiet = "--refresh.interval=1h --refresh.fallback_interval=1h --changes.cloudtrail=false --aws.request_rate=1"
    return exporter_process("serve", *quiet.split(), *options, env=environment(emulator.url))


@pytest.fixture
def exporter(emulator):
    with started(emulator, "--changes.sqs_queue_url", f"{emulator.url}/{HOME}/kms-events") as process:
        process.ready()
        yield process


def value(page: str, series: str) -> float | None:
    found = re.search(rf"^{re.escape(series)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else None


def pending(page: str) -> set[str]:
    return set(re.findall(r'^kms_key_pending_deletion\{.*key_id="([^"]+)"\} 1$', page, re.MULTILINE))


def test_a_deletion_that_is_scheduled_is_a_series_soon(emulator, exporter, capsys):
    until(lambda: value(exporter.metrics(), "kms_exporter_queue_messages") is not None)
    vault = emulator.world.vault(HOME, REGION)
    key_id = next(iter(vault.keys))
    sent = time.perf_counter()
    vault.schedule_deletion(key_id, days=7)
    until(lambda: pending(exporter.metrics()) == {key_id}, within=30, every=0.01)
    with capsys.disabled():
        sys.stdout.write(f"\nScheduleKeyDeletion to the series on /metrics: {time.perf_counter() - sent:.2f} s\n")
    until(lambda: value(exporter.metrics(), 'kms_exporter_queue_received_messages_total{outcome="handled"}') == 1)
    page = exporter.metrics()
    assert value(page, 'kms_exporter_change_events_total{source="sqs",event="ScheduleKeyDeletion"}') == 1
    assert value(page, "kms_exporter_queue_up") == 1
    assert value(page, "kms_exporter_queue_messages") is not None
    assert value(page, 'kms_exporter_queue_received_messages_total{outcome="poison"}') == 0
    assert time.time() - value(page, "kms_exporter_queue_last_success_timestamp_seconds") < 60


def test_it_ends_within_seconds_though_a_poll_is_under_way(emulator, exporter):
    until(lambda: emulator.world.queues[HOME, REGION, "kms-events"].listened_to)
    ended = time.monotonic()
    assert exporter.end(signal.SIGTERM) == 0
    assert time.monotonic() - ended < 5
    assert exporter.events("stopped")


def test_a_queue_that_is_denied_is_told_and_costs_nothing_else(emulator, exporter):
    denial = emulator.faults.deny(service="sqs")
    emulator.world.queues[HOME, REGION, "kms-events"].send("to end the poll")
    until(lambda: value(exporter.metrics(), "kms_exporter_queue_up") == 0)
    assert exporter.get("/readyz").status_code == httpx.codes.OK
    assert 'kms_exporter_target_up{account_id="111122223333",region="eu-west-1"} 1' in exporter.metrics()
    assert any("AccessDenied" in line for line in exporter.events("queue_failed"))
    emulator.faults.remove(denial)
    until(lambda: exporter.events("queue_recovered"), within=90)


def test_without_a_queue_nothing_is_told_of_one(emulator):
    with started(emulator) as process:
        process.ready()
        page = process.metrics()
        assert re.findall(r"^kms_exporter_queue_.*", page, re.MULTILINE) == []
