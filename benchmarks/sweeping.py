"""Sweeping against Cloud Custodian (wall time) and against a bare boto3 loop (CPU), side by side on one emulator.

python -m benchmarks.sweeping [--keys 1000] [--regions 4] [--latency 15ms] [--custodian PROGRAM]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.demo.scenario import REGIONS
from exporter.demo.server import environment

HERE = Path(__file__).parent
POLICY = """
policies:
  - name: pending
    resource: aws.kms-key
    filters:
      - KeyState: PendingDeletion
"""


@contextmanager
def emulator(*, keys: int, regions: int, latency: str) -> Iterator[dict[str, str]]:
    """Run the emulator in a process of its own; give the environment that points at it."""
    command = [sys.executable, "-m", "exporter.demo.server", "--keys", str(keys), "--regions", str(regions)]
    command += ["--pending", str(keys // 40), "--latency", latency]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            yield {"PATH": os.environ["PATH"]} | environment(url)
        finally:
            process.terminate()


def measured(script: str, regions: list[str], env: Mapping[str, str]) -> dict[str, Any]:
    """Run one of the two scripts; return what it printed, with the wall time of the whole process."""
    started = time.perf_counter()
    output = subprocess.run(
        [sys.executable, str(HERE / script), *regions], env=env, check=True, capture_output=True, text=True, timeout=600
    ).stdout
    return json.loads(output) | {"process": time.perf_counter() - started}


def custodian(program: str, regions: list[str], env: Mapping[str, str]) -> dict[str, Any]:
    """Let Cloud Custodian find the same keys."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder, "policy.yml")
        policy.write_text(POLICY)
        command = [program, "run", "-s", folder, "--cache-period", "0", str(policy)]
        for region in regions:
            command += ["--region", region]
        started = time.perf_counter()
        subprocess.run(command, env=env, check=True, capture_output=True, timeout=900)
        wall = time.perf_counter() - started
        found = sum(len(json.loads(file.read_text())) for file in Path(folder).rglob("resources.json"))
    return {"pending": found, "process": wall}


def against_custodian(program: str, *, keys: int, regions: int, latency: str, runs: int) -> None:
    """Print wall times of whole processes and their ratio."""
    names = list(REGIONS[:regions])
    print(f"First full pass, {regions} regions x {keys} keys, {latency} a request; wall time of the whole process")
    with emulator(keys=keys, regions=regions, latency=latency) as env:
        ours = [measured("one_pass.py", names, env) for _ in range(runs)]
        theirs = custodian(program, names, env)
    assert {run["pending"] for run in ours} == {theirs["pending"]}, "not the same keys were found"
    wall = statistics.median(run["process"] for run in ours)
    print(f"  kms-exporter      {wall:7.2f} s   (median of {runs}; {ours[0]['pending']} pending keys found)")
    print(f"  Cloud Custodian   {theirs['process']:7.2f} s   ({theirs['pending']} pending keys found)")
    print(f"  ratio             {theirs['process'] / wall:7.1f} times faster\n")


def against_boto3(*, keys: int, latency: str, runs: int) -> None:
    """Print CPU per described key and the ratio, run by run in turn."""
    region = REGIONS[0]
    print(f"CPU per described key, {keys} keys, {latency} a request")
    with emulator(keys=keys, regions=1, latency=latency) as env:
        pairs = [
            (measured("one_pass.py", [region], env), measured("bare_boto3.py", [region], env)) for _ in range(runs)
        ]
    ours = statistics.median(pair[0]["cpu"] / pair[0]["keys"] for pair in pairs)
    bare = statistics.median(pair[1]["cpu"] / pair[1]["keys"] for pair in pairs)
    ratio = statistics.median((a["cpu"] / a["keys"]) / (b["cpu"] / b["keys"]) for a, b in pairs)
    print(f"  kms-exporter      {ours * 1000:7.3f} ms")
    print(f"  bare boto3 loop   {bare * 1000:7.3f} ms")
    print(f"  ratio             {ratio:7.2f}   (median of {runs} pairs)")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--regions", type=int, default=4)
    parser.add_argument("--latency", default="15ms")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--custodian", default="custodian", help="the program; `make bench` installs it")
    options = parser.parse_args()
    against_boto3(keys=options.keys, latency=options.latency, runs=options.runs)
    against_custodian(
        options.custodian, keys=options.keys, regions=options.regions, latency=options.latency, runs=options.runs
    )


if __name__ == "__main__":
    main()
