"""The workflows are valid, may do no more than they need, and run what a developer runs."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.locked import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
WRITES = {
    ("release", "publish"): {"attestations", "contents", "id-token", "packages"},
    ("dependencies", "propose"): {"contents", "pull-requests"},
}
"""What may be written, by workflow and job."""
SUPPORTED = set(re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8")))


def workflow(file: Path) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return told


def jobs() -> Iterator[tuple[Path, str, dict[str, Any]]]:
    for file in WORKFLOWS:
        for name, job in workflow(file)["jobs"].items():
            yield file, name, job


def steps(kind: str) -> list[str]:
    return [step[kind] for _, _, job in jobs() for step in job.get("steps", []) if kind in step]


@pytest.mark.parametrize(
    ("schema", "files"),
    [("vendor.github-workflows", WORKFLOWS), ("vendor.dependabot", [GITHUB / "dependabot.yml"])],
)
def test_a_file_follows_its_schema(schema: str, files: list[Path]) -> None:
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("command", steps("run"))
def test_a_step_runs_what_a_developer_can_run(command: str) -> None:
    first, second, *rest = [*shlex.split(command), ""]
    match first:
        case "make":
            assert second in TARGETS
        case "bash":
            assert (ROOT / second).is_file()
        case "python3":
            assert second == "-m"
            assert (ROOT / f"{rest[0].replace('.', '/')}.py").is_file()
        case "gh":
            assert (second, rest[0]) == ("release", "create")
        case _:
            assert first.startswith("scripts/")
            assert (ROOT / first).stat().st_mode & 0o100


@pytest.mark.parametrize("command", steps("run"))
def test_no_step_lets_github_write_into_its_words(command: str) -> None:
    assert "${{" not in command, "what others name, such as a branch, comes through the environment"


@pytest.mark.parametrize("command", [command for command in steps("run") if "REGISTRY" in command])
def test_a_name_in_the_registry_is_in_lower_case_whoever_owns_it(command: str) -> None:
    env = {"PATH": os.environ["PATH"], "REGISTRY": "ghcr.io/Example-Org", "GITHUB_REF_NAME": "v1.2.3"}
    told = subprocess.run(["bash", "-c", f"echo {command}"], env=env, capture_output=True, text=True, check=True).stdout
    assert "ghcr.io/example-org/" in told
    assert "Example-Org" not in told


@pytest.mark.parametrize("action", sorted(set(steps("uses"))))
def test_an_action_is_pinned_by_its_commit(action: str) -> None:
    assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), "a tag can be moved to other code"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_pinned_action_tells_its_version_which_dependabot_renews(file: Path) -> None:
    pinned = re.findall(r"uses: [^\s.]\S+(.*)", file.read_text(encoding="utf-8"))
    assert [version for version in pinned if not re.fullmatch(r" # v\d+\.\d+\.\d+", version)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_may_only_read(file: Path) -> None:
    assert workflow(file)["permissions"] == {"contents": "read"}


def test_a_job_that_may_write_is_one_that_must() -> None:
    writing = {
        (file.stem, name): {scope for scope, access in job["permissions"].items() if access == "write"}
        for file, name, job in jobs()
        if "permissions" in job
    }
    assert writing == WRITES


def test_what_runs_our_code_and_that_of_others_keeps_no_token() -> None:
    for file, name, job in jobs():
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@") and (file.stem, name) != (
                "dependencies",
                "propose",
            ):
                assert step["with"]["persist-credentials"] is False


def test_every_job_ends() -> None:
    assert [name for _, name, job in jobs() if "uses" not in job and not 0 < job["timeout-minutes"] <= 90] == []


def test_every_supported_python_is_tested() -> None:
    matrix = workflow(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert set(matrix["python"]) == SUPPORTED


def test_nothing_is_released_that_was_not_tested() -> None:
    released = workflow(GITHUB / "workflows" / "release.yml")["jobs"]
    assert released["publish"]["needs"] == "test"
    assert released["test"]["uses"] == "./.github/workflows/ci.yml"


def test_what_is_proposed_is_what_was_tested() -> None:
    jobs = workflow(GITHUB / "workflows" / "dependencies.yml")["jobs"]
    (tested,) = (
        step["with"]["path"] for step in jobs["upgrade"]["steps"] if "upload-artifact@" in step.get("uses", "")
    )
    (proposed,) = (
        step["with"]["add-paths"] for step in jobs["propose"]["steps"] if "add-paths" in step.get("with", {})
    )
    assert proposed == tested
    assert [path for path in tested.split() if not (ROOT / path).exists()] == []
