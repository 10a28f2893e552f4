"""One HTTP exchange over ASGI, whole or broken on the way."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from exporter.demo.faults import Breakage
from exporter.demo.wire.protocols import Headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CLOSE_CONNECTION: Final = "emulator.close_connection"
"""ASGI extension: a function that closes the connection once everything sent has left."""
_TRICKLE: Final = 0.01
"""Seconds between two bytes of a body that trickles."""


class Response(NamedTuple):
    """What is to be sent."""

    status: int
    headers: Headers
    body: bytes


@dataclass(slots=True)
class Exchange:
    """The request as ASGI hands it over, and the way back."""

    scope: Message
    receive: Receive
    send: Send

    async def body(self) -> bytes:
        """Return the whole body of the request."""
        message = await self.receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False):
            message = await self.receive()
            body += message.get("body", b"")
        return body

    async def gone(self) -> None:
        """Return when the client has closed the connection; the body must have been read before."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def respond(self, response: Response) -> None:
        """Send a response as it should be."""
        await self._send_head(response)
        await self.send({"type": "http.response.body", "body": response.body})

    async def respond_broken(self, response: Response, breakage: Breakage) -> None:
        """Send a response that breaks; returns when the client, or the breakage, has closed the connection."""
        half = response.body[: len(response.body) // 2]
        match breakage:
            case Breakage.GARBLE:
                await self.respond(response._replace(body=half))
                return
            case Breakage.TRICKLE:
                await self._send_head(response)
                await self._trickle(response.body)
                return
            case Breakage.HANG_AFTER_HEADERS:
                await self._send_head(response)
            case Breakage.TRUNCATE:
                await self._send_head(response)
                await self.send({"type": "http.response.body", "body": half, "more_body": True})
                self._close()
            case Breakage.CLOSE:
                self._close()
            case Breakage.HANG:
                pass
        await self.gone()

    async def _trickle(self, body: bytes) -> None:
        for byte in body:
            await self.send({"type": "http.response.body", "body": bytes((byte,)), "more_body": True})
            await asyncio.sleep(_TRICKLE)
        await self.send({"type": "http.response.body", "body": b""})

    async def _send_head(self, response: Response) -> None:
        headers = (*response.headers, (b"content-length", str(len(response.body)).encode()))
        await self.send({"type": "http.response.start", "status": response.status, "headers": headers})

    def _close(self) -> None:
        self.scope["extensions"][CLOSE_CONNECTION]()
