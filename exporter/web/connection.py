"""One HTTP connection, within bounds: uvicorn and httptools set none to what a stranger may send, or leave unsent."""

import asyncio
import re
from typing import Any, ClassVar, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::[0-9]{0,5})?")
"""A name or an address and a port (RFC 9110, section 7.2), without what only other kinds of server need."""


class Connection(HttpToolsProtocol):
    """A connection that is closed when it asks for too much.

    A malformed request, and one for another server, is answered with 400. Absolute targets (`GET http://host/path`) are
    those of a proxy, which this is not.

    Attributes:
        max_connections: open connections of a listener. More are closed at once: each takes a file descriptor, and
            memory while its request is read.
        max_head: bytes of a request line and its headers.
        head_seconds: time in which a connection must have sent its first request line and headers, or, once it has
            begun to, those of a further request.
    """

    max_connections: ClassVar = 512
    max_head: ClassVar = 65_536
    head_seconds: ClassVar = 20.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_open = True
        self._head_length = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept the connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, as long as there are not too many before a request begins to be answered."""
        super().data_received(data)
        if not self._waits_for_request():
            self._head_length = 0
            self._stop_timer()
            return
        self._head_length += len(data)
        self._start_timer()
        if self._head_length > self.max_head and not self.transport.is_closing():
            self.send_400_response("The request line and the headers are too long.")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_open = True

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the request is none.

        Raises:
            HttpParserError: it is none; uvicorn answers with 400.
        """
        self._head_open = False
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.max_head:
            raise httptools.HttpParserError("the request line and the headers are too long")
        if not self.url.startswith(b"/"):
            raise httptools.HttpParserError("the target is no path")
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts)):
            raise httptools.HttpParserError("the Host header is none")
        super().on_headers_complete()

    def _waits_for_request(self) -> bool:
        return self._head_open or self.cycle is None or self.cycle.response_complete

    def _start_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
