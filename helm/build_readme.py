"""Writes the README of the chart from helm/README.md.jinja and what the chart itself says.

    python -m helm.build_readme

The tables come from the comments of values.yaml, from the alerts in grafana/rules and from the measurements in
docs/operating.md. In values.yaml a line `# --- Title` begins a section, and `# -- Text` the description of the value
below it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import jinja2
import yaml

from helm.build_schema import alerts, threshold_of

HERE: Final = Path(__file__).parent
CHART: Final = HERE / "kms-exporter"
OPERATING: Final = HERE.parent / "docs" / "operating.md"


@dataclass(frozen=True, slots=True)
class Value:
    """A documented value.

    Attributes:
        path: its dotted path.
        default: its default, as JSON on one line.
    """

    path: str
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule as the table shows it.

    Attributes:
        name: what `prometheusRule.alerts` knows it by.
        pending: its `for`, empty without one.
        threshold: the number that it compares with and its unit, empty where it can't be chosen.
    """

    name: str
    severity: str
    pending: str
    threshold: str


class UndocumentedError(Exception):
    """A value that no comment describes."""


def values(text: str) -> dict[str, list[Value]]:
    """Return the values of a values.yaml by the titles of its sections, in its order.

    Raises:
        UndocumentedError: neither a value nor one that it is part of has a description.
    """
    lines = text.splitlines()
    sections: dict[str, list[Value]] = {}
    for path, key, node in _leaves(yaml.compose(text), "", lines):
        title = next(found for line in reversed(lines[: key.start_mark.line]) if (found := _title(line)))
        default = json.dumps(yaml.safe_load(yaml.serialize(node)))
        sections.setdefault(title, []).append(Value(path, default, _description(lines, key.start_mark.line)))
    return sections


def _leaves(mapping: Any, above: str, lines: list[str]) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield path, key and value of what is described, which may be a mapping, and must cover every value."""
    for key, node in mapping.value:
        path = f"{above}.{key.value}" if above else key.value
        if _description(lines, key.start_mark.line):
            yield path, key, node
        elif isinstance(node, yaml.MappingNode) and node.value:
            yield from _leaves(node, path, lines)
        else:
            raise UndocumentedError(path)


def _title(line: str) -> str:
    return line.removeprefix("# --- ") if line.startswith("# --- ") else ""


def _description(lines: list[str], line: int) -> str:
    """Return what the comment right above a line says, without its marks."""
    found: list[str] = []
    for above in reversed(lines[:line]):
        text = above.strip()
        if not text.startswith("# ") or text.startswith("# ---"):
            return ""
        if text.startswith("# -- "):
            return " ".join([text.removeprefix("# -- "), *found])
        found.insert(0, text.removeprefix("# "))
    return ""


def alert_rows() -> list[Alert]:
    """Return every alert rule, in the order of the files."""
    return [
        Alert(name, rule["labels"]["severity"], rule.get("for", ""), threshold_of(name, rule))
        for name, rule in alerts()
    ]


def sizing() -> list[dict[str, str]]:
    """Return the rows of the table of docs/operating.md that tells how much the exporter needs, by its headings.

    There are none while it is not measured.
    """
    lines = iter(OPERATING.read_text(encoding="utf-8").splitlines())
    headings = next((cells for line in lines if "peak memory" in (cells := _cells(line))), [])
    next(lines, "")
    return [
        dict(zip(headings, _cells(line), strict=True)) for line in takewhile(lambda line: line.startswith("|"), lines)
    ]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def build() -> str:
    """Return the text of the README."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the page is Markdown, made from this repository alone
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", r"\|")
    return environment.get_template("README.md.jinja").render(
        chart=yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8")),
        sections=values((CHART / "values.yaml").read_text(encoding="utf-8")),
        alerts=alert_rows(),
        sizing=sizing(),
    )


if __name__ == "__main__":
    (CHART / "README.md").write_text(build(), encoding="utf-8")
