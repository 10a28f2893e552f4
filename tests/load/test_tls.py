"""Slow readers over TLS, for each of whom little is encrypted, and handshakes that never end."""

import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.load.conftest import KEYS, Besieged, besieged
from tests.support.certificates import address, authority
from tests.support.waiting import until

MANY: Final = 200
FEW: Final = 256
"""Open files: a quarter of the usual soft limit."""
MOST_EACH: Final = 0.6
"""MB: a session of OpenSSL's, a slice of the page and its ciphertext. The page is five times as much."""


def slow_reader(exporter: Besieged, trusting: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(20)
    plain.connect(exporter.address)
    reader = trusting.wrap_socket(plain, server_hostname="127.0.0.1")
    reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n")
    return reader


@contextmanager
def soft_limit_of_open_files(limit: int) -> Iterator[None]:
    """Lower what a process that is started meanwhile begins with."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def test_slow_readers_hold_no_copy_of_the_page_each_and_scrapers_go_unhurt(tmp_path: Path) -> None:
    ca = authority().write(tmp_path, "ca")
    ca.issue("exporter", address("127.0.0.1")).write(tmp_path, "server")
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    with (
        besieged("--web.config_file", str(tmp_path / "web.yml")) as exporter,
        httpx.Client(
            base_url=exporter.process.url.replace("http", "https"), verify=trusting, trust_env=False
        ) as client,
        ExitStack() as stack,
    ):
        until(lambda: client.get("/readyz").status_code == 200, within=60)
        scraped = client.get("/metrics", headers={"Accept-Encoding": "identity"})
        memory = exporter.resident()
        readers = [stack.enter_context(slow_reader(exporter, trusting)) for _ in range(MANY)]
        assert all(reader.recv(1) == b"H" for reader in readers)  # each is being answered
        again = client.get("/metrics", headers={"Accept-Encoding": "identity"})
        assert exporter.resident() - memory < MANY * MOST_EACH
        for page in (scraped, again):
            assert page.text.count("\nkms_key_pending_deletion{") == KEYS
            assert len(page.content) == int(page.headers["content-length"]) > 5 * MOST_EACH * 1e6


def test_more_handshakes_that_never_end_than_a_process_may_usually_have_open_keep_no_scraper_out(
    tmp_path: Path,
) -> None:
    ca = authority().write(tmp_path, "ca")
    ca.issue("exporter", address("127.0.0.1")).write(tmp_path, "server")
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    with ExitStack() as stack:
        with soft_limit_of_open_files(FEW):
            exporter = stack.enter_context(besieged("--web.config_file", str(tmp_path / "web.yml")))
            base = exporter.process.url.replace("http", "https")
        silent = [stack.enter_context(socket.create_connection(exporter.address, 20)) for _ in range(2 * FEW)]
        until(lambda: exporter.descriptors() > len(silent))
        with httpx.Client(base_url=base, verify=trusting, trust_env=False) as client:
            assert client.get("/metrics").status_code == 200
