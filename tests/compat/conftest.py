"""One small world that every environment looks at, and what this one sees in it."""

from collections.abc import Iterator, Mapping

import pytest

from tests.compat.environments import Seen, emulated, here, seen_by


@pytest.fixture(scope="package")
def aws() -> Iterator[Mapping[str, str]]:
    """The environment of a process that shall know no other AWS."""
    with emulated() as env:
        yield env


@pytest.fixture(scope="package")
def expected(aws: Mapping[str, str]) -> Seen:
    """What is seen with the interpreter and the packages that run the tests."""
    return seen_by(here(), aws)
