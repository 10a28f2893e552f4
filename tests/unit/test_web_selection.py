"""Which pending keys are shown, in what order, on which page."""

import pytest

from exporter.acknowledgements import Acknowledgement
from exporter.facts import Facts
from exporter.model import Deletion, DeniedUses, Evidence, Key, Scheduling, Target, Usage, UsageCase
from exporter.web.status.query import PageQuery
from exporter.web.status.selection import PAGE_SIZE, select
from tests.support.snapshots import DAY, IRELAND, LONDON, NOW, OTHER, pending


def facts(key: Key, target: Target = IRELAND, name: str = "", declared=None, **evidence) -> Facts:
    return Facts(target, key, NOW, name, Evidence(**evidence), acknowledgement=declared)


def used(days_ago: float) -> Usage:
    return Usage(UsageCase.USED, last_used_at=NOW - days_ago * DAY)


def ids(found: list[Facts], query: str = "") -> list[str]:
    return [one.key.key_id for one in select(found, PageQuery.parse(query)).rows]


A = facts(
    pending("a", 3, aliases=("alias/Zebra", "alias/b")),
    OTHER,
    "payments",
    declared=Acknowledgement("retired", "carol", "CHG-1"),
    scheduling=Scheduling(NOW - 4 * DAY, "Deploy/build-42", "arn:aws:sts::444455556666:assumed-role/Deploy/build-42"),
    usage=used(100),
)
B = facts(pending("b", 1, aliases=("alias/apple",)), LONDON, scheduling=Scheduling(NOW - DAY), usage=used(2))
C = facts(Key("c", "arn:c", "PendingReplicaDeletion", deletion=Deletion(window=DAY)), IRELAND)
D = facts(pending("d", 2, description="Card numbers"), IRELAND, denied_uses=DeniedUses(1, last_by="card-service/i-1"))
ALL = [A, B, C, D]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["b", "d", "a", "c"]),
        ("order=desc", ["a", "d", "b", "c"]),
        ("sort=scheduled", ["a", "b", "c", "d"]),
        ("sort=scheduled&order=desc", ["b", "a", "c", "d"]),
        ("sort=last_used", ["a", "b", "c", "d"]),
        ("sort=last_used&order=desc", ["b", "a", "c", "d"]),
        ("sort=account", ["c", "d", "b", "a"]),
        ("sort=region&order=desc", ["b", "a", "d", "c"]),
        ("sort=alias", ["b", "a", "c", "d"]),
        ("sort=alias&order=desc", ["a", "b", "c", "d"]),
    ],
)
def test_keys_are_sorted_and_what_is_not_known_comes_last_either_way(query: str, expected: list[str]) -> None:
    assert ids(ALL, query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=ZEBRA", ["a"]),
        ("q=alias/b", ["a"]),
        ("q=key/b", ["b"]),
        ("q=payments", ["a"]),
        ("q=build-42", ["a"]),
        ("q=assumed-role/deploy", ["a"]),
        ("q=card-service", ["d"]),
        ("q=card+numbers", ["d"]),
        ("q=chg-1", ["a"]),
        ("q=carol", ["a"]),
        ("q=nothing", []),
        ("account=444455556666", ["a"]),
        ("region=eu-west-2", ["b"]),
        ("acknowledged=yes", ["a"]),
        ("acknowledged=no", ["b", "d", "c"]),
        ("needed=yes", ["b", "d"]),
        ("needed=no", ["a", "c"]),
        ("needed=yes&q=apple", ["b"]),
    ],
)
def test_filters_leave_keys_out(query: str, expected: list[str]) -> None:
    assert ids(ALL, query) == expected


def test_an_expired_acknowledgement_is_none() -> None:
    expired = facts(pending("x"), declared=Acknowledgement("r", until=NOW))
    assert ids([expired], "acknowledged=no") == ["x"]


def test_pages_together_show_every_key_once_and_in_order() -> None:
    keys = [facts(pending(f"{number * 7919 % 2503:05}", number * 7919 % 2503)) for number in range(2503)]
    shown = []
    for number in range(1, 27):
        page = select(keys, PageQuery(page=number))
        assert (page.number, page.last, page.total) == (number, 26, 2503)
        assert page.first_row == len(shown) + 1
        shown += [one.key.key_id for one in page.rows]
        assert page.last_row == len(shown)
    assert shown == [f"{number:05}" for number in range(2503)]


def test_a_page_that_is_gone_is_the_last_one() -> None:
    keys = [facts(pending(f"{number:05}", number)) for number in range(PAGE_SIZE + 1)]
    page = select(keys, PageQuery(page=9))
    assert (page.number, [one.key.key_id for one in page.rows]) == (2, [f"{PAGE_SIZE:05}"])


def test_no_key_is_one_empty_page() -> None:
    page = select([], PageQuery(page=2))
    assert (page.number, page.last, page.total, list(page.rows)) == (1, 1, 0, [])
