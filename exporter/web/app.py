"""The web application: which path answers what."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from exporter.errors import ExporterError
from exporter.web.api import openapi
from exporter.web.api.paging import Query, keys_page, parse_query
from exporter.web.contract import Exporter
from exporter.web.metrics import MetricsEndpoint
from exporter.web.parameters import ParameterError
from exporter.web.status.page import StatusPage
from exporter.web.status.query import PageQuery
from exporter.web.unmatched import Unmatched


def create_app(
    exporter: Exporter, *, telemetry_path: str = "/metrics", runbook_url: str = "", enable_reload: bool = False
) -> ASGIApp:
    """Return the ASGI application that answers for `exporter`.

    What looks at every key runs in a worker thread, so that scrapes don't wait for it.

    Args:
        exporter: what is asked.
        telemetry_path: where the metrics are.
        runbook_url: link that stands beside each pending key, `""` for none.
        enable_reload: whether `POST /-/reload` does anything.
    """
    status = StatusPage(telemetry_path=telemetry_path, runbook_url=runbook_url)
    unmatched = Unmatched()
    description = openapi.encoded()

    def render_page(query: PageQuery) -> bytes:
        snapshot, declared = exporter.snapshot, exporter.acknowledgements
        found = unmatched.of(snapshot, declared)
        return status.render(snapshot, query, acknowledgements=declared, unmatched=found, now=exporter.now())

    def render_keys(query: Query) -> bytes:
        snapshot, declared = exporter.snapshot, exporter.acknowledgements
        found = unmatched.of(snapshot, declared) if query.after is None else ()
        return keys_page(snapshot, query, acknowledgements=declared, unmatched=found, now=exporter.now())

    async def page(request: Request) -> Response:
        try:
            query = PageQuery.parse(_query(request))
        except ParameterError as error:
            return _line(str(error), 400)
        content = await run_in_threadpool(render_page, query)
        return Response(content, headers=status.headers, media_type="text/html")

    async def keys(request: Request) -> Response:
        try:
            query = parse_query(_query(request))
        except ParameterError as error:
            return _line(str(error), 400)
        content = await run_in_threadpool(render_keys, query)
        return Response(content, headers={"Cache-Control": "no-store"}, media_type="application/json")

    async def describe(_: Request) -> Response:
        return Response(description, media_type="application/json")

    app = Starlette(
        routes=[
            Route(telemetry_path, MetricsEndpoint(exporter)),
            Route("/", page),
            *_probes(exporter),
            Route("/api/v1/keys", keys),
            Route(openapi.PATH, describe),
            Route("/-/reload", _reload(exporter) if enable_reload else _no_reload, methods=["POST"]),
        ]
    )
    app.router.redirect_slashes = False
    return app


def create_probes(exporter: Exporter) -> ASGIApp:
    """Return the ASGI application that answers nothing but whether `exporter` is alive and ready."""
    app = Starlette(routes=_probes(exporter))
    app.router.redirect_slashes = False
    return app


def _probes(exporter: Exporter) -> list[Route]:
    return [
        Route("/healthz", _probe(exporter.alive, "alive")),
        Route("/readyz", _probe(exporter.ready, "ready")),
    ]


def _probe(holds: Callable[[], bool], name: str) -> Callable[[Request], Awaitable[Response]]:
    async def probe(_: Request) -> Response:
        return _line(name, 200) if holds() else _line(f"not {name}", 503)

    return probe


def _reload(exporter: Exporter) -> Callable[[Request], Awaitable[Response]]:
    async def reload(_: Request) -> Response:
        try:
            await run_in_threadpool(exporter.reload)
        except ExporterError as error:
            return _line(str(error), 500)
        return _line("reloaded", 200)

    return reload


async def _no_reload(_: Request) -> Response:
    return _line("not enabled; send SIGHUP, or set web.enable_reload", 403)


def _query(request: Request) -> str:
    """Return the query string; bytes that are no UTF-8 must not make an error of the server out of a stranger's."""
    query: bytes = request.scope["query_string"]
    return query.decode("utf-8", "replace")


def _line(text: str, status: int) -> Response:
    """Return one line of plain text, whatever `text` holds."""
    line = " / ".join(text.splitlines())
    return Response(f"{line}\n".encode("utf-8", "replace"), status, media_type="text/plain")
