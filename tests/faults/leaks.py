"""Whether the exporter grows with the passes that it makes: memory, threads, file descriptors and sockets.

python -m tests.faults.leaks --passes 10000
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks.running import samples, usage
from exporter.demo.faults import Faults
from exporter.demo.scenario import REGIONS
from tests.faults.look import Bounds
from tests.faults.rig import Rig
from tests.support.waiting import until

_EVERY = 100
"""Passes between two samples."""
_WARM = 0.4
"""The part of a run that does not count: caches fill, and the allocator finds its size."""
_BREAKAGES = (Faults.close, Faults.truncate, Faults.garble, Faults.internal_error, Faults.hang_after_headers)
_QUICK = Bounds(interval=0.5, full_interval=2.0, keep_failed=60.0, start=10.0, allowance=10.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process holds.

    Attributes:
        at: how many passes it had made, or whatever else it is held against.
        resident: KiB.
    """

    at: float
    resident: float
    threads: float
    descriptors: float
    sockets: float


@dataclass(frozen=True, slots=True)
class Growth:
    """How much more a process holds after each pass, and at the end."""

    passes: float
    resident: float
    threads: float
    descriptors: float
    sockets: float
    last: Sample

    def __str__(self) -> str:
        held = f"{self.last.resident / 1024:.0f} MiB, {self.last.threads:.0f} threads"
        return (
            f"{self.passes:.0f} passes: {self.resident:+.3f} KiB, {self.threads:+.5f} threads, "
            f"{self.descriptors:+.5f} file descriptors, {self.sockets:+.5f} sockets a pass; "
            f"{held}, {self.last.descriptors:.0f} file descriptors in the end"
        )


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the slope of the line that fits best."""
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread


def growth(taken: Sequence[Sample]) -> Growth:
    """Fit a line to the samples of a run, but for its beginning."""
    warm = [sample for sample in taken if sample.at >= taken[0].at + _WARM * (taken[-1].at - taken[0].at)]
    at = [sample.at for sample in warm]
    held = {
        field.name: slope(at, [getattr(sample, field.name) for sample in warm])
        for field in fields(Sample)
        if field.name != "at"
    }
    return Growth(taken[-1].at - taken[0].at, **held, last=taken[-1])


def sample(pid: int, at: float) -> Sample:
    """Return what a process holds now."""
    descriptors = [_points_to(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = sum(each.startswith("socket:") for each in descriptors)
    threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    return Sample(at, usage(pid).resident * 1024, threads, len(descriptors), sockets)


def _points_to(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except FileNotFoundError:
        return ""


def passes(rig: Rig) -> float:
    """Return how many passes the exporter has made."""
    return sum(
        value for _, value in samples(rig.process.metrics(), "kms_exporter_target_refresh_duration_seconds_count")
    )


def watch(rig: Rig, count: int, beside: Callable[[], None] = lambda: None) -> Growth:
    """Let the exporter make `count` passes, doing something `beside` before each sample."""
    pid, first = rig.process.process.pid, passes(rig)
    taken = [sample(pid, first)]
    while taken[-1].at < first + count:
        beside()
        wanted = taken[-1].at + _EVERY
        until(lambda wanted=wanted: passes(rig) >= wanted, within=120)
        taken.append(sample(pid, passes(rig)))
    return growth(taken)


def healthy(rig: Rig, count: int) -> Growth:
    """Make passes that succeed, while keys change."""
    rng = random.Random(0)
    return watch(rig, count, lambda: rig.stir(rng))


def failing(rig: Rig, count: int) -> Growth:
    """Make passes of which every request may fail in several ways, and sessions end."""
    rng = random.Random(0)
    faults = [breakage(rig.faults, fraction=0.02, service="kms") for breakage in _BREAKAGES]

    def beside() -> None:
        rig.stir(rng)
        for account_id in rig.world.accounts:
            rig.world.credentials.revoke(account_id)

    found = watch(rig, count, beside)
    for fault in faults:
        rig.faults.remove(fault)
    return found


def reloading(rig: Rig, count: int) -> Growth:
    """Read the configuration anew before each sample."""

    def beside() -> None:
        reloads = len(rig.process.events("reloaded"))
        rig.configure(8 + reloads % 8)
        rig.hang_up()
        until(lambda: len(rig.process.events("reloaded")) > reloads)

    return watch(rig, count, beside)


RUNS: tuple[Callable[[Rig, int], Growth], ...] = (healthy, failing, reloading)


def run(which: Callable[[Rig, int], Growth], count: int) -> Growth:
    """Start everything for one of `RUNS`."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), _QUICK, REGIONS)
        try:
            rig.process.ready()
            return which(rig, count)
        finally:
            rig.close()


def main() -> None:
    """Print how the exporter grows in each run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.leaks", description=__doc__)
    parser.add_argument("--passes", type=int, default=10_000, help="of each run (default 10000)")
    options = parser.parse_args()
    for which in RUNS:
        sys.stdout.write(f"{which.__name__:10} {run(which, options.passes)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
