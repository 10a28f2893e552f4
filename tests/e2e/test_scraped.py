"""The demo as Prometheus sees it: a real one scrapes the real process."""

import re
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.components import program
from tests.support.processes import ExporterProcess, exporter_process, prometheus
from tests.support.waiting import until

ALLOWED_COMPLAINT = 'kms_key_deletion_days_left use base unit "seconds" instead of "days"'


@pytest.fixture(scope="module")
def demo():
    with exporter_process("demo", env={}) as process:
        process.ready()
        yield process


@pytest.fixture(scope="module")
def server(demo: ExporterProcess, tmp_path_factory):
    with prometheus(tmp_path_factory.mktemp("prometheus"), [demo.url.removeprefix("http://")]) as running:
        until(lambda: running.query('up{job="kms"} == 1'), within=30)
        yield running


def test_every_pending_key_of_the_page_is_queried_back_with_its_days(demo, server):
    def pending_with_days():
        return server.query(
            "kms_key_pending_deletion == 1 and on (account_id, region, key_id) kms_key_deletion_days_left"
        )

    page = {
        key["key_id"]
        for key in demo.get("/api/v1/keys").json()["keys"]
        if key["pending"] and key["days_left"] is not None
    }
    assert len(page) >= 9
    until(lambda: page <= {dict(labels)["key_id"] for labels in pending_with_days()})


def test_a_primary_that_waits_for_its_replicas_is_pending_without_a_date(server):
    waiting = server.query('kms_key_state{state="PendingReplicaDeletion"}')
    (labels,) = waiting
    key_id = dict(labels)["key_id"]
    region = dict(labels)["region"]
    here = f'{{key_id="{key_id}", region="{region}"}}'
    assert list(server.query(f"kms_key_pending_deletion{here}").values()) == [1]
    assert list(server.query(f"kms_key_deletion_window_seconds{here}").values()) == [14 * 86400]
    assert not server.query(f"kms_key_deletion_timestamp_seconds{here}")


def test_hostile_text_arrives_as_it_is(server):
    descriptions = {dict(labels).get("description", "") for labels in server.query("kms_key_info")}
    assert "<script>alert('kms')</script><img src=x onerror=alert(1)>" in descriptions
    assert "C:\\temp\\new\\ and a trailing one \\" in descriptions
    assert any(text.startswith("first line\nsecond line") for text in descriptions)


def test_a_key_that_may_not_be_described_is_counted(server):
    assert sum(server.query("kms_exporter_target_unreadable_keys").values()) == 1
    assert set(server.query("kms_exporter_target_up").values()) == {1}


def test_what_happens_in_the_demo_reaches_prometheus(server):
    until(lambda: server.query('kms_exporter_change_events_total{event="deletion_scheduled"} >= 1'), within=60)
    until(lambda: server.query("kms_key_deletion_scheduled_timestamp_seconds"), within=10)
    until(lambda: server.query('kms_exporter_change_events_total{event="deletion_cancelled"} >= 1'), within=60)
    until(lambda: server.query('kms_key_deleted_timestamp_seconds{alias="alias/sandbox-demo"}'), within=60)


def test_promtool_has_one_complaint(demo):
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=demo.metrics(),
        text=True,
        capture_output=True,
        check=False,
        timeout=30,
    )
    complaints = (checked.stdout + checked.stderr).strip().splitlines()
    assert complaints == [ALLOWED_COMPLAINT]


def test_the_openmetrics_page_parses_strictly(demo):
    page = demo.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert page.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name for family in text_string_to_metric_families(page.text)}
    assert {
        "kms_key_pending_deletion",
        "kms_exporter_target_up",
        "kms_exporter_aws_requests",
        "process_cpu_seconds",
    } <= families


def test_curl_reads_the_compressed_page(demo):
    url = f"{demo.url}/metrics"
    page = subprocess.run(
        [program("curl"), "-sS", "--compressed", url], capture_output=True, text=True, timeout=30, check=True
    )
    assert re.findall(r"^kms_key_pending_deletion\{", page.stdout, re.MULTILINE)
    assert "process_cpu_seconds_total" in page.stdout  # the tail is not lost


def test_the_demo_tells_where_to_look(demo):
    text = "\n".join(demo.output)
    assert f"{demo.url}/metrics" in text
    assert f"{demo.url}/\n" in text


def test_the_page_shows_the_pending_keys(demo):
    page = demo.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "alias/card-vault-2023" in page.text
    assert "could not" in page.text
