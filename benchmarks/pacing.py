"""What a LookupEvents call costs: CPU of one thread with boto3, alone, in a row, and with what this exporter changes.

python -m benchmarks.pacing [--calls 1000] [--rate 50]

It is why passes that are due at about the same time are started together (`exporter/refresh.py`): between two calls
that stand alone, threads and the caches of the processor have gone to sleep. botocore puts its own User-Agent together
anew for each request, so `exporter/aws/clients.py` gives a fixed one, as the first two do here, and a third of a call
is urllib3, so `exporter/aws/wire.py` sends the requests.
"""

import argparse
import statistics
import time
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from benchmarks.results import Claim, conclude
from benchmarks.running import emulator
from benchmarks.simulated import aws_at
from exporter.aws.wire import Wire
from exporter.demo.scenario import REGIONS

WARM_UP = 20
ROUNDS = 5
"""In each, the ways take turns: what else the machine does falls on all of them. The medians are told."""


@dataclass(frozen=True)
class Row:
    """Seconds of CPU for each call.

    Attributes:
        rate: calls a second of those that stand alone.
        own_agent: in a row, with the User-Agent that botocore puts together.
        wire: in a row, sent by this exporter's own HTTP.
        wire_alone: those that stand alone, sent by it.
    """

    rate: float
    alone: float
    in_a_row: float
    own_agent: float
    wire: float
    wire_alone: float


def cpu_of_a_call(
    url: str, calls: int, *, pause: float = 0.0, user_agent: str | None = "benchmark", wire: bool = False
) -> float:
    """Return the seconds of CPU of a call, with so many seconds from the start of one to that of the next."""
    with aws_at(url):
        client = boto3.client(
            "cloudtrail",
            region_name=REGIONS[0],
            config=Config(user_agent=user_agent, retries={"total_max_attempts": 1}),
        )
    if wire:
        client.meta.events.register_last("before-send.cloudtrail", Wire(connect_timeout=10, read_timeout=10).send)
    event = [{"AttributeKey": "EventName", "AttributeValue": "ScheduleKeyDeletion"}]
    for _ in range(WARM_UP):
        client.lookup_events(LookupAttributes=event)
    before, due = time.process_time(), time.perf_counter()
    for _ in range(calls):
        client.lookup_events(LookupAttributes=event)
        due += pause
        time.sleep(max(0.0, due - time.perf_counter()))
    return (time.process_time() - before) / calls


def claims(row: Row) -> list[Claim]:
    """Compare with calls in a row."""
    costs = f"{row.in_a_row * 1000:.2f} ms in a row"
    return [
        Claim(
            f"CPU of a LookupEvents call, {row.rate:.0f} a second",
            f"{row.alone * 1000:.2f} ms, {costs} ({row.alone / row.in_a_row:.1f} times)",
        ),
        Claim(
            "CPU of one in a row with botocore's own User-Agent",
            f"{row.own_agent * 1000:.2f} ms ({row.own_agent / row.in_a_row:.2f} times)",
        ),
        Claim(
            "CPU of one in a row, sent by this exporter's HTTP",
            f"{row.wire * 1000:.2f} ms ({row.wire / row.in_a_row:.2f} times)",
        ),
        Claim(
            f"CPU of one by it, {row.rate:.0f} a second",
            f"{row.wire_alone * 1000:.2f} ms ({row.wire_alone / row.alone:.2f} times)",
        ),
    ]


def main() -> None:
    """Print both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=50, help="calls a second of the paced ones")
    options = parser.parse_args()
    with emulator(keys=1, regions=1) as aws:
        pause = 1 / options.rate
        ways: dict[str, dict[str, Any]] = {
            "alone": {"pause": pause},
            "in_a_row": {},
            "own_agent": {"user_agent": None},
            "wire": {"wire": True},
            "wire_alone": {"wire": True, "pause": pause},
        }
        calls = options.calls // ROUNDS
        rounds = [{name: cpu_of_a_call(aws.url, calls, **way) for name, way in ways.items()} for _ in range(ROUNDS)]
    row = Row(rate=options.rate, **{name: statistics.median(each[name] for each in rounds) for name in ways})
    conclude("pacing", [row], claims(row))


if __name__ == "__main__":
    main()
