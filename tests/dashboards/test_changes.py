"""The panels about events, shards and cost tell what the demo's week was like."""

import pytest

from tests.dashboards.boards import Prometheus, filled, panel

EXPORTER = "kms-exporter"


def values(week: Prometheus, title: str) -> dict[str, float]:
    """Return what the queries of a panel say now, by their legends; each finds one series."""
    found = {}
    for target in panel(EXPORTER, title)["targets"]:
        (series,) = week.now(filled(target["expr"]))
        found[target["legendFormat"]] = float(series["value"][1])
    return found


def table(week: Prometheus, title: str, ref: str) -> list[tuple[dict[str, str], float]]:
    """Return the rows that one query gives a table, with its values."""
    (target,) = (target for target in panel(EXPORTER, title)["targets"] if target["refId"] == ref)
    return [(series["metric"], float(series["value"][1])) for series in week.now(filled(target["expr"]))]


def test_where_cloudtrail_may_not_be_asked_every_key_is_described_more_often(week: Prometheus) -> None:
    title = "Where changes are learned from"
    targets = {(row["events"], row.get("reason", "")): count for row, count in table(week, title, "A")}
    intervals = {(row["events"], row.get("reason", "")): seconds for row, seconds in table(week, title, "B")}
    assert targets == {("cloudtrail", ""): 10, ("none", "AccessDeniedException"): 1}
    assert intervals == {("cloudtrail", ""): 3600, ("none", "AccessDeniedException"): 300}
    assert week.number(EXPORTER, "Events readable") == pytest.approx(10 / 11)


@pytest.mark.parametrize("title", ["Events readable", "Shards there", "Queue", "Waiting"])
def test_a_second_replica_changes_nothing(title: str, weeks: dict[str, Prometheus]) -> None:
    assert weeks["doubled"].number(EXPORTER, title) == weeks["customer"].number(EXPORTER, title)


def test_replicas_are_processes_of_one_shard(weeks: dict[str, Prometheus]) -> None:
    for name, processes in (("customer", 1), ("doubled", 2)):
        assert table(weeks[name], "Shards", "A") == [({"index": "0", "total": "1"}, processes)]
        assert table(weeks[name], "Shards", "B") == [({"index": "0", "total": "1"}, 11)]


@pytest.mark.parametrize("title", ["KMS requests against describing every key", "US dollars a day"])
def test_less_is_taken_than_describing_every_key_would_take(title: str, week: Prometheus) -> None:
    spent = values(week, title)
    assert 0 < spent["taken"] < spent["describing every key"]


def test_dollars_are_those_of_the_requests(week: Prometheus) -> None:
    requests, dollars = (
        values(week, title) for title in ("KMS requests against describing every key", "US dollars a day")
    )
    a_day = 86400 * 0.03 / 10_000
    assert dollars["describing every key"] == pytest.approx(a_day * requests["describing every key"])
    assert dollars["taken"] == pytest.approx(a_day * requests["taken"], abs=0.01)  # the queue costs something too
