"""What CloudTrail is asked about pending keys: who scheduled the deletion, and who was denied a use since."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from exporter.aws.dossier import SOON
from exporter.aws.history import LOOK_EVERY, MOST_PAGES
from exporter.demo import actors
from exporter.demo.actors import Actor
from exporter.demo.faults import Change, merging
from exporter.demo.world import World
from exporter.model import DeniedUses, Source
from tests.aws.desk import QUIET, Desk
from tests.aws.harness import REGION, Lab, OpenLab

DAY = 86_400.0
HURRY = 50.0
HISTORY = {**QUIET, "changes": {"cloudtrail": True}}
ALICE = actors.assumed_role("Administrator", "alice")
MALLORY = actors.user("mallory")
JOB = actors.assumed_role("reporting", "nightly")


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    return open_lab(World(home_regions=[REGION]), hurry=HURRY)


@pytest.fixture
def desk(lab: Lab) -> Desk:
    return Desk(lab, HISTORY)


def schedule(desk: Desk, days: int = 30, *, by: Actor = ALICE) -> Any:
    key = desk.vault.create_key()
    return desk.vault.schedule_deletion(key.key_id, days, by=by)


def rewriting(event_name: str, rewrite: Callable[[dict[str, Any]], Any]) -> Change:
    """Return a change that makes something else of the records of one operation."""

    def change(answer: Any) -> Any:
        events = [
            {**event, "CloudTrailEvent": rewrite(json.loads(event["CloudTrailEvent"]))}
            if event["EventName"] == event_name
            else event
            for event in answer["Events"]
        ]
        return {**answer, "Events": events}

    return change


class TestWhoScheduledIt:
    @pytest.mark.parametrize(
        ("by", "name", "arn"),
        [
            (MALLORY, "mallory", "arn:aws:iam::111122223333:user/mallory"),
            (ALICE, "Administrator/alice", "arn:aws:sts::111122223333:assumed-role/Administrator/alice"),
            (actors.root(), "root", "arn:aws:iam::111122223333:root"),
            (actors.service("cloudformation.amazonaws.com"), "cloudformation.amazonaws.com", ""),
            (actors.identity_center_user("544894e8"), "544894e8", ""),
        ],
        ids=lambda value: value if isinstance(value, str) else value.kind,
    )
    def test_is_told_with_when_and_the_window(self, desk: Desk, by: Actor, name: str, arn: str) -> None:
        key = schedule(desk, 7, by=by)
        desk.look()
        found = desk.evidence(key).scheduling
        assert found is not None
        assert (found.by, found.principal_arn, found.window) == (name, arn, 7 * DAY)
        assert found.at == int(desk.lab.world.agenda.time()) or found.at == int(key.scheduled_at)
        assert found.event_id
        assert desk.sources[Source.SCHEDULED_BY] == ""

    def test_costs_one_request_for_all_keys(self, desk: Desk) -> None:
        keys = [schedule(desk) for _ in range(40)]
        desk.look()
        assert all(desk.evidence(key).scheduling for key in keys)
        assert desk.requests("LookupEvents") == 1 + len(keys)  # and one for the denied uses of each

    def test_is_searched_back_only_until_it_is_found(self, desk: Desk) -> None:
        with desk.lab.world.agenda.as_of(desk.lab.world.agenda.time() - 5 * DAY):
            for _ in range(120):  # three pages of older ones, of keys that were saved
                desk.vault.cancel_deletion(schedule(desk).key_id)
        schedule(desk)
        desk.look()
        assert desk.requests("LookupEvents") == 1 + 1

    def test_is_found_however_far_back_it_is(self, lab: Lab) -> None:
        desk = Desk(lab, HISTORY)
        with lab.world.agenda.as_of(lab.world.agenda.time() - 20 * DAY):
            old = schedule(desk, by=MALLORY)
        for _ in range(120):
            desk.vault.cancel_deletion(schedule(desk).key_id)
        desk.look()
        found = desk.evidence(old).scheduling
        assert found is not None
        assert found.by == "mallory"

    def test_is_asked_once(self, desk: Desk) -> None:
        schedule(desk)
        desk.look()
        desk.wait(2 * DAY)
        before = desk.requests("LookupEvents")
        desk.look()
        assert desk.requests("LookupEvents") == before + 1  # for denied uses

    def test_is_looked_for_again_while_the_event_is_on_its_way(self, desk: Desk) -> None:
        desk.lab.world.rules.event_lag = 600.0
        desk.look()  # it is seen not pending before
        key = desk.vault.create_key()
        desk.look()
        desk.vault.schedule_deletion(key.key_id, by=MALLORY)
        desk.look()
        assert (desk.evidence(key).scheduling, desk.evidence(key).scheduling_looked_up) == (None, False)
        desk.wait(61)
        assert desk.due
        desk.look()
        assert desk.evidence(key).scheduling is None
        desk.wait(600)
        desk.look()
        found = desk.evidence(key).scheduling
        assert found is not None
        assert found.by == "mallory"

    def test_is_told_as_not_found_after_a_complete_search(self, desk: Desk) -> None:
        desk.lab.world.rules.event_lag = 100 * DAY
        key = schedule(desk)
        desk.look()
        assert (desk.evidence(key).scheduling, desk.evidence(key).scheduling_looked_up) == (None, True)

    def test_is_searched_for_hourly_once_the_event_must_have_come(self, desk: Desk) -> None:
        desk.lab.world.rules.event_lag = 100 * DAY
        schedule(desk)
        desk.look()
        desk.wait(1900)
        desk.look()
        before = desk.requests("LookupEvents")
        for _ in range(56):
            desk.wait(62)
            desk.look()
        assert desk.requests("LookupEvents") - before <= 12  # for denied uses
        desk.wait(300)
        desk.look()
        assert desk.requests("LookupEvents") - before <= 14

    def test_is_the_one_of_this_deletion_not_of_an_earlier_one(self, desk: Desk) -> None:
        with desk.lab.world.agenda.as_of(desk.lab.world.agenda.time() - 5 * DAY):
            key = schedule(desk, by=ALICE)
        desk.vault.cancel_deletion(key.key_id)
        desk.look()
        desk.lab.world.rules.event_lag = 300.0
        desk.vault.schedule_deletion(key.key_id, 10, by=MALLORY)
        desk.look()
        assert desk.evidence(key).scheduling is None  # alice's is all that CloudTrail shows so far
        desk.wait(400)
        desk.look()
        found = desk.evidence(key).scheduling
        assert found is not None
        assert found.by == "mallory"

    def test_is_searched_anew_when_the_deletion_is_scheduled_anew(self, desk: Desk) -> None:
        key = schedule(desk, by=ALICE)
        desk.look()
        desk.wait(DAY)
        desk.vault.cancel_deletion(key.key_id)
        desk.vault.schedule_deletion(key.key_id, 7, by=MALLORY)
        desk.look()
        found = desk.evidence(key).scheduling
        assert found is not None
        assert (found.by, found.window) == ("mallory", 7 * DAY)

    def test_is_told_though_the_date_was_moved_once_nothing_better_can_come(self, desk: Desk) -> None:
        key = schedule(desk, by=MALLORY)
        key.deletion_at += 3600.0
        desk.look()
        assert (desk.evidence(key).scheduling, desk.evidence(key).scheduling_looked_up) == (None, False)
        desk.wait(1801)
        desk.look()
        found = desk.evidence(key).scheduling
        assert found is not None
        assert found.by == "mallory"

    def test_is_told_of_a_primary_that_waits_for_its_replicas(self, desk: Desk) -> None:
        desk.lab.world.accounts[desk.target.account_id].regions.add("us-east-1")
        key = desk.vault.create_key(multi_region=True)
        desk.lab.world.replicate(key, "us-east-1")
        desk.vault.schedule_deletion(key.key_id, 9, by=MALLORY)
        desk.look()
        found = desk.evidence(key).scheduling
        assert found is not None
        assert (found.by, found.window) == ("mallory", 9 * DAY)

    def test_is_not_whoever_was_refused(self, desk: Desk) -> None:
        key = schedule(desk, by=ALICE)
        with pytest.raises(Exception, match="pending deletion"):
            desk.vault.schedule_deletion(key.key_id, 30, by=MALLORY)
        desk.look()
        found = desk.evidence(key).scheduling
        assert found is not None
        assert found.by == "Administrator/alice"

    def test_is_hidden_where_the_settings_say_so_and_the_rest_is_told(self, lab: Lab) -> None:
        desk = Desk(lab, {**HISTORY, "deletions": {**QUIET["deletions"], "scheduled_by": False}})
        key = schedule(desk)
        desk.vault.use(key.key_id, by=JOB)
        desk.look()
        found, denied = desk.evidence(key).scheduling, desk.evidence(key).denied_uses
        assert found is not None
        assert (found.by, found.principal_arn) == ("", "")
        assert found.event_id
        assert denied is not None
        assert (denied.count, denied.last_by) == (1, "")
        assert "alice" not in repr(desk.told)
        assert "nightly" not in repr(desk.told)

    def test_is_hidden_from_what_was_known_before_too(self, lab: Lab) -> None:
        desk = Desk(lab, HISTORY)
        key = schedule(desk)
        desk.vault.use(key.key_id, by=JOB)
        desk.look()
        assert "alice" in repr(desk.evidence(key))
        lab.faults.deny(operation="LookupEvents")
        desk.open({**HISTORY, "deletions": {**QUIET["deletions"], "scheduled_by": False}})
        desk.look()
        assert "alice" not in repr(desk.evidence(key))
        assert "nightly" not in repr(desk.evidence(key))


class TestUnreadableEvents:
    @pytest.fixture
    def keys(self, desk: Desk) -> tuple[Any, Any]:
        """Return a key whose event can't be read, and one whose can."""
        return schedule(desk), schedule(desk, by=MALLORY)

    @pytest.mark.parametrize(
        "broken",
        [lambda _: "{", lambda _: "[]", lambda record: json.dumps({**record, "eventTime": None})],
        ids=["no JSON", "no record", "without a time"],
    )
    def test_cost_nothing_but_themselves_and_prove_nothing(
        self, desk: Desk, keys: tuple[Any, Any], broken: Callable[[Any], str]
    ) -> None:
        lost, kept = keys

        def rewrite(record: dict[str, Any]) -> str:
            return broken(record) if lost.arn in str(record) else json.dumps(record)

        desk.lab.faults.change(rewriting("ScheduleKeyDeletion", rewrite), operation="LookupEvents")
        desk.look()
        assert desk.evidence(kept).scheduling is not None
        assert (desk.evidence(lost).scheduling, desk.evidence(lost).scheduling_looked_up) == (None, False)
        assert desk.sources[Source.SCHEDULED_BY] == ""
        desk.wait(61)
        desk.look()
        assert not desk.evidence(lost).scheduling_looked_up

    def test_one_of_a_use_leaves_open_how_many_were_denied(self, desk: Desk) -> None:
        key = schedule(desk)
        desk.vault.use(key.key_id)
        desk.lab.faults.change(rewriting("Decrypt", lambda _: "{"), operation="LookupEvents")
        desk.look()
        assert desk.evidence(key).denied_uses == DeniedUses(0, complete=False)

    def test_events_without_a_record_are_such_too(self, desk: Desk, keys: tuple[Any, Any]) -> None:
        desk.lab.faults.change(
            lambda answer: {**answer, "Events": [{"EventId": "e"}, *answer["Events"]]}, operation="LookupEvents"
        )
        desk.look()
        assert all(desk.evidence(key).scheduling for key in keys)

    @pytest.mark.parametrize("events", [None, "none"])
    def test_a_page_that_is_none_is_told_as_invalid(self, desk: Desk, keys: tuple[Any, Any], events: Any) -> None:
        desk.lab.faults.change(merging({"Events": events}), operation="LookupEvents")
        desk.look()
        assert "invalid_response" in desk.sources[Source.SCHEDULED_BY]
        assert not any(desk.evidence(key).scheduling_looked_up for key in keys)

    def test_a_page_that_leads_to_itself_ends(self, desk: Desk, keys: tuple[Any, Any]) -> None:
        assert keys
        tokens: list[str] = []

        def back_to_itself(answer: Any) -> Any:
            if "NextToken" in answer:
                tokens.append(answer["NextToken"])
            return {**answer, "NextToken": tokens[-1]}

        desk.lab.world.rules.empty_pages.add("LookupEvents")
        desk.lab.faults.change(back_to_itself, operation="LookupEvents")
        desk.look()
        assert "same page" in desk.sources[Source.DENIED_USES]


