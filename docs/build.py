"""Writes the pages of docs/ that are generated from what the code declares.

    python docs/build.py          write them
    python docs/build.py --check  only tell which are out of date, exit status 1 if any is

A page `docs/NAME.md` has a template `docs/templates/NAME.md.jinja` and an entry in `PAGES` for what it shows.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
from prometheus_client import CollectorRegistry

from exporter.exposition.families import (
    COUNT_FAMILIES,
    KEY_FAMILIES,
    KEY_LABELS,
    SNAPSHOT_FAMILIES,
    TARGET_FAMILIES,
    TARGET_LABELS,
    TOMBSTONE_FAMILIES,
    Family,
)
from exporter.settings import Catalogue, Option, variable_of
from exporter.settings.catalogue import default_of
from exporter.settings.kinds import kind_of
from exporter.telemetry import Telemetry

DOCS: Final = Path(__file__).parent


def configuration() -> dict[str, Any]:
    """Return what the template of the configuration reference shows."""
    catalogue = Catalogue.of_settings()
    return {
        "sections": [
            {"name": name, "about": about, "options": _of_section(catalogue, name)}
            for name, about in catalogue.sections.items()
        ],
        "variable_of": variable_of,
    }


def metrics() -> dict[str, Any]:
    """Return what the template of the metrics reference shows."""
    telemetry = Telemetry(CollectorRegistry(), version="", revision="", loaded_at=0)
    tables = (
        ("Keys", "One key in one account and region.", [*KEY_FAMILIES, *TOMBSTONE_FAMILIES, *COUNT_FAMILIES]),
        ("Targets", "One account in one region: what is read, fails and recovers as a whole.", TARGET_FAMILIES),
        ("Accounts and snapshot", "What lies above the targets.", SNAPSHOT_FAMILIES),
    )
    sections = [
        {"title": title, "about": about, "rows": [_metric_row(family) for family in families]}
        for title, about, families in tables
    ]
    own = [
        {
            "name": f"{family.name}_total" if family.type == "counter" else family.name,
            "kind": family.type,
            "labels": _labels(telemetry.labels[name]),
            "help": family.documentation,
            "stability": "stable",
        }
        for family in telemetry.registry.collect()
        for name in (family.name, f"{family.name}_total")
        if name in telemetry.labels
    ]
    return {
        "sections": [
            *sections,
            {"title": "The exporter", "about": "Its requests, passes and configuration.", "rows": own},
        ]
    }


def _metric_row(family: Family[Any]) -> dict[str, str]:
    labels = _labels((*family.given, *family.own))
    return {
        "name": family.name,
        "kind": family.kind,
        "labels": f"{labels}, `tag_*`" if family.tags else labels,
        "help": family.help,
        "stability": family.stability,
    }


def _labels(names: tuple[str, ...]) -> str:
    for given, short in ((KEY_LABELS, "K"), (TARGET_LABELS, "T")):
        if names[: len(given)] == given:
            return ", ".join([short, *(f"`{name}`" for name in names[len(given) :])])
    return ", ".join(f"`{name}`" for name in names)


PAGES: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "configuration.md": configuration,
    "metrics.md": metrics,
}


def render(page: str) -> str:
    """Return the text of a page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the pages are Markdown, made from this repository alone
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", r"\|")
    return environment.get_template(f"{page}.jinja").render(PAGES[page]())


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; return the exit status."""
    check = arguments == ["--check"]
    stale = []
    for page in PAGES:
        path, text = DOCS / page, render(page)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(page)
        if not check:
            path.write_text(text, encoding="utf-8")
    for page in stale:
        print(f"docs/{page} {'is out of date: run python docs/build.py' if check else 'written'}")
    return int(check and bool(stale))


def _of_section(catalogue: Catalogue, section: str) -> list[dict[str, str]]:
    rows = []
    for option in catalogue.options.values():
        if option.section == section:
            rows += [_row(option), *_member_rows(option)]
    return rows


def _row(option: Option) -> dict[str, str]:
    return {
        "path": option.path,
        "type": option.kind.name,
        "default": option.default,
        "variable": option.variable,
        "meaning": f"{option.field.description}{' Takes effect at a restart.' if option.at_restart else ''}",
        "accepted": option.kind.accepts,
    }


def _member_rows(option: Option) -> list[dict[str, str]]:
    """Return a row for each member of a list option's objects."""
    fields = option.item.model_fields if option.item else {}
    return [
        {
            "path": f"{option.path}[].{name}",
            "type": kind_of(field).name,
            "default": default_of(field),
            "variable": "",
            "meaning": str(field.description),
            "accepted": kind_of(field).accepts,
        }
        for name, field in fields.items()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
