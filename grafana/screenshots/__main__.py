"""Draw every dashboard, dark and light, from a week of the demo: `python -m grafana.screenshots`.

Needs `prometheus`, `promtool`, `chromium` and `npm`; the packages of the page are kept in the cache directory.
"""

import argparse
import json
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from grafana.screenshots import draw, stage

COARSE: Final = 900
DASHBOARDS: Final = stage.ROOT / "grafana" / "dashboards"


def main(arguments: Sequence[str]) -> int:
    """Record, serve, draw; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m grafana.screenshots", description=__doc__)
    parser.add_argument("--output", type=Path, default=stage.ROOT / "docs" / "images", help="where the pictures go")
    parser.add_argument("--cache", type=Path, default=stage.ROOT / ".cache" / "screenshots", help="where packages stay")
    asked = parser.parse_args(arguments)
    asked.output.mkdir(parents=True, exist_ok=True)
    built = draw.install(asked.cache)
    with tempfile.TemporaryDirectory() as folder:
        end = stage.end_of_week()
        sys.stderr.write("recording a week of the demo, which takes some minutes\n")
        stage.record(Path(folder), end, "--coarse", str(COARSE))
        with stage.prometheus(Path(folder), COARSE, _free_port()) as url:
            for path in sorted(DASHBOARDS.glob("*.json")):
                dashboard = json.loads(path.read_text(encoding="utf-8"))
                for theme in get_args(draw.Theme):
                    picture = draw.draw(built, dashboard, theme, draw.Source(url, end))
                    (asked.output / f"{path.stem}-{theme}.png").write_bytes(picture)
                    sys.stderr.write(f"{path.stem}-{theme}.png: {len(picture)} bytes\n")
    return 0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
