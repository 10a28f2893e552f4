"""The real exporter and the emulator as processes, and what the operating system says of them."""

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from exporter.demo.server import environment

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process has used so far.

    Attributes:
        cpu: seconds of CPU, in all its threads.
        resident: MB that it holds in memory.
        peak: the most MB that it ever held.
    """

    cpu: float
    resident: float
    peak: float


def usage(pid: int) -> Usage:
    """Return what a process has used, without asking it."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    kilobytes = {name: int(value) for name, value in re.findall(r"(VmHWM|VmRSS):\s+(\d+)", status)}
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, kilobytes["VmRSS"] / 1024, kilobytes["VmHWM"] / 1024)


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    url: str

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of a process that shall know no other AWS."""
        return {"PATH": os.environ["PATH"]} | environment(self.url)

    def requests(self) -> Counter[tuple[str, str]]:
        """Return what it was asked so far, by service and operation."""
        count: Counter[tuple[str, str]] = Counter()
        for row in self.stats()["requests"]:
            count[row["service"], row["operation"]] += row["count"]
        return count

    def stats(self) -> Any:
        """Return its counts as it tells them."""
        return httpx.get(f"{self.url}/_emulator/stats", trust_env=False, timeout=60).raise_for_status().json()

    def post(self, path: str, **what: Any) -> None:
        """Change something in its world."""
        httpx.post(f"{self.url}/_emulator/{path}", json=what, trust_env=False, timeout=60).raise_for_status()


@contextmanager
def emulator(
    *, keys: int, regions: int, accounts: int = 1, pending: int = 0, latency: str = "0ms"
) -> Iterator[Emulator]:
    """Run an emulator whose accounts all have so many regions with so many keys each."""
    command = [sys.executable, "-m", "exporter.demo.server", "--keys", str(keys), "--regions", str(regions)]
    command += ["--accounts", str(accounts), "--pending", str(pending), "--latency", latency]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Emulator(process.stdout.readline().strip())
        finally:
            process.terminate()


class Exporter:
    """A running `kms-exporter serve`.

    Attributes:
        address: where it listens.
        log: the lines that it logged since it listens.
    """

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.log: list[str] = []
        self._process = process
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=60)
        self.address = (str(self._client.base_url.host), int(self._client.base_url.port or 0))

    def close(self) -> None:
        """Give its connections up."""
        self._client.close()

    def usage(self) -> Usage:
        """Return what it has used."""
        return usage(self._process.pid)

    def ready(self) -> bool:
        """Whether every target was read once."""
        return self._client.get("/readyz").status_code == httpx.codes.OK

    def until_ready(self, every: float = 0.2) -> float:
        """Wait until every target was tried; return when that was, by `time.perf_counter`."""
        while not self.ready():
            time.sleep(every)
        return time.perf_counter()

    def page(self) -> str:
        """Return what a scrape gets."""
        return self._client.get("/metrics").raise_for_status().text

    def scrape(self) -> float:
        """Return how long a scrape takes as Prometheus makes it: compressed, read to its end; in seconds."""
        return self.seconds("/metrics")

    def seconds(self, path: str) -> float:
        """Return how long an answer takes, compressed, read to its end and not unpacked."""
        started = time.perf_counter()
        self._length(path)
        return time.perf_counter() - started

    def compressed(self) -> float:
        """Return the size of a compressed scrape, in MB."""
        return self._length("/metrics") / 1e6

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of a metric that have these labels."""
        return sum(value for found, value in samples(self.page(), name) if labels.items() <= found.items())

    def passes(self, mode: str) -> float:
        """Return how many passes of a kind ended."""
        return self.sum("kms_exporter_target_refresh_duration_seconds_count", mode=mode)

    def _length(self, path: str) -> int:
        with self._client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            return sum(map(len, answer.iter_raw()))


@contextmanager
def exporter(env: Mapping[str, str], *options: str) -> Iterator[Exporter]:
    """Run the exporter; it listens, and may not be ready yet.

    Raises:
        SystemExit: it ended before, and why.
    """
    command = [sys.executable, "-m", "exporter", "serve", "--web.listen_address", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        listening: threading.Thread | None = None
        try:
            running = Exporter(process, _address(process.stderr))
            # `extend` takes each line as it comes, and shows it at once.
            listening = threading.Thread(target=running.log.extend, args=(process.stderr,), daemon=True)
            listening.start()
            try:
                yield running
            finally:
                running.close()
        finally:
            process.terminate()
            if listening is not None:
                listening.join()  # before the pipe is closed


def _address(log: IO[str]) -> str:
    lines = []
    for line in log:
        if found := re.search(r"address=(\S+)", line):
            return f"http://{found[1]}"
        lines.append(line)
    raise SystemExit(f"the exporter ended: {''.join(lines)}")


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the value that such a share of them is not above."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def samples(page: str, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Yield labels and value of each sample of a metric."""
    for labels, value in re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", page, re.MULTILINE):
        yield dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)), float(value)
