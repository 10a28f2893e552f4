"""Which tests one process runs when several share the work (`pytest -n`)."""

import pytest

TOGETHER = frozenset({"compat", "dashboards", "examples", "helm", "image"})
"""Folders whose tests build something once that is dear: an image, recorded data, environments, programs fetched."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Keep what shares a folder of those, or a file, in one process."""
    tests = config.rootpath / "tests"
    for item in items:
        place = item.path.relative_to(tests)
        group = place.parts[0] if place.parts[0] in TOGETHER else str(place)
        item.add_marker(pytest.mark.xdist_group(group))
