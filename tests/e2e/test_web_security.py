"""TLS, client certificates and passwords as those meet them who scrape: a real Prometheus, the real process."""

import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.support.certificates import Authority, Pair, address, authority, dns, uri
from tests.support.processes import ExporterProcess, exporter_process, prometheus
from tests.support.waiting import until

PROMETHEUS = "spiffe://cluster.local/ns/monitoring/sa/prometheus"
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
CLIENTS = f"""\
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: ['{PROMETHEUS}']
"""
USERS = f"basic_auth_users:\n  prometheus: {bcrypt.hashpw(b'secret', bcrypt.gensalt(10)).decode()}\n"
LOGIN = httpx.BasicAuth("prometheus", "secret")


@pytest.fixture
def ca() -> Authority:
    return authority()


@pytest.fixture
def folder(tmp_path: Path, ca: Authority) -> Path:
    """Return where the server's and the client's certificates are."""
    ca.write(tmp_path, "ca")
    issue(ca, tmp_path, "first")
    ca.issue("prometheus", uri(PROMETHEUS)).write(tmp_path, "client")
    return tmp_path


def issue(ca: Authority, folder: Path, name: str) -> Pair:
    """Give the server another certificate, as a rotation does."""
    return ca.issue(name, dns("localhost"), address("127.0.0.1")).write(folder, "server")


@pytest.fixture
def serving(folder: Path) -> Iterator[object]:
    """Return what starts the demo under a web configuration."""
    running: list[object] = []

    def start(text: str, *options: str) -> ExporterProcess:
        (folder / "web.yml").write_text(text)
        context = exporter_process("demo", "--web.config_file", str(folder / "web.yml"), *options, env={})
        process = context.__enter__()
        running.append(context)
        return process

    yield start
    for context in running:
        context.__exit__(None, None, None)


def get(process: ExporterProcess, folder: Path, path: str = "/metrics", *, client: bool = False, **arguments):
    """Send a request over TLS, on a connection of its own."""
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    if client:
        context.load_cert_chain(folder / "client.crt", folder / "client.key")
    url = process.url.replace("http://", "https://") + path
    return httpx.get(url, verify=context, timeout=10, trust_env=False, **arguments)


def server_name(process: ExporterProcess, folder: Path) -> str:
    """Return the name in the certificate that the server has for a new connection."""
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    url = process.url.replace("http://", "https://") + "/healthz"
    with httpx.Client(verify=context, trust_env=False) as client, client.stream("GET", url) as response:
        certificate = response.extensions["network_stream"].get_extra_info("ssl_object").getpeercert()
    return dict(pair for (pair,) in certificate["subject"])["commonName"]


def config_in_force(process: ExporterProcess, folder: Path) -> float:
    (found,) = re.findall(
        r"^kms_exporter_config_last_reload_successful (\S+)$", get(process, folder).text, re.MULTILINE
    )
    return float(found)


def scraped_with(process: ExporterProcess, folder: Path, how: str) -> None:
    """Have a real Prometheus scrape, and wait until it has keys."""
    with prometheus(folder, [process.url.removeprefix("http://")], how) as server:
        until(lambda: server.query('up{job="kms"} == 1'), within=30)
        until(lambda: server.query("kms_key_pending_deletion == 1"), within=30)


def test_prometheus_scrapes_over_tls_with_a_password(serving, folder: Path) -> None:
    process = serving(TLS + USERS)
    scraped_with(
        process,
        folder,
        f"scheme: https, tls_config: {{ca_file: {folder}/ca.crt}}, "
        "basic_auth: {username: prometheus, password: secret}",
    )


def test_prometheus_scrapes_with_a_client_certificate(serving, folder: Path) -> None:
    process = serving(TLS + CLIENTS)
    scraped_with(
        process,
        folder,
        "scheme: https, tls_config: "
        f"{{ca_file: {folder}/ca.crt, cert_file: {folder}/client.crt, key_file: {folder}/client.key}}",
    )


