"""The web application in front of a made-up exporter, and on loopback."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from exporter.acknowledgements import Acknowledgements
from exporter.errors import ConfigError
from exporter.exposition.renderer import Renderer
from exporter.model import Key, Keys, Snapshot, Target, TargetState
from exporter.telemetry import Telemetry
from exporter.web.connection import Connection
from tests.support.snapshots import NOW
from tests.support.waiting import until


class FakeExporter:
    """The rest of the program, as the web layer sees it."""

    def __init__(self, *keys: Key) -> None:
        telemetry = Telemetry(CollectorRegistry(), version="0", revision="", loaded_at=NOW)
        target = Target("111122223333", "eu-west-1")
        self.snapshot = Snapshot(NOW, 1, (TargetState(target, keys=Keys({key.key_id: key for key in keys}), up=True),))
        self.renderer = Renderer(telemetry.registry, export="customer", tags={})
        self.renderer.update(self.snapshot)
        self.acknowledgements = Acknowledgements()
        self.time = NOW
        self.is_alive = self.is_ready = True
        self.reloads = 0
        self.refusal = ""

    def now(self) -> float:
        return self.time

    def alive(self) -> bool:
        return self.is_alive

    def ready(self) -> bool:
        return self.is_ready

    def reload(self) -> None:
        self.reloads += 1
        if self.refusal:
            raise ConfigError(self.refusal)


@contextmanager
def served(app: ASGIApp, connection: type[asyncio.Protocol] = Connection) -> Iterator[str]:
    """Serve `app` on a free port of this machine; give its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=connection, ws="none", lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        ((host, port),) = (socket.getsockname() for listener in server.servers for socket in listener.sockets)
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
