"""The exporter's own metrics."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.registry import RegistryLines
from exporter.telemetry import Telemetry

LOADED_AT = 1_790_000_000.0
OF_DESCRIBE = {"service": "kms", "operation": "DescribeKey"}


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(CollectorRegistry(), version="1.2.3", revision="abcdef0", loaded_at=LOADED_AT)


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def test_it_says_what_is_running(telemetry: Telemetry) -> None:
    (build,) = [family for family in telemetry.registry.collect() if family.name == "kms_exporter_build_info"]
    (sample,) = build.samples
    assert sample.value == 1
    assert sample.labels["version"] == "1.2.3"
    assert sample.labels["revision"] == "abcdef0"
    assert sample.labels["python_version"].startswith("3.")


def test_requests_are_counted_and_timed(telemetry: Telemetry) -> None:
    telemetry.request("kms", "DescribeKey", 0.02)
    telemetry.request("kms", "DescribeKey", 30.0)
    assert value(telemetry, "kms_exporter_aws_requests_total", **OF_DESCRIBE) == 2
    name = "kms_exporter_aws_request_duration_seconds"
    assert value(telemetry, f"{name}_count", **OF_DESCRIBE) == 2
    assert value(telemetry, f"{name}_sum", **OF_DESCRIBE) == pytest.approx(30.02)
    assert value(telemetry, f"{name}_bucket", **OF_DESCRIBE, le="0.01") == 0
    assert value(telemetry, f"{name}_bucket", **OF_DESCRIBE, le="0.025") == 1
    assert value(telemetry, f"{name}_bucket", **OF_DESCRIBE, le="5.0") == 1
    assert value(telemetry, f"{name}_bucket", **OF_DESCRIBE, le="+Inf") == 2


def test_a_bucket_holds_its_upper_bound(telemetry: Telemetry) -> None:
    telemetry.request("kms", "DescribeKey", 0.01)
    assert value(telemetry, "kms_exporter_aws_request_duration_seconds_bucket", **OF_DESCRIBE, le="0.01") == 1


def test_throttles_are_counted(telemetry: Telemetry) -> None:
    telemetry.throttled("kms", "DescribeKey")
    assert value(telemetry, "kms_exporter_aws_throttles_total", **OF_DESCRIBE) == 1


def test_passes_are_timed_by_mode_from_zero(telemetry: Telemetry) -> None:
    telemetry.pass_ended("full", 12.0)
    assert value(telemetry, "kms_exporter_target_refresh_duration_seconds_count", mode="full") == 1
    assert value(telemetry, "kms_exporter_target_refresh_duration_seconds_sum", mode="full") == 12
    assert value(telemetry, "kms_exporter_target_refresh_duration_seconds_count", mode="changes") == 0


def test_changes_that_may_come_are_there_at_zero(telemetry: Telemetry) -> None:
    telemetry.expect_changes("sweep", ["deleted"])
    assert value(telemetry, "kms_exporter_change_events_total", source="sweep", event="deleted") == 0


def test_changes_are_counted(telemetry: Telemetry) -> None:
    telemetry.change("sweep", "deletion_scheduled")
    telemetry.change("sweep", "deletion_scheduled")
    labels = {"source": "sweep", "event": "deletion_scheduled"}
    assert value(telemetry, "kms_exporter_change_events_total", **labels) == 2


def test_the_configuration_is_in_force_from_the_start(telemetry: Telemetry) -> None:
    assert value(telemetry, "kms_exporter_config_last_reload_successful") == 1
    assert value(telemetry, "kms_exporter_config_last_reload_success_timestamp_seconds") == LOADED_AT


def test_a_refused_configuration_leaves_the_time_of_the_one_in_force(telemetry: Telemetry) -> None:
    telemetry.reload_failed()
    assert value(telemetry, "kms_exporter_config_last_reload_successful") == 0
    assert value(telemetry, "kms_exporter_config_last_reload_success_timestamp_seconds") == LOADED_AT
    telemetry.reloaded(LOADED_AT + 120)
    assert value(telemetry, "kms_exporter_config_last_reload_successful") == 1
    assert value(telemetry, "kms_exporter_config_last_reload_success_timestamp_seconds") == LOADED_AT + 120


def test_neither_configuration_hides_that_the_other_was_refused(telemetry: Telemetry) -> None:
    telemetry.web_config_read(False)
    assert value(telemetry, "kms_exporter_config_last_reload_successful") == 0
    telemetry.reloaded(LOADED_AT + 120)
    assert value(telemetry, "kms_exporter_config_last_reload_successful") == 0
    telemetry.reload_failed()
    telemetry.web_config_read(True)
    assert value(telemetry, "kms_exporter_config_last_reload_successful") == 0
    telemetry.reloaded(LOADED_AT + 240)
    assert value(telemetry, "kms_exporter_config_last_reload_successful") == 1


def test_targets_and_interval_are_what_was_told_last(telemetry: Telemetry) -> None:
    telemetry.targets(17)
    telemetry.targets(34)
    telemetry.refresh_interval(60.0)
    assert value(telemetry, "kms_exporter_targets") == 34
    assert value(telemetry, "kms_exporter_refresh_interval_seconds") == 60


def test_no_request_is_lost_between_threads(telemetry: Telemetry) -> None:
    start = threading.Barrier(8)

    def send(_: int) -> None:
        start.wait()
        for number in range(500):
            telemetry.request("kms", f"Operation{number % 50}", 0.02)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    labels = [{"service": "kms", "operation": f"Operation{number}"} for number in range(50)]
    assert {value(telemetry, "kms_exporter_aws_requests_total", **of) for of in labels} == {80}
    assert {value(telemetry, "kms_exporter_aws_request_duration_seconds_count", **of) for of in labels} == {80}


def test_the_process_and_its_interpreter_are_told(telemetry: Telemetry) -> None:
    names = {family.name for family in telemetry.registry.collect()}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_info", "python_gc_collections"} <= names


def test_labels_are_listed_for_each_family(telemetry: Telemetry) -> None:
    own = {family.name for family in telemetry.registry.collect() if family.name.startswith("kms_exporter")}
    assert {name.removesuffix("_total") for name in telemetry.labels} == own
    assert telemetry.labels["kms_exporter_aws_requests_total"] == ("service", "operation")


class TestLines:
    @pytest.fixture
    def used(self, telemetry: Telemetry) -> Telemetry:
        telemetry.request("kms", "DescribeKey", 0.02)
        telemetry.throttled("kms", "DescribeKey")
        telemetry.change("sweep", 'quoted "event"')
        return telemetry

    def test_they_tell_what_the_registry_does_but_when_counters_were_created(self, used: Telemetry) -> None:
        def samples(families):
            return {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in families
                for sample in family.samples
                if family.name.startswith("kms_exporter") and not sample.name.endswith("_created")
            }

        lines = RegistryLines(used.registry)
        text, openmetrics = lines.render(openmetrics=False), lines.render(openmetrics=True)
        assert samples(parse_text(text)) == samples(used.registry.collect())
        assert samples(parse_openmetrics(openmetrics + "# EOF\n")) == samples(used.registry.collect())
        assert "_created" not in text + openmetrics

    def test_they_follow_the_values(self, used: Telemetry) -> None:
        lines = RegistryLines(used.registry)
        before = lines.render(openmetrics=False)
        used.targets(5)
        assert "kms_exporter_targets 0\n" in before
        assert "kms_exporter_targets 5\n" in lines.render(openmetrics=False)


def test_it_says_which_shard_it_is_and_of_how_many(telemetry: Telemetry) -> None:
    telemetry.shard(1, 3)
    telemetry.shard(2, 4)
    assert value(telemetry, "kms_exporter_shard_info", index="1", total="3") is None
    assert value(telemetry, "kms_exporter_shard_info", index="2", total="4") == 1
    assert value(telemetry, "kms_exporter_shards") == 4
