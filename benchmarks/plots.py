"""Draws what the benchmarks measured last, as pictures of docs/performance.md.

python -m benchmarks.plots [--into docs/images]

What was not measured yet is not drawn, and said. It needs the extra `bench` (matplotlib).
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.results import Result, load

IMAGES = Path(__file__).parents[1] / "docs" / "images"
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8a8a8a"
"""Of the palette of Okabe and Ito, which people with any colour vision tell apart."""
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "svg.hashsalt": "kms-exporter",
}
DPI = 110
ROOM, LOG_ROOM = 1.25, 2.2
"""How far the axes go beyond the values, so that labels have room."""

Rows = Sequence[Mapping[str, Any]]


class Panel(NamedTuple):
    """A quantity by size.

    Attributes:
        of: takes it from a row.
        unit: of a label.
    """

    title: str
    axis: str
    of: Callable[[Mapping[str, Any]], float]
    unit: str


KEYS = (
    Panel("Memory at its peak", "MB", lambda row: row["peak"], " MB"),
    Panel("First full pass", "seconds", lambda row: row["seconds"], " s"),
    Panel("Compressed scrape, p50", "milliseconds", lambda row: row["p50"] * 1000, " ms"),
)
TARGETS = (
    Panel("Memory at its peak", "MB", lambda row: row["peak"], " MB"),
    Panel("CPU at rest", "% of a core", lambda row: row["core"] * 100, "%"),
    Panel("Time until every target was read", "seconds", lambda row: row["ready"], " s"),
)
SPENT = (
    Panel("Time", "seconds", lambda row: row["spent"]["wall"], " s"),
    Panel("CPU", "seconds", lambda row: row["spent"]["cpu"], " s"),
    Panel("Memory of the largest process", "MB", lambda row: row["spent"]["peak"], " MB"),
)


def told(value: float, unit: str) -> str:
    """Return a value as a label says it."""
    return f"{value:,.{0 if value >= 100 or unit == ' MB' else 1}f}{unit}"


def line_through(sizes: Sequence[float], values: Sequence[float]) -> Callable[[float], float]:
    """Return the straight line through the smallest and the largest."""
    slope = (values[-1] - values[0]) / (sizes[-1] - sizes[0])
    return lambda size: values[0] + slope * (size - sizes[0])


def scaling(title: str, what: str, rows: Rows, panels: Sequence[Panel], *, logarithmic: bool) -> Figure:
    """Draw each quantity by size, on the straight line that linear growth would follow."""
    figure = _figure(title, 3.9)
    sizes = [row[what] for row in rows]
    for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
        values = [panel.of(row) for row in rows]
        if len(sizes) > 1:
            straight, (first, last) = line_through(sizes, values), (sizes[0], sizes[-1])
            between = [first * (last / first) ** (step / 50) for step in range(51)]
            line = [straight(size) for size in between]
            axes.plot(between, line, color=GREY, linestyle="--", label="straight line through first and last")
        axes.plot(sizes, values, color=BLUE, marker="o", markersize=7, linestyle="none", label="measured")
        if logarithmic:
            axes.set(xscale="log", yscale="log")
            axes.set_xlim(sizes[0] / LOG_ROOM, sizes[-1] * LOG_ROOM**2)
            axes.set_ylim(min(values) / LOG_ROOM, max(values) * LOG_ROOM)
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        else:
            axes.set_xlim(0, sizes[-1] * ROOM)
            axes.set_ylim(0, max(values) * ROOM)
        _tidy(axes, panel, what, sizes)
        for size, value in zip(sizes, values, strict=True):
            place = {"xytext": (7, -11), "textcoords": "offset points"}
            axes.annotate(told(value, panel.unit), (size, value), fontsize=9, **place)
    figure.axes[0].legend(frameon=False, loc="upper left", fontsize=9)
    return figure


def _figure(title: str, height: float) -> Figure:
    figure = Figure(figsize=(11.5, height), dpi=DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    return figure


def _tidy(axes: Axes, panel: Panel, what: str, sizes: Sequence[float]) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel(what)
    axes.set_ylabel(panel.axis)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    # In thousands where there are many: neighbours on a logarithmic axis have little room.
    axes.set_xticks(sizes, [f"{size:,}" if sizes[-1] < 10_000 else f"{size / 1000:g}k" for size in sizes])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def neighbours(result: Result) -> Figure:
    """Draw what each way took, of the largest size that was measured."""
    largest = max(row["regions"] * row["keys"] for row in result.rows)
    rows = [row for row in result.rows if row["regions"] * row["keys"] == largest]
    names = [_wrapped(row["way"]) for row in rows]
    colours = [BLUE if "kms-exporter" in row["way"] else ORANGE for row in rows]
    size = f"{rows[0]['regions']} x {rows[0]['keys']:,} keys"
    title = f"Finding the keys that are pending deletion, {size} (logarithmic; less is better)"
    figure = _figure(title, 1.4 + 0.5 * len(rows))
    for axes, panel in zip(figure.subplots(1, len(SPENT), sharey=True), SPENT, strict=True):
        values = [panel.of(row) for row in rows]
        axes.scatter(values, names, color=colours, s=70, zorder=3)
        for name, value in zip(names, values, strict=True):
            place = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(told(value, panel.unit), (value, name), fontsize=9, **place)
        axes.set(xscale="log", xlabel=panel.axis, title=panel.title)
        axes.set_xlim(min(values) / LOG_ROOM, max(values) * LOG_ROOM**3)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.tick_params(axis="y", length=0)
        axes.margins(y=0.12)
    figure.axes[0].invert_yaxis()
    return figure


def _wrapped(name: str) -> str:
    head, _, rest = name.replace("`", "").partition(", ")
    return f"{head}\n{rest}" if rest else head


def pictures(results: Mapping[str, Result]) -> Iterator[tuple[str, Figure]]:
    """Yield each picture that can be drawn, with its name."""
    if keys := results.get("keys"):
        title = "One account and region, by number of keys (logarithmic)"
        yield "scaling-keys.png", scaling(title, "keys", keys.rows, KEYS, logarithmic=True)
    if targets := results.get("targets"):
        title = "One process for an organization, by number of targets (an account's region, with two keys)"
        yield "scaling-targets.png", scaling(title, "targets", targets.rows, TARGETS, logarithmic=False)
    if others := results.get("neighbours"):
        yield "neighbours.png", neighbours(others)


def draw(results: Mapping[str, Result], folder: Path) -> list[Path]:
    """Write the pictures; return their files."""
    files = []
    with mpl.rc_context(STYLE):
        for name, figure in pictures(results):
            figure.savefig(folder / name, metadata={"Software": None})
            files.append(folder / name)
    return files


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=IMAGES)
    options = parser.parse_args()
    results = load()
    for file in draw(results, options.into):
        print(file)
    for missing in sorted({"keys", "targets", "neighbours"} - results.keys()):
        print(f"{missing}: not measured yet, not drawn")


if __name__ == "__main__":
    main()
