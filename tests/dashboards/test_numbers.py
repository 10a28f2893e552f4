"""The big numbers when something goes missing: an exporter that ends, a shard, an account, a key that comes back."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.dashboards.boards import UIDS, filled, panel, panels
from tests.support.components import program

DELETIONS: Final = "kms-deletions"
ONE: Final = 'job="kms-exporter", instance="one"'
TWO: Final = 'job="kms-exporter", instance="two"'
PAYMENTS: Final = 'account_id="222233334444", region="eu-west-1"'
ORDERS: Final = 'account_id="333344445555", region="eu-west-1"'


@dataclass(frozen=True)
class History:
    """What was scraped, in promtool's notation: a value for each ten minutes of a day and more."""

    series: Mapping[str, str]
    folder: Path

    def says(self, title: str, at: str, expected: float | None, **chosen: str) -> None:
        """Demand what a panel of one number shows at a time; None for no data."""
        (target,) = panel(DELETIONS, title)["targets"]
        samples = [] if expected is None else [{"labels": "{}", "value": expected}]
        case = {
            "interval": "10m",
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "promql_expr_test": [
                {"expr": filled(target["expr"], **chosen), "eval_time": at, "exp_samples": samples},
            ],
        }
        file = self.folder / "history.yaml"
        file.write_text(yaml.safe_dump({"evaluation_interval": "10m", "tests": [case]}))
        command = [program("promtool"), "test", "rules", file]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | {"GOMAXPROCS": "1"}
        )
        assert done.returncode == 0, f"{title} at {at}: {done.stdout}{done.stderr}"


def up(instance: str, target: str) -> str:
    return f"kms_exporter_target_up{{{instance}, {target}}}"


def keys(instance: str, target: str) -> str:
    return f'kms_keys{{{instance}, {target}, key_manager="CUSTOMER", state="Enabled"}}'


def pending(instance: str, target: str) -> str:
    return f'kms_key_state{{{instance}, {target}, key_id="k", state="PendingDeletion"}}'


def tombstone(instance: str, target: str) -> str:
    return f'kms_key_deleted_timestamp_seconds{{{instance}, {target}, key_id="k", alias="alias/ledger"}}'


def shard(instance: str, index: int) -> Mapping[str, str]:
    return {
        f'kms_exporter_shard_info{{{instance}, index="{index}", total="2"}}': "1x",
        f"kms_exporter_shards{{{instance}}}": "2x",
    }


def test_no_number_is_one_of_the_past() -> None:
    numbers = [one for uid in UIDS for one in panels(uid) if one["type"] == "stat"]
    assert len(numbers) > 20
    for one in numbers:
        assert [(target["instant"], target["range"]) for target in one["targets"]] == [(True, False)], one["title"]
        assert one["options"]["graphMode"] == "none", one["title"]


def test_pending_deletion_is_no_zero_of_before_the_exporter_ended(tmp_path: Path) -> None:
    history = History({up(ONE, PAYMENTS): "1x6 stale", keys(ONE, PAYMENTS): "9x6 stale"}, tmp_path)
    history.says("Pending deletion", "60m", 0)
    history.says("Pending deletion", "90m", None)


def test_nothing_hides_where_everything_is_read(tmp_path: Path) -> None:
    series = {up(ONE, PAYMENTS): "1x12", up(TWO, PAYMENTS): "1x12", "kms_config_up{job='kms-exporter'}": "1x12"}
    History(series, tmp_path).says("Blind spots", "2h", 0)


def test_target_that_is_gone_is_a_blind_spot_for_a_day(tmp_path: Path) -> None:
    history = History({up(ONE, PAYMENTS): "1x200", up(ONE, ORDERS): "1x6 stale"}, tmp_path)
    history.says("Blind spots", "60m", 0)
    history.says("Blind spots", "90m", 1)
    history.says("Blind spots", "90m", 1, account="333344445555")
    history.says("Blind spots", "90m", 0, account="222233334444")
    history.says("Blind spots", "26h", 0)


def test_target_that_another_replica_watches_is_not_gone(tmp_path: Path) -> None:
    History({up(ONE, PAYMENTS): "1x6 stale", up(TWO, PAYMENTS): "1x12"}, tmp_path).says("Blind spots", "2h", 0)


