"""The image in operation: read-only, without a capability, as process 1, against the emulator on the host."""

import re
import time
from pathlib import Path

import httpx
import pytest

import exporter
from exporter.demo.scenario import demo_world
from exporter.demo.server import EmulatorServer, environment
from tests.support.certificates import authority, dns
from tests.support.processes import free_port
from tests.support.waiting import until

PYTHON = "/opt/kms-exporter/bin/python3"
PROBE = "/opt/kms-exporter/libexec/image_probe.py"
EVERY_MODULE = """
import importlib, pkgutil, exporter
for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
CREDENTIAL_CHAIN = """
import boto3
called = ("kms", "resourcegroupstaggingapi", "organizations", "ec2", "sts", "cloudtrail", "config", "sqs")
for service in (*called, "sso", "sso-oidc", "signin"):
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
        yield ready(Running(engine, container, port))


def ready(served):
    until(lambda: served.get("/readyz").status_code == 200, within=30)
    return served


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


def test_it_is_healthy_wherever_a_flag_has_it_listen(engine, built, emulator):
    port = free_port()
    flag = f"--web.listen_address=127.0.0.1:{port}"
    with engine.container(built.id, "serve", flag, env=environment(emulator.url)) as container:
        ready(Running(engine, container, port)).healthy()


def test_it_is_healthy_wherever_a_file_has_it_listen(engine, built, emulator, tmp_path):
    port = free_port()
    file = tmp_path / "kms.yaml"
    file.write_text(f"web: {{listen_address: '127.0.0.1:{port}', telemetry_path: /kms}}\n")
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    serve = ("serve", "--config", "/kms.yaml")
    with engine.container(built.id, *serve, env=environment(emulator.url), volume=f"{file}:/kms.yaml:ro") as container:
        ready(Running(engine, container, port)).healthy()


TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
CLIENTS = "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"


@pytest.mark.parametrize("clients", ["", CLIENTS], ids=["tls", "mtls"])
def test_it_is_healthy_behind_tls(engine, built, emulator, tmp_path, clients):
    ca = authority()
    ca.write(tmp_path, "ca")
    ca.issue("server", dns("localhost")).write(tmp_path, "server")
    (tmp_path / "web.yml").write_text(TLS + clients)
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o755)
    flags = [f"--web.listen_address=127.0.0.1:{free_port()}", "--web.config_file=/web/web.yml"]
    flags += [f"--web.probe_address=127.0.0.1:{free_port()}"] if clients else []
    env = environment(emulator.url)
    with engine.container(built.id, "serve", *flags, env=env, volume=f"{tmp_path}:/web:ro") as container:
        until(lambda: "event=listening" in engine.log(container), within=30)
        Running(engine, container, port=0).healthy()


def test_the_demo_is_healthy_beside_the_aws_that_it_emulates(engine, built):
    port = free_port()
    with engine.container(built.id, "demo", f"--web.listen_address=127.0.0.1:{port}", env={}) as container:
        ready(Running(engine, container, port)).healthy()


@pytest.mark.parametrize(
    ("beside", "why"),
    [("", "nothing listens"), ("server = socket.create_server(('127.0.0.1', 0))", "timed out")],
    ids=["nobody listens", "what listens does not answer"],
)
def test_it_is_unhealthy_when(engine, built, beside, why):
    probing = f"import runpy, socket; {beside}\nrunpy.run_path('{PROBE}', run_name='__main__')"
    with engine.container(built.id, "-I", "-S", "-c", probing, env={}, entrypoint=PYTHON) as container:
        assert int(engine.podman("wait", container)) == 1
        assert why in engine.log(container)


def test_nothing_that_a_command_imports_is_missing(engine, built):
    with engine.container(built.id, "-c", EVERY_MODULE, env={}, entrypoint=PYTHON) as container:
        status = int(engine.podman("wait", container))
        assert (status, engine.log(container)) == (0, "")


def test_every_aws_service_that_may_be_called_is_known(engine, built):
    with engine.container(built.id, "-c", CREDENTIAL_CHAIN, env={}, entrypoint=PYTHON) as container:
        assert int(engine.podman("wait", container)) == 0
        assert len(engine.podman("logs", container).split()) == 11
