"""Every dashboard can be drawn with Grafana's own components: no panel fails, is empty, or cuts what it shows."""

import copy
import io
from pathlib import Path

import pytest
from PIL import Image

from grafana.screenshots import draw, stage
from tests.dashboards.boards import UIDS, Prometheus, board
from tests.support.components import program

IMAGES = stage.ROOT / "docs" / "images"


@pytest.fixture(scope="session")
def page() -> Path:
    program("npm")
    program(draw.CHROMIUM)
    return draw.install(stage.ROOT / ".cache" / "screenshots")


def source(week: Prometheus) -> draw.Source:
    return draw.Source(week.url, week.end)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("uid", UIDS)
def test_board_is_drawn(uid: str, theme: draw.Theme, page: Path, week: Prometheus) -> None:
    picture = draw.draw(page, board(uid), theme, source(week))
    assert Image.open(io.BytesIO(picture)).width == draw.WIDTH


@pytest.mark.parametrize("uid", ["kms-deletions", "kms-fleet"])
def test_board_is_drawn_with_pending_keys_alone(uid: str, page: Path, weeks: dict[str, Prometheus]) -> None:
    draw.draw(page, board(uid), "dark", source(weeks["pending"]))


def test_empty_panel_is_refused(page: Path, week: Prometheus) -> None:
    with pytest.raises(draw.DrawingError, match="empty"):
        draw.draw(page, changed({"expr": "kms_key_state > 1"}), "dark", source(week))


def test_failing_panel_is_refused(page: Path, week: Prometheus) -> None:
    with pytest.raises(draw.DrawingError, match=r"failed: .*parse error"):
        draw.draw(page, changed({"expr": "sum("}), "dark", source(week))


def test_cut_title_is_refused(page: Path, week: Prometheus) -> None:
    whole = changed({})
    whole["panels"][0]["title"] = "A title that is much too long for the place it has"
    with pytest.raises(draw.DrawingError, match="cut: A title"):
        draw.draw(page, whole, "dark", source(week))


def changed(target: dict[str, str]) -> dict[str, list[dict[str, object]]]:
    """Return a dashboard whose first panel asks something else."""
    whole: dict[str, list[dict[str, object]]] = copy.deepcopy(board("kms-deletions"))
    targets = whole["panels"][0]["targets"]
    assert isinstance(targets, list)
    targets[0].update(target)
    return whole


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("uid", UIDS)
def test_picture_is_shipped_and_small(uid: str, theme: str) -> None:
    path = IMAGES / f"{uid}-{theme}.png"
    assert path.stat().st_size < 300_000
    with Image.open(path) as picture:
        assert picture.width == draw.WIDTH