def test_without_an_exporter_every_target_is_a_blind_spot_and_after_a_day_nothing_is_said(tmp_path: Path) -> None:
    history = History({up(ONE, PAYMENTS): "1x6 stale", up(ONE, ORDERS): "1x6 stale"}, tmp_path)
    history.says("Blind spots", "2h", 2)
    history.says("Blind spots", "26h", None)


def test_missing_shard_is_a_blind_spot_also_where_its_targets_were_never_seen(tmp_path: Path) -> None:
    of_one = {name: f"{values}12" for name, values in shard(ONE, 0).items()}
    of_two = {name: f"{values}6 stale" for name, values in shard(TWO, 1).items()}
    history = History({up(ONE, PAYMENTS): "1x12", **of_one, **of_two}, tmp_path)
    history.says("Blind spots", "60m", 0)
    history.says("Blind spots", "90m", 1)


def test_pending_key_that_nobody_watches_is_a_blind_spot_once_whoever_tells_of_it(tmp_path: Path) -> None:
    beyond = 'account_id="999900001111", region="eu-west-1", key_id="k", arn="arn:aws:kms:eu-west-1:999900001111:key/k"'
    told = {f"kms_config_unwatched_pending_deletion{{{instance}, {beyond}}}": "1x12" for instance in (ONE, TWO)}
    history = History({up(ONE, PAYMENTS): "1x12", **told}, tmp_path)
    history.says("Blind spots", "2h", 1)
    history.says("Blind spots", "2h", 0, account="222233334444")


def test_account_that_was_never_entered_is_a_blind_spot_if_chosen_alone(tmp_path: Path) -> None:
    account = f'kms_exporter_account_up{{{ONE}, account_id="555566667777"}}'
    history = History({up(ONE, PAYMENTS): "1x12", account: "0x12"}, tmp_path)
    history.says("Blind spots", "2h", 1, account="555566667777")


def test_account_that_another_replica_enters_is_no_blind_spot(tmp_path: Path) -> None:
    entered = {f'kms_exporter_account_up{{{ONE}, account_id="222233334444"}}': "0x12"}
    entered |= {f'kms_exporter_account_up{{{TWO}, account_id="222233334444"}}': "1x12"}
    History({up(ONE, PAYMENTS): "1x12", **entered}, tmp_path).says("Blind spots", "2h", 0)


def test_destroyed_key_counts_for_a_week_though_the_exporter_forgets_it_in_a_restart(tmp_path: Path) -> None:
    series = {
        up(ONE, PAYMENTS): "1x6 stale",
        up(TWO, PAYMENTS): "_x6 1x1200",
        keys(TWO, PAYMENTS): "_x6 9x1200",
        pending(ONE, PAYMENTS): "1x3 stale",
        tombstone(ONE, PAYMENTS): "_x4 2400x2 stale",
    }
    history = History(series, tmp_path)
    history.says("Destroyed", "50m", 1)
    history.says("Destroyed", "6d", 1)
    history.says("Destroyed", "6d", 1, alias="alias/ledger")
    history.says("Destroyed", "6d", 0, alias="alias/other")
    history.says("Destroyed", "7d1h", 0)


def test_key_that_is_remembered_for_longer_counts_for_longer(tmp_path: Path) -> None:
    series = {keys(ONE, PAYMENTS): "9x1600", tombstone(ONE, PAYMENTS): "2400x1500 stale"}
    history = History(series, tmp_path)
    history.says("Destroyed", "10d", 1)
    history.says("Destroyed", "10d12h", 0)


def test_key_that_came_back_is_not_destroyed(tmp_path: Path) -> None:
    series = {
        up(ONE, PAYMENTS): "1x100",
        keys(ONE, PAYMENTS): "9x100",
        tombstone(ONE, PAYMENTS): "600x6 stale",
        pending(ONE, PAYMENTS): "_x6 1x100",
    }
    history = History(series, tmp_path)
    history.says("Destroyed", "50m", 1)
    history.says("Destroyed", "2h", 0)


def test_replica_that_does_not_answer_brings_no_key_back(tmp_path: Path) -> None:
    series = {
        up(ONE, PAYMENTS): "1x100",
        up(TWO, PAYMENTS): "0x100",
        keys(ONE, PAYMENTS): "9x100",
        tombstone(ONE, PAYMENTS): "600x6 stale",
        pending(TWO, PAYMENTS): "1x100",
    }
    History(series, tmp_path).says("Destroyed", "2h", 1)
