"""The whole process under load: scrapes beside a full pass, memory, and how long its event loop ever stands still.

python -m benchmarks.beside_sweep [--keys 10000] [--many 100000] [--seconds 15]

The emulator, the exporter and this client are three processes on whatever cores there are.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.sweeping import emulator
from exporter.demo.scenario import REGIONS

GZIP = {"Accept-Encoding": "gzip"}


class Exporter:
    """A running `kms-exporter serve`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.process = process

    def seconds(self, path: str) -> float:
        """Return how long an answer takes, read to its end and not unpacked."""
        started = time.perf_counter()
        with self.client.stream("GET", path, headers=GZIP) as answer:
            for _ in answer.iter_raw():
                pass
        return time.perf_counter() - started

    def peak_mebibytes(self) -> float:
        """Return the largest resident size so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024


@contextmanager
def exporter(env: Mapping[str, str], *options: str) -> Iterator[Exporter]:
    """Run the exporter until it is ready."""
    command = [sys.executable, "-m", "exporter", "serve", "--web.listen_address", "127.0.0.1:0"]
    command += ["--aws.regions", REGIONS[0], *options]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            first = process.stderr.readline()
            found = re.search(r"address=(\S+)", first)
            assert found, first
            running = Exporter(process, f"http://{found[1]}")
            while running.client.get("/readyz").status_code != httpx.codes.OK:
                time.sleep(0.1)
            yield running
        finally:
            process.terminate()
            process.communicate()


def sample(measure: Callable[[], float], seconds: float) -> list[float]:
    """Measure again and again."""
    until = time.perf_counter() + seconds
    found = []
    while time.perf_counter() < until:
        found.append(measure())
        time.sleep(0.01)
    return sorted(found)


def beside_a_full_pass(*, keys: int, seconds: float, latency: str, request_rate: str) -> None:
    """Print scrape times of an idle process and of one that sweeps without a pause."""
    with emulator(keys=keys, regions=1, latency=latency) as env:
        with exporter(env, "--refresh.interval", "1d", "--refresh.fallback_interval", "1d") as idle:
            quiet = sample(lambda: idle.seconds("/metrics"), seconds)
        busy_options = (
            "--refresh.interval",
            "5s",
            "--refresh.fallback_interval",
            "5s",
            "--aws.request_rate",
            request_rate,
        )
        with exporter(env, *busy_options) as busy:
            loaded = sample(lambda: busy.seconds("/metrics"), seconds)
    p50, p99 = statistics.median(quiet), loaded[int(len(loaded) * 0.99)]
    print(f"Scrapes (gzip) of {keys} keys; AWS answers in {latency}, request_rate {request_rate}")
    print(f"  idle, p50                   {p50 * 1000:7.2f} ms   ({len(quiet)} scrapes)")
    print(f"  during full passes, p50     {statistics.median(loaded) * 1000:7.2f} ms   ({len(loaded)} scrapes)")
    print(f"  during full passes, p99     {p99 * 1000:7.2f} ms")
    print(f"  p99 during / p50 idle       {p99 / p50:7.1f}\n")


def many_keys(*, keys: int) -> None:
    """Print the peak memory, and the longest wait for an answer that needs the event loop alone."""
    with emulator(keys=keys, regions=1, latency="0ms") as env:
        command = ["--aws.request_rate", "1", "--refresh.interval", "5s", "--refresh.fallback_interval", "5s"]
        started = time.perf_counter()
        with exporter(env, *command) as running:
            ready = time.perf_counter() - started
            waits = sample(lambda: running.seconds("/healthz"), 20)
            scrape = statistics.median(running.seconds("/metrics") for _ in range(3))
            peak = running.peak_mebibytes()
    print(f"{keys} keys in one region")
    print(f"  first full pass             {ready:7.1f} s")
    print(f"  scrape (gzip) beside a pass {scrape * 1000:7.1f} ms")
    print(f"  /healthz beside a pass, p50 {statistics.median(waits) * 1000:7.2f} ms")
    print(f"  /healthz beside a pass, max {waits[-1] * 1000:7.2f} ms   ({len(waits)} answers)")
    print(f"  peak memory                 {peak:7.0f} MiB")


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    os.environ.pop("http_proxy", None)
    beside_a_full_pass(keys=options.keys, seconds=options.seconds, latency="15ms", request_rate="0.2")
    beside_a_full_pass(keys=options.keys, seconds=options.seconds, latency="0ms", request_rate="1")
    many_keys(keys=options.many)


if __name__ == "__main__":
    main()
