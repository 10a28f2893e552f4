"""The HTTP server: uvicorn on uvloop and httptools, from the first connection to the last."""

import asyncio
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from exporter.errors import ConfigError
from exporter.settings.problems import line, quote
from exporter.web.connection import Connection

_GRACE_SECONDS: Final = 3
"""Time for scrapes in flight once the process shall end."""

_KEEP_ALIVE_SECONDS: Final = 75
"""More than the usual scrape intervals, so that Prometheus finds its connection open."""


@dataclass(frozen=True, slots=True)
class Probes:
    """A second listener, without TLS, for those who ask whether the process is alive.

    Attributes:
        app: what answers.
        host: address or name to listen on, `""` for every interface.
        port: 0 for a free one.
        listening: called with the address once connections are accepted.
        named_by: the source of the address, for an error.
    """

    app: ASGIApp
    host: str
    port: int
    listening: Callable[[str], None]
    named_by: str = ""


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    listening: Callable[[str], None],
    hangup: Callable[[], None],
    named_by: str = "",
    tls: ssl.SSLContext | None = None,
    probes: Probes | None = None,
) -> None:
    """Serve `app` until SIGTERM or SIGINT, finish the scrapes in flight, return. Belongs in the main thread.

    Args:
        app: what answers.
        host: address or name to listen on, `""` for every interface.
        port: 0 for a free one.
        listening: called with the address, `127.0.0.1:10841`, once connections are accepted.
        hangup: called for each SIGHUP, in a thread of its own. It must not raise.
        named_by: the source of the address, for an error.
        tls: where handshakes take place, None for plain HTTP.
        probes: a second listener; its connections are counted apart, so that the first can't starve it.

    Raises:
        ConfigError: an address can't be listened on.
    """
    with ExitStack() as sockets:
        sock = sockets.enter_context(_bound(host, port, "web.listen_address", named_by))
        beside = None
        if probes:
            probe_sock = sockets.enter_context(_bound(probes.host, probes.port, "web.probe_address", probes.named_by))
            beside = _Beside(_config(probes.app), probe_sock, probes.listening)
        server = _Server(_config(app, tls), lambda: listening(_text(sock)), hangup, beside)
        # uvicorn raises the signal that ended it once more when it is done. It then meets this handler again, not the
        # default one, which would end the process with another status than 0 before the caller could clean up.
        with (
            _handling((signal.SIGTERM, signal.SIGINT), server.handle_exit),
            _handling((signal.SIGHUP,), signal.SIG_IGN),
        ):
            server.run(sockets=[sock])


def _config(app: ASGIApp, tls: ssl.SSLContext | None = None) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    config.load()
    config.ssl = tls  # uvicorn's own options are for files that never change
    return config


class _Beside(uvicorn.Server):
    """A server that another one starts and stops."""

    def __init__(self, config: uvicorn.Config, sock: socket.socket, listening: Callable[[str], None]) -> None:
        super().__init__(config)
        self.lifespan = config.lifespan_class(config)
        self._sock = sock
        self._listening = listening

    async def start(self) -> None:
        await self.startup([self._sock])
        self._listening(_text(self._sock))

    async def stop(self) -> None:
        await self.shutdown([self._sock])


class _Server(uvicorn.Server):
    """Tells when it listens, passes SIGHUP on, and takes another server with it."""

    def __init__(
        self,
        config: uvicorn.Config,
        listening: Callable[[], None],
        hangup: Callable[[], None],
        beside: _Beside | None,
    ) -> None:
        super().__init__(config)
        self._listening = listening
        self._hangup = hangup
        self._beside = beside

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # On the loop rather than in a signal handler proper, which must not start threads: it might interrupt a start.
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._start_hangup)
        if self._beside:
            await self._beside.start()
        self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self._beside:
            await self._beside.stop()

    def _start_hangup(self) -> None:
        threading.Thread(target=self._hangup, name="hangup", daemon=True).start()


@contextmanager
def _handling(signals: tuple[signal.Signals, ...], handler: signal.Handlers | Callable[..., None]) -> Iterator[None]:
    earlier = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, handler_before in earlier.items():
            signal.signal(number, handler_before)


def _bound(host: str, port: int, option: str, named_by: str) -> socket.socket:
    try:
        if host in ("", "::") and socket.has_dualstack_ipv6():
            return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)
        if not host:
            return socket.create_server((host, port))
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family)
    except (OSError, UnicodeError) as error:
        reason = f"can't be listened on: {_reason(error)}"
        accepted = "an address of this machine and a free port"
        raise ConfigError(line(option, quote(_joined(host, port)), named_by, reason, accepted)) from error


def _reason(error: OSError | UnicodeError) -> str | None:
    if isinstance(error, UnicodeError):
        return "No name has an empty label, or one of more than 63 characters"
    # `create_server` appends the address to the system's text; a failed look-up has a text of its own.
    return error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)


def _text(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return _joined(host, port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
