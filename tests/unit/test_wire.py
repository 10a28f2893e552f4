"""The HTTP beneath botocore, against a server that answers as it is told."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httptools
import pytest
from botocore.auth import _host_from_url
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.clients import Clients
from exporter.aws.wire import Wire, host_of
from tests.support.certificates import Pair, address, authority
from tests.support.waiting import until

PATIENCE = 10.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Amzn-RequestId: 7\r\n\r\n{}"

Serve = Callable[[socket.socket, bytes], None]
"""What a server does with a connection when a request has come on it."""


class Server:
    """Takes connections one after the other; `served` handles each request."""

    def __init__(self, served: Serve, tls: ssl.SSLContext | None = None) -> None:
        self.served = served
        self.connections = 0
        self.requests: list[bytes] = []
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._accepted: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def ended(self) -> int:
        """How many connections are no more."""
        return sum(not thread.is_alive() for thread in self._threads[1:])

    def hang_up(self) -> None:
        """Close every connection."""
        for connection in self._accepted:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            connection = stack.enter_context(self._tls.wrap_socket(plain, server_side=True) if self._tls else plain)
            self._accepted.append(connection)
            while request := self._request(connection):
                self.requests.append(request)
                self.served(connection, request)

    @staticmethod
    def _request(connection: socket.socket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < _length(received):
            part = connection.recv(65536)
            if not part:
                return b""
            received += part
        return received


def _length(received: bytes) -> int:
    for line in received.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def sending(*answers: bytes) -> Serve:
    """Send one answer after the other, the last for ever."""
    left = list(answers)

    def serve(connection: socket.socket, _: bytes) -> None:
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return serve


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as stack:

        def serve(served: Serve, tls: ssl.SSLContext | None = None) -> Server:
            server = Server(served, tls)
            stack.callback(server.close)
            return server

        yield serve


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(connect_timeout=PATIENCE, read_timeout=PATIENCE)
    yield wire
    wire.close()


def hasty() -> Wire:
    return Wire(connect_timeout=0.2, read_timeout=0.2)


def request(authority: str, *, scheme: str = "http", **more: Any) -> AWSPreparedRequest:
    given: dict[str, Any] = {"headers": {"X-Amz-Target": "TrentService.DescribeKey"}, "data": b'{"KeyId": "1"}', **more}
    return AWSRequest("POST", f"{scheme}://{authority}/", **given).prepare()


def ask(wire: Wire, server: Server, **more: Any) -> tuple[int, bytes]:
    answer = wire.send(request(server.address, **more))
    assert answer is not None
    return answer.status_code, answer.content


class TestAnExchange:
    def test_the_request_is_sent_as_it_is_and_the_answer_comes_back(
        self, wire: Wire, serving: Callable[..., Server]
    ) -> None:
        server = serving(sending(OK))
        answer = wire.send(request(server.address))
        assert answer is not None
        assert (answer.status_code, answer.content, answer.headers["x-amzn-requestid"]) == (200, b"{}", "7")
        (sent,) = server.requests
        lines, _, body = sent.partition(b"\r\n\r\n")
        assert body == b'{"KeyId": "1"}'
        assert lines.split(b"\r\n") == [
            b"POST / HTTP/1.1",
            b"Host: " + server.address.encode(),
            b"X-Amz-Target: TrentService.DescribeKey",
            b"Content-Length: 14",
        ]

    def test_path_and_query_are_sent(self, wire: Wire, serving: Callable[..., Server]) -> None:
        server = serving(sending(OK))
        wire.send(AWSRequest("GET", f"http://{server.address}/a/b?c=d&e=%20").prepare())
        assert server.requests[0].startswith(b"GET /a/b?c=d&e=%20 HTTP/1.1\r\n")

    @pytest.mark.parametrize(
        "answer",
        [
            b'HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n": 1\r\n1\r\n}\r\n0\r\n\r\n',
            b'HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\n\r\n{"a": 1}',
            b'HTTP/1.1 400 Bad Request\r\nConnection: close\r\ncontent-length: 8\r\n\r\n{"a": 1}',
        ],
        ids=["chunked", "length", "closing"],
    )
    @pytest.mark.parametrize("size", [1, 7, 1000])
    def test_an_answer_is_read_whole_however_it_comes(
        self, wire: Wire, serving: Callable[..., Server], answer: bytes, size: int
    ) -> None:
        def serve(connection: socket.socket, _: bytes) -> None:
            for start in range(0, len(answer), size):
                connection.sendall(answer[start : start + size])

        server = serving(serve)
        assert [ask(wire, server) for _ in range(2)] == [(400, b'{"a": 1}')] * 2

    def test_one_without_a_length_ends_with_the_connection(self, wire: Wire, serving: Callable[..., Server]) -> None:
        def serve(connection: socket.socket, _: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}")
            connection.shutdown(socket.SHUT_WR)

        server = serving(serve)
        assert [ask(wire, server) for _ in range(2)] == [(200, b"{}")] * 2
        assert server.connections == 2

    def test_a_header_of_more_than_one_line_is_not_sent(self, wire: Wire, serving: Callable[..., Server]) -> None:
        server = serving(sending(OK))
        with pytest.raises(ValueError, match="more than one line"):
            ask(wire, server, headers={"X-Amz-Security-Token": "a\r\nX-Amz-Target: TrentService.ScheduleKeyDeletion"})
        assert not server.requests

    @pytest.mark.parametrize("more", [{"stream_output": True}, {"data": iter([b"a"])}], ids=["streamed", "no bytes"])
    def test_what_it_is_not_made_for_is_left_to_botocore(self, wire: Wire, more: dict[str, Any]) -> None:
        assert wire.send(request("127.0.0.1:1", **more)) is None

    def test_so_is_everything_where_there_is_a_proxy(
        self, wire: Wire, serving: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = serving(sending(OK))
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        assert wire.send(request("kms.eu-west-1.amazonaws.com")) is None
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert ask(wire, server) == (200, b"{}")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://kms.eu-west-1.amazonaws.com/", "kms.eu-west-1.amazonaws.com"),
        ("https://KMS.example.org:443/", "kms.example.org"),
        ("http://kms.example.org:80/", "kms.example.org"),
        ("http://kms.example.org:443/", "kms.example.org:443"),
        ("https://user:password@kms.example.org:8443/a", "kms.example.org:8443"),
        ("http://[::1]:4566/", "[::1]:4566"),
        ("http://[::1]/", "[::1]"),
    ],
)
def test_the_host_is_the_one_that_botocore_signs(url: str, host: str) -> None:
    assert host_of(urlsplit(url)) == host == _host_from_url(url)


class TestConnections:
    def test_one_is_used_again(self, wire: Wire, serving: Callable[..., Server]) -> None:
        server = serving(sending(OK))
        assert [ask(wire, server) for _ in range(5)] == [(200, b"{}")] * 5
        assert server.connections == 1

    @pytest.mark.parametrize(
        "answer",
        [b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}", OK.replace(b"1.1", b"1.0")],
        ids=["closing", "HTTP/1.0"],
    )
    def test_one_that_is_to_be_closed_is_not(self, wire: Wire, serving: Callable[..., Server], answer: bytes) -> None:
        server = serving(sending(answer))
        assert [ask(wire, server) for _ in range(3)] == [(200, b"{}")] * 3
        assert server.connections == 3

    def test_nor_one_that_was_closed_meanwhile(self, wire: Wire, serving: Callable[..., Server]) -> None:
        server = serving(sending(OK))
        ask(wire, server)
        server.hang_up()
        until(lambda: server.ended)
        assert ask(wire, server) == (200, b"{}")
        assert server.connections == 2

    def test_nor_one_on_which_more_came_than_was_asked_for(self, wire: Wire, serving: Callable[..., Server]) -> None:
        """Else it would be taken for the answer to the next request: one key's state for another's."""
        go_on = threading.Event()

        def serve(connection: socket.socket, _: bytes) -> None:
            connection.sendall(OK)
            if server.connections == 1 and go_on.wait(PATIENCE):
                connection.sendall(OK.replace(b"{}", b"[]"))

        server = serving(serve)
        answer = wire.send(request(server.address))
        go_on.set()
        assert answer is not None
        (kept,) = wire._idle[("http", server.address)]
        until(lambda: kept.recv(1, socket.MSG_PEEK))
        assert ask(wire, server) == (200, b"{}")
        assert server.connections == 2

    @pytest.mark.parametrize("further", [OK, b"HTTP/1.1 200 OK\r\n"], ids=["whole", "begun"])
    def test_more_than_one_answer_is_none(self, wire: Wire, serving: Callable[..., Server], further: bytes) -> None:
        server = serving(sending(OK + further, OK))
        with pytest.raises(HTTPClientError, match="more than one answer"):
            ask(wire, server)
        assert ask(wire, server) == (200, b"{}")

    def test_an_interim_answer_is_none(self, wire: Wire, serving: Callable[..., Server]) -> None:
        server = serving(sending(b"HTTP/1.1 100 Continue\r\n\r\n", OK))
        with pytest.raises(HTTPClientError, match="100"):
            ask(wire, server)
        assert ask(wire, server) == (200, b"{}")

    def test_many_threads_get_each_their_own_answer(self, wire: Wire, serving: Callable[..., Server]) -> None:
        def serve(connection: socket.socket, request: bytes) -> None:
            body = request.partition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

        server = serving(serve)
        told: list[tuple[bytes, bytes]] = []

        def work(number: int) -> None:
            for turn in range(50):
                asked = b"%d of %d" % (turn, number)
                told.append((asked, ask(wire, server, data=asked)[1]))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(told) == 8 * 50
        assert all(asked == answer for asked, answer in told)
        assert server.connections <= 8

    def test_closing_closes_those_that_are_kept_and_those_in_use_after_their_answer(
        self, wire: Wire, serving: Callable[..., Server]
    ) -> None:
        arrived, go_on = threading.Event(), threading.Event()

        def serve(connection: socket.socket, request: bytes) -> None:
            if request.endswith(b"slow"):
                arrived.set()
                go_on.wait(PATIENCE)
            connection.sendall(OK)

        server = serving(serve)
        answers: list[tuple[int, bytes]] = []
        asking = threading.Thread(target=lambda: answers.append(ask(wire, server, data=b"slow")))
        asking.start()
        assert arrived.wait(PATIENCE)
        ask(wire, server)
        assert server.ended == 0
        wire.close()
        until(lambda: server.ended == 1)
        go_on.set()
        until(lambda: server.ended == 2)
        asking.join(PATIENCE)
        assert answers == [(200, b"{}")]


class TestFailures:
    """Told as botocore tells them, so that they are understood as before."""

    def test_nobody_there(self, wire: Wire) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nowhere = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(EndpointConnectionError, match=nowhere):
            wire.send(request(nowhere))

    @pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".invalid"])
    def test_no_such_host(self, wire: Wire, serving: Callable[..., Server], host: str) -> None:
        del serving
        with pytest.raises(EndpointConnectionError, match=host):
            wire.send(request(host))

    def test_nobody_takes_the_connection(self) -> None:
        with contextlib.ExitStack() as stack:
            full = stack.enter_context(socket.socket())
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(8):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    waiting.connect(full.getsockname())
            with pytest.raises(ConnectTimeoutError):
                hasty().send(request(f"127.0.0.1:{full.getsockname()[1]}"))

    @pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200", OK[:-1]], ids=["nothing", "no head", "no body"])
    def test_silence(self, serving: Callable[..., Server], beginning: bytes) -> None:
        server = serving(sending(beginning))
        with pytest.raises(ReadTimeoutError):
            ask(hasty(), server)

    def test_an_answer_that_trickles_in_has_its_time(self, serving: Callable[..., Server]) -> None:
        stop = threading.Event()

        def serve(connection: socket.socket, _: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n")
            while not stop.wait(0.05):
                connection.sendall(b"a")

        server = serving(serve)
        with pytest.raises(ReadTimeoutError):
            ask(hasty(), server)
        stop.set()

    @pytest.mark.parametrize(
        ("beginning", "error"),
        [
            (b"", ConnectionClosedError),
            (b"HTTP/1.1 200", ConnectionClosedError),
            (OK[:-1], ValueError),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", ValueError),
        ],
        ids=["nothing", "no head", "no body", "no last part"],
    )
    def test_the_end_before_the_end(
        self, wire: Wire, serving: Callable[..., Server], beginning: bytes, error: type[Exception]
    ) -> None:
        def serve(connection: socket.socket, _: bytes) -> None:
            connection.sendall(beginning)
            connection.shutdown(socket.SHUT_RDWR)

        with pytest.raises(error):
            ask(wire, serving(serve))

    @pytest.mark.parametrize(
        "answer",
        [b"no HTTP\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
    )
    def test_what_is_no_http(self, wire: Wire, serving: Callable[..., Server], answer: bytes) -> None:
        with pytest.raises(HTTPClientError):
            ask(wire, serving(sending(answer)))

    def test_an_answer_without_end_is_not_kept(self, wire: Wire, serving: Callable[..., Server]) -> None:
        def serve(connection: socket.socket, _: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for _part in range(40):
                connection.sendall(bytes(1 << 20))

        with pytest.raises(HTTPClientError, match="more than"):
            ask(wire, serving(serve))


class TestTls:
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> str:
        return str(tmp_path / "ca.crt")

    @pytest.fixture
    def tls(self, tmp_path: Path) -> Callable[..., ssl.SSLContext]:
        trusted = authority()
        trusted.write(tmp_path, "ca")

        def context(issued: Pair | None = None) -> ssl.SSLContext:
            (issued or trusted.issue("here", address("127.0.0.1"))).write(tmp_path, "server")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
            return context

        return context

    def test_a_server_that_the_bundle_vouches_for(
        self, wire: Wire, serving: Callable[..., Server], tls: Callable[..., ssl.SSLContext], bundle: str
    ) -> None:
        server = serving(sending(OK), tls())
        wire.verify_with(bundle)
        assert [ask(wire, server, scheme="https") for _ in range(3)] == [(200, b"{}")] * 3
        assert server.connections == 1

    def test_the_environment_names_one_too(
        self,
        wire: Wire,
        serving: Callable[..., Server],
        tls: Callable[..., ssl.SSLContext],
        bundle: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        server = serving(sending(OK), tls())
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        wire.verify_with(None)
        assert ask(wire, server, scheme="https") == (200, b"{}")

    def test_the_clients_verify_with_what_the_environment_names(
        self,
        serving: Callable[..., Server],
        tls: Callable[..., ssl.SSLContext],
        bundle: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        server = serving(sending(OK), tls())
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{server.address}")

        def list_keys() -> int:
            clients = Clients(connect_timeout=PATIENCE, read_timeout=PATIENCE, connections=1)
            clients.sign_with(ReadOnlyCredentials("AKIDEXAMPLE", "secret", None))
            with contextlib.closing(clients):
                return int(clients.get("kms", "eu-west-1").list_keys()["ResponseMetadata"]["HTTPStatusCode"])

        with pytest.raises(SSLError):
            list_keys()
        monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
        assert list_keys() == 200

    def test_one_that_nobody_vouches_for_gets_no_request(
        self, wire: Wire, serving: Callable[..., Server], tls: Callable[..., ssl.SSLContext]
    ) -> None:
        server = serving(sending(OK), tls())
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            ask(wire, server, scheme="https")
        assert not server.requests

    def test_nor_one_of_another_name(
        self, wire: Wire, serving: Callable[..., Server], tls: Callable[..., ssl.SSLContext], bundle: str
    ) -> None:
        tls()
        ca = authority("Other CA")
        other = serving(sending(OK), tls(ca.issue("there", address("127.0.0.9"))))
        Path(bundle).write_text(ca.cert_pem)
        wire.verify_with(bundle)
        with pytest.raises(SSLError, match=r"IP address mismatch|doesn't match"):
            ask(wire, other, scheme="https")
        assert not other.requests

    def test_one_that_speaks_no_tls(self, wire: Wire) -> None:
        with socket.create_server(("127.0.0.1", 0)) as plain:

            def answer() -> None:
                with plain.accept()[0] as connection:
                    connection.sendall(OK)

            answering = threading.Thread(target=answer)
            answering.start()
            with pytest.raises(SSLError):
                wire.send(request(f"127.0.0.1:{plain.getsockname()[1]}", scheme="https"))
            answering.join(PATIENCE)

    def test_a_handshake_that_never_ends(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ConnectTimeoutError):
            hasty().send(request(f"127.0.0.1:{silent.getsockname()[1]}", scheme="https"))

    def test_a_bundle_that_is_not_there_is_told(self, wire: Wire, serving: Callable[..., Server]) -> None:
        wire.verify_with("/nowhere/ca.pem")
        with pytest.raises(SSLError, match="No such file"):
            ask(wire, serving(sending(OK)), scheme="https")


@given(parts=st.lists(st.binary(max_size=20) | st.sampled_from([OK, b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n", b"2\r\n{}"])))
def test_whatever_comes_is_an_answer_or_told(parts: list[bytes]) -> None:
    wire = hasty()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(parts))
        theirs.shutdown(socket.SHUT_WR)
        with contextlib.suppress(EOFError, ValueError, httptools.HttpParserError):
            _, status, _ = wire._exchange(ours, b"GET / HTTP/1.1\r\n\r\n")
            assert 200 <= status < 1000
