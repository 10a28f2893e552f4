"""The oldest and the newest versions that pyproject.toml allows of what the exporter stands on."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.compat.environments import CACHE, ROOT, Seen, here, installed, seen_by
from tests.support.components import cannot_run

OPERATIONS = """
import botocore.session, importlib, json, pkgutil
import exporter.aws
from exporter.aws.calls import Operation
modules = [importlib.import_module(f"exporter.aws.{each.name}") for each in pkgutil.iter_modules(exporter.aws.__path__)]
wanted = {value for module in modules for value in vars(module).values() if isinstance(value, Operation)}
session = botocore.session.Session()
known = {service: session.get_service_model(service).operation_names for service in {each.service for each in wanted}}
print(json.dumps(sorted(f"{each.service} {each.name}" for each in wanted if each.name not in known[each.service])))
"""
"""What is asked of AWS that boto3's models do not have."""


@pytest.fixture(scope="module", params=["lowest-direct", "highest"])
def other(request: pytest.FixtureRequest) -> Path:
    """An environment with the direct dependencies at one end of what is allowed; the index must answer for it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    resolved = CACHE / f"{request.param}.txt"
    command = [here(), "-m", "uv", "pip", "compile", "-q", "--no-header", "--python", here()]
    done = subprocess.run(
        [*command, "--resolution", request.param, "--upgrade", str(ROOT / "pyproject.toml"), "-o", str(resolved)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        cannot_run(f"the index does not answer: {done.stderr.strip()[-200:]}")
    return installed(here(), request.param, resolved)


def test_the_same_keys_are_seen(other: Path, aws: Mapping[str, str], expected: Seen) -> None:
    assert seen_by(other, aws) == expected


def test_boto3_knows_every_operation(other: Path, aws: Mapping[str, str]) -> None:
    told = subprocess.run(
        [other, "-c", OPERATIONS], env=aws, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(told.stdout) == []
