"""Fixtures that open what `tests.aws.harness` makes, and close it again."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from exporter.aws.connection import Connection
from exporter.demo.server import environment
from exporter.demo.world import World
from exporter.settings import Settings
from tests.aws.harness import (
    PATIENCE,
    REGION,
    Eventually,
    Lab,
    OpenLab,
    OpenStation,
    RunStation,
    Station,
    Workshop,
    brisk,
    watching,
)
from tests.aws.watched import Watched
from tests.support.waiting import until


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    shared = Workshop()
    yield shared
    shared.close()


@pytest.fixture
def open_lab(monkeypatch: pytest.MonkeyPatch, workshop: Workshop) -> Iterator[OpenLab]:
    """Serve a world, with the environment of the process pointing at it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with ExitStack() as stack:

        def opened(world: World, *, hurry: float = 1.0) -> Lab:
            lab = Lab(world, stack, hurry, workshop)
            for name, value in environment(lab.emulator.url).items():
                monkeypatch.setenv(name, value)
            return lab

        yield opened


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A home account with one region and no keys yet."""
    return open_lab(World(home_regions=[REGION]))


@pytest.fixture
def watched(lab: Lab) -> Watched:
    return Watched(lab)


@pytest.fixture
def run_station(open_lab: OpenLab) -> Iterator[RunStation]:
    """Start refresh loops that are stopped in the end, before the worlds that they watch."""
    assert open_lab
    with ExitStack() as stack:

        def run(lab: Lab, settings: Settings, connect: Callable[[Settings], Connection] | None = None) -> Station:
            station = Station(lab, settings, connect)
            stack.callback(station.stop)
            return station.start()

        yield run


@pytest.fixture
def open_station(run_station: RunStation) -> OpenStation:
    """Start refresh loops with the settings of `watching`."""

    def opened(
        lab: Lab,
        *,
        slow: bool = False,
        concurrency: int = 16,
        connect: Callable[[Settings], Connection] | None = None,
        **aws: Any,
    ) -> Station:
        settings = watching(concurrency=concurrency, **aws)
        return run_station(lab, settings if slow else brisk(settings), connect)

    return opened


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds."""

    def wait(condition: Callable[[], object]) -> None:
        until(condition, within=PATIENCE, every=0.01)

    return wait
