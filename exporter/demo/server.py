"""Runs the emulator: in a thread of a test or of the demo, or as a process of its own for benchmarks."""

import argparse
import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Sequence
from typing import Final, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from exporter.demo.emulator import Emulator
from exporter.demo.faults import Faults
from exporter.demo.principals import HOME_ACCESS_KEY, HOME_SECRET_KEY
from exporter.demo.scenario import demo_world, uniform_world
from exporter.demo.timeline import play
from exporter.demo.wire.exchange import CLOSE_CONNECTION
from exporter.demo.world import World

_HOST: Final = "127.0.0.1"
_START_TIMEOUT: Final = 10.0
_BACKLOG: Final = 1024
_LAST_TURNS: Final = 8
_END: Final = frozenset({signal.SIGTERM, signal.SIGINT})


class EmulatorServer:
    """The emulator on loopback, in a daemon thread.

        with EmulatorServer(world) as emulator:
            kms = boto3.client("kms", endpoint_url=emulator.url, ...)

    It can be stopped, which cuts every connection, and started again on the same port.

    Attributes:
        world: what it answers from.
        faults: what goes wrong.
    """

    def __init__(self, world: World, port: int = 0, *, faults: Faults | None = None) -> None:
        """Create it, not started.

        Args:
            world: what it answers from.
            port: 0 for any free one, chosen at the first start and kept.
            faults: what goes wrong; nothing by default.
        """
        self.world = world
        self.faults = faults or Faults()
        self._port = port
        self._running: tuple[_Server, threading.Thread] | None = None

    @property
    def url(self) -> str:
        """The endpoint for AWS clients, known once it was started."""
        return f"http://{_HOST}:{self._port}"

    def start(self) -> None:
        """Start serving; returns when connections are accepted.

        Raises:
            OSError: the port is taken.
            TimeoutError: it does not come up.
        """
        listener = socket.create_server((_HOST, self._port), backlog=_BACKLOG)
        self._port = listener.getsockname()[1]
        server = _Server(Emulator(self.world, self.faults))
        thread = threading.Thread(target=server.run, args=([listener],), name="aws-emulator", daemon=True)
        thread.start()
        if not server.serving.wait(_START_TIMEOUT):
            raise TimeoutError("the emulator did not start")
        self._running = (server, thread)

    def stop(self) -> None:
        """Stop serving and cut every connection; nothing happens when it is stopped already."""
        if self._running is None:
            return
        server, thread = self._running
        self._running = None
        server.stop()
        thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def environment(url: str, region: str = "eu-west-1") -> dict[str, str]:
    """Return the variables that point boto3 at the emulator, past any proxy, and at no file of the user's.

    They may be laid over an environment that has credentials of its own, but for `AWS_PROFILE`: leave it out, since it
    names a profile that is not there any more.

    Args:
        url: `EmulatorServer.url`.
        region: the default region; one that the home account has enabled.
    """
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": HOME_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": HOME_SECRET_KEY,
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": _HOST,
        "no_proxy": _HOST,  # counts instead where both are there (urllib.request.getproxies_environment)
    }


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with the extension that lets the application break a connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CLOSE_CONNECTION: self.transport.close}  # type: ignore[dict-item]  # typed for http.* only


class _Server(uvicorn.Server):
    """uvicorn without its pauses: it stops at once, and does not wait for requests that were told to hang."""

    def __init__(self, app: Emulator) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                loop="uvloop",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=60,
                backlog=_BACKLOG,
            )
        )
        self.serving = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.serving.set()
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for _ in range(_LAST_TURNS):  # a connection that was accepted in this very moment shows up a turn or two later
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        for task in list(self.server_state.tasks):  # those that waited for their client have seen it go
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)

    def stop(self) -> None:
        """End `main_loop` from another thread."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; the only line on stdout is the URL."""
    options = _parser().parse_args(arguments)
    if options.demo:
        world = demo_world()
        play(world)
    else:
        world = uniform_world(options.keys, options.regions, options.accounts, pending=options.pending)
    emulator = EmulatorServer(world, options.port)
    if options.latency:
        emulator.faults.latency(options.latency)
    if options.quotas:
        emulator.faults.use_quotas()
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_BLOCK, _END)
    with emulator:
        print(emulator.url, flush=True)  # noqa: T201 - what this command is asked for
        signal.sigwait(_END)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exporter.demo.server", description="AWS emulator on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one (default)")
    parser.add_argument("--demo", action="store_true", help="the demo's organization, with its timeline")
    parser.add_argument("--keys", type=int, default=1000, help="keys in each account and region (default 1000)")
    parser.add_argument("--regions", type=int, default=1, help="enabled regions of each account (default 1)")
    parser.add_argument("--accounts", type=int, default=1, help="accounts of the organization (default 1)")
    parser.add_argument("--pending", type=int, default=0, help="of the keys, pending deletion (default 0)")
    parser.add_argument("--latency", type=_seconds, default=0.0, help="of every answer, such as 15ms or 0.2s")
    parser.add_argument("--quotas", action="store_true", help="throttle beyond AWS's default request quotas")
    return parser


def _seconds(text: str) -> float:
    number, unit = (text[:-2], 0.001) if text.endswith("ms") else (text.removesuffix("s"), 1.0)
    return float(number) * unit


if __name__ == "__main__":
    main()
