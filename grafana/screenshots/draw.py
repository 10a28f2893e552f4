"""Draws dashboards with Grafana's own panel components in Chromium, from the data of a real Prometheus.

No Grafana server is involved: `app/` puts the components of `@grafana/ui` together as Grafana does. What it asks of
Prometheus is passed on by this module, and nothing else leaves the browser.
"""

import io
import json
import mimetypes
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Page, Request, Route, sync_playwright

APP: Final = Path(__file__).parent / "app"
ORIGIN: Final = "http://dashboards.localhost"
WIDTH: Final = 1440
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
)

_DRAWN_WITHIN: Final = 120_000.0
"""Milliseconds: a busy machine is no fault of the dashboard."""

Theme = Literal["dark", "light"]


class DrawingError(Exception):
    """A panel is not fit to be seen; the text tells which ones and why."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the data come from.

    Attributes:
        url: of Prometheus, without a slash at the end.
        now: end of the time range, Unix seconds.
        scrape_interval: seconds between two samples, as a data source's settings have it.
    """

    url: str
    now: float
    scrape_interval: float = 60.0


def install(workplace: Path) -> Path:
    """Build the page in `workplace`, where its packages stay for the next time; return the folder of the built page."""
    workplace.mkdir(parents=True, exist_ok=True)
    locks = [folder / "package-lock.json" for folder in (APP, workplace)]
    unchanged = locks[1].exists() and locks[0].read_bytes() == locks[1].read_bytes()
    shutil.copytree(APP, workplace, dirs_exist_ok=True)
    if not unchanged or not (workplace / "node_modules" / ".package-lock.json").exists():
        _run("npm", "ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", folder=workplace)
    _run("npm", "run", "--silent", "build", "--", "--logLevel", "error", folder=workplace)
    shutil.copytree(
        workplace / "node_modules/@grafana/ui/dist/public/img/icons",
        workplace / "dist/public/build/img/icons",
        dirs_exist_ok=True,
    )
    return workplace / "dist"


def draw(built: Path, dashboard: Mapping[str, object], theme: Theme, source: Source) -> bytes:
    """Return the picture of a whole dashboard, as a PNG.

    Raises:
        DrawingError: a panel failed, is empty, or cuts what it shows.
    """
    settings = {
        "dashboard": dashboard,
        "theme": theme,
        "now": source.now * 1000,
        "scrapeInterval": source.scrape_interval * 1000,
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            page = browser.new_page(
                viewport={"width": WIDTH, "height": _height(dashboard)},
                timezone_id="UTC",
                locale="en-GB",
                device_scale_factor=1,
            )
            answer = partial(_answer, built=built, settings=json.dumps(settings), prometheus=source.url)
            page.route("**/*", answer)
            page.goto(f"{ORIGIN}/index.html")
            _wait_until_drawn(page, dashboard)
            return _smaller(page.locator("#root").screenshot())
        finally:
            browser.close()


def _height(dashboard: Mapping[str, object]) -> int:
    """Return a height that the whole dashboard fits in: tables do not draw rows that cannot be seen."""
    panels = dashboard["panels"]
    assert isinstance(panels, list)  # noqa: S101 - tells the type checker what a dashboard is
    return 200 + 38 * max(int(panel["gridPos"]["y"]) + int(panel["gridPos"]["h"]) for panel in panels)


def _answer(route: Route, request: Request, *, built: Path, settings: str, prometheus: str) -> None:
    path = request.url.removeprefix(ORIGIN).split("?")[0]
    if path == "/settings.json":
        route.fulfill(body=settings, content_type="application/json")
    elif path.startswith("/api/v1/"):
        route.fulfill(body=_asked(prometheus + path, request.post_data_buffer or b""), content_type="application/json")
    elif (file := built / path.lstrip("/")).is_file():
        route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(path)[0] or "application/octet-stream")
    else:
        route.fulfill(status=404)


def _asked(url: str, form: bytes) -> bytes:
    try:
        with urllib.request.urlopen(url, data=form, timeout=60) as response:  # noqa: S310 - the caller's Prometheus
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        return error.read()  # Prometheus tells in the body what is wrong with a query


def _wait_until_drawn(page: Page, dashboard: Mapping[str, object]) -> None:
    panels = dashboard["panels"]
    assert isinstance(panels, list)  # noqa: S101 - tells the type checker what a dashboard is
    expected = sum(panel["type"] != "row" for panel in panels)
    page.wait_for_function(
        "count => Object.keys(window.outcomes ?? {}).length === count", arg=expected, timeout=_DRAWN_WITHIN
    )
    page.evaluate("document.fonts.ready")
    page.wait_for_load_state("networkidle")
    bad = {name: outcome for name, outcome in page.evaluate("window.outcomes").items() if outcome != "drawn"}
    if bad:
        raise DrawingError(json.dumps(bad, ensure_ascii=False))
    if cut := page.evaluate("window.cut()"):
        raise DrawingError(f"cut: {', '.join(cut)}")


def _smaller(picture: bytes) -> bytes:
    """Reduce a picture to 256 colours: a third of the bytes, and hardly a difference that the eye finds."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    out = io.BytesIO()
    image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def _run(*command: str, folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - commands of this module
