"""What is shipped is what the builder builds, and fit for any Grafana."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.dashboards.boards import FOLDER, UIDS, board, panels

ROOT = FOLDER.parents[1]
every_board = pytest.mark.parametrize("uid", UIDS)

MARK_SETTINGS = {"titleFormat", "textFormat", "tagKeys", "step", "useValueForTime"}
"""What Grafana's Prometheus data source adds to an annotation, and the SDK does not know."""


def test_files_are_as_the_builder_writes_them() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "grafana.builder", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert {path.stem for path in FOLDER.glob("*.json")} == set(UIDS)


@every_board
def test_sdk_knows_everything_that_is_in_the_file(uid: str) -> None:
    register_default_plugins()
    original = json.loads(json.dumps(board(uid)))
    for mark in original["annotations"]["list"]:
        assert set(mark) >= MARK_SETTINGS
        for name in MARK_SETTINGS:
            del mark[name]
    again = json.loads(json.dumps(Dashboard.from_json(original), cls=JSONEncoder))
    assert again == original


@every_board
def test_board_can_be_provisioned_anywhere(uid: str) -> None:
    whole = board(uid)
    assert whole["uid"] == uid
    assert "__inputs" not in whole
    assert "id" not in whole
    assert {target["datasource"]["uid"] for one in panels(uid) for target in one["targets"]} == {"${datasource}"}


@every_board
def test_variables(uid: str) -> None:
    names = [variable["name"] for variable in board(uid)["templating"]["list"]]
    filters = ["account", "region"] if uid == "kms-exporter" else ["account", "region", "alias"]
    assert names == ["datasource", *filters, "runbooks"]


@every_board
def test_every_variable_is_used(uid: str) -> None:
    text = json.dumps([board(uid)["panels"], board(uid)["annotations"]])
    assert [name for name in ("account", "region", "alias") if f"${name}" not in text] == (
        ["alias"] if uid == "kms-exporter" else []
    )


@every_board
def test_links_lead_to_the_two_others(uid: str) -> None:
    links = board(uid)["links"]
    assert {link["url"] for link in links} == {f"/d/{other}" for other in UIDS if other != uid}
    assert all(link["includeVars"] and link["keepTime"] for link in links)


@every_board
def test_panels_explain_themselves(uid: str) -> None:
    for panel in panels(uid):
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["thresholds"]["steps"], panel["title"]
        assert defaults["noValue"], panel["title"]
        assert panel["type"] in {"table", "state-timeline"} or defaults["unit"], panel["title"]


@every_board
def test_panels_have_their_own_number_and_place(uid: str) -> None:
    every = board(uid)["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for panel in every:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, panel["title"]
    assert [(one["title"], other["title"]) for one, other in combinations(every, 2) if _overlap(one, other)] == []


@every_board
def test_rows_of_panels_leave_no_gap(uid: str) -> None:
    lines: dict[int, int] = {}
    for panel in board(uid)["panels"]:
        lines[panel["gridPos"]["y"]] = lines.get(panel["gridPos"]["y"], 0) + panel["gridPos"]["w"]
    assert set(lines.values()) == {24}


def test_provisioning_finds_the_boards() -> None:
    folder = ROOT / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((folder / "dashboards" / "kms-exporter.yaml").read_text())["providers"]
    assert Path(provider["options"]["path"]).name == FOLDER.name
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"


def _overlap(one: Any, other: Any) -> bool:
    a, b = one["gridPos"], other["gridPos"]
    return bool(
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )
