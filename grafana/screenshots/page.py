"""Draw the exporter's own status page from the demo: `python -m grafana.screenshots.page`. Needs `chromium`."""

import argparse
import io
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from grafana.screenshots import draw, stage

LOOKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "status-page": {"viewport": {"width": 1280, "height": 1120}, "color_scheme": "light"},
    "status-page-dark": {"viewport": {"width": 1280, "height": 1120}, "color_scheme": "dark"},
    "status-page-narrow": {"viewport": {"width": 360, "height": 1120}, "color_scheme": "light"},
}
"""Name of each picture, and the window that it is seen through."""

_OPTIONS: Final = (
    "--web.listen_address", "127.0.0.1:0",
    "--web.runbook_url", "https://runbooks.example.org/kms-exporter",
)  # fmt: skip
_SEEN: Final = 4
"""Keys that the window shows; the demo schedules others meanwhile."""
_NOT_YET: Final = ("not asked", "not known yet", "not read yet")
_PATIENCE: Final = 60_000
"""Milliseconds until every source must have answered."""


def main(arguments: Sequence[str]) -> int:
    """Run the demo, look at it, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m grafana.screenshots.page", description=__doc__)
    parser.add_argument("--output", type=Path, default=stage.ROOT / "docs" / "images", help="where the pictures go")
    asked = parser.parse_args(arguments)
    asked.output.mkdir(parents=True, exist_ok=True)
    with demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=draw.CHROMIUM, args=list(draw.FLAGS))
        try:
            for name, look in LOOKS.items():
                picture = _look(browser, url, look)
                (asked.output / f"{name}.png").write_bytes(picture)
                sys.stderr.write(f"{name}.png: {len(picture)} bytes\n")
        finally:
            browser.close()
    return 0


@contextmanager
def demo() -> Iterator[str]:
    """Run the demo on a free port; give its URL.

    Raises:
        RuntimeError: it ended before it listened.
    """
    command = [sys.executable, "-m", "exporter", "demo", *_OPTIONS]
    process = subprocess.Popen(command, cwd=stage.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603 - no part of the command comes from outside
    try:
        assert process.stdout is not None  # noqa: S101 - tells the type checker what PIPE does
        yield _address(process.stdout)
    finally:
        process.terminate()
        process.communicate()


def _address(output: IO[str]) -> str:
    for line in output:
        if found := re.search(r"page +(http://\S+)", line):
            return found[1]
    raise RuntimeError("the demo did not start")


def _look(browser: Browser, url: str, look: Mapping[str, Any]) -> bytes:
    context = browser.new_context(timezone_id="UTC", locale="en-GB", **look)
    try:
        page = context.new_page()
        deadline = time.monotonic() + _PATIENCE / 1000
        while True:
            page.goto(f"{url}?refresh=off")
            told = " ".join(page.locator("tbody.key").all_inner_texts()[:_SEEN])
            if not any(word in told for word in _NOT_YET):
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"not every source answered: {told}")
            page.wait_for_timeout(500)
        page.goto(url)
        return _smaller(page.screenshot())
    finally:
        context.close()


def _smaller(picture: bytes) -> bytes:
    """Reduce a picture to 256 colours, chosen so that ground and panels stay apart."""
    out = io.BytesIO()
    reduced = (
        Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    )
    reduced.save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
