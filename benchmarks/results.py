"""What the benchmarks measured last, kept for `benchmarks.plots`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import DataclassInstance

FILE = Path(__file__).parent / "results.json"


def load() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each benchmark by its name."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def save(name: str, rows: "Sequence[DataclassInstance]") -> None:
    """Put the rows of a benchmark in the place of its earlier ones."""
    kept = load() | {name: [asdict(row) for row in rows]}
    FILE.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
