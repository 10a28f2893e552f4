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

FIRST: Final = ("rules", "faults", "dashboards", "image", "compat", "helm", "e2e")
"""Folders of files that take minutes. Such a file must not be the last one, which all other processes wait for."""


def _folder(nodeid: str) -> str:
    return nodeid.split("/")[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of `FIRST` first, in its order."""
    place = {folder: number for number, folder in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(_folder(item.nodeid), len(FIRST)))


class ByFile(LoadScopeScheduling):
    """Keeps the tests of a file in one process, and those of a folder of `TOGETHER`; takes files in their order."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = _folder(nodeid)
        return folder if folder in TOGETHER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> ByFile:
    """Return how tests are shared out."""
    config.option.loadscopereorder = False
    return ByFile(config, log)
