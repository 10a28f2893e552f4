"""The oracle finds every lie that is put on an honest page, and nothing on a page that may be as it is."""

import re
from dataclasses import replace
from math import inf

import pytest
from prometheus_client import CollectorRegistry

from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.model import Deletion, Key, Keys, Snapshot, Target, TargetState, Tombstone, Unreadable, frozen
from exporter.telemetry import Telemetry
from tests.faults.look import Bounds, Clock, Life, Look
from tests.faults.oracle import CHECKS, judge
from tests.faults.page import parse
from tests.faults.truth import Chronicle, Fact, Trouble, Troubles

NOW = 1_790_000_000.0
DAY = 86_400.0
HERE = Target("111122223333", "eu-west-1")
BOUNDS = Bounds(interval=1, full_interval=2, keep_failed=60, start=5, allowance=1)
LONG_AGO = NOW - 1000
DENIED = {"doomed": Unreadable("AccessDeniedException", NOW - 200)}
PENDING, ENABLED = Fact("PendingDeletion", NOW + 10 * DAY), Fact("Enabled")


def key(key_id: str, fact: Fact) -> Key:
    deletion = Deletion(at=fact.deletion_at) if fact.pending else None
    return Key(key_id, f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}", fact.state, deletion=deletion)


def page(*, ahead: float = 0.0, **state: object) -> str:
    """Return what the exporter's own renderer makes of one key that lives, one that is pending and one that is gone."""
    keys = Keys(
        by_id=frozen({"alive": key("alive", ENABLED), "doomed": key("doomed", PENDING)}),
        scheduled_at=frozen({"doomed": NOW - 500}),
        tombstones=frozen({"gone": Tombstone(key("gone", PENDING), deleted_at=NOW - 400)}),
    )
    facts = {"keys": keys, "up": True, "last_success": NOW - 1 + ahead, "last_full": NOW - 1 + ahead}
    snapshot = Snapshot(NOW - 1 + ahead, 1, (TargetState(HERE, **{**facts, **state}),))
    telemetry = Telemetry(CollectorRegistry(), version="0", revision="", loaded_at=NOW)
    renderer = Renderer(telemetry.registry, export="customer", tags={})
    renderer.update(snapshot)
    body = renderer.scrape(snapshot, Format.OPENMETRICS_1_0_0, gzip=False, now=NOW + ahead)
    return b"".join(body.parts).decode()


def truth() -> Chronicle:
    chronicle = Chronicle()
    for key_id, fact in (("alive", ENABLED), ("doomed", PENDING), ("gone", PENDING)):
        chronicle.write(HERE, key_id, fact, 0.0, 0.0)
    chronicle.write(HERE, "gone", None, NOW - 401, NOW - 401)
    return chronicle


def life() -> Life:
    return Life(LONG_AGO, pending={(HERE, "doomed"): NOW - 2}, success={HERE: NOW - 2})


def look(text: str, *troubles: Trouble, chronicle: Chronicle | None = None, clock: Clock | None = None) -> Look:
    return Look(
        parse(text),
        NOW - 0.01,
        NOW + 0.01,
        chronicle or truth(),
        Troubles(list(troubles)),
        BOUNDS,
        life(),
        clock or Clock(),
    )


def trouble(since: float, *, over: float = inf, **what: object) -> Trouble:
    return Trouble("hang", frozenset({HERE}), NOW - since, until=over, **what)


def fired(look: Look) -> set[str]:
    """Return the names of the checks that found something."""
    return {violation.partition(":")[0] for violation in judge(look)}


def edited(pattern: str, to: str, text: str = "") -> str:
    """Return a page with an edit, which must change it."""
    text = text or page()
    after = re.sub(pattern, to, text, flags=re.MULTILINE)
    assert after != text
    return after


def without(key_id: str, text: str = "") -> str:
    return edited(rf'^.*key_id="{key_id}".*\n', "", text)


def test_an_honest_page_is_found_honest() -> None:
    assert judge(look(page())) == []


