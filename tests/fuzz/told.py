"""Everything that the exporter tells of keys, held to the formats in which it tells it."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from exporter.acknowledgements import Acknowledgements
from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Body, Renderer
from exporter.model import Evidence, Key, Keys, Snapshot, Target, TargetState
from exporter.telemetry import Telemetry
from exporter.web.api import openapi
from exporter.web.api.paging import keys_page, parse_query
from exporter.web.status.page import StatusPage
from exporter.web.status.query import PageQuery
from tests.support.contract import holds_to
from tests.support.snapshots import IRELAND, NOW

DOCUMENT: Final = json.loads(openapi.encoded())
PAGE: Final = StatusPage(telemetry_path="/metrics", runbook_url="")
ANYONE: Final = Acknowledgements((), "kms-exporter/deletion-approved")


def snapshot_of(
    *keys: Key, evidence: Mapping[str, Evidence] | None = None, target: Target = IRELAND, account_name: str = ""
) -> Snapshot:
    """Return a snapshot of one target with these keys."""
    known = Keys({key.key_id: key for key in keys}, evidence=evidence or {})
    return Snapshot(NOW, 1, (TargetState(target, account_name, keys=known, up=True),), {target.account_id: True})


def everything_can_be_told(snapshot: Snapshot) -> None:
    """Check the page in each format, the JSON and the status page, which must all be what they say they are."""
    told_in_metrics(snapshot)
    answer = keys_page(snapshot, parse_query(""), acknowledgements=ANYONE, unmatched=(), now=NOW)
    holds_to(DOCUMENT, json.loads(answer, parse_constant=_no_json))
    assert PAGE.render(snapshot, PageQuery(), acknowledgements=ANYONE, unmatched=(), now=NOW).decode()


def told_in_metrics(snapshot: Snapshot) -> None:
    """Check the page in both formats."""
    telemetry = Telemetry(CollectorRegistry(), version="0", revision="", loaded_at=NOW)
    renderer = Renderer(telemetry.registry, export="all", tags={"owner": "tag_owner"}, acknowledgements=ANYONE)
    renderer.update(snapshot)
    counts = set()
    for form, compressed in ((Format.TEXT, False), (Format.OPENMETRICS_1_0_0, True)):
        content = _joined(renderer.scrape(snapshot, form, gzip=compressed, now=NOW))
        text = (gzip.decompress(content) if compressed else content).decode()
        families = (openmetrics if form.openmetrics else plain_text)(text)
        counts.add(sum(len(family.samples) for family in families if family.name.startswith("kms_key")))
    assert len(counts) == 1, "the formats tell of different things"


def asked(
    app: Any, path: str, headers: Mapping[str, bytes] | None = None, query: bytes = b""
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Send one GET to an ASGI application; return status, headers and body."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(name.encode(), value) for name, value in (headers or {}).items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "scheme": "http",
        "root_path": "",
    }
    asyncio.run(app(scope, receive, send))
    start, *bodies = sent
    return start["status"], dict(start["headers"]), b"".join(part.get("body", b"") for part in bodies)


def _joined(body: Body) -> bytes:
    content = b"".join(body.parts)
    assert len(content) == body.length
    return content


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
