from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from grafana.screenshots import stage
from tests.dashboards.boards import Prometheus
from tests.support.components import program
from tests.support.processes import free_port

COARSE = 3600


@pytest.fixture(scope="session")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Prometheus]]:
    """The demo's week in each mode of `keys.export` that matters, and as two replicas tell it."""
    program("prometheus")
    program("promtool")
    end = stage.end_of_week()
    folders = {name: tmp_path_factory.mktemp(name) for name in ("customer", "pending", "doubled")}

    beside = [option for name in ("doubled", "pending") for option in (f"--{name}", str(folders[name]))]
    stage.record(folders["customer"], end, "--coarse", str(COARSE), "--fine-hours", "0.5", *beside)
    with ExitStack() as running:
        yield {name: _served(running, folder, end) for name, folder in folders.items()}


def _served(running: ExitStack, folder: Path, end: float) -> Prometheus:
    return Prometheus(running.enter_context(stage.prometheus(folder, COARSE, free_port())), end)


@pytest.fixture(scope="session")
def week(weeks: dict[str, Prometheus]) -> Prometheus:
    """The demo's week with series for every customer managed key."""
    return weeks["customer"]
