"""What the README of the chart says to type, as far as it goes without a cluster.

Each `helm install` of the README is rendered as it stands there; then the container's command runs against an emulated
AWS, and a real Prometheus is set up as the operator would from the rendered ServiceMonitor and PrometheusRule.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import DEFAULT_HOME, World
from tests.helm.charts import CHART, ROOT, Resource, container_of, helm, only
from tests.rules.servers import running
from tests.support.components import program
from tests.support.moto import moto_server
from tests.support.processes import ExporterProcess, Prometheus, free_port
from tests.support.waiting import until

README = (CHART / "README.md").read_text()


def commands(text: str, beginning: str) -> list[list[str]]:
    """Return the shell commands of a Markdown text that begin so."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = (line for block in blocks for line in block.replace("\\\n", " ").splitlines())
    return [shlex.split(line) for line in lines if line.startswith(beginning)]


INSTALLS = commands(README, "helm install ")
REGION = "eu-west-1"


def installed(*having: str) -> list[Resource]:
    """Return the resources of the one `helm install` of the README whose text has something in it."""
    (command,) = (command for command in INSTALLS if all(part in " ".join(command) for part in having))
    _, _, release, chart, *options = command
    text = helm("template", release, ROOT / chart, *options, "--api-versions=monitoring.coreos.com/v1")
    return [resource for resource in yaml.safe_load_all(text) if resource]


@contextmanager
def pod(resources: list[Resource], folder: Path, env: dict[str, str]) -> Iterator[ExporterProcess]:
    """Run the exporter's container: its arguments, its mounted configuration; what it listens on is this machine's."""
    container = container_of(resources)
    for resource in resources:
        if resource["kind"] == "ConfigMap":
            for name, text in resource["data"].items():
                (folder / name).write_text(text)
    arguments = [argument.replace("/etc/kms-exporter", str(folder)) for argument in container["args"]]
    assert "env" not in container
    process = ExporterProcess([*arguments, f"--web.listen_address=127.0.0.1:{free_port()}"], env)
    try:
        process.ready()
        yield process
    finally:
        process.kill()


def test_a_role_is_all_that_the_home_account_takes(tmp_path: Path) -> None:
    resources = installed("role-arn")
    assert {resource["kind"] for resource in resources} == {"ServiceAccount", "ConfigMap", "Deployment", "Service"}
    world = World(home_regions=[REGION, "us-east-1"])
    pending = world.vault(DEFAULT_HOME, REGION).create_key(alias="alias/old").key_id
    world.vault(DEFAULT_HOME, REGION).schedule_deletion(pending, days=7)
    with EmulatorServer(world) as emulator, pod(resources, tmp_path, environment(emulator.url)) as exporter:
        page = exporter.metrics()
    assert re.search(rf'^kms_key_pending_deletion{{.*region="{REGION}",key_id="{pending}"}} 1$', page, re.MULTILINE)
    up = re.findall(r'^kms_exporter_target_up{account_id="(\d+)",region="([^"]+)"} 1$', page, re.MULTILINE)
    assert sorted(up) == [(DEFAULT_HOME, REGION), (DEFAULT_HOME, "us-east-1")]


@pytest.fixture
def moto() -> Iterator[str]:
    with moto_server() as url:
        yield url


def test_the_role_is_entered_with_the_token_of_the_service_account(moto: str, tmp_path: Path) -> None:
    resources = installed("role-arn")
    role = only(resources, "ServiceAccount")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    token = tmp_path / "token"
    token.write_text("of-the-service-account")
    # What EKS adds to the pod: https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html
    env = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_REGION": REGION}
    env |= {"AWS_ENDPOINT_URL": moto, "NO_PROXY": "127.0.0.1"}
    with pod(resources, tmp_path, env) as exporter:
        page = exporter.metrics()
    account_id = role.split(":")[4]
    assert f'kms_exporter_target_up{{account_id="{account_id}",region="{REGION}"}} 1' in page
    assert f'kms_exporter_account_up{{account_id="{account_id}"}} 1' in page


@contextmanager
def prometheus_of(resources: list[Resource], target: str, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus as the operator would have it; only the intervals are shorter."""
    (endpoint,) = only(resources, "ServiceMonitor")["spec"]["endpoints"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(only(resources, "PrometheusRule")["spec"]))
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {
                "job_name": only(resources, "Service")["metadata"]["name"],
                "honor_labels": endpoint["honorLabels"],
                "metrics_path": endpoint["path"],
                "static_configs": [{"targets": [target]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    with running(command, f"http://{address}", folder / "prometheus.log"):
        yield Prometheus(f"http://{address}")


def test_a_newcomer_sees_the_alert_that_the_readme_promises(tmp_path: Path) -> None:
    promised = "KmsKeyDeletionSoon"
    assert f"`{promised}` fires as soon as Prometheus has scraped once" in README
    resources = installed("demo=true")
    with pod(resources, tmp_path, {}) as exporter:
        target = exporter.url.removeprefix("http://")
        with prometheus_of(resources, target, tmp_path) as prometheus:
            found = until(lambda: prometheus.query(f'ALERTS{{alertname="{promised}", alertstate="firing"}}'), within=30)
    assert all({"account_id", "region", "key_id", "severity"} <= {name for name, _ in labels} for labels in found)


@pytest.mark.parametrize("beginning", ["scripts/image ", "helm install ", "helm upgrade "])
def test_the_readme_of_the_repository_says_nothing_else(beginning: str) -> None:
    said = commands((ROOT / "README.md").read_text(), beginning)
    assert said
    assert [command for command in said if command not in commands(README, beginning)] == []