def test_every_check_has_looked_at_something() -> None:
    seen = [look(page()), look(page(up=False), trouble(10, total=True)), look(page(up=False), trouble(10, leaves=True))]
    for each in seen:
        judge(each)
    assert {name for each in seen for name in each.checked} == {check.__name__ for check in CHECKS}


def test_a_pending_key_that_is_not_there() -> None:
    assert "missing" in fired(look(without("doomed")))


def test_a_pending_key_that_is_not_there_while_its_target_fails() -> None:
    old = page(up=False, last_success=NOW - 31, last_full=NOW - 31)
    assert fired(look(without("doomed", old), trouble(30, total=True))) == {"missing", "counted"}


def test_a_pending_key_that_is_dropped_because_it_can_not_be_read() -> None:
    seen = look(without("doomed", page(unreadable=DENIED)), trouble(200))
    seen.life.unreadable_since[HERE] = NOW - 200
    assert "missing" in fired(seen)


@pytest.mark.parametrize(("unreadable", "lies"), [(DENIED, set()), ({}, {"invented"})])
def test_a_pending_key_that_was_saved_unseen(unreadable: object, lies: set[str]) -> None:
    chronicle = truth()
    chronicle.write(HERE, "doomed", Fact("Disabled"), NOW - 150, NOW - 150)
    seen = look(page(unreadable=unreadable), trouble(250), chronicle=chronicle)
    seen.life.unreadable_since[HERE] = NOW - 200
    assert fired(seen) & {"invented"} == lies


def test_a_pending_key_that_is_told_as_safe() -> None:
    page = edited(r'(pending_deletion\{.*"doomed".*\}) 1', r"\1 0")
    assert {"missing", "invented"} <= fired(look(page))


def test_a_new_pending_key_that_nobody_noticed_in_time() -> None:
    chronicle = truth()
    chronicle.write(HERE, "new", PENDING, NOW - 20, NOW - 20)
    assert "missing" in fired(look(page(), chronicle=chronicle))


def test_a_key_that_never_was() -> None:
    assert "invented" in fired(look(edited('key_id="alive"', 'key_id="phantom"')))


def test_a_key_that_was_saved_and_is_still_pending_on_the_page() -> None:
    chronicle = truth()
    chronicle.write(HERE, "doomed", Fact("Disabled"), NOW - 20, NOW - 20)
    assert "invented" in fired(look(page(), chronicle=chronicle))


def test_a_deletion_on_another_day() -> None:
    page = edited(r'(deletion_timestamp_seconds\{.*"doomed".*\}) \S+', rf"\g<1> {NOW + 11 * DAY}")
    assert "invented" in fired(look(page))


def test_a_state_that_the_key_is_not_in() -> None:
    assert "invented" in fired(look(edited('state="Enabled"', 'state="Disabled"')))


def test_a_deletion_that_was_scheduled_at_another_time() -> None:
    chronicle = truth()
    chronicle.write(HERE, "doomed", Fact("PendingDeletion", NOW + 12 * DAY), NOW - 20, NOW - 20)
    page = edited(r'(deletion_timestamp_seconds\{.*"doomed".*\}) \S+', rf"\g<1> {NOW + 12 * DAY}")
    page = edited(r'(days_left\{.*"doomed".*\}) \S+', r"\1 12", page)
    assert fired(look(page, chronicle=chronicle)) == {"scheduled"}


def test_the_tombstone_of_a_key_that_lives() -> None:
    page = edited(r'(deleted_timestamp_seconds\{.*)"gone"', r'\1"alive"')
    assert "invented" in fired(look(page))


def test_a_number_of_days_that_was_computed_earlier() -> None:
    page = edited(r'(days_left\{.*"doomed".*\}) \S+', r"\1 10.001")
    assert fired(look(page)) == {"days"}


def test_a_success_to_come() -> None:
    assert "ages" in fired(look(page(last_success=NOW + 30)))


