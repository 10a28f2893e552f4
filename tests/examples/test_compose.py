"""The compose stack: a valid file whose every path exists and whose every command line the real programs accept."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from compose_spec import PyCompose

from exporter.settings import load
from tests.support.components import program
from tests.support.processes import free_port
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "examples" / "compose"
FILES = ("compose.yaml", "compose.aws.yaml")
STACK = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
ON_AWS = yaml.safe_load((COMPOSE / "compose.aws.yaml").read_text())["services"]


def binds(service):
    """Return path in the container to path of this repository, for what is mounted from it."""
    mounts = (mount.split(":") for mount in service.get("volumes", []))
    return {parts[1]: (COMPOSE / parts[0]).resolve() for parts in mounts if parts[0].startswith(".")}


def laid_out(service, folder):
    """Lay the mounts of a service out under `folder`, as its container sees them."""
    for inside, outside in binds(service).items():
        link = folder / inside.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(outside)
    return folder


def command(service, folder):
    """Return the arguments of a service with its absolute paths under `folder`."""
    return [argument.replace("=/", f"={folder}/") for argument in service["command"]]


@pytest.fixture
def served(tmp_path):
    """Run a server until it is ready; give its URL."""
    started = []

    def serve(name, service, *extra):
        port = free_port()
        arguments = [program(*name), *command(service, laid_out(service, tmp_path)), *extra]
        log = (tmp_path / "log").open("w")
        started.append((subprocess.Popen([*arguments, f"--web.listen-address=127.0.0.1:{port}"], stderr=log), log))
        url = f"http://127.0.0.1:{port}"
        until(lambda: httpx.get(f"{url}/-/ready", trust_env=False).is_success, within=30)
        return url

    yield serve
    for process, log in started:
        process.terminate()
        process.wait(20)
        log.close()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_valid(name):
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (COMPOSE / name).read_text()).replace("${HOME}", "/home/user")
    parsed = PyCompose.from_json(json.dumps(yaml.safe_load(text)))
    assert "kms-exporter" in parsed.service_names()


@pytest.mark.parametrize("service", [*STACK.values(), *ON_AWS.values()])
def test_everything_mounted_from_the_repository_exists_and_is_read_only(service):
    for mount in service.get("volumes", []):
        if mount.startswith("."):
            assert mount.endswith(":ro")
    assert [path for path in binds(service).values() if not path.exists()] == []


@pytest.mark.parametrize("name", STACK)
def test_a_service_is_hardened_and_reachable_from_this_machine_alone(name):
    service = STACK[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_no_image_floats():
    for service in STACK.values():
        tag = service["image"].rpartition("/")[2].partition(":")[2]
        assert tag
        assert "latest" not in tag


def test_prometheus_runs_as_written_and_finds_the_stack(served):
    url = served(("prometheus",), STACK["prometheus"])
    groups = httpx.get(f"{url}/api/v1/rules", trust_env=False).json()["data"]["groups"]
    assert {group["name"] for group in groups} >= {"kms-keys", "kms-coverage"}
    targets = httpx.get(f"{url}/api/v1/targets", trust_env=False).json()["data"]["activeTargets"]
    managers = yaml.safe_load((ROOT / "examples/prometheus/prometheus.yml").read_text())["alerting"]["alertmanagers"]
    addresses = {target["discoveredLabels"]["__address__"] for target in targets}
    addresses |= {address for group in managers[0]["static_configs"] for address in group["targets"]}
    published = {f"{name}:{port.split(':')[-1]}" for name, service in STACK.items() for port in service["ports"]}
    assert addresses <= published


def test_promtool_accepts_the_configuration(tmp_path):
    folder = laid_out(STACK["prometheus"], tmp_path)
    checked = subprocess.run(
        [program("promtool"), "check", "config", folder / "etc/prometheus/prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alertmanager_runs_as_written(served):
    url = served(("prometheus-alertmanager", "alertmanager"), STACK["alertmanager"])
    assert "kms-page" in httpx.get(f"{url}/api/v2/status", trust_env=False).json()["config"]["original"]


def test_the_exporter_accepts_its_demo_configuration():
    settings = load({}, STACK["kms-exporter"]["environment"]).settings
    assert settings.web.listen_address == "0.0.0.0:10841"
    assert STACK["kms-exporter"]["command"] == ["demo"]


def test_the_exporter_accepts_its_configuration_on_aws():
    service = ON_AWS["kms-exporter"]
    serve, flag, file = service["command"]
    assert (serve, flag) == ("serve", "--config")
    assert load({"config": str(binds(service)[file])}, {}).settings.aws.home_account


def test_grafana_finds_the_dashboards():
    mounts = binds(STACK["grafana"])
    (file,) = mounts["/etc/grafana/provisioning/dashboards"].glob("*.yaml")
    for provider in yaml.safe_load(file.read_text())["providers"]:
        assert list(mounts[provider["options"]["path"]].glob("*.json"))


def test_grafana_asks_the_prometheus_of_the_stack_as_often_as_it_scrapes():
    file = binds(STACK["grafana"])["/etc/grafana/provisioning/datasources/prometheus.yaml"]
    (source,) = yaml.safe_load(file.read_text())["datasources"]
    scraping = yaml.safe_load((ROOT / "examples/prometheus/prometheus.yml").read_text())["global"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == scraping["scrape_interval"]
