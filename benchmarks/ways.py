"""The programs that `benchmarks.neighbours` lets find the keys: what each is run as, and what it says it found."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / ".cache"
POLICY = """
policies:
  - name: pending
    resource: aws.kms-key
    filters:
      - KeyState: PendingDeletion
"""
OURS = "kms-exporter, first full pass"
CHECK = "`kms-exporter check`"
NO_EVIDENCE = ("--changes.cloudtrail=false", "--deletions.last_usage=false", "--deletions.grants=false")


@dataclass(frozen=True, slots=True)
class Way:
    """A program that finds the keys.

    Attributes:
        command: gets the regions and an empty folder.
        found: gets the folder and what was printed; returns how many keys were found pending.
        status: with which it ends when it found some.
    """

    name: str
    command: Callable[[Sequence[str], Path], list[str]]
    found: Callable[[Path, bytes], int]
    status: int = 0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Somebody else's program.

    Attributes:
        folder: of its environment.
        package: what it is installed as.
        program: what it is run as.
    """

    folder: str
    package: str
    program: str
    title: str

    @property
    def path(self) -> Path:
        """The program."""
        return ENVIRONMENTS / self.folder / "bin" / self.program

    def version(self) -> str:
        """Return the installed version."""
        ask = f"from importlib.metadata import version; print(version({self.package!r}))"
        command = [str(self.path.with_name("python")), "-c", ask]
        answer: str = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return answer.strip()


CUSTODIAN = Neighbour("custodian", "c7n", "custodian", "Cloud Custodian")
PROWLER = Neighbour("prowler", "prowler", "prowler", "Prowler")
AWSCLI = Neighbour("awscli", "awscli", "aws", "aws command line")


def flags(name: str, values: Sequence[str]) -> list[str]:
    """Return a flag once for each value."""
    return [word for value in values for word in (name, value)]


def one_pass() -> Way:
    """Return the service's first full pass, with the whole of each request quota."""
    return Way(
        OURS,
        lambda regions, _: [sys.executable, str(HERE / "one_pass.py"), *regions],
        lambda _, output: json.loads(output)["pending"],
    )


def check(name: str, *options: str) -> Way:
    """Return `kms-exporter check`."""
    command = [sys.executable, "-m", "exporter", "check", "--output", "json", *options]
    return Way(
        f"{CHECK}, {name}",
        lambda regions, _: [*command, *flags("--region", regions)],
        lambda _, output: json.loads(output)["summary"]["pending"],
        status=1,
    )


def custodian() -> Way:
    """Return Cloud Custodian with a policy that filters the keys by state."""

    def command(regions: Sequence[str], folder: Path) -> list[str]:
        policy = folder / "policy.yml"
        policy.write_text(POLICY)
        options = ["run", "-s", str(folder), "--cache-period", "0", *flags("--region", regions)]
        return [str(CUSTODIAN.path), *options, str(policy)]

    def found(folder: Path, _: bytes) -> int:
        return sum(len(json.loads(file.read_text())) for file in folder.rglob("resources.json"))

    return Way(f"{CUSTODIAN.title} {CUSTODIAN.version()}", command, found)


def prowler() -> Way:
    """Return Prowler with the one of its checks that is about this."""

    def command(regions: Sequence[str], folder: Path) -> list[str]:
        options = ["--checks", "kms_cmk_not_deleted_unintentionally", "--region", *regions, "--no-banner"]
        report = ["--output-formats", "json-ocsf", "--output-directory", str(folder), "--output-filename", "found"]
        return [str(PROWLER.path), "aws", *options, *report, "--ignore-exit-code-3"]

    def found(folder: Path, _: bytes) -> int:
        findings = json.loads((folder / "found.ocsf.json").read_text())
        return sum(finding["status_code"] == "FAIL" for finding in findings)

    return Way(f"{PROWLER.title} {PROWLER.version()}, one check", command, found)
