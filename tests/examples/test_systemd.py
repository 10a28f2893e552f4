"""The systemd unit: accepted by systemd, and as closed as it claims to be."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.components import program

UNIT = Path(__file__).parents[2] / "examples" / "systemd" / "kms-exporter.service"
PROGRAM = "/opt/kms-exporter/bin/kms-exporter"
EXPOSURE = 20
"""In tenths of systemd's 0 to 10, where less is better."""


@pytest.fixture
def installed(tmp_path):
    """Return the unit as on a machine that has the program."""
    here = Path(sys.executable).with_name("kms-exporter")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, str(here)))
    return unit


def analyze(*arguments):
    return subprocess.run(
        [program("systemd-analyze"), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def test_systemd_accepts_it(installed):
    verified = analyze("verify", "--man=no", installed)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if UNIT.name in line]) == (0, [])


def test_its_exposure_is_low(installed):
    judged = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", installed)
    assert judged.returncode == 0, judged.stdout[-300:] + judged.stderr


def test_a_configuration_that_cannot_be_used_is_not_retried():
    settings = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))
    refused = subprocess.run(
        [Path(sys.executable).with_name("kms-exporter"), "serve", "--config", UNIT], capture_output=True, check=False
    )
    assert settings["RestartPreventExitStatus"] == str(refused.returncode)
    assert "ExecStartPre" not in settings
