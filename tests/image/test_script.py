"""scripts/image: what it asks of docker, which need not be here."""

import os
import subprocess

import pytest

import exporter
from tests.image.engine import ROOT


@pytest.fixture
def asked(tmp_path):
    """Return the arguments that docker gets from the script, one a line."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    docker.chmod(0o755)

    def run(*arguments, **env):
        variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/"), **env}
        ran = subprocess.run(
            ["scripts/image", *arguments], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    return run


def test_without_arguments_it_builds_this_version_for_this_machine(asked):
    arguments = asked()
    assert arguments[:3] == ["buildx", "build", "--load"]
    assert arguments[arguments.index("--tag") + 1] == f"kms-exporter:{exporter.__version__}"
    assert f"VERSION={exporter.__version__}" in arguments


def test_the_labels_name_the_commit_and_its_time(asked):
    facts = dict(argument.split("=", 1) for argument in asked(SOURCE="https://git.example.org/kms") if "=" in argument)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert facts["REVISION"].removesuffix("-dirty") == head.stdout.strip()
    assert facts["CREATED"].endswith("Z")
    assert facts["SOURCE"] == "https://git.example.org/kms"


def test_what_is_pushed_has_the_times_of_the_commit_on_every_platform(asked):
    arguments = asked("registry.example.org/kms-exporter:1", "--platform", "linux/amd64,linux/arm64", "--push")
    assert arguments[arguments.index("--output") + 1] == "type=image,push=true,unpack=false,rewrite-timestamp=true"
    assert arguments[arguments.index("--platform") + 1] == "linux/amd64,linux/arm64"
    assert arguments[arguments.index("--tag") + 1] == "registry.example.org/kms-exporter:1"
    assert "--push" not in arguments


def test_an_option_is_no_tag(asked):
    arguments = asked("--build-arg", "BASE=python@sha256:0")
    assert arguments[arguments.index("--tag") + 1] == f"kms-exporter:{exporter.__version__}"
    assert "BASE=python@sha256:0" in arguments
