"""The wire that the tests of answers share."""

from collections.abc import Iterator

import pytest

import tests.fuzz.effort  # noqa: F401 - declares the profile `soak` before the command line names it
from tests.fuzz.wire import Wire, wire


@pytest.fixture(scope="module")
def aws() -> Iterator[Wire]:
    with wire() as opened:
        yield opened
