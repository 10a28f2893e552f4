"""A real VictoriaMetrics scrapes the exporter, and understands the shipped rules."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from tests.rules.rule_files import ALERTS, GROUPS, RECORDING, Rule, identity
from tests.rules.servers import running
from tests.support.components import program
from tests.support.processes import ExporterProcess, Prometheus, exporter_process, free_port
from tests.support.waiting import until

LAST: Final = "last_over_time({}[5m])"
"""What was scraped last: VictoriaMetrics shows samples only some time after it got them."""


class VictoriaMetrics(Prometheus):
    """It answers queries as Prometheus does."""

    def parses(self, expression: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10, trust_env=False)
        return answer.raise_for_status().json()["status"]


@pytest.fixture(scope="module")
def exporter() -> Iterator[ExporterProcess]:
    with exporter_process("demo", env={}) as process:
        process.ready()
        yield process


@pytest.fixture(scope="module")
def server(exporter: ExporterProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaMetrics]:
    folder = tmp_path_factory.mktemp("victoria-metrics")
    config = folder / "scrape.yaml"
    address = exporter.url.removeprefix("http://")
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: kms, static_configs: [{{targets: ['{address}']}}]}}]\n"
    )
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program("victoria-metrics", "victoria-metrics-prod"),
        f"-promscrape.config={config}",
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr={url.removeprefix('http://')}",
        "-search.latencyOffset=0s",
        "-memory.allowedBytes=256MB",
    ]
    with running(command, url, folder / "log"):
        found = VictoriaMetrics(url)
        until(lambda: found.query(LAST.format("up") + " == 1"), within=60)
        yield found


def test_it_has_every_pending_key_of_the_page(exporter: ExporterProcess, server: VictoriaMetrics) -> None:
    pending = {key["key_id"] for key in exporter.get("/api/v1/keys?pending=true").json()["keys"]}
    assert len(pending) >= 9

    def stored() -> bool:
        found = server.query(f"{LAST.format('kms_key_pending_deletion')} == 1")
        return pending <= {dict(labels)["key_id"] for labels in found}

    until(stored)


def test_it_has_as_many_series_as_the_page_has_samples(exporter: ExporterProcess, server: VictoriaMetrics) -> None:
    samples = {line.rpartition(" ")[0] for line in exporter.metrics().splitlines() if line.startswith("kms_key_state{")}

    def as_many() -> bool:
        found = server.query("count(last_over_time(kms_key_state[3s]))")
        return list(found.values()) == [len(samples)]

    until(as_many)


def test_hostile_text_arrives_as_it_is(server: VictoriaMetrics) -> None:
    descriptions = {dict(labels).get("description", "") for labels in server.query(LAST.format("kms_key_info"))}
    assert "<script>alert('kms')</script><img src=x onerror=alert(1)>" in descriptions
    assert "C:\\temp\\new\\ and a trailing one \\" in descriptions


@pytest.mark.parametrize("rule", [*RECORDING, *ALERTS], ids=identity)
def test_it_evaluates_the_rule(server: VictoriaMetrics, rule: Rule) -> None:
    assert server.parses(rule["expr"]) == "success"


def test_vmalert_takes_the_rules(tmp_path: Path) -> None:
    """All but `keep_firing_for`, which the vmalert of Debian 12 does not know yet."""
    groups = [{**group, "rules": [_older(rule) for rule in group["rules"]]} for group in GROUPS]
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": groups}))
    assert _exit_status([program("vmalert", "vmalert-prod"), f"-rule={rules}", "-dryRun"], tmp_path) == 0


def _older(rule: Rule) -> Rule:
    return {name: value for name, value in rule.items() if name != "keep_firing_for"}


def _exit_status(command: list[str], folder: Path) -> int:
    with (folder / "log").open("w") as log:
        return subprocess.run(command, stdout=log, stderr=log, timeout=60, check=False).returncode
