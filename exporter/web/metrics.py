"""The endpoint that is scraped: a bare ASGI application, since a framework's request and response cost more than it."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from exporter.exposition.negotiation import Format, accepts_gzip, choose_format
from exporter.exposition.renderer import Body
from exporter.web.contract import Exporter

INLINE_SAMPLES: Final = 5_000
INLINE_TARGETS: Final = 1_000
"""More samples that depend on the clock, or more targets, are rendered in a worker thread: they would hold up the event
loop for more than a few milliseconds."""


@dataclass(slots=True)
class _Queue:
    """Scrapes of one kind that wait for their turn.

    Attributes:
        turn: who holds it may render.
        length: how many wait, or render.
        begun: how many bodies have begun to be rendered.
        body: the latest one, as long as somebody waits.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0
    begun: int = 0
    body: Body | None = None


class MetricsEndpoint:
    """Answers scrapes, one of each form in a turn of the event loop: many in one would keep everybody else waiting.

    A body that is rendered while others wait is theirs too: none of them is given what was known before it asked.
    """

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._queues: defaultdict[tuple[Format, bool], _Queue] = defaultdict(_Queue)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["method"] not in ("GET", "HEAD"):
            await PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})(scope, receive, send)
            return
        form = choose_format(_header(scope, b"accept"))
        gzip = accepts_gzip(_header(scope, b"accept-encoding"))
        body = await self._in_turn(form, gzip=gzip)
        headers = [
            (b"content-type", form.value.encode()),
            (b"content-length", str(body.length).encode()),
            (b"vary", b"accept, accept-encoding"),
        ]
        if gzip:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "GET":
            for part in body.parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _in_turn(self, form: Format, *, gzip: bool) -> Body:
        queue = self._queues[form, gzip]
        before = queue.begun
        queue.length += 1
        try:
            async with queue.turn:
                if queue.body is None or queue.begun == before:
                    await asyncio.sleep(0)  # those who ask in the same moment come to wait
                    queue.begun += 1
                    queue.body = None
                    queue.body = await self._scrape(form, gzip=gzip)
                return queue.body
        finally:
            queue.length -= 1
            if not queue.length:
                queue.body = None  # it holds a page, which shall not outlive the next one

    async def _scrape(self, form: Format, *, gzip: bool) -> Body:
        renderer, snapshot, now = self._exporter.renderer, self._exporter.snapshot, self._exporter.now()
        if renderer.page.clocked_samples <= INLINE_SAMPLES and len(snapshot.targets) <= INLINE_TARGETS:
            return renderer.scrape(snapshot, form, gzip=gzip, now=now)
        return await run_in_threadpool(renderer.scrape, snapshot, form, gzip=gzip, now=now)


def _header(scope: Scope, name: bytes) -> str:
    """Return a header's lines as the one line that they mean (RFC 9110, section 5.3), `""` without one."""
    return ",".join(value.decode("latin-1") for given, value in scope["headers"] if given == name)
