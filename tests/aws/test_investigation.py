"""What is asked about pending keys, when, and what becomes of it where AWS does not answer."""

from typing import Any

import pytest

from exporter.demo.faults import merging
from exporter.demo.world import World
from exporter.errors import TargetError
from exporter.model import Evidence, Grants, Key, Keys, Source, Target, TargetState, Usage, UsageCase, frozen
from tests.aws.desk import QUIET, Desk
from tests.aws.harness import REGION, Lab, OpenLab

DAY = 86_400.0
HOUR = 3600.0
HURRY = 50.0
TAG = "kms-exporter/deletion-approved"
OPERATIONS = {
    Source.ACKNOWLEDGEMENT_TAG: "GetResources",
    Source.GRANTS: "ListGrants",
    Source.LAST_USAGE: "GetKeyLastUsage",
    Source.SCHEDULED_BY: "LookupEvents",
    Source.DENIED_USES: "LookupEvents",
}


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    return open_lab(World(home_regions=[REGION]), hurry=HURRY)


@pytest.fixture
def desk(lab: Lab) -> Desk:
    return Desk(lab)


def only(**deletions: Any) -> dict[str, Any]:
    """Return settings that ask nothing but this."""
    return {**QUIET, "deletions": {**QUIET["deletions"], **deletions}}


def asked(desk: Desk) -> set[str]:
    """Return the operations that were asked for, but for those of passes."""
    return {operation for operation in set(OPERATIONS.values()) if desk.requests(operation)}


class TestWhenNothingIsPending:
    def test_nothing_is_due_and_nothing_asked(self, desk: Desk) -> None:
        desk.vault.create_key()
        desk.sweep()
        assert not desk.due
        assert desk.ask() == []
        assert asked(desk) == set()

    def test_before_the_first_pass_too(self, desk: Desk) -> None:
        assert not desk.due
        assert desk.ask() == []


class TestAFirstLook:
    def test_answers_every_question(self, desk: Desk) -> None:
        key = desk.pending(tags={TAG: "obsolete; ticket=OPS-1"})
        desk.look()
        known = desk.evidence(key)
        assert known.scheduling is not None
        assert known.usage is not None
        assert known.usage.case is UsageCase.NEVER
        assert known.grants == Grants(0)
        assert known.denied_uses is not None
        assert (known.approval, known.approval_tag) == ("obsolete; ticket=OPS-1", TAG)
        assert desk.sources == dict.fromkeys(Source, "")

    def test_costs_one_request_a_question_and_two_of_cloudtrail(self, desk: Desk) -> None:
        desk.pending()
        desk.look()
        assert {operation: desk.requests(operation) for operation in OPERATIONS.values()} == {
            "GetResources": 1,
            "ListGrants": 1,
            "GetKeyLastUsage": 1,
            "LookupEvents": 2,
        }

    def test_leaves_nothing_due(self, desk: Desk) -> None:
        desk.pending()
        desk.look()
        assert not desk.due
        before = desk.lab.world.counts.total()
        assert desk.ask() == []
        assert desk.lab.world.counts.total() == before

    def test_tells_what_is_known_without_waiting_for_the_rest(self, desk: Desk) -> None:
        def take_long(answer: Any) -> Any:
            desk.lab.monotonic.advance(2)
            return answer

        key = desk.pending()
        desk.lab.faults.change(take_long, operation="GetKeyLastUsage")
        desk.lab.faults.latency(1.0, operation="LookupEvents", times=1)
        first, *_, last = desk.look()
        ((_, early),) = first.evidence
        ((_, late),) = last.evidence
        assert early.scheduling is None
        assert early != Evidence()
        assert late.scheduling is not None
        assert late == desk.evidence(key)
        assert set(first.sources) < set(last.sources)

    def test_builds_on_what_was_known_of_the_key(self, lab: Lab) -> None:
        desk = Desk(lab, {**QUIET, "keys": {"last_usage": True}})
        key = desk.vault.create_key()
        desk.vault.use(key.key_id)
        desk.look()
        desk.open(only(grants=True))
        desk.vault.schedule_deletion(key.key_id)
        desk.look()
        known = desk.evidence(key)
        assert known.grants == Grants(0)
        assert known.usage is not None
        assert known.usage.case is UsageCase.USED


