"""Everything that the benchmarks claim, in one table.

python -m benchmarks.report                      what was measured last
python -m benchmarks.report --measure [--quick]  measure it all anew, then the table

It takes about 65 minutes on a quiet machine of two cores, as each line says in advance. `--quick` takes about 10 with
sizes that prove that everything runs and nothing else; its results go to .cache/bench-quick.json.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.results import ELSEWHERE, Result, load

QUICK_RESULTS = Path(__file__).parents[1] / ".cache" / "bench-quick.json"
HEADINGS = ("claim", "figure", "goal", "holds", "command")


@dataclass(frozen=True)
class Benchmark:
    """One of them.

    Attributes:
        module: in this package.
        name: of its results.
        minutes: that it takes on a quiet machine of two cores.
        quick: its options for a quick run.
    """

    module: str
    name: str
    minutes: float
    quick: tuple[str, ...] = field(default=())

    def run(self, env: Mapping[str, str], *, quick: bool) -> int:
        """Let it print what it prints; return its exit status."""
        options = self.quick if quick else ()
        command = [sys.executable, "-m", f"benchmarks.{self.module}", *options]
        return subprocess.run(command, env=env, check=False).returncode


def _of(module: str, minutes: float, quick: str = "", name: str = "") -> Benchmark:
    return Benchmark(module, name or module, minutes, tuple(quick.split()))


BENCHMARKS = (
    _of("serving", 4, "--keys 1000"),
    _of("sweeping", 1, "--keys 100 --runs 1"),
    _of("neighbours", 8, "--size 20x1 --runs 1 --sample 2"),
    _of("beside_sweep", 3, "--keys 1000 --many 2000 --seconds 2"),
    _of("queue_latency", 0.5, "--keys 50 --samples 5"),
    _of("pacing", 0.5, "--calls 100"),
    _of("keys", 6, "--keys 200 400 1000"),
    _of("organization", 20, "--targets 17 34 --seconds 10", name="targets"),
    _of("load", 4, "--keys 500 --seconds 3 --count 20"),
    _of("cost", 2, "--keys 100 --hours 3"),
    _of("sizing", 14, "--size 100x1x1 2x2x2 --seconds 10"),
)


def measure(*, quick: bool) -> list[str]:
    """Run all of them, one after the other; return which failed."""
    env = dict(os.environ)
    if quick:
        QUICK_RESULTS.parent.mkdir(exist_ok=True)
        env[ELSEWHERE] = os.environ[ELSEWHERE] = str(QUICK_RESULTS)
    failed = []
    for each in BENCHMARKS:
        about = "" if quick else f", about {each.minutes:g} minutes"
        print(f"\n=== python -m benchmarks.{each.module}{about}", flush=True)
        started = time.perf_counter()
        if each.run(env, quick=quick):
            failed.append(each.module)
        print(f"    took {(time.perf_counter() - started) / 60:.1f} minutes", flush=True)
    return failed


def table(results: Mapping[str, Result]) -> Iterator[str]:
    """Yield the lines of a table of all claims, in the order in which they are measured."""
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|{'---|' * len(HEADINGS)}"
    for each in BENCHMARKS:
        if result := results.get(each.name):
            for number, claim in enumerate(result.claims):
                command = "" if number else f"`{result.command}`"
                yield f"| {claim.claim} | {claim.figure} | {claim.goal} | {claim.verdict} | {command} |"


def summary(results: Mapping[str, Result]) -> Iterator[str]:
    """Yield the table, and what is to be known of it."""
    yield from table(results)
    held = [claim.holds for result in results.values() for claim in result.claims if claim.holds is not None]
    yield ""
    yield f"{sum(held)} of {len(held)} goals are reached."
    for on in sorted({f"{result.measured}, {result.machine}" for result in results.values()}):
        yield f"Measured {on}."
    if missing := [each.module for each in BENCHMARKS if each.name not in results]:
        yield f"Not measured yet: {', '.join(missing)}."


def main() -> None:
    """Measure if asked to, then print the table; status 1 when a benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    failed = measure(quick=options.quick) if options.measure else []
    print("\n".join(("", *summary(load()))))
    if failed:
        raise SystemExit(f"These ended with an error: {', '.join(failed)}")


if __name__ == "__main__":
    main()
