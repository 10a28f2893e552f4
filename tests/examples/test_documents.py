"""The operating documents keep up with the code."""

import ast
import re
from pathlib import Path

import pytest

from exporter.model import TransitionKind

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OURS = (
    *("operating.md", "hardening.md", "faq.md", "iam.md", "web-security.md"),
    *("dependencies.md", "performance.md", "reliability.md", "releasing.md"),
)
LEVELS = {"debug", "info", "warning", "error"}
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([\w-]+))?\)")


def events():
    """Return every event that the service logs."""
    sources = (path for path in (ROOT / "exporter").rglob("*.py") if "demo" not in path.parts)
    return {event for path in sources for event in logged(ast.parse(path.read_text()))} | set(TransitionKind)


def logged(module):
    """Yield the events that a module logs, with a level's method of a log or with one that was chosen before."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and node.args and writes(node.func):
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def writes(function):
    """Whether a call of this is a line of the log: `self._log.warning(...)`, or `write(...)`."""
    if isinstance(function, ast.Name):
        return function.id == "write"
    return isinstance(function, ast.Attribute) and function.attr in LEVELS and "log" in ast.unparse(function.value)


def anchors(file):
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_operating_guide_explains_every_event_and_no_other():
    told = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| (?:debug|info|warning|error) \|", (DOCS / "operating.md").read_text(), re.MULTILINE
    )
    assert {event for cell in told for event in re.findall(r"\w+", cell)} == events()


@pytest.mark.parametrize("name", OURS)
def test_every_link_leads_somewhere(name):
    for path, anchor in LINK.findall((DOCS / name).read_text()):
        target = (DOCS / path).resolve() if path else DOCS / name
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), anchor
