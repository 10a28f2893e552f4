"""The panels tell what happened in the demo's week (`grafana/screenshots/week.py`), whatever is chosen."""

from collections import Counter
from typing import Any

import pytest

from exporter.demo.stage import ANALYTICS, LEGACY, PAYMENTS
from grafana.builder.promql import NEVER, with_console
from tests.dashboards.boards import WEEK, Prometheus, board, filled, panel

DELETIONS, FLEET, EXPORTER = "kms-deletions", "kms-fleet", "kms-exporter"
TABLE = "Keys pending deletion"
MODES = ("customer", "pending")


@pytest.mark.parametrize("export", MODES)
def test_pending_keys_are_counted(export: str, weeks: dict[str, Prometheus]) -> None:
    assert weeks[export].number(DELETIONS, "Pending deletion") == 12
    assert weeks[export].number(DELETIONS, "< 7 days") == 5
    assert weeks[export].number(DELETIONS, "< 2 days") == 3
    assert weeks[export].number(DELETIONS, "Destroyed") == 4


def test_both_ways_of_counting_agree(week: Prometheus) -> None:
    assert week.number(FLEET, "Pending deletion") == week.number(DELETIONS, "Pending deletion")


def test_next_to_go_is_named_with_its_account_and_time(week: Prometheus) -> None:
    (target,) = panel(DELETIONS, "Next to go")["targets"]
    (series,) = week.now(filled(target["expr"]))
    names = [series["metric"][label] for label in ("name", "account", "region")]
    assert names == ["statements", "payments", "us-east-1"]
    assert float(series["value"][1]) == pytest.approx(0.15 * 86400, abs=60)


def test_each_pending_key_is_one_row(week: Prometheus) -> None:
    for ref in "ADEGJ":
        keys = [row["key_id"] for row in week.rows(DELETIONS, TABLE, ref)]
        assert len(keys) == len(set(keys)) == 12


def test_rows_of_all_columns_join(week: Prometheus) -> None:
    keys = {frozenset(row.items()) for row in week.rows(DELETIONS, TABLE, "D")}
    for ref in "ABEFGHIJ":
        shared = [row.items() - {("scheduled_by", row.get("scheduled_by"))} for row in week.rows(DELETIONS, TABLE, ref)]
        assert shared
        assert all(frozenset(labels) in keys for labels in shared), ref


def test_key_without_a_date_comes_last_instead_of_first(week: Prometheus) -> None:
    (target,) = (target for target in panel(DELETIONS, TABLE)["targets"] if target["refId"] == "A")
    days = {series["metric"]["name"]: float(series["value"][1]) for series in week.now(filled(target["expr"]))}
    assert max(days, key=lambda name: days[name]) == "wallet"
    assert days["wallet"] == float("inf")


@pytest.mark.parametrize("export", MODES)
def test_history_counts_each_event_once(export: str, weeks: dict[str, Prometheus]) -> None:
    counts = {}
    for target in panel(DELETIONS, "Scheduled, cancelled, deleted")["targets"]:
        (series,) = weeks[export].over_time(filled(target["expr"]))
        counts[target["legendFormat"]] = sum(float(value) for _, value in series["values"])
    assert counts == {"scheduled": 9, "cancelled": 4, "deleted": 4}


def test_timeline_follows_a_key_from_life_to_death(week: Prometheus) -> None:
    (target,) = panel(DELETIONS, "States of the keys that were pending in this time")["targets"]
    bands = {series["metric"]["name"]: series["values"] for series in week.over_time(filled(target["expr"]))}
    states = {name: [value for _, value in values] for name, values in bands.items()}
    assert (states["card-vault-2023"][0], states["card-vault-2023"][-1]) == ("6", "7")
    assert (states["exports"][0], states["exports"][-1]) == ("1", "6")
    assert "ledger" not in states


def test_marks_stand_where_things_happened(week: Prometheus) -> None:
    marks: Counter[str] = Counter()
    for mark in _marks():
        for series in week.over_time(filled(mark["expr"])):
            moments = {
                float(value) / 1000 if mark["useValueForTime"] else float(time) for time, value in series["values"]
            }
            marks[mark["name"]] += sum(moment > week.end - WEEK for moment in moments)
    assert marks == {"Deletion scheduled": 9, "Deletion cancelled": 4, "Key deleted": 4}


