"""Asks a vulnerability database about every package in requirements/runtime.txt.

    python -m scripts.audit [OPTION...]    the options go to pip-audit

Exit status 0: every package was looked up and none is known to be vulnerable. 1: some are. 3: no database could be
reached, or it did not know every package, so that nothing is known; pip-audit itself would call that clean.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

from scripts.locked import RUNTIME, locked

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3
SERVICES: Final = ("pypi", "osv")


def ask(options: Sequence[str]) -> list[dict[str, Any]]:
    """Return what pip-audit tells of each package, nothing when it can't."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(RUNTIME), "--disable-pip", "--no-deps"]
    form = ["--format", "json", "--progress-spinner", "off"]
    ended = subprocess.run([*command, *form, *options], capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    try:
        told: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        return []
    return told


def judge(told: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """Return the exit status, and the line that says why."""
    expected = {each.name for each in locked()}
    known = {each["name"]: each["vulns"] for each in told if "vulns" in each}
    found = [
        f"{name}: {vulnerability['id']}, fixed in {', '.join(vulnerability['fix_versions']) or 'no version'}"
        for name, vulnerabilities in known.items()
        for vulnerability in vulnerabilities
    ]
    if found:
        return VULNERABLE, "\n".join(found)
    if missing := expected - known.keys():
        return UNKNOWN, f"not audited: no vulnerability database told of {len(missing)} of {len(expected)} packages"
    return CLEAN, f"{len(expected)} packages, no known vulnerability"


def main() -> None:
    """Ask one database after the other until one knows."""
    options = sys.argv[1:]
    status, line = UNKNOWN, ""
    for choice in [options] if options else [["--vulnerability-service", service] for service in SERVICES]:
        status, line = judge(ask(choice))
        if status != UNKNOWN:
            break
    print(line)
    sys.exit(status)


if __name__ == "__main__":
    main()
