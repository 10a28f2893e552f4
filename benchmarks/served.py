"""The applications that `benchmarks.serving` scrapes: the exporter's own, prometheus_client's, and bare bytes."""

import random
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.plain import PlainCollector
from exporter.acknowledgements import Acknowledgements
from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.model import Deletion, Key, Keys, Snapshot, Target, TargetState
from exporter.telemetry import Telemetry
from exporter.web.app import create_app

NOW: Final = 1_790_000_000.0


def snapshot_of(keys: int) -> Snapshot:
    """Make one target with so many keys, of which 25 in 1,000 are pending deletion, each with one alias."""
    rng = random.Random(keys)
    by_id = {}
    for number in range(keys):
        key_id = f"{rng.getrandbits(128):032x}"
        key_id = "-".join((key_id[:8], key_id[8:12], key_id[12:16], key_id[16:20], key_id[20:]))
        pending = number % 40 == 0
        by_id[key_id] = Key(
            key_id,
            f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}",
            "PendingDeletion" if pending else "Enabled",
            description=f"Encrypts volume {number}",
            key_spec="SYMMETRIC_DEFAULT",
            key_usage="ENCRYPT_DECRYPT",
            origin="AWS_KMS",
            aliases=(f"alias/volume-{number}",),
            created_at=NOW - 1000 * number - 0.5,
            deletion=Deletion(at=NOW + 30 * number) if pending else None,
        )
    state = TargetState(
        Target("111122223333", "eu-west-1"), "payments", Keys(by_id), up=True, last_success=NOW, last_full=NOW
    )
    return Snapshot(NOW, 1, (state,), {"111122223333": True})


def telemetry() -> Telemetry:
    """Make the exporter's own metrics as they are after some passes."""
    made = Telemetry(CollectorRegistry(), version="0", revision="", loaded_at=NOW)
    for operation in ("ListKeys", "ListAliases", "DescribeKey", "GetResources", "AssumeRole", "ListRegions"):
        made.request("kms", operation, 0.015)
    return made


class Served:
    """What `exporter.web.contract.Exporter` asks for, without anything behind it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.acknowledgements = Acknowledgements()
        self.renderer = Renderer(telemetry().registry, export="customer", tags={})
        self.renderer.update(snapshot)

    def now(self) -> float:
        return NOW

    def alive(self) -> bool:
        return True

    def ready(self) -> bool:
        return True

    def reload(self) -> None:
        return


def plain(keys: int) -> ASGIApp:
    registry = telemetry().registry
    registry.register(PlainCollector(snapshot_of(keys), lambda: NOW))
    return make_asgi_app(registry)


def ours(keys: int) -> ASGIApp:
    return create_app(Served(snapshot_of(keys)))


def bare(keys: int) -> ASGIApp:
    served = Served(snapshot_of(keys))
    bodies = {
        gzip: b"".join(served.renderer.scrape(served.snapshot, Format.OPENMETRICS_1_0_0, gzip=gzip, now=NOW).parts)
        for gzip in (False, True)
    }
    headers = {gzip: [(b"content-length", str(len(body)).encode())] for gzip, body in bodies.items()}

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        gzip = (b"accept-encoding", b"gzip") in scope["headers"]
        await send({"type": "http.response.start", "status": 200, "headers": headers[gzip]})
        await send({"type": "http.response.body", "body": bodies[gzip]})

    return app


WAYS: Final[dict[str, Callable[[int], ASGIApp]]] = {"plain": plain, "ours": ours, "bare": bare}