def test_blind_spots_are_an_account_a_target_a_key_and_two_sources(week: Prometheus) -> None:
    assert week.number(DELETIONS, "Blind spots") == 5
    assert week.number(EXPORTER, "Sources failing") == 2
    assert week.number(EXPORTER, "Accounts unreadable") == 1
    assert week.number(EXPORTER, "Failing") == 1
    assert week.number(EXPORTER, "Stale") == 1
    assert week.number(FLEET, "Unreadable") == 1


def test_key_of_a_failing_target_stays_in_sight(week: Prometheus) -> None:
    rows = week.rows(DELETIONS, TABLE, "D", account=ANALYTICS, region="us-west-2")
    assert [row["name"] for row in rows] == ["exports"]


def test_choice_of_account_and_region(week: Prometheus) -> None:
    assert week.number(DELETIONS, "Pending deletion", account=LEGACY) == 6
    assert week.number(DELETIONS, "Pending deletion", account=LEGACY, region="ap-southeast-2") == 4
    assert week.number(FLEET, "Pending deletion", account=LEGACY) == 6


def test_choice_of_alias(week: Prometheus) -> None:
    assert week.number(DELETIONS, "Pending deletion", alias="alias/crm") == 1
    assert [row["name"] for row in week.rows(DELETIONS, TABLE, "D", alias="alias/crm")] == ["crm"]


def test_any_alias_of_a_key_finds_it(week: Prometheus) -> None:
    for alias in ("alias/app/blue", "alias/zz-last"):
        (row,) = week.rows(FLEET, "Keys, the oldest 200", "A", alias=alias)
        assert row["account"] == "platform"


def test_chosen_tombstone(week: Prometheus) -> None:
    assert week.number(DELETIONS, "Destroyed", alias="alias/card-vault-2023") == 1
    assert week.number(DELETIONS, "Destroyed", alias="alias/ledger") == 0


def test_zero_is_shown_where_something_was_read(week: Prometheus) -> None:
    assert week.number(DELETIONS, "< 2 days", account=PAYMENTS, region="eu-west-1") == 0


def test_nothing_is_shown_for_an_account_that_could_not_be_entered(week: Prometheus) -> None:
    (target,) = panel(DELETIONS, "Pending deletion")["targets"]
    assert week.now(filled(target["expr"], account="555566667777")) == []


def named(week: Prometheus, ref: str, label: str = "", *, board: str = DELETIONS, table: str = TABLE) -> dict[str, str]:
    """Return a label of the rows that one query gives a table, or their values, by the names of their keys."""
    (target,) = (target for target in panel(board, table)["targets"] if target["refId"] == ref)
    return {
        series["metric"]["name"]: series["metric"].get(label, "") if label else series["value"][1]
        for series in week.now(filled(target["expr"]))
    }


def test_table_tells_by_whom_and_leaves_out_who_is_not_known(week: Prometheus) -> None:
    by = named(week, "E", "scheduled_by")
    assert by["statements"] == "DataEngineer/bob"
    assert by["notebooks"] == "alice@example.com"
    assert by["reports"] == ""


def test_table_tells_the_last_use_and_keeps_never_apart_from_unknown(week: Prometheus) -> None:
    used = named(week, "G")
    assert float(used["exports"]) / 1000 == pytest.approx(week.end - 5.5 * 86400, abs=0.5 * 86400)
    assert used["clickstream-poc"] == str(NEVER)


def test_denied_uses_are_counted_where_events_can_be_read(week: Prometheus) -> None:
    denied = {name: float(count) for name, count in named(week, "I").items()}
    assert denied["statements"] == 30
    assert denied["notebooks"] == 0
    assert "reports" not in denied
    assert week.number(DELETIONS, "Missed now") == sum(count > 0 for count in denied.values())


def test_denied_uses_show_when_they_happened(week: Prometheus) -> None:
    (target,) = panel(DELETIONS, "Denied uses of pending keys")["targets"]
    counts = {
        series["metric"]["name"]: sum(float(value) for _, value in series["values"])
        for series in week.over_time(filled(target["expr"]))
    }
    assert counts["statements"] == 30
    assert "notebooks" not in counts


