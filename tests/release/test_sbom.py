"""The software bill of materials names what is installed, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import exporter
from scripts.locked import OURS, ROOT, locked


def written(file: Path) -> str:
    subprocess.run([sys.executable, "-m", "scripts.sbom", str(file)], cwd=ROOT, check=True)
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("dist") / "sbom.cdx.json")


@pytest.fixture
def bill(text: str) -> dict[str, Any]:
    return json.loads(text)


def test_it_is_cyclonedx_1_6(text: str, bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_is_about_this_version(bill: dict[str, Any]) -> None:
    about = bill["metadata"]["component"]
    assert (about["name"], about["version"]) == (OURS, exporter.__version__)


def test_it_lists_the_packages_of_the_requirements(bill: dict[str, Any]) -> None:
    listed = [(each["name"], each["version"], each["purl"]) for each in bill["components"]]
    assert listed == [(each.name, each.version, f"pkg:pypi/{each.name}@{each.version}") for each in locked()]


def test_each_package_has_the_hashes_that_may_be_installed(bill: dict[str, Any]) -> None:
    hashes = {
        component["name"]: {each["content"] for part in component["externalReferences"] for each in part["hashes"]}
        for component in bill["components"]
    }
    assert hashes == {each.name: set(each.hashes) for each in locked()}


def test_each_package_has_a_licence(bill: dict[str, Any]) -> None:
    licences = {each["name"]: each["licenses"][0]["expression"] for each in bill["components"]}
    assert licences == {each.name: each.licence for each in locked()}


def test_every_package_is_needed_by_the_exporter_in_the_end(bill: dict[str, Any]) -> None:
    needs = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    reached: set[str] = set()
    ahead = [bill["metadata"]["component"]["bom-ref"]]
    while ahead:
        reference = ahead.pop()
        reached.add(reference)
        ahead += [each for each in needs[reference] if each not in reached]
    assert reached == set(needs)


def test_the_same_requirements_give_the_same_bytes(text: str, tmp_path: Path) -> None:
    assert written(tmp_path / "again.json") == text
