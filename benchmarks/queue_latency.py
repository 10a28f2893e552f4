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
from dataclasses import dataclass
from typing import Final

from benchmarks.results import Claim, conclude
from benchmarks.running import Exporter, exporter
from exporter.demo.scenario import REGIONS, uniform_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import DEFAULT_HOME

QUEUE: Final = "kms-events"
GOAL: Final = 2.0
_PATIENCE: Final = 30.0


@dataclass(frozen=True)
class Row:
    """Seconds from ScheduleKeyDeletion to the series."""

    keys: int
    deletions: int
    p50: float
    longest: float


def seconds_until_pending(running: Exporter, key_id: str) -> float:
    """Return how long it takes from now until the page tells of the deletion.

    Raises:
        TimeoutError: it does not within half a minute.
    """
    started = time.perf_counter()
    wanted = f'key_id="{key_id}"'
    while time.perf_counter() - started < _PATIENCE:
        page = running.page()
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
        with exporter(env, "--aws.regions", REGIONS[0], *quiet, queue_url) as running:
            running.until_ready()
            found = []
            for key_id in list(vault.keys)[:samples]:
                vault.schedule_deletion(key_id, days=7)
                found.append(seconds_until_pending(running, key_id))
    return sorted(found)


def claims(row: Row) -> list[Claim]:
    """Hold the longest to the goal."""
    return [
        Claim("a deletion that the queue tells of is a series, p50", f"{row.p50:.2f} s"),
        Claim.at_most(f"the same, longest of {row.deletions}", row.longest, GOAL, "{:.2f} s"),
    ]


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
    row = Row(options.keys, len(found), statistics.median(found), found[-1])
    conclude("queue_latency", [row], claims(row))
    if row.longest >= GOAL:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
