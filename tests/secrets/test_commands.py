"""No command tells a credential, whatever goes wrong: not on its outputs, in its reports, in its record."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo.server import EmulatorServer
from tests.secrets.canaries import Canaries
from tests.secrets.hostile import HEALTHY, REGION, HostileAws

FORMATS = ("table", "json", "csv", "ocsf", "junit")
SECRET_FIELD = "$2b$04$abcdefghijklmnopqrstuv"
PROXY_PASSWORD = "proxy-password-0123456789"


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def aws(canaries: Canaries) -> HostileAws:
    return HostileAws(canaries)


@pytest.fixture
def emulator(aws: HostileAws) -> Iterator[EmulatorServer]:
    with aws.serving() as running:
        yield running


def run(*arguments: str, env: dict[str, str]) -> dict[str, str]:
    """Run a command; return what it told."""
    ended = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        env={"PATH": os.environ["PATH"], **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return {"status": str(ended.returncode), "stdout": ended.stdout, "stderr": ended.stderr}


@pytest.mark.parametrize("form", FORMATS)
def test_no_report_of_check_tells_one(aws, emulator, canaries, tmp_path: Path, form: str) -> None:
    report = tmp_path / "report"
    told = run("check", "--output", form, "--output-file", str(report), env=aws.variables(emulator))
    told["report"] = report.read_text(encoding="utf-8-sig")
    assert HEALTHY in told["report"]
    assert canaries.found_in(told) == []


def test_an_estimate_tells_none(aws, emulator, canaries) -> None:
    told = run("estimate", "--live", env=aws.variables(emulator))
    assert "kms" in told["stdout"].lower()
    assert canaries.found_in(told) == []


def test_neither_cancel_deletion_nor_its_record_tells_one(aws, emulator, canaries, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    words = ("--all-unacknowledged", "--region", REGION, "--reason", "a mistake", "--yes", "--record", str(record))
    told = run("cancel-deletion", *words, "--role-name", "KmsExporter", env=aws.variables(emulator))
    told |= {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert emulator.world.counts.total("CancelKeyDeletion") > 0
    assert HEALTHY in told["record.jsonl"]
    assert canaries.found_in(told) == []


def test_the_effective_configuration_tells_none(aws, emulator, canaries) -> None:
    told = run("config", "show", env=aws.variables(emulator))
    assert HEALTHY in told["stdout"]
    assert canaries.found_in(told) == []


def test_a_refused_configuration_is_not_quoted_where_it_is_secret(aws, emulator, canaries, tmp_path: Path) -> None:
    canaries.plant("password hash", SECRET_FIELD)
    web_file = tmp_path / "web.yml"
    web_file.write_text(f"basic_auth_users: {{scraper: '{SECRET_FIELD}'}}\n")
    variables = aws.variables(emulator)
    broken = variables | {"KMS_EXPORTER_AWS__ACCOUNTS": variables["KMS_EXPORTER_AWS__ACCOUNTS"][:-2]}
    for command in (("config", "validate"), ("config", "show"), ("serve",), ("check",)):
        told = run(*command, env=broken)
        assert told["status"] == "2"
        assert canaries.found_in(told) == []
    told = run("config", "validate", "--web.config_file", str(web_file), env=variables)
    assert told["status"] == "2"
    assert canaries.found_in(told) == []


def test_a_proxy_that_is_not_there_is_told_without_its_password(aws, emulator, canaries) -> None:
    canaries.plant("proxy password", PROXY_PASSWORD)
    proxy = {"HTTP_PROXY": f"http://watcher:{PROXY_PASSWORD}@127.0.0.1:9", "no_proxy": ""}
    told = run("check", env=aws.variables(emulator) | proxy)
    assert "proxy" in told["stdout"] + told["stderr"]
    assert canaries.found_in(told) == []
