"""What the real process needs: memory, CPU, requests a day and their price, for docs/operating.md.

python -m benchmarks.sizing [--size KEYSxREGIONSxACCOUNTS ...] [--seconds 30]

Each size runs `kms-exporter serve` against the emulator in another process, with the default settings but for shorter
intervals and the whole request quota: a pass costs the same however seldom and slowly it is made. CPU per pass is the
growth of the process' CPU time over passes that nothing else happens in but a scrape at the end; the day's requests
follow from the default intervals.
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from exporter.demo.server import environment
from exporter.settings import Settings

SIZES = ("100x1x1", "1000x4x1", "10000x1x1", "10x17x20", "2x17x100", "100000x1x1")
HEADINGS = (
    "keys",
    "targets",
    "peak memory",
    "CPU, start and first pass",
    "CPU, changes pass",
    "of a core",
    "KMS requests a day",
    "USD a day",
)
DAY = 86400.0
DOLLARS_A_REQUEST = 0.03 / 10_000
"""https://aws.amazon.com/kms/pricing/; only requests to KMS are billed."""
LONG = "24h"


@dataclass(frozen=True)
class Size:
    """How much there is to watch; keys are per account and region."""

    keys: int
    regions: int
    accounts: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        return cls(*map(int, text.split("x")))

    @property
    def targets(self) -> int:
        return self.regions * self.accounts


class Process:
    """A running exporter and what it says of itself."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def page(self) -> str:
        return httpx.get(f"{self.url}/metrics", timeout=60, trust_env=False).raise_for_status().text

    def cpu(self) -> float:
        """Seconds of CPU that it used so far, without asking it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self) -> float:
        """The most memory that it ever had, in MB."""
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(kilobytes) / 1024

    def passes(self, mode: str) -> int:
        found = re.search(
            rf'^kms_exporter_target_refresh_duration_seconds_count\{{mode="{mode}"\}} (\S+)', self.page(), re.MULTILINE
        )
        return int(float(found[1])) if found else 0


@contextmanager
def emulator(size: Size) -> Iterator[dict[str, str]]:
    """Run the emulator in a process of its own; give the environment that points at it."""
    command = [sys.executable, "-m", "exporter.demo.server", "--keys", str(size.keys), "--regions", str(size.regions)]
    command += ["--accounts", str(size.accounts), "--pending", str(size.keys // 100)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield {"PATH": os.environ["PATH"]} | environment(process.stdout.readline().strip())
        finally:
            process.terminate()


@contextmanager
def exporter(size: Size, env: Mapping[str, str], interval: str, full: str) -> Iterator[Process]:
    """Run the exporter until every target was read once."""
    command = [sys.executable, "-m", "exporter", "serve", "--web.listen_address", "127.0.0.1:0"]
    command += ["--refresh.interval", interval, "--refresh.fallback_interval", full, "--aws.request_rate", "1"]
    if size.accounts > 1:
        command += ["--aws.organization.enabled", "true"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        try:
            url = next(f"http://{found[1]}" for line in process.stderr if (found := re.search(r"address=(\S+)", line)))
            threading.Thread(target=process.stderr.read, daemon=True).start()
            running = Process(url, process.pid)
            while httpx.get(f"{url}/readyz", trust_env=False, timeout=10).status_code != httpx.codes.OK:
                time.sleep(0.2)
            yield running
        finally:
            process.terminate()


def requests(url: str) -> Counter[tuple[str, str]]:
    """Return what the emulator was asked so far, by service and operation."""
    stats = httpx.get(f"{url}/_emulator/stats", trust_env=False, timeout=10).json()["requests"]
    count: Counter[tuple[str, str]] = Counter()
    for row in stats:
        count[row["service"], row["operation"]] += row["count"]
    return count


def first_pass(size: Size) -> tuple[float, float, Counter[tuple[str, str]]]:
    """Return CPU seconds and peak MB of a start with its first full passes, and the requests of them."""
    with emulator(size) as env, exporter(size, env, "1h", LONG) as running:
        running.page()
        return running.cpu(), running.peak(), requests(env["AWS_ENDPOINT_URL"])


def changes_pass(size: Size, seconds: float) -> tuple[float, Counter[tuple[str, str]]]:
    """Return CPU seconds and requests of one changes pass over every target, averaged over `seconds`."""
    with emulator(size) as env, exporter(size, env, "5s", LONG) as running:
        before, asked, passes = running.cpu(), requests(env["AWS_ENDPOINT_URL"]), running.passes("changes")
        time.sleep(seconds)
        cpu, after = running.cpu() - before, requests(env["AWS_ENDPOINT_URL"])
        rounds = (running.passes("changes") - passes) / size.targets
    return cpu / rounds, Counter({kind: round(count / rounds) for kind, count in (after - asked).items()})


def report(size: Size, seconds: float) -> str:
    """Return one row of the table."""
    start_cpu, peak, full = first_pass(size)
    changes_cpu, changes = changes_pass(size, seconds)
    refresh = Settings().refresh
    fulls, rounds = DAY / refresh.fallback_interval, DAY / refresh.interval
    rounds -= fulls  # a full pass stands for a changes pass
    kms = fulls * of_kms(full) + rounds * of_kms(changes)
    cores = (fulls * start_cpu + rounds * changes_cpu) / DAY
    return (
        f"| {size.keys * size.targets:,} | {size.targets:,} | {peak:.0f} MB | {start_cpu:.1f} s | {changes_cpu:.2f} s "
        f"| {cores * 100:.1f}% | {kms:,.0f} | {kms * DOLLARS_A_REQUEST:.2f} |"
    )


def of_kms(count: Counter[tuple[str, str]]) -> int:
    """Return how many of the requests KMS bills."""
    return sum(number for (service, _), number in count.items() if service == "kms")


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", type=Size.parse, default=[Size.parse(text) for text in SIZES])
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    print(f"| {' | '.join(HEADINGS)} |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for size in options.size:
        print(report(size, options.seconds), flush=True)


if __name__ == "__main__":
    main()
