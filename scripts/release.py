"""Checks that a tag may become a release, and writes what is said of it.

    python3 -m scripts.release v1.2.3 DIR    writes DIR/notes.md; exit status 1 and a line for each thing that disagrees

Needs Python alone.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import exporter

ROOT: Final = Path(__file__).parents[1]
VERSION: Final = exporter.__version__

_SECTION: Final = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_RELEASED: Final = re.compile(r"\[?(\d+\.\d+\.\d+)\]? - (\d{4}-\d\d-\d\d)")


def sections(changelog: str) -> list[tuple[str, str]]:
    """Return heading and text of each section of a changelog, the newest first."""
    return [(heading.strip(), text.strip()) for heading, text in _SECTION.findall(changelog)]


def released(heading: str) -> str:
    """Return the version of a section's heading, such as `1.2.3 - 2026-01-31`; `""` for what is not released."""
    found = _RELEASED.fullmatch(heading)
    return found[1] if found else ""


def chart(field: str) -> str:
    """Return a field of the chart."""
    text = (ROOT / "helm" / "kms-exporter" / "Chart.yaml").read_text(encoding="utf-8")
    return re.findall(rf'^{field}: "?([^"\n]+)"?$', text, re.MULTILINE)[0]


def disagreements(tag: str, changelog: str) -> Iterator[str]:
    """Yield why `tag` can't become a release."""
    if tag != f"v{VERSION}":
        yield f"the tag is {tag}, exporter.__version__ is {VERSION}"
    for field in ("version", "appVersion"):
        if chart(field) != VERSION:
            yield f"{field} of the chart is {chart(field)}, exporter.__version__ is {VERSION}"
    if not any(released(heading) == VERSION for heading, _ in sections(changelog)):
        yield f"CHANGELOG.md has no section `{VERSION} - YYYY-MM-DD`"


def main() -> None:
    """Write the notes, or say what disagrees."""
    tag, folder = sys.argv[1], Path(sys.argv[2])
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if problems := list(disagreements(tag, changelog)):
        sys.exit("\n".join(problems))
    folder.mkdir(parents=True, exist_ok=True)
    notes = next(text for heading, text in sections(changelog) if released(heading) == VERSION)
    (folder / "notes.md").write_text(f"{notes}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
