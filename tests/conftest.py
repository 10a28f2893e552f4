"""What holds for all tests: patience, and which of them one process runs when several share the work (`pytest -n`)."""

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

# As Hypothesis itself has it where CI is set: no test fails because the machine was slow.
settings.register_profile(
    "default", settings.get_profile("default"), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

TOGETHER: Final = frozenset({"compat", "dashboards", "examples", "helm", "image"})
"""Folders whose tests build something once that is dear: an image, recorded data, environments, programs fetched."""


class ByFile(LoadScopeScheduling):
    """Keeps the tests of a file in one process, and those of a folder of `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.split("/")[1]
        return folder if folder in TOGETHER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> ByFile:
    """Return how tests are shared out."""
    return ByFile(config, log)