@pytest.mark.parametrize("export", MODES)
def test_acknowledged_and_other_keys_are_all_of_them(export: str, weeks: dict[str, Prometheus]) -> None:
    week = weeks[export]
    assert week.number(DELETIONS, "Acknowledged") == 3
    assert week.number(DELETIONS, "Acknowledged") + week.number(DELETIONS, "Not acknowledged") == 12


def test_declarations_are_told_with_reason_and_ticket(week: Prometheus) -> None:
    tickets = named(week, "A", "ticket", table="Declared intended")
    assert tickets == {"clickstream-poc": "CHG-5120", "mail-archive": "CHG-5133", "crm": ""}
    assert named(week, "A", "reason", table="Declared intended")["crm"].startswith("CHG-4711 data erased")
    assert set(named(week, "B", table="Declared intended").values()) == {"1"}
    assert set(named(week, "C", table="Declared intended")) == {"mail-archive"}


def test_keys_in_use_are_those_that_the_alert_pages_for(week: Prometheus) -> None:
    used = {name: float(value) / 1000 for name, value in named(week, "G").items()}
    scheduled = {name: float(value) / 1000 for name, value in named(week, "F").items()}
    lately = [name for name in scheduled if used[name] > scheduled[name] - 7 * 86400]
    assert {"statements", "exports", "scheme-network"} <= set(lately)
    assert week.number(DELETIONS, "In use before") == len(lately)


UNUSED = "Unused keys, the longest 200 first"


def test_unused_keys_are_listed_with_what_they_cost(week: Prometheus) -> None:
    days = named(week, "A", board=FLEET, table=UNUSED)
    cost = named(week, "C", board=FLEET, table=UNUSED)
    assert all(float(value) > 90 for value in days.values())
    assert "backup" not in days
    assert (cost["crm"], cost["faxes"]) == ("0", "1")
    assert week.number(FLEET, "They cost a month") == len(_rows(week)) - _free(week)


def _rows(week: Prometheus) -> list[Any]:
    (target,) = (target for target in panel(FLEET, UNUSED)["targets"] if target["refId"] == "C")
    return week.now(filled(target["expr"]))


def _free(week: Prometheus) -> int:
    return sum(series["value"][1] == "0" for series in _rows(week))


def test_keys_never_used_are_among_the_unused(week: Prometheus) -> None:
    never = [name for name, used in named(week, "G", board=FLEET, table=UNUSED).items() if used == str(NEVER)]
    assert never
    assert 0 < week.number(FLEET, "Never used") < week.number(FLEET, "Unused for 90 days")


def test_nothing_is_said_of_keys_whose_uses_are_not_known(weeks: dict[str, Prometheus]) -> None:
    assert weeks["pending"].number(FLEET, "Uses known") < weeks["customer"].number(FLEET, "Uses known") <= 1
    told = {row["name"] for row in weeks["pending"].rows(FLEET, UNUSED, "A")}
    assert "crm" in told
    assert "faxes" not in told


def test_acknowledgement_of_no_key_is_told(week: Prometheus) -> None:
    assert week.number(EXPORTER, "Acknowledgements of no key") == 1


def test_keys_cost_a_dollar_unless_they_are_pending(week: Prometheus) -> None:
    keys, dollars = week.number(FLEET, "Customer managed keys"), week.number(FLEET, "Cost a month")
    assert keys - dollars == 11  # the twelfth waits for its replicas, and costs until they are gone


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_console_is_the_one_of_the_partition(region: str, host: str, week: Prometheus) -> None:
    series = f'label_replace(vector(1), "region", "{region}", "", "")'
    (found,) = week.now(with_console(series))
    assert found["metric"]["console"] == host


def _marks() -> list[Any]:
    marks: list[Any] = board(DELETIONS)["annotations"]["list"]
    return marks


@pytest.mark.parametrize("title", ["Targets up", "Failing", "Stale", "Accounts unreadable"])
def test_second_replica_adds_no_target(title: str, weeks: dict[str, Prometheus]) -> None:
    assert weeks["doubled"].number(EXPORTER, title) == weeks["customer"].number(EXPORTER, title)
