"""The snapshot as JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.acknowledgements import Acknowledgement, Acknowledgements
from exporter.model import (
    Deletion,
    DeniedUses,
    Evidence,
    Grants,
    Key,
    Scheduling,
    Snapshot,
    Source,
    TargetState,
    Transition,
    TransitionKind,
    Unreadable,
    Usage,
    UsageCase,
)
from exporter.web.api.paging import MAX_LIMIT, Query, keys_page, parse_query
from exporter.web.api.records import MAX_UNREADABLE
from exporter.web.parameters import ParameterError
from tests.support.declaring import rule
from tests.support.snapshots import DAY, HOUR, IRELAND, LONDON, NOW, OTHER, key, pending
from tests.support.snapshots import state as of

FULL = Key(
    "1234",
    "arn:aws:kms:eu-west-1:111122223333:key/1234",
    "PendingDeletion",
    description='said "so" \ud800',
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    origin="EXTERNAL",
    multi_region="replica",
    aliases=("alias/a", "alias/b"),
    tags=(("team", "payments"),),
    created_at=NOW - 10 * DAY + 0.5,
    deletion=Deletion(at=NOW + 1.5 * DAY),
    material_expires_at=NOW + DAY,
)


EVIDENCE = Evidence(
    scheduling=Scheduling(NOW - DAY, "Deploy/build-42", event_id="e-1", window=30 * DAY),
    usage=Usage(UsageCase.USED, NOW - 300 * DAY, last_used_at=NOW - DAY - HOUR, operation="Decrypt"),
    grants=Grants(2, ("rds.amazonaws.com",)),
    denied_uses=DeniedUses(3, NOW - HOUR, "card-service/i-1", "Decrypt"),
)


def answer(snapshot: Snapshot, query: str = "", now: float = NOW, rules=(), unmatched=()) -> dict:
    declared = Acknowledgements(rules)
    page = keys_page(snapshot, parse_query(query), acknowledgements=declared, unmatched=unmatched, now=now)
    return json.loads(page)


def test_a_key_tells_everything_that_is_known() -> None:
    snapshot = Snapshot(NOW, 1, (of(IRELAND, FULL, account_name="payments", evidence={"1234": EVIDENCE}),))
    approved = rule("alias/b", Acknowledgement("retired", "carol", "CHG-1", until=NOW + DAY))
    assert answer(snapshot, rules=[approved])["keys"] == [
        {
            "account_id": "111122223333",
            "account_name": "payments",
            "region": "eu-west-1",
            "key_id": "1234",
            "arn": "arn:aws:kms:eu-west-1:111122223333:key/1234",
            "aliases": ["alias/a", "alias/b"],
            "description": 'said "so" \ud800',
            "state": "PendingDeletion",
            "key_manager": "CUSTOMER",
            "key_spec": "SYMMETRIC_DEFAULT",
            "key_usage": "ENCRYPT_DECRYPT",
            "origin": "EXTERNAL",
            "multi_region": "replica",
            "tags": {"team": "payments"},
            "created": "2026-09-11T14:13:20Z",
            "pending": True,
            "deletion_date": "2026-09-23T02:13:20Z",
            "days_left": 1.5,
            "deletion_window_days": None,
            "material_expires": "2026-09-22T14:13:20Z",
            "scheduled_at": "2026-09-20T14:13:20Z",
            "scheduled_by": "Deploy/build-42",
            "scheduled_event_id": "e-1",
            "usage": "used",
            "last_used": "2026-09-20T13:13:20Z",
            "last_used_operation": "Decrypt",
            "usage_tracked_since": "2025-11-25T14:13:20Z",
            "grants": 2,
            "grantees": ["rds.amazonaws.com"],
            "denied_uses": 3,
            "denied_last_at": "2026-09-21T13:13:20Z",
            "denied_last_by": "card-service/i-1",
            "acknowledged": True,
            "acknowledgement": {
                "reason": "retired",
                "approved_by": "carol",
                "ticket": "CHG-1",
                "until": "2026-09-22T14:13:20Z",
                "source": "configuration",
                "expired": False,
            },
            "needed": True,
            "console_url": "https://eu-west-1.console.aws.amazon.com/kms/home?region=eu-west-1#/kms/keys/1234",
        }
    ]


def test_days_left_are_counted_when_asked() -> None:
    snapshot = Snapshot(NOW, 1, (of(IRELAND, FULL),))
    assert answer(snapshot, now=NOW + DAY)["keys"][0]["days_left"] == 0.5


def test_what_is_not_known_is_null() -> None:
    waiting = Key("w", "arn:w", "PendingReplicaDeletion", deletion=Deletion(window=7 * DAY))
    (told,) = answer(Snapshot(NOW, 1, (of(IRELAND, waiting),)))["keys"]
    assert told["created"] is told["deletion_date"] is told["days_left"] is told["material_expires"] is None
    assert told["deletion_window_days"] == 7
    assert told["pending"] is True
    asked = ("scheduled_at", "scheduled_by", "scheduled_event_id", "usage", "last_used", "last_used_operation")
    assert {told[name] for name in (*asked, "usage_tracked_since", "grants", "denied_uses", "denied_last_at")} == {None}
    assert told["grantees"] is told["denied_last_by"] is told["acknowledgement"] is None
    assert told["acknowledged"] is told["needed"] is False


def test_what_was_asked_and_is_nothing_is_not_null() -> None:
    none = Evidence(usage=Usage(UsageCase.NEVER, NOW - DAY), grants=Grants(0), denied_uses=DeniedUses(0))
    (told,) = answer(Snapshot(NOW, 1, (of(IRELAND, pending("p"), evidence={"p": none}),)))["keys"]
    assert (told["usage"], told["grants"], told["grantees"], told["denied_uses"]) == ("never used", 0, [], 0)


def test_a_hidden_principal_is_null() -> None:
    hidden = Evidence(scheduling=Scheduling(NOW - DAY, event_id="e-1"))
    (told,) = answer(Snapshot(NOW, 1, (of(IRELAND, pending("p"), evidence={"p": hidden}),)))["keys"]
    assert (told["scheduled_by"], told["scheduled_at"]) == (None, "2026-09-20T14:13:20Z")


def test_a_key_that_is_not_pending_is_neither_acknowledged_nor_needed_nor_the_contrary() -> None:
    used = Evidence(usage=Usage(UsageCase.USED, last_used_at=NOW))
    snapshot = Snapshot(NOW, 1, (of(IRELAND, key("k"), evidence={"k": used}),))
    (told,) = answer(snapshot, rules=[rule("k")])["keys"]
    assert told["acknowledged"] is told["acknowledgement"] is told["needed"] is None
    assert told["last_used"] == "2026-09-21T14:13:20Z"


@pytest.mark.parametrize(
    ("declared", "until", "expired"),
    [(Acknowledgement("r"), None, False), (Acknowledgement("r", until=NOW), "2026-09-21T14:13:20Z", True)],
)
def test_an_acknowledgement_tells_when_it_ends(declared: Acknowledgement, until: str | None, expired: bool) -> None:
    snapshot = Snapshot(NOW, 1, (of(IRELAND, pending("p")),))
    (told,) = answer(snapshot, rules=[rule("p", declared)])["keys"]
    assert (told["acknowledgement"]["until"], told["acknowledgement"]["expired"]) == (until, expired)
    assert told["acknowledged"] is not expired


def test_targets_and_accounts_tell_what_could_not_be_checked() -> None:
    failing = TargetState(
        LONDON,
        up=False,
        last_success=NOW - DAY,
        last_full=NOW - 2 * DAY,
        unreadable={"k": Unreadable("AccessDeniedException", NOW - DAY)},
        last_error="ListKeys: timeout",
        sources={Source.GRANTS: "", Source.SCHEDULED_BY: "LookupEvents: AccessDenied"},
    )
    snapshot = Snapshot(
        NOW,
        1,
        (of(IRELAND, FULL, up=True), failing),
        accounts={"444455556666": False, "111122223333": True},
        account_errors={"444455556666": "AssumeRole: AccessDenied"},
        organization=False,
    )
    told = answer(snapshot)
    assert told["taken_at"] == "2026-09-21T14:13:20Z"
    assert told["organization_up"] is False
    assert told["accounts"] == [
        {"account_id": "111122223333", "up": True, "error": ""},
        {"account_id": "444455556666", "up": False, "error": "AssumeRole: AccessDenied"},
    ]
    assert [(target["region"], target["up"], target["keys"]) for target in told["targets"]] == [
        ("eu-west-1", True, 1),
        ("eu-west-2", False, None),
    ]
    assert told["targets"][1] == {
        "account_id": "111122223333",
        "account_name": "",
        "region": "eu-west-2",
        "up": False,
        "last_success": "2026-09-20T14:13:20Z",
        "last_full": "2026-09-19T14:13:20Z",
        "keys": None,
        "unreadable": 1,
        "unreadable_keys": [{"key_id": "k", "reason": "AccessDeniedException", "since": "2026-09-20T14:13:20Z"}],
        "last_error": "ListKeys: timeout",
        "sources": {
            "scheduled_by": "LookupEvents: AccessDenied",
            "denied_uses": None,
            "last_usage": None,
            "grants": "",
            "acknowledgement_tag": None,
        },
    }


def test_changes_are_told() -> None:
    saved = Transition(TransitionKind.CANCELLED, IRELAND, key("k", "Disabled", aliases=("alias/a",)), "x", NOW)
    assert answer(Snapshot(NOW, 1, transitions=(saved,)))["transitions"] == [
        {
            "kind": "deletion_cancelled",
            "at": "2026-09-21T14:13:20Z",
            "account_id": "111122223333",
            "region": "eu-west-1",
            "key_id": "k",
            "alias": "alias/a",
            "before": "x",
            "state": "Disabled",
        }
    ]


def test_acknowledgements_that_are_about_nothing_are_told() -> None:
    told = answer(Snapshot(NOW, 1), unmatched=[rule("alias/typo-*", region="eu-west-1")])
    assert told["acknowledgements_unmatched"] == [{"key": "alias/typo-*", "account_id": "", "region": "eu-west-1"}]


def test_pending_keys_alone_may_be_asked_for() -> None:
    snapshot = Snapshot(NOW, 1, (of(IRELAND, key("a"), pending("b"), key("c"), pending("d")), of(OTHER, key("e"))))
    first = answer(snapshot, "pending=true&limit=1")
    assert [told["key_id"] for told in first["keys"]] == ["b"]
    last = answer(snapshot, f"pending=true&limit=1&after={first['next']}")
    assert ([told["key_id"] for told in last["keys"]], last["next"]) == (["d"], None)
    assert len(answer(snapshot, "pending=false")["keys"]) == 5


def test_unreadable_keys_are_all_counted_and_some_named() -> None:
    unreadable = {f"{number}": Unreadable("AccessDeniedException", NOW) for number in range(MAX_UNREADABLE + 5)}
    (target,) = answer(Snapshot(NOW, 1, (of(IRELAND, unreadable=unreadable),)))["targets"]
    assert target["unreadable"] == MAX_UNREADABLE + 5
    assert len(target["unreadable_keys"]) == MAX_UNREADABLE


def test_the_last_page_has_no_next() -> None:
    snapshot = Snapshot(NOW, 1, (of(IRELAND, key("a"), key("b")),))
    assert answer(snapshot, "limit=2")["next"] is None
    assert answer(snapshot, "limit=1")["next"] == "111122223333/eu-west-1/a"


def test_later_pages_have_keys_only() -> None:
    snapshot = Snapshot(NOW, 1, (of(IRELAND, key("a"), key("b")),))
    assert set(answer(snapshot, "after=111122223333/eu-west-1/a")) == {"taken_at", "keys", "next"}


def test_a_cursor_survives_its_key_and_its_target() -> None:
    snapshot = Snapshot(NOW, 1, (of(IRELAND, key("a"), key("c")), of(OTHER, key("b"))))
    assert [told["key_id"] for told in answer(snapshot, "after=111122223333/eu-west-1/b")["keys"]] == ["c", "b"]
    assert [told["key_id"] for told in answer(snapshot, "after=111122223333/eu-west-9/b")["keys"]] == ["b"]


@given(
    st.lists(st.lists(st.text("abc", min_size=1), unique=True, max_size=6), min_size=3, max_size=3),
    st.integers(1, 7),
)
def test_pages_together_tell_every_key_once_and_in_order(ids: list[list[str]], limit: int) -> None:
    states = [of(target, *map(key, some)) for target, some in zip([IRELAND, LONDON, OTHER], ids, strict=True)]
    snapshot = Snapshot(NOW, 1, tuple(states))
    told, after = [], ""
    while True:
        page = answer(snapshot, f"limit={limit}{after and f'&after={after}'}")
        assert len(page["keys"]) <= limit
        told += [(item["account_id"], item["region"], item["key_id"]) for item in page["keys"]]
        if page["next"] is None:
            break
        after = page["next"]
    expected = [
        (state.target.account_id, state.target.region, key_id)
        for state in states
        for key_id in sorted(state.keys.by_id)
    ]
    assert told == expected


def test_without_parameters_it_is_the_first_and_largest_page() -> None:
    assert parse_query("") == Query(limit=MAX_LIMIT, after=None)


def test_parameters_are_decoded() -> None:
    assert parse_query("after=111122223333%2Feu-west-1%2Fmrk-1&limit=5") == Query(5, (IRELAND, "mrk-1"))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit='0' is no whole number from 1 to 1000"),
        ("limit=1001", "limit='1001' is no whole number from 1 to 1000"),
        ("limit=", "limit='' is no whole number from 1 to 1000"),
        ("limit=-1", "limit='-1' is no whole number from 1 to 1000"),
        ("limit=%C2%B2", "limit='²' is no whole number from 1 to 1000"),
        ("limit=1&limit=2", "limit is given more than once"),
        ("after=x", "after='x' is not what next gave"),
        ("after=111122223333//x", "after='111122223333//x' is not what next gave"),
        ("limt=5", "unknown parameter 'limt'; accepted are limit, after and pending"),
        ("pending=yes", "pending='yes' is not accepted; accepted are true and false"),
        ("limit=%0A", r"limit='\n' is no whole number from 1 to 1000"),
    ],
)
def test_a_bad_parameter_is_told_in_one_line(query: str, message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        parse_query(query)
    assert str(raised.value) == message


@given(st.text())
def test_any_query_is_read_or_refused(query: str) -> None:
    try:
        parse_query(query)
    except ParameterError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - most queries are refused, some are not