def test_a_success_when_none_was_possible() -> None:
    assert "ages" in fired(look(page(up=False), trouble(20, total=True)))


def test_a_page_that_is_wrong_and_does_not_say_so() -> None:
    chronicle = truth()
    chronicle.write(HERE, "alive", Fact("Disabled"), NOW - 20, NOW - 20)
    assert fired(look(page(), trouble(30), chronicle=chronicle)) == {"admitted"}


def test_a_target_that_is_told_to_be_up_though_nothing_answers() -> None:
    assert fired(look(page(last_success=NOW - 11, last_full=NOW - 11), trouble(10, total=True))) == {"shown_down"}


def test_keys_that_are_served_for_longer_than_they_may_be() -> None:
    old = {"up": False, "last_success": NOW - 101, "last_full": NOW - 101}
    assert fired(look(page(**old), trouble(100, total=True))) == {"shown_down"}


def test_a_target_that_does_not_come_back() -> None:
    old = {"up": False, "last_success": NOW - 31, "last_full": NOW - 31}
    assert "recovered" in fired(look(page(**old), trouble(30, over=NOW - 20)))


def test_a_key_that_nobody_sees_any_more() -> None:
    assert "recovered" in fired(look(without("alive")))


def test_an_account_that_left_and_is_still_told() -> None:
    assert "left" in fired(look(page(), trouble(30, leaves=True)))


def test_counts_that_are_those_of_other_keys() -> None:
    assert fired(look(edited(r'(^kms_keys\{.*"PendingDeletion"\}) 1', r"\1 2"))) == {"counted"}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (page().removesuffix("# EOF\n"), "EOF"),
        (page()[: page().index("kms_keys{") + 20], "Invalid"),
        (page().replace("# EOF", "kms_key_pending_deletion 1\n# EOF"), "Clashing"),
        (re.sub(r"(^kms_keys\{.*\n)", r"\1\1", page(), count=1, flags=re.MULTILINE), "more than once"),
    ],
    ids=["no end", "a part of it", "a series beyond its family", "a series twice"],
)
def test_a_page_that_is_not_valid_is_refused(broken: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(broken)


def test_what_was_last_known_may_be_told_while_the_target_fails() -> None:
    chronicle = truth()
    chronicle.write(HERE, "doomed", Fact("Disabled"), NOW - 20, NOW - 20)
    old = page(up=False, last_success=NOW - 31, last_full=NOW - 31)
    assert judge(look(old, trouble(30, total=True), chronicle=chronicle)) == []


def test_keys_may_go_once_they_are_too_old() -> None:
    old = {"keys": None, "up": False, "last_success": NOW - 101, "last_full": NOW - 101}
    seen = look(page(**old), trouble(100, total=True))
    seen = replace(seen, life=Life(LONG_AGO, pending={(HERE, "doomed"): NOW - 30}, success={HERE: NOW - 101}))
    assert judge(seen) == []


def test_a_clock_that_is_wrong_makes_no_age_wrong() -> None:
    clock = Clock().jump(NOW - 50, 3600.0)
    assert judge(look(page(ahead=3600.0), clock=clock)) == []


def test_a_clock_that_was_put_back_leaves_times_that_were_true() -> None:
    clock = Clock().jump(NOW - 50, 3600.0).jump(NOW - 0.5, 0.0)
    assert judge(look(page(last_success=NOW - 1 + 3600), clock=clock)) == []


def test_an_account_that_came_back_may_be_read_anew_first() -> None:
    unread = page(keys=None, last_success=None, last_full=None, up=None)
    assert judge(look(unread, trouble(5, over=NOW - 1, leaves=True, grace=3))) == []


def test_what_aws_calls_a_state_may_be_told() -> None:
    chronicle = truth()
    chronicle.lie("alive", "Quarantined", NOW - 2)
    told = page().replace('state="Enabled"', 'state="Quarantined"')
    assert judge(look(told, chronicle=chronicle)) == []
