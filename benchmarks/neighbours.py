"""The same keys found by this and by others, side by side on one emulator: time, memory, requests.

python -m benchmarks.neighbours [--size KEYSxREGIONS ...] [--latency 0.015] [--runs 5] [--sample 10]
                                [--without NAME ...]

Each way is a process of its own, from its start to its end, one after the other. Cloud Custodian, Prowler and the aws
command line come from environments of their own, which `make bench` installs; one that is not there is left out. The
exporter's rows are medians by wall time, the others' are single runs. The aws command line, a process for each key, is
asked for a few keys only, and the rest is extrapolated.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results import Claim, conclude
from benchmarks.running import Emulator, emulator
from benchmarks.ways import (
    AWSCLI,
    CHECK,
    CUSTODIAN,
    NO_EVIDENCE,
    OURS,
    PROWLER,
    Neighbour,
    Way,
    check,
    custodian,
    one_pass,
    prowler,
)
from exporter import __version__
from exporter.demo.scenario import REGIONS

HERE = Path(__file__).parent
HEADINGS = ("way", "wall", "CPU", "peak memory", "requests", "pending keys found")
PENDING_OF = 40
"""One key in so many is pending deletion."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to look at; keys are per region."""

    keys: int
    regions: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        """Read `KEYSxREGIONS`."""
        return cls(*map(int, text.split("x")))

    @property
    def names(self) -> tuple[str, ...]:
        """The regions."""
        return REGIONS[: self.regions]

    @property
    def pending(self) -> int:
        """How many keys of each region are pending deletion."""
        return max(1, self.keys // PENDING_OF)


@dataclass(frozen=True, slots=True)
class Spent:
    """What looking once took.

    Attributes:
        wall: seconds, as `cpu`.
        peak: MB of the largest process.
        requests: of any kind, to any service.
        found: keys found pending deletion; None where not all were looked at.
    """

    wall: float
    cpu: float
    peak: float
    requests: int
    found: int | None = None


def run(aws: Emulator, command: Sequence[str], folder: Path, *, status: int = 0) -> tuple[Spent, bytes]:
    """Run a command in a folder that is its home too; return what it took and what it printed.

    Raises:
        SystemExit: it ended with another status.
    """
    with tempfile.NamedTemporaryFile() as report:
        before = aws.requests().total()
        launcher = [sys.executable, "-I", "-S", str(HERE / "spent.py"), report.name]
        env = {**aws.env, "HOME": str(folder)}
        done = subprocess.run([*launcher, *command], env=env, cwd=folder, check=True, capture_output=True)
        spent = json.load(report)
    if spent.pop("status") != status:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return Spent(**spent, requests=aws.requests().total() - before), done.stdout


def look(aws: Emulator, way: Way, size: Size) -> Spent:
    """Let a way find the keys.

    Raises:
        SystemExit: it found others than there are.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spent, output = run(aws, way.command(size.names, folder), folder, status=way.status)
        found = way.found(folder, output)
    if found != size.pending * size.regions:
        raise SystemExit(f"{way.name}: found {found} keys pending deletion of {size.pending * size.regions}")
    return replace(spent, found=found)


@dataclass(frozen=True, slots=True)
class Row:
    """What a way took, for the results."""

    regions: int
    keys: int
    way: str
    spent: Spent


def median(runs: Sequence[Spent]) -> Spent:
    """Return the run in the middle by wall time."""
    middle = statistics.median_low(spent.wall for spent in runs)
    return next(spent for spent in runs if spent.wall == middle)


def loop(aws: Emulator, size: Size, sample: int) -> Spent:
    """Extrapolate what a shell loop over `aws kms describe-key` takes, from a few keys of one region."""

    def ask(*words: str) -> tuple[Spent, bytes]:
        command = [str(AWSCLI.path), "kms", *words, "--region", size.names[0], "--output", "json"]
        return run(aws, command, folder)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ask("list-keys", "--max-items", "1")  # what Python compiles and the disk reads only once
        listing, output = ask("list-keys")
        keys = [key["KeyId"] for key in json.loads(output)["Keys"]][:sample]
        described = [ask("describe-key", "--key-id", key)[0] for key in keys]

    def all_in_all(of: Callable[[Spent], float]) -> float:
        return size.regions * (of(listing) + size.keys * statistics.fmean(map(of, described)))

    return Spent(
        wall=all_in_all(lambda spent: spent.wall),
        cpu=all_in_all(lambda spent: spent.cpu),
        peak=max(spent.peak for spent in (listing, *described)),
        requests=round(all_in_all(lambda spent: spent.requests)),
    )


def rows(
    aws: Emulator, size: Size, *, runs: int, sample: int, there: Sequence[Neighbour]
) -> Iterator[tuple[str, Spent]]:
    """Yield a row for each way, ours first."""
    ours = (
        one_pass(),
        check("states and dates only, whole quota", "--aws.request_rate=1", *NO_EVIDENCE),
        check("default settings: also who, last use, grants"),
    )
    for way in ours:
        yield way.name, median([look(aws, way, size) for _ in range(runs)])
    if CUSTODIAN in there:
        way = custodian()
        yield way.name, look(aws, way, size)
    if PROWLER in there:
        way = prowler()
        yield way.name, look(aws, way, size)
    if AWSCLI in there:
        keys = min(sample, size.keys)
        name = f"{AWSCLI.title} {AWSCLI.version()} in a loop, extrapolated from {keys} keys"
        yield name, loop(aws, size, keys)


def line(name: str, spent: Spent, first: Spent) -> str:
    """Return a row of the table, with ratios to the first one."""

    def times(of: Callable[[Spent], float]) -> str:
        return "" if spent is first else f" ({of(spent) / of(first):.1f} times)"

    cells = (
        name,
        f"{spent.wall:.1f} s{times(lambda each: each.wall)}",
        f"{spent.cpu:.1f} s{times(lambda each: each.cpu)}",
        f"{spent.peak:.0f} MB{times(lambda each: each.peak)}",
        f"{spent.requests:,}",
        "not all asked for" if spent.found is None else f"{spent.found}",
    )
    return f"| {' | '.join(cells)} |"


def claims(measured: Sequence[Row]) -> Iterator[Claim]:
    """Say how much longer the others took than our first full pass, by size."""
    for first in measured:
        if first.way != OURS:
            continue
        for other in measured:
            ours = other.way.startswith((OURS, CHECK))
            if (other.regions, other.keys) == (first.regions, first.keys) and not ours:
                claim = f"{first.regions} x {first.keys:,} keys: time of {other.way} against a first full pass"
                yield Claim.at_least(claim, other.spent.wall / first.spent.wall, 1)


def installed(without: Sequence[str]) -> Iterator[Neighbour]:
    """Yield the neighbours that are there and wanted; say which are not."""
    for each in (CUSTODIAN, PROWLER, AWSCLI):
        if each.folder in without:
            print(f"{each.title} is left out, as asked.")
        elif each.path.exists():
            yield each
        else:
            target = f".cache/{each.folder}/installed"
            print(f"{each.title} is left out: it is not installed; `make {target}` does it.")


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", type=Size.parse, default=[Size(1000, 1), Size(1000, 4)])
    parser.add_argument("--latency", type=float, default=0.015, help="of every answer of AWS, in seconds")
    parser.add_argument("--runs", type=int, default=5, help="of the exporter's rows")
    parser.add_argument("--sample", type=int, default=10, help="keys that the aws command line is asked for")
    parser.add_argument("--without", nargs="+", default=[], choices=["custodian", "prowler", "awscli"])
    options = parser.parse_args()
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    print(f"{today}, kms-exporter {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    there = tuple(installed(options.without))
    measured: list[Row] = []
    for size in options.size:
        print(f"\n{size.regions} x {size.keys:,} keys, AWS answers in {options.latency * 1000:.0f} ms\n")
        print(f"| {' | '.join(HEADINGS)} |\n|---|{'---:|' * (len(HEADINGS) - 1)}", flush=True)
        with emulator(keys=size.keys, regions=size.regions, pending=size.pending) as aws:
            aws.post("faults", fault="latency", seconds=options.latency)
            first: Spent | None = None
            for name, spent in rows(aws, size, runs=options.runs, sample=options.sample, there=there):
                first = first or spent
                print(line(name, spent, first), flush=True)
                measured.append(Row(size.regions, size.keys, name, spent))
    conclude("neighbours", measured, list(claims(measured)))


if __name__ == "__main__":
    main()
