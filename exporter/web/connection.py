"""One HTTP connection, within bounds: uvicorn and httptools set none to what a stranger may send, or leave unsent."""

import asyncio
import re
from typing import Any, ClassVar, Final

import httptools
from starlette.types import Message, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::[0-9]{0,5})?")
"""A name or an address and a port (RFC 9110, section 7.2), without what only other kinds of server need."""

_SLICE: Final = 65_536
"""What is encrypted at once. Plain bytes are shared by all who read them; each reader has a ciphertext of its own."""


class Connection(HttpToolsProtocol):
    """A connection that is closed when it asks for too much.

    A malformed request, and one for another server, is answered with 400. Absolute targets (`GET http://host/path`) are
    those of a proxy, which this is not.

    Attributes:
        max_connections: open connections of a listener. More are closed at once: each takes a file descriptor, and
            memory while its request is read.
        max_head: bytes of a request line and its headers.
        max_headers: how many headers a request has; each takes more memory than its bytes.
        max_pipelined: requests that wait until those before them on their connection are answered.
        head_seconds: time in which a connection must have sent its first request line and headers, or, once it has
            begun to, those of a further request.
        answer_seconds: time in which an answer must have been made and taken, however slowly its reader reads.
    """

    max_connections: ClassVar = 512
    max_head: ClassVar = 65_536
    max_headers: ClassVar = 100
    max_pipelined: ClassVar = 16
    head_seconds: ClassVar = 20.0
    answer_seconds: ClassVar = 60.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._application = self.app
        self.app = self._answer
        self._lost = asyncio.Event()
        self._running: RequestResponseCycle | None = None
        self._head_open = True
        self._head_length = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._length_beside = 0
        self._answer_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept the connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        if self.scheme == "https":
            transport.set_write_buffer_limits(high=_SLICE)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_head_timer()
        self._stop_answer_timer()
        super().connection_lost(exc)
        if self._running is not None:  # of several, uvicorn tells only the last one
            self._running.disconnected = True
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes, as long as there are not too many before a request begins to be answered, or beside an answer."""
        super().data_received(data)
        if self._waits_for_request():
            self._head_length += len(data)
            self._start_head_timer()
            if self._head_length > self.max_head and not self.transport.is_closing():
                self.send_400_response("The request line and the headers are too long.")
            return
        self._head_length = 0
        self._stop_head_timer()
        self._length_beside += len(data)
        if self._length_beside > self.max_head:  # a body or trailers, which nobody asks for
            self.flow.pause_reading()  # until the answer is complete

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_open = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header or a trailer.

        Raises:
            HttpParserError: there are too many.
        """
        if len(self.headers) >= self.max_headers:
            raise httptools.HttpParserError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the request is none.

        Raises:
            HttpParserError: it is none, or one too many; uvicorn answers with 400.
        """
        self._head_open = False
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.max_head:
            raise httptools.HttpParserError("the request line and the headers are too long")
        if not self.url.startswith(b"/"):
            raise httptools.HttpParserError("the target is no path")
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts)):
            raise httptools.HttpParserError("the Host header is none")
        if len(self.pipeline) >= self.max_pipelined:
            raise httptools.HttpParserError("too many requests wait")
        if not self._answers():
            self._start_answer_timer()
        super().on_headers_complete()
        if not self.pipeline:
            self._running = self.cycle

    def on_response_complete(self) -> None:
        """Go on with the next request, and watch until this answer is taken."""
        self._running = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        self._length_beside = 0
        if self._answers() or self.transport.get_write_buffer_size():
            self._start_answer_timer()
        else:
            self._stop_answer_timer()

    def send_400_response(self, msg: str) -> None:
        """Refuse what was sent and close; answers to what came before it are finished instead, and are the last ones.

        Anything else would stand in the midst of an answer, or be taken for one.
        """
        if self._answers():
            self._head_open = False
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        super().send_400_response(msg)
        self._start_answer_timer()

    async def _answer(self, scope: Any, receive: Any, send: Send) -> None:
        """Let the application answer (ASGI); whoever leaves meanwhile is no fault of its."""
        if scope["scheme"] == "https":
            send = _in_slices(send)
        try:
            await self._application(scope, receive, send)
        except RuntimeError:  # uvloop's, for writing to a connection whose loss it has not told yet
            if not self.transport.is_closing():
                raise
            await self._lost.wait()  # uvicorn would complain of an answer that is not complete

    def _waits_for_request(self) -> bool:
        return self._head_open or not self._answers()

    def _answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _start_answer_timer(self) -> None:
        self._stop_answer_timer()
        self._answer_timer = self.loop.call_later(self.answer_seconds, self._end_answer)

    def _stop_answer_timer(self) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def _end_answer(self) -> None:
        """Cut off who has not taken an answer; to close would wait for them."""
        self._answer_timer = None
        if self._answers() or self.transport.get_write_buffer_size():
            self.transport.abort()


def _in_slices(send: Send) -> Send:
    """Return what sends bodies in slices, the next one when the one before it is taken."""

    async def send_in_slices(message: Message) -> None:
        body = memoryview(message.get("body", b""))
        while len(body) > _SLICE:
            await send({"type": "http.response.body", "body": body[:_SLICE], "more_body": True})
            body = body[_SLICE:]
        await send({**message, "body": body} if "body" in message else message)

    return send_in_slices
