"""Clients that are anything but Prometheus, and many scrapers at once."""

import asyncio
import contextlib
import gzip
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, Self

SCRAPE: Final = b"GET /metrics HTTP/1.1\r\nHost: exporter\r\nAccept-Encoding: gzip\r\n\r\n"
PLAIN_SCRAPE: Final = b"GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n"
_HEAD: Final = b"GET /metrics HTTP/1.1\r\nHost: exporter\r\n"
_SMALL_BUFFER: Final = 4096
_STUCK_AFTER: Final = 0.5

Stream = Callable[[int], bytes]
"""What a stranger sends next, once so many bytes were taken; nothing at the end."""


class Stranger:
    """One connection, with as little room as possible for what is not read."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        self._socket.settimeout(20)
        self._socket.connect(address)
        self._socket.setblocking(False)
        self.sent = 0

    def push(self, data: bytes) -> int:
        """Send what the server takes of `data` without waiting; return how much that was."""
        try:
            count = self._socket.send(data)
        except (BlockingIOError, ConnectionError):
            return 0
        self.sent += count
        return count

    def lost(self) -> bool:
        """Whether the server closed it, as far as can be told without reading what it sent."""
        events = select.poll()
        events.register(self._socket, select.POLLHUP | select.POLLRDHUP)
        return bool(events.poll(0))

    def closed(self) -> bool:
        """Whether the server closed it; what it had sent is thrown away."""
        try:
            while self._socket.recv(1 << 16):
                pass
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return True

    def close(self) -> None:
        self._socket.close()


def push_all(strangers: Sequence[Stranger], stream: Stream, within: float = 20) -> None:
    """Send to all at once, until the server takes nothing more of anyone.

    Args:
        strangers: who sends.
        stream: what each of them sends.
        within: seconds after which it is enough.
    """
    deadline = time.monotonic() + within
    progress = time.monotonic()
    while time.monotonic() < min(deadline, progress + _STUCK_AFTER):
        counts = [stranger.push(data) for stranger in strangers if (data := stream(stranger.sent))]
        if any(counts):
            progress = time.monotonic()
        elif not counts:
            return


@contextmanager
def strangers(address: tuple[str, int], count: int, stream: Stream) -> Iterator[Sequence[Stranger]]:
    """Open connections that send a stream, as far as the server takes it, and read nothing; close them at the end."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            with contextlib.suppress(ConnectionError):  # refused: there may be too many
                opened.append(stranger := Stranger(address))
                stack.callback(stranger.close)
        push_all(opened, stream)
        yield opened


def once(data: bytes) -> Stream:
    """Return a stream of nothing but `data`."""
    return lambda sent: data[sent:]


def forever(beginning: bytes, again: bytes, most: int = 1 << 20) -> Stream:
    """Return a stream that goes on with `again` for as long as the server takes it, up to `most` bytes."""
    data = beginning + again * (most // len(again))
    return lambda sent: data[sent : sent + (1 << 16)]


@dataclass(frozen=True)
class Answer:
    """What a scraper got."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        return gzip.decompress(self.body).decode()


class _Scraper:
    """A scraper on a connection that it keeps."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, address: tuple[str, int]) -> Self:
        return cls(*await asyncio.open_connection(*address))

    async def scrape(self) -> Answer:
        self._writer.write(SCRAPE)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        return Answer(int(head.split()[1]), await self._reader.readexactly(int(fields["content-length"])))

    def close(self) -> None:
        self._writer.close()


def scrape_at_once(address: tuple[str, int], count: int, within: float = 120) -> Sequence[Answer]:
    """Let so many scrapers connect, send their requests together, and read their answers to the end."""

    async def one(everybody: asyncio.Barrier) -> Answer:
        scraper = await _Scraper.connected(address)
        try:
            await everybody.wait()
            return await scraper.scrape()
        finally:
            scraper.close()

    async def all_of_them() -> Sequence[Answer]:
        everybody = asyncio.Barrier(count)
        async with asyncio.timeout(within):
            return await asyncio.gather(*(one(everybody) for _ in range(count)))

    return asyncio.run(all_of_them())


async def scrape_again_and_again(address: tuple[str, int], count: int, every: float) -> None:
    """Let so many scrapers scrape every so many seconds, at moments that are spread evenly, until cancelled."""

    async def one(number: int) -> None:
        await asyncio.sleep(every * number / count)
        scraper = await _Scraper.connected(address)
        while True:
            await scraper.scrape()
            await asyncio.sleep(every)

    await asyncio.gather(*(one(number) for number in range(count)))


_HEAD: Final = b"GET /metrics HTTP/1.1\r\nHost: exporter\r\n"
KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "slow readers": once(PLAIN_SCRAPE),
    "silent": once(b""),
    "half a head": once(_HEAD + b"Cookie: " + b"a" * 60_000),
    "endless header": forever(_HEAD + b"Cookie: ", b"a" * 1_000),
    "many headers": forever(_HEAD, b"a:b\r\n"),
    "pipelined scrapes": forever(b"", PLAIN_SCRAPE),
    "pipelined probes": forever(b"", b"GET /healthz HTTP/1.1\r\n\r\n"),
    "unasked body": forever(_HEAD + b"Content-Length: 9999999\r\n\r\n", b"x" * 1_000),
    "unasked trailers": forever(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a:b\r\n"),
    "bad methods": forever(b"", b"BREW /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n"),
    "bad paths": forever(b"", b"GET /%2e%2e/metrics HTTP/1.1\r\nHost: exporter\r\n\r\n"),
    "no HTTP": once(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
}
"""What strangers do, each of them; none reads anything."""
