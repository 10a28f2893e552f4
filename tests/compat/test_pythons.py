"""Each Python that is supported and found here shows the same keys as this one."""

import sys
from collections.abc import Mapping

import pytest

from tests.compat.environments import ROOT, Seen, found_python, installed, seen_by

THIS = "{}.{}".format(*sys.version_info)


def test_this_one_sees_what_is_there(expected: Seen) -> None:
    pending = [line for line in expected.page if line.startswith("kms_key_pending_deletion{") and line.endswith(" 1")]
    assert len(pending) == 2 * 2 * 2
    assert expected.status == 1
    assert len(expected.findings) == len(pending)


@pytest.mark.parametrize("version", [each for each in ("3.11", "3.12", "3.13") if each != THIS])
def test_another_one_sees_the_same(aws: Mapping[str, str], expected: Seen, version: str) -> None:
    python = found_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")  # where found: nothing provides it everywhere
    other = installed(python, version, ROOT / "requirements" / "runtime.txt", "--require-hashes")
    assert seen_by(other, aws) == expected
