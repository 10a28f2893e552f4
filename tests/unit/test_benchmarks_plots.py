"""The pictures of what was measured."""

import importlib.util
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.neighbours import Row, Spent
from benchmarks.results import Result
from tests.support.components import cannot_run

KEYS = [{"keys": size, "peak": 100 + size / 800, "seconds": size / 380, "p50": 0.002} for size in (1000, 10_000)]
TARGETS = [{"targets": size, "peak": 100 + size / 40, "core": size / 3e4, "ready": size / 70} for size in (510, 1700)]
WAYS = [
    Row(regions, 1000, way, Spent(wall=wall, cpu=5.0, peak=80.0, requests=1000, found=25))
    for regions in (1, 4)
    for way, wall in (("kms-exporter, first full pass", 3.0), ("Cloud Custodian 0.9", 75.0))
]


@pytest.fixture(autouse=True)
def _drawable() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        cannot_run("matplotlib is not installed: make .venv/bench installs it")


def result(rows: list) -> Result:
    return Result("command", "today", "machine", rows, [])


def test_each_result_that_is_there_becomes_a_picture(tmp_path: Path) -> None:
    from benchmarks.plots import draw  # noqa: PLC0415 - needs matplotlib

    results = {"keys": result(KEYS), "targets": result(TARGETS), "neighbours": result([asdict(row) for row in WAYS])}
    files = draw(results, tmp_path)

    assert [file.name for file in files] == ["scaling-keys.png", "scaling-targets.png", "neighbours.png"]
    for file in files:
        with Image.open(file) as picture:
            assert len(picture.convert("RGB").getcolors(maxcolors=1 << 20)) > 10


def test_nothing_is_drawn_of_what_was_not_measured(tmp_path: Path) -> None:
    from benchmarks.plots import draw  # noqa: PLC0415 - needs matplotlib

    assert draw({}, tmp_path) == []


def test_a_single_size_is_drawn_without_a_line(tmp_path: Path) -> None:
    from benchmarks.plots import draw  # noqa: PLC0415 - needs matplotlib

    assert [file.name for file in draw({"keys": result(KEYS[:1])}, tmp_path)] == ["scaling-keys.png"]


def test_the_comparison_shows_the_largest_size() -> None:
    from benchmarks.plots import neighbours  # noqa: PLC0415 - needs matplotlib

    figure = neighbours(result([asdict(row) for row in WAYS]))

    assert "4 x 1,000 keys" in figure.get_suptitle()
    assert [text.get_text() for text in figure.axes[0].texts] == ["3.0 s", "75.0 s"]


def test_labels_are_as_exact_as_the_figures_are() -> None:
    from benchmarks.plots import told  # noqa: PLC0415 - needs matplotlib

    assert [told(6.42, " s"), told(2004.0, " s"), told(71.3, " MB")] == ["6.4 s", "2,004 s", "71 MB"]
