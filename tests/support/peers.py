"""Connections of strangers to the web application, on loopback."""

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from threading import Event
from typing import Final

from starlette.types import ASGIApp

from exporter.web.app import create_app
from exporter.web.connection import Connection
from tests.support.serving import FakeExporter, served

PATIENCE: Final = 10.0


class Narrow(Connection):
    """The same with less patience, so that tests have to wait less."""

    max_connections = 3
    max_head = 2_000
    max_headers = 20
    max_pipelined = 2
    head_seconds = 0.3
    answer_seconds = 0.3


class Patient(Narrow):
    """One that does not mind waiting."""

    head_seconds = answer_seconds = PATIENCE


class Peer:
    """Sends bytes, and takes what comes back."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self._received = b""
        self._unread = 0

    def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)

    def answer(self) -> bytes:
        """Return the next status line and its headers, nothing where the connection was closed without."""
        self._receive(lambda: len(self._received) >= self._unread)
        self._received = self._received[self._unread :]
        self._receive(lambda: b"\r\n\r\n" in self._received)
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        self._unread = int(length[1]) if length else 0
        return head

    def rest(self, size: int = 1 << 20, pause: float = 0) -> bytes:
        """Return what comes until the connection is closed, taken in parts of `size`, with a pause before each."""
        received, self._received = self._received, b""
        with contextlib.suppress(ConnectionError):
            while part := self._socket.recv(size):
                received += part
                Event().wait(pause)
        return received

    def status(self, data: bytes) -> int:
        self.send(data)
        answer = self.answer()
        return int(answer.split()[1]) if answer else 0

    def close(self) -> None:
        self._socket.close()

    def _receive(self, enough: Callable[[], bool]) -> None:
        with contextlib.suppress(ConnectionError):
            while not enough() and (part := self._socket.recv(4096)):
                self._received += part


class Peers:
    """Opens connections to one server, and closes them all."""

    def __init__(self, url: str, stack: contextlib.ExitStack) -> None:
        self._url = url
        self._stack = stack

    def another(self) -> Peer:
        peer = Peer(self._url)
        self._stack.callback(peer.close)
        return peer


@contextlib.contextmanager
def peers_of(connection: type[Connection], app: ASGIApp | None = None) -> Iterator[Peers]:
    with contextlib.ExitStack() as stack, served(app or create_app(FakeExporter()), connection) as url:
        yield Peers(url, stack)
