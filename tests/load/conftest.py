"""One exporter that is meant to hold whatever happens around it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from benchmarks.running import usage
from exporter.demo.scenario import uniform_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.vault import Vault
from exporter.demo.world import DEFAULT_HOME
from tests.support.processes import ExporterProcess, exporter_process

REGION: Final = "eu-west-1"
KEYS: Final = 3_000
_PENDING: Final = 50
_DESCRIPTION: Final = "What this key encrypts, and whom to ask before it is scheduled for deletion. " * 3
_OPTIONS: Final = (
    *("--aws.regions", REGION),
    *("--aws.request_rate", "1"),
    *("--refresh.interval", "5s", "--refresh.fallback_interval", "5s", "--refresh.full_interval", "1d"),
)


@dataclass(frozen=True)
class Besieged:
    """The exporter whose patience is tried.

    Attributes:
        vault: the keys that it watches.
        process: itself.
    """

    vault: Vault
    process: ExporterProcess

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, _, port = self.process.url.removeprefix("http://").partition(":")
        return host, int(port)

    def metrics(self) -> str:
        """Return what a scraper gets that asks for no compression, the largest page."""
        return self.process.get("/metrics", headers={"Accept-Encoding": "identity"}).raise_for_status().text

    def resident(self) -> float:
        """Return the MB that it holds in memory."""
        return usage(self.process.process.pid).resident

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.process.pid}/fd").iterdir()))


@contextmanager
def besieged(*options: str) -> Iterator[Besieged]:
    """Run one, with more options; it may not have read anything yet."""
    world = uniform_world(KEYS, [REGION], pending=_PENDING)
    vault = world.vault(DEFAULT_HOME, REGION)
    for key in vault.keys.values():
        key.description = _DESCRIPTION
    with (
        EmulatorServer(world) as emulator,
        exporter_process("serve", *_OPTIONS, *options, env=environment(emulator.url)) as process,
    ):
        yield Besieged(vault, process)


@pytest.fixture(scope="module")
def exporter() -> Iterator[Besieged]:
    with besieged() as running:
        running.process.ready()
        yield running


@pytest.fixture
def fresh() -> Iterator[Besieged]:
    """One that a test may end."""
    with besieged() as running:
        running.process.ready()
        yield running