@pytest.mark.parametrize(
    ("settings", "operations"),
    [
        (QUIET, set()),
        (only(acknowledgement_tag=TAG), {"GetResources"}),
        (only(grants=True), {"ListGrants"}),
        (only(last_usage=True), {"GetKeyLastUsage"}),
        ({**QUIET, "changes": {"cloudtrail": True}}, {"LookupEvents"}),
    ],
    ids=["nothing", "tag", "grants", "usage", "cloudtrail"],
)
def test_only_what_the_settings_want_is_asked(lab: Lab, settings: dict[str, Any], operations: set[str]) -> None:
    desk = Desk(lab, settings)
    desk.pending()
    desk.look()
    assert asked(desk) == operations
    assert {OPERATIONS[source] for source in desk.sources} == operations


class TestTheTag:
    @pytest.fixture
    def desk(self, lab: Lab) -> Desk:
        return Desk(lab, only(acknowledgement_tag=TAG))

    def test_that_is_not_there_is_known_not_to_be(self, desk: Desk) -> None:
        keys = [desk.pending(), desk.pending(tags={"team": "core"})]
        desk.look()
        assert [desk.evidence(key) for key in keys] == [Evidence(approval=None, approval_tag=TAG)] * 2

    def test_may_be_empty(self, desk: Desk) -> None:
        key = desk.pending(tags={TAG: ""})
        desk.look()
        assert desk.evidence(key).approval == ""

    @pytest.mark.parametrize(("count", "requests"), [(100, 1), (101, 2)])
    def test_is_read_for_a_hundred_keys_a_request(self, desk: Desk, count: int, requests: int) -> None:
        for _ in range(count):
            desk.pending()
        desk.look()
        assert desk.requests("GetResources") == requests

    def test_is_read_once_a_deletion(self, desk: Desk) -> None:
        key = desk.pending()
        desk.look()
        desk.wait(20 * DAY)
        assert not desk.due
        desk.vault.cancel_deletion(key.key_id)
        desk.vault.tag(key.key_id, {TAG: "yes"})
        desk.vault.schedule_deletion(key.key_id)
        desk.look()
        assert desk.evidence(key).approval == "yes"
        assert desk.requests("GetResources") == 2


class TestGrants:
    @pytest.fixture
    def desk(self, lab: Lab) -> Desk:
        return Desk(lab, only(grants=True))

    def granted(self, desk: Desk, *grantees: str, as_service: str = "") -> Any:
        key = desk.vault.create_key()
        for grantee in grantees:
            desk.vault.grant(key.key_id, grantee, as_service=grantee == as_service)
        return desk.vault.schedule_deletion(key.key_id)

    def test_are_counted_and_services_come_first(self, desk: Desk) -> None:
        role, service, other = "arn:aws:iam::111122223333:role/app", "rds.eu-west-1.amazonaws.com", "ebs.amazonaws.com"
        key = self.granted(desk, role, service, other, role, as_service=other)
        desk.look()
        assert desk.evidence(key).grants == Grants(4, (other, service, role))

    @pytest.mark.parametrize("empty_pages", [False, True])
    def test_are_all_read_whatever_the_pages(self, desk: Desk, *, empty_pages: bool) -> None:
        if empty_pages:
            desk.lab.world.rules.empty_pages.add("ListGrants")
        many = self.granted(desk, *(f"arn:aws:iam::111122223333:role/app-{n}" for n in range(230)))
        few = self.granted(desk, "arn:aws:iam::111122223333:role/app")
        desk.look()
        found = desk.evidence(many).grants
        assert found is not None
        assert (found.count, len(found.grantees)) == (230, 230)
        assert desk.evidence(few).grants == Grants(1, ("arn:aws:iam::111122223333:role/app",))

    def test_are_asked_for_hourly(self, desk: Desk) -> None:
        key = self.granted(desk, "ebs.amazonaws.com")
        desk.look()
        desk.vault.revoke_grant(key.key_id, key.grants[0].grant_id)
        desk.wait(HOUR - 60)
        assert not desk.due
        desk.wait(61)
        desk.look()
        assert desk.evidence(key).grants == Grants(0)
        assert desk.requests("ListGrants") == 2

    @pytest.mark.parametrize("patch", [{"Grants": None}, {"Truncated": True, "NextMarker": ""}], ids=str)
    def test_of_a_broken_answer_are_unknown(self, desk: Desk, patch: dict[str, Any]) -> None:
        desk.lab.faults.change(merging(patch), operation="ListGrants")
        key = desk.pending()
        desk.look()
        assert desk.evidence(key).grants is None
        assert "invalid_response" in desk.sources[Source.GRANTS]


