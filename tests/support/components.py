"""Real programs that tests run against."""

import os
import shutil
from typing import NoReturn

import pytest


def program(*names: str) -> str:
    """Return the path of the first of `names` that is installed; without one the test can't run."""
    for name in names:
        if path := shutil.which(name):
            return path
    return cannot_run(f"{' or '.join(names)} is not installed: scripts/components installs it")


def cannot_run(why: str) -> NoReturn:
    """Skip the test that asks; fail it where CI is set, since nothing may be missing there."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
