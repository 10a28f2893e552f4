"""The exporter and Prometheus as real processes on loopback."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.components import program
from tests.support.waiting import until


class ExporterProcess:
    """`kms-exporter` as its users start it.

    Attributes:
        log: the lines that it wrote to standard error so far.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "exporter", *arguments]
        self.process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self.output: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stderr, self.log)),
            threading.Thread(target=self._read, args=(self.process.stdout, self.output)),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def url(self) -> str:
        """Where it listens, once it does."""
        return until(self._address, within=30)

    def get(self, path: str, **arguments: object) -> httpx.Response:
        """Send a GET request."""
        return httpx.get(self.url + path, timeout=30, trust_env=False, **arguments)

    def metrics(self) -> str:
        """Return the page that Prometheus gets."""
        return self.get("/metrics").raise_for_status().text

    def ready(self) -> None:
        """Wait until every target was read once."""
        until(lambda: self.get("/readyz").status_code == 200, within=60)

    def events(self, name: str) -> list[str]:
        """Return the log lines of one event."""
        return [line for line in self.log if f"event={name} " in f"{line} "]

    def end(self, how: int = signal.SIGTERM, within: float = 10) -> int:
        """Send a signal; return the exit status."""
        self.process.send_signal(how)
        status = self.process.wait(within)
        for reader in self._readers:
            reader.join()  # its last lines are there
        return status

    def kill(self) -> None:
        """End it whatever it does, and let nothing of it stay open."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()

    def _address(self) -> str | None:
        if self.process.poll() is not None:
            raise RuntimeError("\n".join(self.log))
        for line in self.events("listening"):
            if found := re.search(r"address=(\S+)", line):
                return f"http://{found[1]}"
        return None

    @staticmethod
    def _read(stream: "object", lines: list[str]) -> None:
        with stream:
            lines.extend(line.rstrip("\n") for line in iter(stream.readline, ""))


@contextmanager
def exporter_process(command: str, *options: str, env: Mapping[str, str]) -> Iterator[ExporterProcess]:
    """Run `kms-exporter COMMAND` on a free port."""
    process = ExporterProcess([command, "--web.listen_address", "127.0.0.1:0", *options], env)
    try:
        yield process
    finally:
        process.kill()


class Prometheus:
    """A real Prometheus server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the value of each series that an instant query finds, by its sorted labels."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10, trust_env=False)
        return {
            tuple(sorted(row["metric"].items())): float(row["value"][1])
            for row in answer.raise_for_status().json()["data"]["result"]
        }


@contextmanager
def prometheus(folder: Path, targets: Sequence[str], how: str = "scheme: http") -> Iterator[Prometheus]:
    """Run Prometheus, scraping `targets` (`host:port`) every second; `how` is more of the scrape's configuration."""
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs:\n"
        f"- {{job_name: kms, {how}, static_configs: [{{targets: {list(targets)}}}]}}\n"
    )
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        until(lambda: httpx.get(f"{server.url}/-/ready", timeout=5, trust_env=False).is_success, within=30)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