class TestLastUsage:
    @pytest.fixture
    def desk(self, lab: Lab) -> Desk:
        return Desk(lab, only(last_usage=True))

    def test_keeps_the_three_cases_apart(self, desk: Desk) -> None:
        now = desk.lab.world.agenda.time()
        with desk.lab.world.agenda.as_of(now - 300 * DAY):
            old = desk.vault.create_key()
        used, never = desk.vault.create_key(), desk.vault.create_key()
        desk.vault.use(used.key_id, "Sign")
        for key in old, used, never:
            desk.vault.schedule_deletion(key.key_id)
        desk.look()
        cases = {name: desk.evidence(key).usage for name, key in (("old", old), ("used", used), ("never", never))}
        assert {name: usage.case if usage else None for name, usage in cases.items()} == {
            "old": UsageCase.UNKNOWN,
            "used": UsageCase.USED,
            "never": UsageCase.NEVER,
        }
        known = cases["used"]
        assert known is not None
        assert (known.operation, bool(known.event_id)) == ("Sign", True)
        assert known.last_used_at == pytest.approx(now, abs=60)

    def test_is_asked_for_hourly(self, desk: Desk) -> None:
        desk.pending()
        desk.look()
        desk.wait(HOUR - 60)
        assert not desk.due
        desk.wait(61)
        desk.look()
        assert desk.requests("GetKeyLastUsage") == 2

    def test_is_unknown_in_a_region_that_lacks_the_operation_and_costs_nothing_else(self, lab: Lab) -> None:
        desk = Desk(lab)
        lab.world.rules.missing.add((REGION, "GetKeyLastUsage"))
        keys = [desk.pending() for _ in range(30)]
        desk.look()
        assert "UnknownOperationException" in desk.sources[Source.LAST_USAGE]
        assert {source for source, error in desk.sources.items() if error} == {Source.LAST_USAGE}
        assert all(desk.evidence(key).usage is None and desk.evidence(key).grants == Grants(0) for key in keys)
        assert desk.requests("GetKeyLastUsage") <= 8  # it is not asked key by key
        before = desk.requests("GetKeyLastUsage")
        desk.wait(HOUR - 60)
        desk.look()
        assert desk.requests("GetKeyLastUsage") == before
        lab.world.rules.missing.clear()
        desk.wait(61)
        desk.look()
        assert all(desk.evidence(key).usage for key in keys)
        assert desk.sources[Source.LAST_USAGE] == ""


class TestASourceThatFails:
    @pytest.mark.parametrize("source", [Source.ACKNOWLEDGEMENT_TAG, Source.GRANTS, Source.LAST_USAGE])
    def test_costs_its_own_fact_alone_and_is_told(self, desk: Desk, source: Source) -> None:
        operation = OPERATIONS[source]
        desk.lab.faults.deny(operation=operation)
        key = desk.pending(tags={TAG: "yes"})
        desk.look()
        assert {each for each, error in desk.sources.items() if error} == {source}
        assert "AccessDeniedException" in desk.sources[source]
        known = desk.evidence(key)
        facts = {
            Source.ACKNOWLEDGEMENT_TAG: known.approval_tag or None,
            Source.GRANTS: known.grants,
            Source.LAST_USAGE: known.usage,
            Source.SCHEDULED_BY: known.scheduling,
            Source.DENIED_USES: known.denied_uses,
        }
        assert {each for each, fact in facts.items() if fact is None} == {source}
        assert desk.state.errors == {(operation, "AccessDeniedException"): 1}

    @pytest.mark.parametrize("source", [Source.ACKNOWLEDGEMENT_TAG, Source.GRANTS, Source.LAST_USAGE])
    def test_is_asked_again_after_an_hour(self, desk: Desk, source: Source) -> None:
        fault = desk.lab.faults.deny(operation=OPERATIONS[source])
        desk.pending()
        desk.look()
        desk.lab.faults.remove(fault)
        before = desk.requests(OPERATIONS[source])
        desk.wait(HOUR - 60)
        desk.look()
        assert desk.requests(OPERATIONS[source]) == before
        desk.wait(61)
        desk.look()
        assert desk.sources == dict.fromkeys(Source, "")

    @pytest.mark.parametrize("source", [Source.ACKNOWLEDGEMENT_TAG, Source.GRANTS, Source.LAST_USAGE])
    def test_for_a_reason_that_may_pass_is_asked_again_after_five_minutes(self, desk: Desk, source: Source) -> None:
        fault = desk.lab.faults.internal_error(operation=OPERATIONS[source])
        desk.pending()
        desk.look()
        assert desk.sources[source] != ""
        desk.lab.faults.remove(fault)
        desk.wait(301)
        desk.look()
        assert desk.sources[source] == ""

    @pytest.mark.parametrize("source", [Source.GRANTS, Source.LAST_USAGE])
    def test_for_one_key_alone_is_told_and_the_others_are_answered(self, desk: Desk, source: Source) -> None:
        operation = OPERATIONS[source]
        denied, others = desk.pending(denied=[operation]), [desk.pending() for _ in range(20)]
        desk.look()
        fact = {Source.GRANTS: "grants", Source.LAST_USAGE: "usage"}[source]
        assert getattr(desk.evidence(denied), fact) is None
        assert all(getattr(desk.evidence(key), fact) for key in others)
        assert "AccessDeniedException" in desk.sources[source]

    def test_and_recovers_is_told_once_nothing_stands_in_its_way(self, desk: Desk) -> None:
        denied = desk.pending(denied=["ListGrants"])
        desk.pending()
        desk.look()
        assert desk.sources[Source.GRANTS] != ""
        desk.vault.cancel_deletion(denied.key_id)
        desk.look()
        assert desk.sources[Source.GRANTS] == ""

    def test_is_tried_anew_for_the_next_key_once_none_was_left(self, desk: Desk) -> None:
        fault = desk.lab.faults.deny(operation="ListGrants")
        first = desk.pending()
        desk.look()
        desk.vault.cancel_deletion(first.key_id)
        desk.look()
        assert desk.sources == {}
        desk.lab.faults.remove(fault)
        second = desk.pending()
        desk.look()
        assert desk.evidence(second).grants == Grants(0)

    def test_does_not_raise_and_does_not_cost_the_credentials(self, desk: Desk) -> None:
        key = desk.pending()
        desk.sweep()

        class NoIdentity:
            async def credentials(self) -> Any:
                raise TargetError(desk.target, "GetCredentials", "credentials")

            def refused(self, credentials: Any) -> None:
                assert credentials

        desk.access = type(desk.access)(desk.target, NoIdentity())
        desk.ask()
        assert set(desk.sources) == set(Source)
        assert all("credentials" in error for error in desk.sources.values())
        assert desk.evidence(key) == Evidence()

    def test_because_the_key_is_gone_is_no_failure(self, desk: Desk) -> None:
        key = desk.pending()
        desk.sweep()
        desk.vault.delete(key.key_id)
        desk.ask()
        assert desk.sources[Source.GRANTS] == ""
        assert desk.sources[Source.LAST_USAGE] == ""


class TestWhatIsRemembered:
    def test_is_told_again_when_it_was_lost(self, desk: Desk) -> None:
        key = desk.pending()
        desk.look()
        known = desk.evidence(key)
        state, keys = desk.state, desk.state.keys
        assert keys is not None
        forgetful = TargetState(state.target, keys=Keys(by_id=keys.by_id), sources=state.sources)
        assert desk.investigator.due(forgetful)

        async def again() -> list[Any]:
            return [learned async for learned in desk.investigator.investigate(desk.access, forgetful)]

        before = desk.lab.world.counts.total()
        (learned,) = desk.lab.run(again())
        ((_, told),) = learned.evidence
        assert told == known
        assert desk.lab.world.counts.total() == before

    def test_is_forgotten_with_the_target(self, desk: Desk) -> None:
        desk.pending()
        desk.look()
        desk.investigator.forget({desk.target})
        assert not desk.due
        desk.investigator.forget({Target("444455556666", REGION)})
        assert desk.due

    def test_is_told_of_the_key_as_it_is_now(self, desk: Desk) -> None:
        key = desk.pending()
        desk.look()
        desk.vault.add_alias("alias/renamed", key.key_id)
        desk.wait(HOUR + 1)
        desk.vault.use(key.key_id)
        (learned, *_) = desk.look()
        ((told, _),) = learned.evidence
        assert told.aliases == ("alias/renamed",)

    def test_survives_a_reload_as_far_as_the_settings_allow(self, desk: Desk) -> None:
        key = desk.pending(tags={TAG: "yes"})
        desk.look()
        desk.open(only(grants=True))
        desk.look()
        known = desk.evidence(key)
        assert known == Evidence(usage=known.usage, grants=Grants(0))
        assert known.usage is not None

    def test_a_value_of_another_tag_is_not_taken_for_one_of_the_tag_that_counts_now(self, desk: Desk) -> None:
        key = desk.pending(tags={TAG: "yes"})
        desk.look()
        desk.open(only(acknowledgement_tag="approved"))
        desk.lab.faults.deny(operation="GetResources")
        desk.look()
        assert (desk.evidence(key).approval, desk.evidence(key).approval_tag) == (None, "")


