"""A Prometheus that serves a recorded week, for the pictures and for the tests of the dashboards."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_START_TIMEOUT: Final = 60.0


def end_of_week() -> float:
    """Return the next time that it is 40 minutes past an hour, in Unix seconds: no label of a time axis is cut then."""
    hour = 3600
    return (time.time() - 2400) // hour * hour + hour + 2400


def record(folder: Path, end: float, *options: str) -> None:
    """Record the demo's week up to `end` in `folder`; `options` are those of `grafana.screenshots.history`."""
    command = [sys.executable, "-m", "grafana.screenshots.history", str(folder), "--end", str(end), *options]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - no part of the command comes from outside


@contextmanager
def prometheus(folder: Path, coarse: float, port: int) -> Iterator[str]:
    """Serve `folder`, whose pages are up to `coarse` seconds apart, on loopback; give the URL.

    Raises:
        TimeoutError: it does not come up.
    """
    config = folder / "prometheus.yml"
    config.write_text("{}\n", encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        # A page holds until the next one.
        f"--query.lookback-delta={int(coarse) + 60}s",
        "--log.level=error",
    ]
    process = subprocess.Popen(command)  # noqa: S603 - no part of the command comes from outside
    try:
        _wait_until_ready(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=5):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError("Prometheus did not start")