class TestDeniedUses:
    def test_are_counted_since_the_deletion_was_scheduled(self, desk: Desk) -> None:
        agenda = desk.lab.world.agenda
        start = agenda.time()
        with agenda.as_of(start - 3 * DAY):
            key = desk.vault.create_key()
        with agenda.as_of(start - 2 * DAY):
            desk.vault.disable(key.key_id)
            assert not desk.vault.use(key.key_id)  # for being disabled
        with agenda.as_of(start - DAY):
            desk.vault.schedule_deletion(key.key_id)
        with agenda.as_of(start - 3600):
            desk.vault.use(key.key_id, by=JOB)
        with agenda.as_of(start - 60):
            desk.vault.use(key.key_id, "GenerateDataKey", by=actors.service("rds.amazonaws.com"))
        desk.look()
        assert desk.evidence(key).denied_uses == DeniedUses(2, int(start - 60), "rds.amazonaws.com", "GenerateDataKey")
        assert desk.sources[Source.DENIED_USES] == ""

    def test_are_none_where_only_others_are_denied(self, desk: Desk) -> None:
        key, other = schedule(desk), schedule(desk)
        desk.vault.use(other.key_id)
        desk.look()
        assert desk.evidence(key).denied_uses == DeniedUses(0)

    @pytest.mark.parametrize("code", ["KMSInvalidStateException", "DisabledException", "SomethingElse"])
    def test_are_known_by_code_or_message(self, desk: Desk, code: str) -> None:
        desk.lab.world.rules.pending_refusal = code
        key = schedule(desk)
        desk.vault.use(key.key_id)
        desk.look()
        assert denied(desk, key) == 1

    def test_attempts_to_manage_the_key_are_none(self, desk: Desk) -> None:
        key = schedule(desk)
        for attempt in desk.vault.enable, desk.vault.schedule_deletion:
            with pytest.raises(Exception, match="pending deletion"):
                attempt(key.key_id)
        desk.look()
        assert denied(desk, key) == 0

    def test_are_looked_for_every_five_minutes_with_one_request(self, desk: Desk) -> None:
        key = schedule(desk)
        desk.look()
        desk.vault.use(key.key_id)
        desk.wait(LOOK_EVERY - 30)
        assert not desk.due
        desk.wait(31)
        before = desk.requests("LookupEvents")
        desk.look()
        assert denied(desk, key) == 1
        assert desk.requests("LookupEvents") == before + 1

    def test_count_once_each_however_often_they_are_found(self, desk: Desk) -> None:
        key = schedule(desk)
        for expected in range(1, 12):
            desk.vault.use(key.key_id)
            desk.look()
            assert denied(desk, key) == expected
            desk.wait(LOOK_EVERY + 1)

    def test_that_arrive_late_are_counted_too(self, desk: Desk) -> None:
        key = schedule(desk)
        desk.look()
        desk.lab.world.rules.event_lag = 1200.0
        desk.vault.use(key.key_id)
        for _ in range(3):
            desk.wait(LOOK_EVERY + 1)
            desk.look()
            assert denied(desk, key) == 0
        desk.wait(LOOK_EVERY + 1)
        desk.look()
        assert denied(desk, key) == 1

    def test_of_weeks_are_all_counted_a_few_pages_at_a_time(self, desk: Desk) -> None:
        agenda = desk.lab.world.agenda
        start = agenda.time()
        with agenda.as_of(start - 20 * DAY):
            key = schedule(desk)
        count = 2 * MOST_PAGES * 50 + 30
        for number in range(count):
            desk.vault.use(key.key_id, at=start - 20 * DAY + (number // 7) * 600)
        desk.look()
        assert denied(desk, key) == count
        assert [told.count for told in counts(desk)] == sorted({told.count for told in counts(desk)})
        assert not desk.due
        desk.wait(LOOK_EVERY + 1)
        before = desk.requests("LookupEvents")
        desk.look()
        assert denied(desk, key) == count
        assert desk.requests("LookupEvents") == before + 1

    def test_that_were_counted_before_a_reload_stand_until_they_are_counted_anew(self, desk: Desk) -> None:
        agenda = desk.lab.world.agenda
        start = agenda.time()
        with agenda.as_of(start - DAY):
            key = schedule(desk)
        count = (MOST_PAGES + 10) * 50
        for number in range(count):
            desk.vault.use(key.key_id, at=start - DAY + number)
        desk.look()
        assert (denied(desk, key), counts(desk)[-1].complete) == (count, True)
        desk.open(HISTORY)
        asked = desk.requests("LookupEvents") + MOST_PAGES + 5
        broken = desk.lab.faults.change(
            lambda answer: answer if desk.requests("LookupEvents") < asked else {"Events": None},
            operation="LookupEvents",
        )
        desk.look()
        assert (denied(desk, key), counts(desk)[-1].complete) == (count, False)
        desk.lab.faults.remove(broken)
        desk.wait(SOON + 1)
        desk.look()
        assert (denied(desk, key), counts(desk)[-1].complete) == (count, True)

    def test_of_a_throng_are_counted_within_bounds(self, desk: Desk) -> None:
        key = schedule(desk)
        desk.look()
        desk.wait(LOOK_EVERY + 1)
        for _ in range(MOST_PAGES * 50 + 30):
            desk.vault.use(key.key_id)
        before = desk.requests("LookupEvents")
        desk.look()
        assert denied(desk, key) == MOST_PAGES * 50
        assert desk.requests("LookupEvents") == before + MOST_PAGES

    def test_are_counted_anew_when_the_deletion_is_scheduled_anew(self, desk: Desk) -> None:
        key = schedule(desk)
        desk.vault.use(key.key_id)
        desk.look()
        desk.wait(3600)
        desk.vault.cancel_deletion(key.key_id)
        desk.sweep()
        desk.vault.schedule_deletion(key.key_id)
        desk.look()
        assert denied(desk, key) == 0

    def test_are_told_at_once(self, desk: Desk) -> None:
        first, second = schedule(desk), schedule(desk)
        desk.look()
        desk.wait(LOOK_EVERY + 1)
        desk.vault.use(first.key_id)
        desk.vault.use(second.key_id)
        desk.sweep()
        assert sum(len(told.evidence) for told in desk.ask()) == 2


class TestTurns:
    """CloudTrail allows two requests a second: keys take turns, and what matters most comes first."""

    @pytest.fixture(autouse=True)
    def slow(self, desk: Desk) -> Iterator[None]:
        """Let each request take longer than an inquiry may."""

        def wait(answer: Any) -> Any:
            desk.lab.monotonic.advance(60)
            return answer

        fault = desk.lab.faults.change(wait, operation="LookupEvents")
        yield
        desk.lab.faults.remove(fault)

    def test_each_key_has_its_turn(self, desk: Desk) -> None:
        keys = [schedule(desk) for _ in range(3)]
        desk.look()
        looked_at = []
        for _ in keys:
            assert desk.due
            looked_at += [key for learned in desk.look() for key, _ in learned.evidence]
        assert {key.key_id for key in looked_at} == {key.key_id for key in keys}
        assert all(desk.evidence(key).denied_uses for key in keys)

    def test_who_scheduled_a_new_deletion_is_asked_before_the_others_uses(self, desk: Desk) -> None:
        for _ in range(3):
            schedule(desk)
        desk.look()
        new = schedule(desk, by=MALLORY)
        desk.look()
        assert desk.evidence(new).scheduling is not None


class TestDenial:
    def test_leaves_both_facts_open_and_says_so(self, desk: Desk) -> None:
        desk.lab.faults.deny(operation="LookupEvents")
        key = schedule(desk)
        desk.look()
        for source in Source.SCHEDULED_BY, Source.DENIED_USES:
            assert "LookupEvents" in desk.sources[source]
            assert "AccessDeniedException" in desk.sources[source]
        known = desk.evidence(key)
        assert (known.scheduling, known.scheduling_looked_up, known.denied_uses) == (None, False, None)
        assert desk.state.errors["LookupEvents", "AccessDeniedException"] == 2

    def test_is_tried_again_an_hour_later(self, desk: Desk) -> None:
        fault = desk.lab.faults.deny(operation="LookupEvents")
        key = schedule(desk)
        desk.look()
        desk.lab.faults.remove(fault)
        desk.wait(3500)
        assert not desk.due
        desk.wait(101)
        desk.look()
        assert desk.evidence(key).scheduling is not None
        assert denied(desk, key) == 0
        assert set(desk.sources.values()) == {""}

    def test_that_may_pass_is_tried_again_sooner(self, desk: Desk) -> None:
        fault = desk.lab.faults.internal_error(operation="LookupEvents")
        key = schedule(desk)
        desk.look()
        assert "InternalFailure" in desk.sources[Source.SCHEDULED_BY]
        desk.lab.faults.remove(fault)
        desk.wait(301)
        desk.look()
        assert desk.evidence(key).scheduling is not None

    def test_keeps_the_count_and_goes_on_from_it(self, desk: Desk) -> None:
        key = schedule(desk)
        desk.vault.use(key.key_id)
        desk.look()
        fault = desk.lab.faults.deny(operation="LookupEvents")
        desk.wait(LOOK_EVERY + 1)
        desk.vault.use(key.key_id)
        desk.look()
        assert denied(desk, key) == 1
        assert desk.sources[Source.SCHEDULED_BY] == ""  # that question was answered long before
        assert desk.sources[Source.DENIED_USES] != ""
        desk.lab.faults.remove(fault)
        desk.wait(3601)
        desk.look()
        assert denied(desk, key) == 2


def counts(desk: Desk) -> list[DeniedUses]:
    """Return what was told of denied uses, in order."""
    told = [evidence.denied_uses for learned in desk.told for _, evidence in learned.evidence]
    return [uses for uses in told if uses is not None]


def denied(desk: Desk, key: Any) -> int:
    uses = desk.evidence(key).denied_uses
    assert uses is not None
    return uses.count
