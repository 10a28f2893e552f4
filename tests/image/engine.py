"""Builds and runs images without an engine: buildah and podman, in a store of their own under .cache/."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.components import cannot_run, program

ROOT = Path(__file__).parents[2]
STORE = ROOT / ".cache" / "image"
STORAGE = ("--storage-driver", "overlay", "--root", str(STORE / "root"), "--runroot", str(STORE / "run"))


class Engine:
    """What a machine that may not be root, or has no registry, can do without."""

    def __init__(self) -> None:
        self._buildah = program("buildah")
        self._podman = program("podman")
        program("runc")
        program("debootstrap")
        STORE.mkdir(parents=True, exist_ok=True)

    def base(self) -> str:
        """Return the name of the stand-in for Python's image, which is made once and kept."""
        made = subprocess.run(
            ["scripts/image-base", *STORAGE], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
        )
        if made.returncode:
            cannot_run(f"the base image can't be made (needs root and a Debian mirror): {made.stderr[-2000:]}")
        return made.stdout.strip()

    def build(self, tag: str, **arguments: str) -> str:
        """Build the image with scripts/image and return its id.

        Args:
            arguments: build arguments that count instead of the checkout's.
        """
        builder = [self._buildah, *STORAGE, "bud", "--isolation", "chroot", "--pull-never", "--network", "host"]
        options = ["--no-cache", "--quiet"]
        for name, value in arguments.items():
            options += ["--build-arg", f"{name}={value}"]
        return run(["scripts/image", tag, *options], timeout=240, env={"BUILDER": " ".join(builder)}).strip()

    def podman(self, *arguments: str, timeout: float = 60) -> str:
        """Run podman and return what it printed."""
        engine = ("--cgroup-manager=cgroupfs", "--events-backend=file", "--runtime", "runc")
        return run([self._podman, *STORAGE, *engine, *arguments], timeout=timeout)

    def log(self, container: str) -> str:
        """Return what a container wrote to standard error."""
        command = [self._podman, *STORAGE, "logs", container]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """Return what podman knows of an image or a container."""
        (found,) = json.loads(self.podman(kind, "inspect", name))
        return dict(found)

    @contextmanager
    def files(self, image: str) -> Iterator[Path]:
        """Give the root file system of an image."""
        folder = Path(self.podman("image", "mount", image).strip())
        try:
            yield folder
        finally:
            self.podman("image", "unmount", image)

    @contextmanager
    def container(self, image: str, *command: str, env: Mapping[str, str], **options: str) -> Iterator[str]:
        """Run a container as hardened as the documents ask for; give its id."""
        arguments = ["--network=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]
        arguments += ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"]
        arguments += [f"--{name}={value}" for name, value in options.items()]
        for name, value in env.items():
            arguments += ["--env", f"{name}={value}"]
        container = self.podman("run", "--detach", *arguments, image, *command).strip()
        try:
            yield container
        finally:
            self.podman("rm", "--force", "--time", "0", container)


def run(command: list[str], *, timeout: float, env: Mapping[str, str] | None = None) -> str:
    """Run a command that must succeed; return what it printed."""
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | (env or {}), capture_output=True, text=True, check=False, timeout=timeout
    )
    assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout
