"""Which deletions are declared intended, and which declarations are about nothing."""

import datetime as dt
from dataclasses import replace

import pytest

from exporter.acknowledgements import Acknowledgements, read_approval
from exporter.model import Deletion, Evidence, Key, Keys, Snapshot, Target, TargetState, Unreadable
from exporter.settings import Settings

HERE = Target("111122223333", "eu-west-1")
THERE = Target("222233334444", "us-east-1")
TAG = "kms-exporter/deletion-approved"
NOW = dt.datetime(2027, 1, 31, 12, tzinfo=dt.UTC).timestamp()
DAY = 86_400.0

KEY = Key(
    "1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "PendingDeletion",
    aliases=("alias/crm-2019", "alias/old-crm"),
    deletion=Deletion(at=NOW + 5 * DAY),
)


def declared(*acknowledgements: dict[str, object], tag: str = TAG) -> Acknowledgements:
    items = [{"reason": "retired", **acknowledgement} for acknowledgement in acknowledgements]
    return Acknowledgements.of(
        Settings.model_validate({"deletions": {"acknowledgements": items, "acknowledgement_tag": tag}})
    )


@pytest.mark.parametrize(
    "pattern",
    [
        KEY.arn,
        KEY.key_id,
        "alias/old-crm",
        "alias/crm-*",
        "1234abcd-*",
        "arn:aws:kms:*:111122223333:key/1234abcd-*",
        "alias/???-2019",
    ],
)
def test_a_key_is_named_by_arn_id_or_alias(pattern: str) -> None:
    found = declared({"key": pattern}).of_key(HERE, KEY, None)
    assert found is not None
    assert found.reason == "retired"


@pytest.mark.parametrize("pattern", ["old-crm", "alias/old", "ALIAS/OLD-CRM", "1234abcd", "alias/crm.2019"])
def test_a_pattern_is_the_whole_name(pattern: str) -> None:
    assert declared({"key": pattern}).of_key(HERE, KEY, None) is None


@pytest.mark.parametrize(
    ("where", "counts"),
    [
        ({"account": HERE.account_id}, True),
        ({"region": HERE.region}, True),
        ({"account": HERE.account_id, "region": HERE.region}, True),
        ({"account": THERE.account_id}, False),
        ({"account": HERE.account_id, "region": THERE.region}, False),
    ],
)
def test_account_and_region_narrow_it(where: dict[str, object], counts: bool) -> None:
    assert (declared({"key": "alias/old-crm", **where}).of_key(HERE, KEY, None) is not None) is counts


def test_it_holds_through_its_last_day_in_utc() -> None:
    found = declared({"key": KEY.key_id, "until": "2027-01-31"}).of_key(HERE, KEY, None)
    assert found is not None
    end = dt.datetime(2027, 2, 1, tzinfo=dt.UTC).timestamp()
    assert found.holds(end - 1)
    assert not found.holds(end)


def test_without_an_end_it_always_holds() -> None:
    found = declared({"key": KEY.key_id}).of_key(HERE, KEY, None)
    assert found is not None
    assert found.holds(NOW + 1000 * 365 * DAY)


def test_of_several_that_match_the_one_that_holds_longest_counts() -> None:
    found = declared(
        {"key": KEY.key_id, "until": "2026-12-31", "reason": "expired"},
        {"key": "alias/crm-*", "until": "2027-12-31", "reason": "valid"},
    ).of_key(HERE, KEY, None)
    assert found is not None
    assert found.reason == "valid"


def test_the_tag_declares_with_its_value_as_the_reason() -> None:
    found = declared().of_key(HERE, KEY, Evidence(approval="CHG-4711 data erased", approval_tag=TAG))
    assert found is not None
    assert (found.reason, found.source) == ("CHG-4711 data erased", f"tag {TAG}")


def test_parts_of_the_tag_are_understood() -> None:
    (found,) = read_approval("by=dpo ticket=CHG-4711 until=2027-01-31 data erased", source="tag x")
    assert (found.approved_by, found.ticket, found.reason) == ("dpo", "CHG-4711", "data erased")
    assert found.until == dt.datetime(2027, 2, 1, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "false",
        "No",
        " none ",
        "0",
        "no by=dpo ticket=CHG-4711 until=2027-01-31",
        "until=soon data erased",
        "until=2027-02-30",
    ],
)
def test_a_tag_that_denies_or_cannot_be_read_declares_nothing(value: str) -> None:
    assert declared().of_key(HERE, KEY, Evidence(approval=value, approval_tag=TAG)) is None


@pytest.mark.parametrize("tag", ["", "another"])
def test_a_tag_that_is_not_the_one_declares_nothing(tag: str) -> None:
    assert declared(tag=tag).of_key(HERE, KEY, Evidence(approval="approved", approval_tag=TAG)) is None


def state(target: Target, *keys: Key, complete: bool = True) -> TargetState:
    return TargetState(target, keys=Keys({key.key_id: key for key in keys}, complete=complete))


def test_a_declaration_about_no_key_is_told_of() -> None:
    acknowledgements = declared({"key": "alias/old-crn"}, {"key": "alias/old-crm"})
    unmatched = acknowledgements.unmatched(Snapshot(targets=(state(HERE, KEY),)))
    assert [str(rule) for rule in unmatched] == ["alias/old-crn"]


def test_a_declaration_with_the_wrong_account_is_told_of_with_it() -> None:
    acknowledgements = declared({"key": "alias/old-crm", "account": THERE.account_id, "region": THERE.region})
    unmatched = acknowledgements.unmatched(Snapshot(targets=(state(HERE, KEY), state(THERE))))
    assert [str(rule) for rule in unmatched] == ["alias/old-crm (222233334444, us-east-1)"]


@pytest.mark.parametrize(
    "unread",
    [
        TargetState(THERE),
        state(THERE, complete=False),
        replace(state(THERE), unreadable={"k": Unreadable("denied", NOW)}),
    ],
    ids=["nothing", "not all", "all but one key"],
)
def test_as_long_as_its_key_may_be_where_nothing_was_read_nothing_is_told(unread: TargetState) -> None:
    assert declared({"key": "alias/x"}).unmatched(Snapshot(targets=(state(HERE, KEY), unread))) == ()


@pytest.mark.parametrize(
    ("account", "failed", "told"),
    [
        ("", THERE.account_id, False),
        (THERE.account_id, THERE.account_id, False),
        (THERE.account_id, "home", False),
        (HERE.account_id, THERE.account_id, True),
        ("", HERE.account_id, False),
    ],
    ids=["any account", "that account", "an account without an id yet", "another account", "one that is known in part"],
)
def test_as_long_as_its_key_may_be_in_an_account_that_could_not_be_entered_nothing_is_told(
    account: str, failed: str, told: bool
) -> None:
    snapshot = Snapshot(targets=(state(HERE, KEY),), account_errors={failed: "AssumeRole: AccessDenied"})
    assert bool(declared({"key": "alias/x", "account": account}).unmatched(snapshot)) is told


def test_as_long_as_the_organization_could_not_be_listed_nothing_is_told() -> None:
    snapshot = Snapshot(targets=(state(HERE, KEY),), organization=False)
    assert declared({"key": "alias/x"}).unmatched(snapshot) == ()


def test_a_shard_tells_nothing_since_another_one_may_watch_the_key() -> None:
    settings = {
        "deletions": {"acknowledgements": [{"key": "alias/x", "reason": "r"}]},
        "shard": {"index": 0, "total": 2},
    }
    acknowledgements = Acknowledgements.of(Settings.model_validate(settings))
    assert acknowledgements.unmatched(Snapshot(targets=(state(HERE, KEY),))) == ()


def test_before_anything_was_discovered_nothing_is_told() -> None:
    assert declared({"key": "alias/x"}).unmatched(Snapshot()) == ()
