"""What is in the image, and what is not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.image.engine import ROOT
from tests.support.components import program

PACKAGES = "opt/kms-exporter/lib/python3.13/site-packages"
BUILD_TOOLS = ("pip", "pip3", "cc", "gcc", "g++", "clang", "ld", "as", "make", "git", "curl", "wget")
NEEDED_MODELS = {
    "kms", "resourcegroupstaggingapi", "organizations", "ec2", "sts", "cloudtrail", "config", "sqs",  # what is called
    "sso", "sso-oidc", "signin",  # what boto3's credential chain may call
}  # fmt: skip
MEGABYTE = 1_000_000
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
"""The image's platforms, and how the tags of wheels call them."""


@pytest.fixture(scope="module")
def files(engine, built):
    with engine.files(built.id) as folder:
        yield folder


def test_the_dockerfile_has_no_lint():
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or program("hadolint")
    linted = subprocess.run([linter, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_it_runs_the_server_as_nobody_in_particular(engine, built):
    config = engine.inspect("image", built.id)["Config"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"]), "a number, so that runAsNonRoot can be checked"
    assert config["Entrypoint"] == ["kms-exporter"]
    assert config["Cmd"] == ["serve"]
    assert list(config["ExposedPorts"]) == ["10841/tcp"]


def test_it_says_what_it_is(engine, built):
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in engine.inspect("image", built.id)["Labels"].items()
    }
    assert labels["title"] == "kms-exporter"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == built.arguments["VERSION"]
    assert labels["revision"] == built.arguments["REVISION"]
    assert labels["created"] == built.arguments["CREATED"]
    assert labels["base.name"] == built.base


def test_no_tool_of_the_build_is_left(files):
    folders = [
        files / folder for folder in ("bin", "usr/bin", "usr/local/bin", "sbin", "usr/sbin", "opt/kms-exporter/bin")
    ]
    assert [path for folder in folders for tool in BUILD_TOOLS if (path := folder / tool).exists()] == []


@pytest.mark.parametrize("package", ["pip", "setuptools", "wheel", "ensurepip", "pytest", "moto"])
def test_no_package_of_the_build_or_the_tests_is_left(files, package):
    found = [
        path
        for root in ("opt", "usr/lib/python3", "usr/local/lib")
        for path in (files / root).rglob(package)
        if path.is_dir()
    ]
    assert found == []


def test_nothing_of_ours_may_be_changed_by_its_user(files):
    ours = [path for path in (files / "opt").rglob("*") if not path.is_symlink()]
    assert len(ours) > 1000
    assert {path.stat().st_uid for path in ours} == {0}
    assert [path for path in ours if path.stat().st_mode & 0o022] == []


def test_only_the_models_that_are_needed_are_left(files):
    models = {path.name for path in (files / PACKAGES / "botocore/data").iterdir() if path.is_dir()}
    assert models == NEEDED_MODELS


def test_no_module_is_compiled_when_it_starts(files):
    sources = [path for path in (files / PACKAGES).rglob("*.py") if "lib2to3" not in path.parts]
    assert len(sources) > 500
    missing = [path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc").is_file()]
    assert missing == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_dependency_is_to_be_had_for_the_platform(platform, tmp_path):
    # What else the Dockerfile does is the same on each; no machine for the other is needed to know this.
    glibc = [f"--platform=manylinux_2_{minor}_{PLATFORMS[platform]}" for minor in (17, 28, 34)]
    target = ["--only-binary=:all:", "--python-version=3.13", "--implementation=cp", *glibc]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    command += [*target, "--requirement=requirements/runtime.txt", f"--dest={tmp_path}"]
    fetched = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert fetched.returncode == 0, fetched.stderr
    compiled = [wheel.name for wheel in tmp_path.iterdir() if "linux" in wheel.name]
    assert compiled
    assert [name for name in compiled if PLATFORMS[platform] not in name] == []


def test_it_adds_less_than_65_megabytes_to_its_base(engine, built):
    added = engine.inspect("image", built.id)["Size"] - engine.inspect("image", built.base)["Size"]
    assert 0 < added < 65 * MEGABYTE


def test_the_same_sources_give_the_same_layers(engine, built):
    # The id alone may differ: buildah's history holds a hash of what was copied that includes the time of the copy.
    again = engine.build("localhost/kms-exporter:again", **built.arguments)
    first, second = (engine.inspect("image", image)["RootFS"]["Layers"] for image in (built.id, again))
    assert first == second
