"""The exporter in other environments than this one: other Pythons, other versions of what it stands on."""

import csv
import fcntl
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx

from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from tests.support.components import cannot_run
from tests.support.waiting import until

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "compat"
_INSTALLING: Final = 600
_LOOKING: Final = 60
_COLUMNS: Final = ("kind", "verdict", "account_id", "region", "key_id", "arn", "state", "deletion_date")
_LASTING: Final = ("# ", "kms_key", "kms_exporter_target_up", "kms_exporter_account_up")


def found_python(version: str) -> str | None:
    """Return an interpreter of a version that really starts: one on PATH, or one that pyenv keeps."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
    for candidate in (shutil.which(f"python{version}"), f"/usr/bin/python{version}", *map(str, kept)):
        if candidate and Path(candidate).exists() and _says(candidate) == version:
            return candidate
    return None


def _says(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    asked = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    return asked.stdout.strip()


def installed(python: str, name: str, requirements: Path, *options: str) -> Path:
    """Return the interpreter of an environment with these requirements, which is kept for the next time."""
    folder = CACHE / name
    digest = sha256(requirements.read_bytes() + python.encode()).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run side by side
        mark = folder / "installed"
        if not (mark.is_file() and mark.read_text() == digest):
            shutil.rmtree(folder, ignore_errors=True)
            uv = [here(), "-m", "uv"]  # a tenth of the time of venv and pip
            _must([*uv, "venv", "-q", "--python", python, str(folder)])
            into = ["--python", str(folder / "bin" / "python")]
            _must([*uv, "pip", "install", "-q", *into, *options, "-r", str(requirements)])
            mark.write_text(digest)
    return folder / "bin" / "python"


def _must(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALLING, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        cannot_run(f"{' '.join(map(str, command[:4]))}: {last}")


@dataclass(frozen=True)
class Seen:
    """What the exporter shows of one emulated world.

    Attributes:
        page: the samples of keys, targets and accounts that do not depend on the moment, and every HELP and TYPE.
        status: the exit status of `check`.
        findings: what `check` finds, as far as it does not depend on the moment.
    """

    page: frozenset[str]
    status: int
    findings: tuple[tuple[str, ...], ...]


@contextmanager
def emulated() -> Iterator[Mapping[str, str]]:
    """Serve a small world; give the environment of a process that shall know no other AWS."""
    with EmulatorServer(uniform_world(6, 2, 2, pending=2)) as emulator:
        yield {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment(emulator.url)}


def seen_by(python: Path | str, env: Mapping[str, str]) -> Seen:
    """Serve, scrape and check with an interpreter."""
    exporter = [str(python), "-m", "exporter"]
    options = ["--aws.organization.enabled", "true"]
    serve = [*exporter, "serve", *options, "--web.listen_address", "127.0.0.1:0"]
    with subprocess.Popen(serve, env=env, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            url = f"http://{_address(process.stderr)}"
            until(lambda: httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success, within=_LOOKING)
            page = httpx.get(f"{url}/metrics", timeout=5, trust_env=False).raise_for_status().text
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert process.returncode == 0
    check = subprocess.run(
        [*exporter, "check", *options, "--output", "csv"],
        env=env, cwd=ROOT, capture_output=True, text=True, timeout=_LOOKING, check=False,
    )  # fmt: skip
    rows = csv.DictReader(io.StringIO(check.stdout.removeprefix("\ufeff")))
    return Seen(
        frozenset(_lasting(page)), check.returncode, tuple(tuple(row[name] for name in _COLUMNS) for row in rows)
    )


def _address(stderr: Iterable[str]) -> str:
    """Return where it listens, as soon as it says so."""
    log: list[str] = []
    for line in stderr:
        log.append(line)
        if found := re.search(r"address=(\S+)", line):
            return found[1]
    raise AssertionError(f"it ended before it listened: {''.join(log[-5:])}")


def _lasting(page: str) -> Iterator[str]:
    for line in page.splitlines():
        if line.startswith(_LASTING) and "days_left" not in line:
            yield line


def here() -> str:
    return sys.executable
