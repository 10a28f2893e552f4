"""There is one version, and everything that names one names it."""

import re
import tomllib

import pytest

import exporter
from scripts.release import ROOT, VERSION, chart, disagreements, released, sections

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
TAGGED = re.compile(r"kms-exporter:(\d+\.\d+\.\d+)")
DATED = (
    f"# Changelog\n\n## Unreleased\n\n## {VERSION} - 2026-01-31\n\n### Added\n\n- A thing.\n\n## 0.0.1 - 2026-01-01\n"
)


def naming_images() -> list[str]:
    folders = ("README.md", "docs/**/*.md", "examples/**/*", "helm/**/*")
    files = [file for pattern in folders for file in ROOT.glob(pattern) if file.is_file() and file.suffix != ".png"]
    return [file.relative_to(ROOT).as_posix() for file in files if TAGGED.search(file.read_text(encoding="utf-8"))]


def test_it_is_a_semantic_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_the_package_takes_it_from_the_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "exporter.__version__"}
    assert exporter.__version__ == VERSION


@pytest.mark.parametrize("field", ["version", "appVersion"])
def test_the_chart_has_it(field: str) -> None:
    assert chart(field) == VERSION


@pytest.mark.parametrize("file", naming_images())
def test_a_document_that_names_an_image_names_that_of_this_version(file: str) -> None:
    assert set(TAGGED.findall((ROOT / file).read_text(encoding="utf-8"))) == {VERSION}


def test_the_changelog_begins_with_what_is_unreleased_or_with_this_version() -> None:
    (newest, _), *_ = sections(CHANGELOG)
    assert newest == "Unreleased" or released(newest) == VERSION


def test_no_section_of_the_changelog_is_newer_than_this_version() -> None:
    versions = [released(heading) for heading, _ in sections(CHANGELOG) if heading != "Unreleased"]
    assert all(versions), "a heading is neither Unreleased nor `1.2.3 - YYYY-MM-DD`"
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True)
    assert versions[:1] in ([], [VERSION])


def test_a_tag_that_agrees_with_everything_is_released() -> None:
    assert list(disagreements(f"v{VERSION}", DATED)) == []


@pytest.mark.parametrize("tag", [VERSION, "v9.9.9", "main"])
def test_another_tag_is_not(tag: str) -> None:
    assert list(disagreements(tag, DATED)) == [f"the tag is {tag}, exporter.__version__ is {VERSION}"]


def test_a_version_that_the_changelog_does_not_date_is_not() -> None:
    (problem,) = disagreements(f"v{VERSION}", DATED.replace(f"## {VERSION} - 2026-01-31", "## Coming"))
    assert "CHANGELOG.md" in problem
