"""The operating documents keep up with the code."""

import re
from pathlib import Path

import pytest

from exporter.model import TransitionKind

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OURS = ("operating.md", "hardening.md", "faq.md", "iam.md")
EVENT = re.compile(r"log\.(?:debug|info|warning|error)\(\s*\"(\w+)\"")
HELD_BY = re.compile(r"`(tests/\S+\.py)::(test_\w+)`")
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([\w-]+))?\)")


def events():
    """Return every event that the service logs."""
    sources = (path for path in (ROOT / "exporter").rglob("*.py") if "demo" not in path.parts)
    return {event for path in sources for event in EVENT.findall(path.read_text())} | set(TransitionKind)


def anchors(file):
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_operating_guide_explains_every_event_and_no_other():
    told = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| (?:info|warning|error) \|", (DOCS / "operating.md").read_text(), re.MULTILINE
    )
    assert {event for cell in told for event in re.findall(r"\w+", cell)} == events()


def test_every_promise_is_held_by_a_test_that_exists():
    held = HELD_BY.findall((DOCS / "hardening.md").read_text())
    assert len(held) > 10
    assert [f"{file}::{name}" for file, name in held if f"def {name}(" not in (ROOT / file).read_text()] == []


@pytest.mark.parametrize("name", OURS)
def test_every_link_leads_somewhere(name):
    for path, anchor in LINK.findall((DOCS / name).read_text()):
        target = (DOCS / path).resolve() if path else DOCS / name
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), anchor