class TestCoverage:
    """When keys that are not pending were last used, asked for slowly."""

    @pytest.fixture
    def desk(self, lab: Lab) -> Desk:
        return Desk(lab, {**QUIET, "keys": {"last_usage": True}})

    def test_asks_about_customer_managed_keys_each_once_a_day(self, desk: Desk) -> None:
        keys = [desk.vault.create_key() for _ in range(20)]
        desk.vault.create_key(alias="alias/aws/s3", manager="AWS")
        desk.vault.use(keys[0].key_id)
        desk.look()
        assert desk.requests("GetKeyLastUsage") == len(keys)
        assert all(desk.evidence(key).usage for key in keys)
        for _ in range(23):
            desk.wait(HOUR)
            desk.look()
        assert desk.requests("GetKeyLastUsage") == len(keys)
        desk.wait(HOUR + 60)
        desk.look()
        assert desk.requests("GetKeyLastUsage") == 2 * len(keys)

    def test_asks_about_pending_keys_by_their_own_setting(self, desk: Desk) -> None:
        key = desk.pending()
        desk.look()
        assert desk.evidence(key).usage is None
        assert desk.requests("GetKeyLastUsage") == 0

    def test_is_told_together(self, desk: Desk) -> None:
        for _ in range(40):
            desk.vault.create_key()
        assert len(desk.look()) == 1

    def test_goes_on_where_time_ran_out(self, desk: Desk) -> None:
        def wait(answer: Any) -> Any:
            desk.lab.monotonic.advance(3)
            return answer

        desk.lab.faults.change(wait, operation="GetKeyLastUsage")
        keys = [desk.vault.create_key() for _ in range(40)]
        desk.look()
        assert 0 < desk.requests("GetKeyLastUsage") < len(keys)
        while desk.due:
            desk.look()
        assert desk.requests("GetKeyLastUsage") == len(keys)
        assert all(desk.evidence(key).usage for key in keys)

    def test_finds_new_keys_within_the_hour(self, desk: Desk) -> None:
        desk.vault.create_key()
        desk.look()
        new = desk.vault.create_key()
        desk.wait(HOUR + 1)
        desk.look()
        assert desk.evidence(new).usage is not None
        assert desk.requests("GetKeyLastUsage") == 2

    def test_leaves_a_region_alone_that_lacks_the_operation(self, desk: Desk) -> None:
        desk.lab.world.rules.missing.add((REGION, "GetKeyLastUsage"))
        for _ in range(40):
            desk.vault.create_key()
        desk.look()
        assert "UnknownOperationException" in desk.sources[Source.LAST_USAGE]
        before = desk.requests("GetKeyLastUsage")
        assert before <= 8
        desk.wait(HOUR - 60)
        desk.look()
        assert desk.requests("GetKeyLastUsage") == before

    def test_passes_over_a_key_that_is_denied(self, desk: Desk) -> None:
        denied, other = desk.vault.create_key(denied=["GetKeyLastUsage"]), desk.vault.create_key()
        desk.look()
        assert desk.evidence(denied).usage is None
        assert desk.evidence(other).usage is not None
        assert desk.sources[Source.LAST_USAGE] == ""
        assert desk.state.errors == {("GetKeyLastUsage", "AccessDeniedException"): 1}

    def test_comes_after_pending_keys(self, lab: Lab) -> None:
        desk = Desk(lab, {**only(last_usage=True), "keys": {"last_usage": True}})
        for _ in range(30):
            desk.vault.create_key()
        key = desk.pending()
        order: list[str] = []

        def note(answer: Any) -> Any:
            order.append(answer["KeyId"])
            return answer

        lab.faults.change(note, operation="GetKeyLastUsage")
        desk.look()
        assert len(order) == 31
        assert key.key_id in order[0]


def test_a_state_that_holds_everything_owes_nothing(desk: Desk) -> None:
    """Another process's evidence, as after a restart of the inquiry alone, is asked for anew but not told anew."""
    key = Key("abc", "arn:aws:kms:eu-west-1:111122223333:key/abc", "Enabled")
    usage = Evidence(usage=Usage(UsageCase.NEVER))
    state = TargetState(desk.target, keys=Keys(by_id=frozen({"abc": key}), evidence=frozen({"abc": usage})))
    assert not desk.investigator.due(state)
