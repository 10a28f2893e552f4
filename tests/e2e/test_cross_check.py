"""AWS Config as a cross-check, as Prometheus sees it: a key where nobody watches, a denial, several shards."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo import beyond
from exporter.demo.keys import Key
from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from tests.support.processes import ExporterProcess, exporter_process
from tests.support.waiting import until

ON = ("--changes.config_aggregator", beyond.AGGREGATOR, "--aws.organization.enabled", "true")
SELECT = "SelectAggregateResourceConfig"


@pytest.fixture
def emulator() -> Iterator[EmulatorServer]:
    with EmulatorServer(uniform_world(3, ["eu-west-1"], 2, pending=1)) as running:
        yield running


@pytest.fixture
def stranger(emulator: EmulatorServer) -> Key:
    return beyond.add(emulator.world)


def serving(emulator: EmulatorServer, *options: str) -> Any:
    return exporter_process("serve", *ON, *options, env=environment(emulator.url))


def told(process: ExporterProcess) -> dict[str, float]:
    """Return the value of every series about Config."""
    return {
        series: float(value)
        for series, value in re.findall(r"^(kms_config_\S+) (\S+)$", process.metrics(), re.MULTILINE)
    }


def value(process: ExporterProcess, name: str) -> float | None:
    return told(process).get(f"kms_config_{name}")


def test_a_key_that_nobody_watches_is_told_beside_those_that_are_watched(
    emulator: EmulatorServer, stranger: Key
) -> None:
    series = (
        f'kms_config_unwatched_pending_deletion{{account_id="{beyond.ACQUIRED}",region="eu-central-1",'
        f'key_id="{stranger.key_id}",arn="{stranger.arn}"}}'
    )
    with serving(emulator) as process:
        process.ready()
        until(lambda: told(process).get(series) == 1)
        assert (value(process, "up"), value(process, "pending_keys")) == (1, 3)
        assert len([name for name in told(process) if "unwatched" in name]) == 1
        assert process.metrics().count("\nkms_key_pending_deletion{") == 6, "three keys in each account, as ever"
        assert len(until(lambda: process.events("config_unwatched_key"))) == 1


def test_a_denial_is_told_as_unknown_and_costs_nothing_else(emulator: EmulatorServer, stranger: Key) -> None:
    assert stranger.pending
    emulator.faults.deny(operation=SELECT)
    with serving(emulator) as process:
        process.ready()
        until(lambda: value(process, "up") == 0)
        assert told(process) == {"kms_config_up": 0, "kms_config_unreadable_results": 0}
        (line,) = until(lambda: process.events("config_failed"))
        assert "AccessDeniedException" in line


def test_of_two_shards_the_first_asks_and_knows_what_the_second_watches(
    emulator: EmulatorServer, stranger: Key
) -> None:
    shards = [("--shard.index", str(index), "--shard.total", "2") for index in range(2)]
    with serving(emulator, *shards[0]) as first, serving(emulator, *shards[1]) as second:
        for process in (first, second):
            process.ready()
        until(lambda: value(first, "up") == 1)
        until(lambda: any(stranger.key_id in series for series in told(first)))
        assert len([series for series in told(first) if "unwatched" in series]) == 1
        assert told(second) == {}
        assert emulator.world.counts.total(SELECT) == 1


def test_the_demo_shows_one() -> None:
    with exporter_process("demo", env={}) as process:
        until(lambda: any(beyond.ACQUIRED in series for series in told(process)), within=30)
        assert value(process, "up") == 1
