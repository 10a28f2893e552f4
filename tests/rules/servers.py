"""Starts the real Prometheus and Alertmanager on loopback, and ends them."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.waiting import until


@contextmanager
def running(command: Sequence[str], url: str, log: Path) -> Iterator[None]:
    """Run a server until the block ends, and enter the block once its `/-/ready` answers."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    def ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        return httpx.get(f"{url}/-/ready", timeout=5, trust_env=False).is_success

    try:
        until(ready, within=30)
        yield
    finally:
        process.terminate()
        process.wait(20)
