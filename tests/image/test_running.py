"""The image in operation: read-only, without a capability, as process 1, against the emulator on the host."""

import re
import time
from pathlib import Path

import httpx
import pytest

import exporter
from exporter.demo.scenario import demo_world
from exporter.demo.server import EmulatorServer, environment
from tests.support.processes import free_port
from tests.support.waiting import until

PYTHON = "/opt/kms-exporter/bin/python3"
CREDENTIAL_CHAIN = """
import boto3
for service in ("kms", "resourcegroupstaggingapi", "organizations", "ec2", "sts", "sso", "sso-oidc", "signin"):
    boto3.Session().client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    print(service)
"""


@pytest.fixture(scope="module")
def emulator():
    with EmulatorServer(demo_world()) as running:
        yield running


class Running:
    """A container that serves."""

    def __init__(self, engine, container, port):
        self.engine = engine
        self.container = container
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path):
        return httpx.get(self.url + path, timeout=5, trust_env=False)

    @property
    def state(self):
        return self.engine.inspect("container", self.container)["State"]

    @property
    def facts(self):
        """What the kernel says of its process."""
        lines = Path(f"/proc/{self.state['Pid']}/status").read_text().splitlines()
        return dict(line.split(":", 1) for line in lines)

    def healthy(self):
        """Run the image's own health check."""
        self.engine.podman("healthcheck", "run", self.container)


@pytest.fixture
def running(engine, built, emulator):
    port = free_port()
    env = environment(emulator.url) | {
        "KMS_EXPORTER_WEB__LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "KMS_EXPORTER_AWS__ORGANIZATION__ENABLED": "true",
        "KMS_EXPORTER_KEYS__TAGS": '["owner"]',
    }
    with engine.container(built.id, env=env) as container:
        served = Running(engine, container, port)
        until(lambda: served.get("/readyz").status_code == 200, within=30)
        yield served


def pending(page):
    return set(re.findall(r'^kms_key_pending_deletion\{.*key_id="([^"]+)"\} 1$', page, re.MULTILINE))


def test_it_is_ready_scraped_and_healthy(running, built, emulator):
    truth = {key.key_id for key in emulator.world.pending()}
    until(lambda: pending(running.get("/metrics").text) == truth)
    running.healthy()
    build = f'version="{exporter.__version__}",revision="{built.arguments["REVISION"]}"'
    assert build in running.get("/metrics").text


def test_sigterm_ends_process_1_with_status_0_within_5_seconds(running):
    assert running.facts["NSpid"].split()[-1] == "1"
    started = time.monotonic()
    running.engine.podman("stop", "--time", "5", running.container)
    assert time.monotonic() - started < 5
    assert running.state["ExitCode"] == 0


def test_it_has_no_capability_and_may_get_none(running):
    facts = running.facts
    assert {facts[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert facts["NoNewPrivs"].strip() == "1"
    assert "0" not in facts["Uid"].split() + facts["Gid"].split()


def test_it_is_unhealthy_when_nobody_listens(engine, built):
    env = {"KMS_EXPORTER_WEB__LISTEN_ADDRESS": f"127.0.0.1:{free_port()}"}
    probe = "/opt/kms-exporter/libexec/image_probe.py"
    with engine.container(built.id, "-I", "-S", probe, env=env, entrypoint=PYTHON) as container:
        assert int(engine.podman("wait", container)) == 1


def test_every_aws_service_that_may_be_called_is_known(engine, built):
    with engine.container(built.id, "-c", CREDENTIAL_CHAIN, env={}, entrypoint=PYTHON) as container:
        assert int(engine.podman("wait", container)) == 0
        assert len(engine.podman("logs", container).split()) == 8
