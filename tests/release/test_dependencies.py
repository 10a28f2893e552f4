"""What is installed beside the exporter: pinned, explained, and loaded by whom the document says."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from docs.build_dependencies import REASONS, SERVICE
from scripts.locked import OURS, ROOT, locked

IMPORTED = """
import sys, exporter.cli, exporter.service, exporter.web.app, exporter.aws.connection, uvicorn.loops.uvloop
print(*{name.partition(".")[0] for name in sys.modules})
"""
MODULES = {
    "dnspython": "dns",
    "markdown-it-py": "markdown_it",
    "python-dateutil": "dateutil",
    "python-dotenv": "dotenv",
    "pyyaml": "yaml",
}
"""What packages are imported as, where that is not their name."""


def test_each_package_has_a_reason_and_each_reason_a_package() -> None:
    assert set(REASONS) == {each.name for each in locked()}


def test_the_document_is_up_to_date() -> None:
    check = subprocess.run(
        [sys.executable, "-m", "docs.build_dependencies", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_the_service_loads_what_the_document_says_and_nothing_else() -> None:
    script = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    modules = set(script.stdout.split())
    loaded = {name for name in REASONS if MODULES.get(name, name.replace("-", "_")) in modules}
    assert loaded == {name for name, reason in REASONS.items() if reason.loaded_by == SERVICE}


def test_what_the_project_names_is_what_is_pinned_for_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.split(r"[>=<\[;]", requirement)[0] for requirement in project["dependencies"]}
    assert named == {each.name for each in locked() if OURS in each.via}


@pytest.mark.parametrize("name", sorted(REASONS))
def test_the_tests_run_with_the_version_that_is_released(name: str) -> None:
    (pinned,) = (each.version for each in locked() if each.name == name)
    assert metadata.version(name) == pinned


@pytest.mark.parametrize("file", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda file: file.name)
def test_every_requirement_is_pinned_by_hash_and_names_no_index(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    heads = re.findall(r"^[^\s#].*\n.*", text, re.MULTILINE)
    assert [
        head for head in heads if not re.match(r"[\w.-]+(\[[\w, -]+\])?==\S+( ; .*)? \\\n    --hash=sha256:", head)
    ] == []
    assert not re.search(r"^--|https?://", text, re.MULTILINE)
