"""How soon a deletion that somebody schedules is a series: EventBridge, SQS, the exporter, /metrics.

python -m benchmarks.queue_latency [--keys 1000] [--samples 30] [--latency 0.015]

The emulator sends the event at once; on AWS, CloudTrail and EventBridge take their time before, seconds as a rule.
What is measured is everything after: the poll, the look at the key, the page that is rendered anew, the scrape that
shows it. The page is asked for again and again over one connection; a sample ends with the first one that has it.
"""

import argparse
import os
import statistics
import time
from typing import Final

from benchmarks.beside_sweep import Exporter, exporter
from exporter.demo.scenario import REGIONS, uniform_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import DEFAULT_HOME

QUEUE: Final = "kms-events"
GOAL: Final = 2.0
_PATIENCE: Final = 30.0


def seconds_until_pending(running: Exporter, key_id: str) -> float:
    """Return how long it takes from now until the page tells of the deletion.

    Raises:
        TimeoutError: it does not within half a minute.
    """
    started = time.perf_counter()
    wanted = f'key_id="{key_id}"'
    while time.perf_counter() - started < _PATIENCE:
        page = running.client.get("/metrics").text
        if any(wanted in line and line.endswith(" 1") for line in _pending(page)):
            return time.perf_counter() - started
        time.sleep(0.002)
    raise TimeoutError(f"{key_id} is not told as pending within {_PATIENCE:.0f} s")


def _pending(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("kms_key_pending_deletion{")]


def measure(*, keys: int, samples: int, latency: float) -> list[float]:
    """Schedule deletions one after the other; return how long each took to be told, shortest first."""
    world = uniform_world(keys, 1)
    world.bridge.add_rule(world.add_queue(QUEUE, REGIONS[0]))
    vault = world.vault(DEFAULT_HOME, REGIONS[0])
    quiet = ("--refresh.interval=1h", "--refresh.fallback_interval=1h", "--changes.cloudtrail=false")
    with EmulatorServer(world) as emulator:
        emulator.faults.latency(latency)
        env = {**os.environ, **environment(emulator.url)}
        queue_url = f"--changes.sqs_queue_url={emulator.url}/{DEFAULT_HOME}/{QUEUE}"
        with exporter(env, *quiet, queue_url) as running:
            found = []
            for key_id in list(vault.keys)[:samples]:
                vault.schedule_deletion(key_id, days=7)
                found.append(seconds_until_pending(running, key_id))
    return sorted(found)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--latency", type=float, default=0.015, help="of every answer of AWS, in seconds")
    options = parser.parse_args()
    found = measure(keys=options.keys, samples=options.samples, latency=options.latency)
    print(
        f"ScheduleKeyDeletion to the series on /metrics; {options.keys} keys, {len(found)} deletions, "
        f"AWS answers in {options.latency * 1000:.0f} ms"
    )
    print(f"  p50       {statistics.median(found):6.3f} s")
    print(f"  longest   {found[-1]:6.3f} s   (goal: under {GOAL:.0f} s)")
    if found[-1] >= GOAL:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
