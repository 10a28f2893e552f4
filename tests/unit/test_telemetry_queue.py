"""What is told of the queue, and that nothing is while there is none."""

import re

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.exposition.registry import RegistryLines
from exporter.telemetry import Telemetry

GAUGES = ("up", "last_success_timestamp_seconds", "messages", "oldest_message_age_seconds")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(CollectorRegistry(), version="", revision="", loaded_at=0)


def told(telemetry: Telemetry) -> dict[str, float]:
    """Return the value of every series about the queue."""
    lines = RegistryLines(telemetry.registry).render(openmetrics=False)
    found = re.findall(r"^kms_exporter_queue_(\S+) (\S+)$", lines, re.MULTILINE)
    return {series: float(value) for series, value in found}


def fill(telemetry: Telemetry) -> None:
    telemetry.queue_reading(["handled", "poison"])
    telemetry.queue_message("handled")
    telemetry.queue_up(True)
    telemetry.queue_answered(1_790_000_000.0)
    telemetry.queue_level(7, 12.5)


def test_nothing_is_told_where_no_queue_is_read(telemetry: Telemetry) -> None:
    assert told(telemetry) == {}


def test_everything_is_told_of_one_that_is(telemetry: Telemetry) -> None:
    fill(telemetry)
    assert told(telemetry) == {
        "up": 1,
        "last_success_timestamp_seconds": 1_790_000_000.0,
        "messages": 7,
        "oldest_message_age_seconds": 12.5,
        'received_messages_total{outcome="handled"}': 1,
        'received_messages_total{outcome="poison"}': 0,
    }


def test_what_became_unknown_is_not_told_as_it_was(telemetry: Telemetry) -> None:
    fill(telemetry)
    telemetry.queue_level(None, None)
    assert not {"messages", "oldest_message_age_seconds"} & told(telemetry).keys()


def test_nor_is_anything_of_a_queue_that_was_taken_away(telemetry: Telemetry) -> None:
    fill(telemetry)
    telemetry.queue_gone()
    assert told(telemetry) == {}


def test_openmetrics_has_no_family_twice(telemetry: Telemetry) -> None:
    fill(telemetry)
    lines = RegistryLines(telemetry.registry).render(openmetrics=True)
    names = [family.name for family in parse_openmetrics(f"{lines}# EOF\n")]
    assert len(names) == len(set(names))
    assert {f"kms_exporter_queue_{name}" for name in GAUGES} < set(names)
