"""The server as a process: signals, connections, addresses."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from exporter.errors import ConfigError
from exporter.web.server import Probes, serve

PATIENCE = 20.0

PROGRAM = """
import sys
from starlette.concurrency import run_in_threadpool
from exporter.web.server import serve

async def app(scope, receive, send):
    length = {"/quick": 5, "/slow": 10, "/huge": 1 << 28}[scope["path"]]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % length)]})
    if scope["path"] == "/slow":
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await run_in_threadpool(sys.stdin.readline)
    for _ in range(length >> 20):
        await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
    await send({"type": "http.response.body", "body": b"last!" if length < 1 << 20 else b""})

def say(text):
    print(text, flush=True)

def hangup():
    say("hangup")
    sys.stdin.readline()
    say("hangup done")

serve(app, sys.argv[1], 0, listening=say, hangup=hangup)
say("returned")
"""


class Server:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.address = self.line()
        self.port = int(self.address.rpartition(":")[2])
        self.connections = ExitStack()

    def line(self) -> str:
        return self.process.stdout.readline().rstrip("\n")

    def send_line(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def get(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.connections.callback(connection.close)
        connection.request("GET", path)
        return self.connections.enter_context(connection.getresponse())

    def wait_until_closed(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionError:
                return
            time.sleep(0.01)
        pytest.fail("connections are still accepted")


@contextmanager
def running(host: str = "127.0.0.1") -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, host], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            server = Server(process)
            with server.connections:
                yield server
        finally:
            process.kill()
            watchdog.cancel()


def test_it_tells_where_it_listens() -> None:
    with running() as server:
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", server.address)
        assert server.get("/quick").read() == b"last!"


def test_it_does_not_tell_what_it_is_made_of() -> None:
    with running() as server:
        headers = server.get("/quick").headers
        assert "server" not in headers
        assert "date" in headers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(number: signal.Signals) -> None:
    with running() as server:
        kept_alive = server.get("/quick")
        kept_alive.read()
        server.signal(number)
        assert server.line() == "returned"
        assert server.process.wait(PATIENCE) == 0


def test_a_response_in_flight_is_finished_while_no_connection_is_accepted() -> None:
    with running() as server:
        response = server.get("/slow")
        assert response.read(5) == b"first"
        server.signal(signal.SIGTERM)
        server.wait_until_closed()
        server.send_line()
        assert response.read() == b"last!"
        assert server.line() == "returned"
        assert server.process.wait(PATIENCE) == 0


def test_a_client_that_does_not_read_does_not_keep_it() -> None:
    with running() as server:
        server.get("/huge")
        server.signal(signal.SIGTERM)
        assert server.line() == "returned"
        assert server.process.wait(PATIENCE) == 0


def test_sighup_is_handled_beside_the_requests() -> None:
    with running() as server:
        server.signal(signal.SIGHUP)
        assert server.line() == "hangup"
        assert server.get("/quick").read() == b"last!"
        server.send_line()
        assert server.line() == "hangup done"


def test_no_host_means_every_interface() -> None:
    with running("") as server:
        assert server.address.startswith(("[::]:", "0.0.0.0:"))
        assert server.get("/quick").read() == b"last!"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_ipv6() -> None:
    with running("::1") as server:
        assert server.address.startswith("[::1]:")


def unused(*_: object) -> None:
    pytest.fail("nothing may be started")


def test_an_address_that_is_taken_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as raised:
            serve(unused, "127.0.0.1", port, listening=unused, hangup=unused, named_by="kms.yaml line 2")
    assert str(raised.value) == (
        f'web.listen_address: "127.0.0.1:{port}" (kms.yaml line 2) can\'t be listened on: Address already in use; '
        "accepted: an address of this machine and a free port"
    )


def test_a_taken_address_for_probes_is_told_by_its_own_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        probes = Probes(unused, "127.0.0.1", port, unused, named_by="flag --web.probe_address")
        with pytest.raises(ConfigError) as raised:
            serve(unused, "127.0.0.1", 0, listening=unused, hangup=unused, probes=probes)
    assert str(raised.value).startswith(f'web.probe_address: "127.0.0.1:{port}" (flag --web.probe_address) can\'t be ')


def test_an_address_of_another_machine_is_told_in_one_line() -> None:
    refused = r"^web\.listen_address: \"192\.0\.2\.1:0\" can't be listened on: Cannot assign"
    with pytest.raises(ConfigError, match=refused):
        serve(unused, "192.0.2.1", 0, listening=unused, hangup=unused)


@pytest.mark.parametrize("name", ["no.such.host.invalid", "two..dots", "a" * 64])
def test_a_name_that_is_none_is_told_in_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^web\.listen_address: \"{re.escape(name)}:0\" can't be .+; accepted: "):
        serve(unused, name, 0, listening=unused, hangup=unused)
