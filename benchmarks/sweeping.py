"""Sweeping against a bare boto3 loop, side by side on one emulator: CPU per described key.

python -m benchmarks.sweeping [--keys 1000] [--latency 15ms] [--runs 5]

`benchmarks.neighbours` compares it with other programs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import Claim, conclude
from benchmarks.running import emulator
from exporter.demo.scenario import REGIONS

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """Seconds of CPU for each described key, medians; `ratio` is that of each pair of runs."""

    keys: int
    ours: float
    bare: float
    ratio: float


def measured(script: str, regions: list[str], env: Mapping[str, str]) -> dict[str, Any]:
    """Run one of the two scripts; return what it printed, with the wall time of the whole process."""
    started = time.perf_counter()
    output = subprocess.run(
        [sys.executable, str(HERE / script), *regions], env=env, check=True, capture_output=True, text=True, timeout=600
    ).stdout
    return json.loads(output) | {"process": time.perf_counter() - started}


def against_boto3(*, keys: int, latency: str, runs: int) -> Row:
    """Print CPU per described key and the ratio, run by run in turn."""
    region = REGIONS[0]
    print(f"CPU per described key, {keys} keys, {latency} a request")
    with emulator(keys=keys, regions=1, pending=keys // 40, latency=latency) as aws:
        pairs = [
            (measured("one_pass.py", [region], aws.env), measured("bare_boto3.py", [region], aws.env))
            for _ in range(runs)
        ]
    ours = statistics.median(pair[0]["cpu"] / pair[0]["keys"] for pair in pairs)
    bare = statistics.median(pair[1]["cpu"] / pair[1]["keys"] for pair in pairs)
    ratio = statistics.median((a["cpu"] / a["keys"]) / (b["cpu"] / b["keys"]) for a, b in pairs)
    print(f"  kms-exporter      {ours * 1000:7.3f} ms")
    print(f"  bare boto3 loop   {bare * 1000:7.3f} ms")
    print(f"  ratio             {ratio:7.2f}   (median of {runs} pairs)")
    return Row(keys, ours, bare, ratio)


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--latency", default="15ms")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    row = against_boto3(keys=options.keys, latency=options.latency, runs=options.runs)
    claim = Claim.at_most("CPU of a described key against a bare boto3 loop", row.ratio, 1, "{:.2f} times")
    conclude("sweeping", [row], [claim])


if __name__ == "__main__":
    main()