def test_nothing_is_reached_without_a_password(serving, folder: Path) -> None:
    process = serving(TLS + USERS)
    for path in ("/", "/metrics", "/api/v1/keys", "/api/v1/openapi.json", "/healthz", "/readyz"):
        assert get(process, folder, path).status_code == 401
        assert get(process, folder, path, auth=("prometheus", "guess")).status_code == 401
        assert get(process, folder, path, auth=LOGIN).status_code in (200, 503)


def test_nothing_is_reached_without_an_allowed_certificate(serving, ca: Authority, folder: Path) -> None:
    process = serving(TLS + CLIENTS)
    assert get(process, folder, client=True).status_code == 200
    with pytest.raises(httpx.TransportError):
        get(process, folder)
    ca.issue("another", uri("spiffe://cluster.local/ns/default/sa/default")).write(folder, "client")
    with pytest.raises(httpx.TransportError):
        get(process, folder, client=True)


def test_nothing_is_reached_without_tls(serving) -> None:
    process = serving(TLS)
    with pytest.raises(httpx.TransportError):
        process.get("/metrics")


def test_a_new_certificate_is_served_without_a_restart_and_open_connections_stay(
    serving, ca: Authority, folder: Path
) -> None:
    process = serving(TLS)
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    with httpx.Client(verify=context, trust_env=False) as scraper:
        url = process.url.replace("http://", "https://") + "/metrics"
        assert scraper.get(url).status_code == 200
        assert server_name(process, folder) == "first"
        issue(ca, folder, "second")
        until(lambda: server_name(process, folder) == "second")
        assert scraper.get(url).status_code == 200
    assert process.events("web_config_reloaded")


def test_a_broken_certificate_leaves_the_old_one_and_is_told(serving, ca: Authority, folder: Path) -> None:
    process = serving(TLS)
    process.url  # noqa: B018 - waits until it listens
    (folder / "server.key").write_text("no key")
    until(lambda: server_name(process, folder) == "first" and process.events("web_config_failed"))
    assert "no private key" in process.events("web_config_failed")[0]
    assert config_in_force(process, folder) == 0
    issue(ca, folder, "second")
    until(lambda: server_name(process, folder) == "second")
    assert config_in_force(process, folder) == 1


def test_users_change_without_a_restart(serving, folder: Path) -> None:
    process = serving(USERS)
    assert process.get("/metrics", auth=LOGIN).status_code == 200
    other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
    (folder / "web.yml").write_text(f"basic_auth_users: {{prometheus: {other}}}\n")
    until(lambda: process.get("/metrics", auth=LOGIN).status_code == 401)
    assert process.get("/metrics", auth=("prometheus", "other")).status_code == 200


def test_probes_may_have_a_listener_of_their_own(serving) -> None:
    process = serving(TLS + CLIENTS + USERS, "--web.probe_address", "127.0.0.1:0")
    (line,) = until(lambda: process.events("probes_listening"))
    probes = f"http://{line.rpartition('address=')[2]}"

    def status(path: str) -> int:
        return httpx.get(probes + path, timeout=10, trust_env=False).status_code

    until(lambda: status("/readyz") == 200)
    assert status("/healthz") == 200
    assert {path: status(path) for path in ("/", "/metrics", "/api/v1/keys", "/-/reload")} == dict.fromkeys(
        ("/", "/metrics", "/api/v1/keys", "/-/reload"), 404
    )
    assert process.end() == 0


@pytest.mark.parametrize("command", [["serve"], ["demo"], ["config", "validate"]])
def test_a_mistake_is_told_before_anything_is_started(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: missing.crt, key_file: missing.key}\n")
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *command, "--web.config_file", tmp_path / "web.yml"],
        env={},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith('kms-exporter: tls_server_config.cert_file: "missing.crt" (')


def test_a_configuration_that_is_fine_is_said_to_be(folder: Path) -> None:
    file = folder / "web.yml"
    file.write_text(TLS + CLIENTS + USERS)
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "config", "validate", "--web.config_file", file],
        env={},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"OK: {file}\n")
