"""What the benchmarks measured last, and what is claimed of it: kept for `benchmarks.report`, `benchmarks.plots`, docs.

They are kept in benchmarks/results.json, or in the file that the environment variable `BENCH_RESULTS` names.
"""

import json
import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from exporter import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

COMMITTED = Path(__file__).parent / "results.json"
ELSEWHERE = "BENCH_RESULTS"
STRAY = 1.25
"""How much more the largest size may take than the straight line through the smaller ones predicts."""
DIGITS = 4
"""How exactly numbers are kept: no run repeats more of them."""


@dataclass(frozen=True)
class Claim:
    """Something that is said of what was measured.

    Attributes:
        goal: what `figure` is held to; nothing where it is only told.
        holds: whether it is reached; None without a goal.
    """

    claim: str
    figure: str
    goal: str = ""
    holds: bool | None = None

    @classmethod
    def at_most(cls, claim: str, value: float, most: float, unit: str = "{:.1f} s") -> Self:
        """Hold a value to an upper bound; `unit` formats both."""
        return cls(claim, unit.format(value), f"at most {unit.format(most)}", value <= most)

    @classmethod
    def at_least(cls, claim: str, value: float, least: float, unit: str = "{:.1f} times") -> Self:
        """Hold a value to a lower bound; `unit` formats both."""
        return cls(claim, unit.format(value), f"at least {unit.format(least)}", value >= least)

    @classmethod
    def linear(cls, claim: str, sizes: Sequence[float], values: Sequence[float], unit: str) -> Self:
        """Hold the last value to the straight line through the others."""
        slope, start = statistics.linear_regression(sizes[:-1], values[:-1])
        return cls.at_most(f"{claim} grows linearly", values[-1], (start + slope * sizes[-1]) * STRAY, unit)

    @property
    def verdict(self) -> str:
        """Whether it holds, in words."""
        return "" if self.holds is None else "holds" if self.holds else "DOES NOT HOLD"

    def line(self) -> str:
        """Return it as a line of its own."""
        return f"  {self.verdict:13}  {self.claim}: {self.figure}{f' ({self.goal})' if self.goal else ''}"


@dataclass(frozen=True)
class Result:
    """What a benchmark measured last.

    Attributes:
        command: what to type to measure it anew.
        measured: the day.
        machine: what it ran on.
        rows: what it measured, one mapping for each size or way.
    """

    command: str
    measured: str
    machine: str
    rows: Sequence[Mapping[str, Any]]
    claims: Sequence[Claim]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Take it as it was kept."""
        return cls(**dict(told) | {"claims": [Claim(**claim) for claim in told["claims"]]})


def file() -> Path:
    """Return where results are kept."""
    return Path(os.environ.get(ELSEWHERE) or COMMITTED)


def load(path: Path | None = None) -> dict[str, Result]:
    """Return what was measured by the names of the benchmarks; of `file()` by default."""
    return {name: Result.of(told) for name, told in _kept(path or file()).items()}


def save(
    name: str, rows: "Sequence[DataclassInstance]", claims: Sequence[Claim] = (), command: str | None = None
) -> None:
    """Put the rows and the claims of a benchmark in the place of its earlier ones.

    `command` is needed where the benchmark is not the module of that name.
    """
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, kms-exporter {__version__}"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    measured = Result(command or f"python -m benchmarks.{name}", today, machine, [asdict(row) for row in rows], claims)
    kept = _kept(file()) | {name: _rounded(asdict(measured))}
    file().write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def conclude(
    name: str, rows: "Sequence[DataclassInstance]", claims: Sequence[Claim], command: str | None = None
) -> None:
    """Print what is claimed, and keep it all."""
    for claim in claims:
        print(claim.line())
    save(name, rows, claims, command)


def _kept(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _rounded(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value
