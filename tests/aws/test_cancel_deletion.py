"""Saving keys on an emulated AWS: what each state takes, what goes wrong on the way, and what is on record then."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from exporter.acknowledgements import Acknowledgements
from exporter.aws.caller import who_am_i
from exporter.demo.keys import CustomKeyStore, Key
from exporter.demo.world import World
from exporter.errors import ConfigError
from exporter.findings.judging import report_of
from exporter.log import Log
from exporter.oneshot import Scope, look_once, narrowed
from exporter.remediation.doors import Doors, any_account
from exporter.remediation.journal import Journal
from exporter.remediation.names import read_name
from exporter.remediation.plan import Action, Plan, Step
from exporter.remediation.planning import Planner
from exporter.remediation.record import Unfinished
from exporter.remediation.rescue import Rescue
from exporter.remediation.results import Change, Outcome, Result
from tests.aws.harness import REGION, Lab, OpenLab, watching

HOME, MEMBER = "111122223333", "222233334444"
VIRGINIA = "us-east-1"
HURRY = 5.0
CALLER = f"arn:aws:iam::{HOME}:user/kms-exporter"


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.results: list[Result] = []
        self.on_change: Callable[[], None] = lambda: None

    def changed(self, step: Step, change: Change) -> None:
        assert step.arn
        self.changes.append(change.operation)
        self.on_change()

    def ended(self, result: Result) -> None:
        self.results.append(result)


class Operator:
    """Somebody with credentials of the home account, at an emulated AWS."""

    def __init__(
        self,
        lab: Lab,
        *,
        enable: bool = True,
        role_name: str = "",
        ours: tuple[Key, ...] = (),
        patience: float = 600.0,
        **aws: Any,
    ) -> None:
        self.lab = lab
        self.written: list[dict[str, Any]] = []
        self.heard = Heard()
        self.connection = lab.connect(watching(**aws))
        calls, home = self.connection.calls, self.connection.home
        self.caller = lab.run(who_am_i(calls, home))
        self.planner = Planner(
            calls=calls,
            investigator=self.connection.investigator,
            doors=Doors(
                calls=calls,
                home=home,
                caller=self.caller,
                role_of=any_account(role_name, self.caller.partition),
                now=lab.world.agenda.time,
            ),
            acknowledgements=Acknowledgements(),
            unfinished={key.arn: Unfinished(key.arn, key.account_id, key.region, key.key_id) for key in ours},
            enable=enable,
            now=lab.world.agenda.time,
        )
        self.journal = Journal(
            sink=self, caller=self.caller.arn, reason="a mistake", ticket="INC-1", now=lab.world.agenda.time
        )
        self.rescue = Rescue(calls=calls, journal=self.journal, listener=self.heard, patience=patience)

    def append(self, entry: dict[str, Any]) -> None:
        self.written.append(entry)

    def plan(self, *names: str, region: str = REGION) -> Plan:
        return self.lab.run(self.planner.of_names([read_name(name) for name in names], region))

    def carry_out(self, plan: Plan) -> list[Result]:
        return self.lab.run(self.rescue.run(plan.to_change))

    def save(self, key: Key) -> Result:
        (result,) = self.carry_out(self.plan(key.arn))
        return result

    def events(self) -> list[str]:
        return [entry["event"] for entry in self.written]


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A home account with two regions, and a member account with a role; its clock hurries."""
    return open_lab(two_accounts(), hurry=HURRY)


@pytest.fixture
def unhurried(open_lab: OpenLab) -> Lab:
    """The same on a clock like ours, which leaves the time that a plan takes for evidence."""
    return open_lab(two_accounts())


@pytest.fixture
def key(lab: Lab) -> Key:
    """A key that is pending deletion."""
    return pending(lab)


def two_accounts() -> World:
    world = World(home_regions=[REGION, VIRGINIA])
    world.add_account(MEMBER, "payments", [REGION])
    world.add_role(MEMBER, "Rescuer")
    return world


def pending(lab: Lab, account_id: str = HOME, region: str = REGION, **about: Any) -> Key:
    vault = lab.world.vault(account_id, region)
    key = vault.create_key(**about)
    if key.state == "PendingImport":
        vault.import_material(key.key_id)
    return vault.schedule_deletion(key.key_id, 10)


def changes(lab: Lab) -> int:
    return sum(lab.world.counts.total(operation) for operation in ("CancelKeyDeletion", "EnableKey"))


class TestPlan:
    def test_a_key_is_found_by_arn_by_id_and_by_alias(self, lab: Lab) -> None:
        key = pending(lab, alias="alias/ledger")
        for name in (key.arn, key.key_id, "alias/ledger", key.arn.replace(f"key/{key.key_id}", "alias/ledger")):
            (step,) = Operator(lab).plan(name).steps
            assert (step.arn, step.action, step.facts.key.aliases) == (key.arn, Action.SAVE, ("alias/ledger",))

    def test_a_key_that_is_named_twice_is_saved_once(self, lab: Lab) -> None:
        key = pending(lab, alias="alias/ledger")
        assert len(Operator(lab).plan(key.key_id, "alias/ledger").steps) == 1

    def test_what_is_deleted_first_comes_first(self, lab: Lab, key: Key) -> None:
        sooner = lab.world.vault(HOME, VIRGINIA).create_key()
        lab.world.vault(HOME, VIRGINIA).schedule_deletion(sooner.key_id, 7)
        assert [step.arn for step in Operator(lab).plan(key.arn, sooner.arn).steps] == [sooner.arn, key.arn]

    def test_who_scheduled_it_and_who_would_miss_it_is_known_before_anything_is_done(self, unhurried: Lab) -> None:
        key = pending(unhurried)
        unhurried.world.vault(HOME, REGION).use(key.key_id, "Decrypt")
        (step,) = Operator(unhurried).plan(key.arn).steps
        assert step.facts.scheduled_by == "Administrator/alice"
        assert step.facts.evidence.scheduling is not None
        assert step.facts.evidence.scheduling.event_id
        assert step.facts.denied_uses == 1

    def test_sources_that_are_denied_cost_their_facts_alone(self, unhurried: Lab) -> None:
        key = pending(unhurried)
        for operation in ("LookupEvents", "GetKeyLastUsage", "ListGrants", "ListAliases"):
            unhurried.faults.deny(operation=operation)
        (step,) = Operator(unhurried).plan(key.arn).steps
        assert step.action is Action.SAVE
        assert step.facts.scheduled_by == ""
        assert len(step.facts.unknown) == 4

    def test_a_plan_changes_nothing(self, lab: Lab, key: Key) -> None:
        Operator(lab).plan(key.arn)
        assert changes(lab) == 0
        assert key.pending

    @pytest.mark.parametrize("state", ["Enabled", "Disabled"])
    def test_a_key_that_is_not_pending_needs_nothing(self, lab: Lab, state: str) -> None:
        key = lab.world.vault(HOME, REGION).create_key(state=state)
        (step,) = Operator(lab).plan(key.arn).steps
        assert step.action is Action.NOTHING

    def test_a_disabled_key_that_an_earlier_run_cancelled_is_enabled(self, lab: Lab) -> None:
        key = lab.world.vault(HOME, REGION).create_key(state="Disabled")
        operator = Operator(lab, ours=(key,))
        assert operator.save(key).outcome is Outcome.SAVED
        assert operator.events() == ["enabled", "verified"]

    def test_it_stays_disabled_where_no_key_is_to_be_enabled(self, lab: Lab) -> None:
        key = lab.world.vault(HOME, REGION).create_key(state="Disabled")
        (step,) = Operator(lab, ours=(key,), enable=False).plan(key.arn).steps
        assert step.action is Action.NOTHING

    def test_the_other_keys_of_a_multi_region_key_that_are_pending_are_told(self, lab: Lab) -> None:
        primary = lab.world.vault(HOME, REGION).create_key(multi_region=True)
        replica = lab.world.replicate(primary, VIRGINIA)
        lab.world.vault(HOME, VIRGINIA).schedule_deletion(replica.key_id)
        lab.world.vault(HOME, REGION).schedule_deletion(primary.key_id)
        operator = Operator(lab)
        alone = operator.plan(primary.arn)
        assert [relative.arn for _, relative in alone.others_pending] == [replica.arn]
        assert [relative.arn for _, relative in operator.plan(replica.arn).others_pending] == [primary.arn]
        assert not operator.plan(primary.arn, replica.arn).others_pending

    def test_one_that_can_not_be_looked_at_is_told_too(self, lab: Lab) -> None:
        primary = lab.world.vault(HOME, REGION).create_key(multi_region=True)
        replica = lab.world.replicate(primary, VIRGINIA)
        lab.world.vault(HOME, REGION).schedule_deletion(primary.key_id)
        lab.faults.deny(operation="DescribeKey", region=VIRGINIA)
        ((_, relative),) = Operator(lab).plan(primary.arn).others_pending
        assert (relative.arn, relative.key) == (replica.arn, None)
        assert "AccessDeniedException" in relative.error


class TestRefusals:
    def test_a_line_for_each_name_that_means_no_key(self, lab: Lab, key: Key) -> None:
        gone = "00000000-1111-4222-8333-444444444444"
        with pytest.raises(ConfigError) as raised:
            Operator(lab).plan(key.arn, gone, "alias/none")
        first, second = str(raised.value).splitlines()
        assert first.startswith(f'KEY: "{gone}" (command line) can\'t be described: DescribeKey')
        assert "NotFoundException" in first
        assert '"alias/none"' in second

    def test_an_arn_of_another_account_takes_a_role(self, lab: Lab) -> None:
        key = pending(lab, MEMBER)
        with pytest.raises(ConfigError, match=f"another account than these credentials, {HOME}; .*--role-name"):
            Operator(lab).plan(key.arn)

    def test_an_arn_of_another_partition_is_refused(self, lab: Lab, key: Key) -> None:
        with pytest.raises(ConfigError, match="not in the partition of these credentials, aws"):
            Operator(lab).plan(key.arn.replace("arn:aws:", "arn:aws-cn:").replace(REGION, "cn-north-1"))

    def test_an_id_takes_a_region(self, lab: Lab, key: Key) -> None:
        with pytest.raises(ConfigError, match="names no region, nor does the AWS configuration"):
            Operator(lab).plan(key.key_id, region="")

    def test_an_aws_managed_key_is_refused(self, lab: Lab) -> None:
        key = lab.world.vault(HOME, REGION).create_key(manager="AWS")
        with pytest.raises(ConfigError, match="is an AWS managed key"):
            Operator(lab).plan(key.arn)

    def test_a_role_that_can_not_be_assumed_is_told(self, lab: Lab) -> None:
        key = pending(lab, MEMBER)
        with pytest.raises(ConfigError, match=r"AssumeRole .* AccessDenied"):
            Operator(lab, role_name="Nobody").plan(key.arn)


class TestRescue:
    def test_it_cancels_enables_and_looks_twice(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab)
        plan = operator.plan(key.arn)
        lab.world.counts.clear()
        (result,) = operator.carry_out(plan)
        assert result.outcome is Outcome.SAVED
        assert result.after is not None
        assert (result.after.state, key.state) == ("Enabled", "Enabled")
        sent = {name: lab.world.counts.total(name) for name in ("CancelKeyDeletion", "EnableKey", "DescribeKey")}
        assert sent == {"CancelKeyDeletion": 1, "EnableKey": 1, "DescribeKey": 3}

    def test_everything_is_on_record(self, unhurried: Lab) -> None:
        key = pending(unhurried)
        operator = Operator(unhurried)
        plan = operator.plan(key.arn)
        operator.journal.started(plan)
        results = operator.carry_out(plan)
        operator.journal.finished(results)
        assert operator.events() == [
            "started", "planned", "cancelling", "cancelled", "enabled", "verified", "finished",
        ]  # fmt: skip
        cancelled, verified = operator.written[3], operator.written[5]
        assert (cancelled["by"], cancelled["reason"], cancelled["ticket"]) == (CALLER, "a mistake", "INC-1")
        assert cancelled["key"]["arn"] == key.arn
        assert cancelled["before"]["state"] == "PendingDeletion"
        assert verified["after"] == {"state": "Enabled", "deletion_date": None}
        (told,) = trail(unhurried, "CancelKeyDeletion")
        (scheduled,) = trail(unhurried, "ScheduleKeyDeletion")
        assert cancelled["request"] == {"operation": "CancelKeyDeletion", "request_id": told.request_id}
        assert cancelled["scheduling"]["event_id"] == scheduled.event_id

    def test_it_leaves_keys_disabled_where_that_is_asked_for(self, lab: Lab, key: Key) -> None:
        result = Operator(lab, enable=False).save(key)
        assert (result.outcome, key.state) == (Outcome.LEFT_DISABLED, "Disabled")
        assert lab.world.counts.total("EnableKey") == 0

    def test_a_primary_that_waits_for_its_replicas_is_saved(self, lab: Lab) -> None:
        primary = lab.world.vault(HOME, REGION).create_key(multi_region=True)
        lab.world.replicate(primary, VIRGINIA)
        lab.world.vault(HOME, REGION).schedule_deletion(primary.key_id)
        assert primary.state == "PendingReplicaDeletion"
        result = Operator(lab).save(primary)
        assert (result.outcome, primary.state) == (Outcome.SAVED, "Enabled")

    def test_a_key_of_another_account_is_saved_through_a_role_whose_session_names_the_caller(self, lab: Lab) -> None:
        key = pending(lab, MEMBER)
        operator = Operator(lab, role_name="Rescuer")
        assert operator.save(key).outcome is Outcome.SAVED
        assert {entry["through"] for entry in operator.written} == {f"arn:aws:iam::{MEMBER}:role/Rescuer"}
        (event,) = trail(lab, "CancelKeyDeletion", MEMBER)
        assert event.deed.by is not None
        assert event.deed.by.session == "kms-exporter-kms-exporter"

    def test_imported_material_that_is_gone_is_said(self, lab: Lab) -> None:
        vault = lab.world.vault(HOME, REGION)
        key = vault.create_key(origin="EXTERNAL")
        vault.schedule_deletion(key.key_id)
        result = Operator(lab).save(key)
        assert (result.outcome, key.state) == (Outcome.NEEDS_MATERIAL, "PendingImport")
        assert lab.world.counts.total("EnableKey") == 0

    def test_imported_material_that_is_there_is_no_hindrance(self, lab: Lab) -> None:
        assert Operator(lab).save(pending(lab, origin="EXTERNAL")).outcome is Outcome.SAVED

    def test_a_key_of_a_disconnected_key_store_stays_unavailable(self, lab: Lab) -> None:
        key = pending(lab, origin="AWS_CLOUDHSM", store=CustomKeyStore("cks-1"))
        lab.faults.change(disconnected, operation="DescribeKey")
        operator = Operator(lab)
        assert operator.save(key).outcome is Outcome.UNAVAILABLE
        assert operator.events() == ["cancelling", "cancelled", "enabled", "failed"]


class TestTrouble:
    def test_cancelled_but_not_enabled_is_an_outcome_of_its_own(self, lab: Lab, key: Key) -> None:
        lab.faults.deny(operation="EnableKey")
        operator = Operator(lab)
        result = operator.save(key)
        assert (result.outcome, key.state) == (Outcome.NOT_ENABLED, "Disabled")
        assert "AccessDeniedException" in result.detail
        assert [change.operation for change in result.changes] == ["CancelKeyDeletion"]
        assert operator.events() == ["cancelling", "cancelled", "failed"]
        assert operator.written[-1]["outcome"] == "not_enabled"
        assert lab.world.counts.total("EnableKey") == 1, "no time heals a denial"

    def test_a_key_that_may_not_be_cancelled_is_still_pending(self, lab: Lab, key: Key) -> None:
        lab.faults.deny(operation="CancelKeyDeletion")
        operator = Operator(lab)
        result = operator.save(key)
        assert (result.outcome, key.pending) == (Outcome.STILL_PENDING, True)
        assert operator.events() == ["cancelling", "failed"]
        assert lab.world.counts.total("EnableKey") == 0

    def test_a_key_that_vanishes_in_between_is_lost(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab)
        plan = operator.plan(key.arn)
        lab.world.vault(HOME, REGION).delete(key.key_id)
        (result,) = operator.carry_out(plan)
        assert result.outcome is Outcome.GONE

    def test_a_key_that_somebody_else_cancels_in_between_is_enabled_all_the_same(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab)
        plan = operator.plan(key.arn)
        lab.world.vault(HOME, REGION).cancel_deletion(key.key_id)
        (result,) = operator.carry_out(plan)
        assert (result.outcome, key.state) == (Outcome.SAVED, "Enabled")
        (cancelled,) = [entry for entry in operator.written if entry["event"] == "cancelled"]
        assert cancelled["request"]["request_id"] is None
        assert "KMSInvalidStateException" in cancelled["detail"]

    def test_a_cancellation_whose_answer_is_lost_is_found_by_looking(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab, read_timeout=0.5)
        plan = operator.plan(key.arn)
        lab.faults.hang_after_headers(operation="CancelKeyDeletion", times=1)
        (result,) = operator.carry_out(plan)
        assert (result.outcome, key.state) == (Outcome.SAVED, "Enabled")
        assert lab.world.counts.refused("KMSInvalidStateException") == 1, "the second attempt came too late"

    @pytest.mark.parametrize("operation", ["CancelKeyDeletion", "EnableKey", "DescribeKey"])
    def test_throttling_is_waited_out(self, lab: Lab, key: Key, operation: str) -> None:
        operator = Operator(lab)
        plan = operator.plan(key.arn)
        lab.faults.throttle(operation=operation, times=5)
        (result,) = operator.carry_out(plan)
        assert result.outcome is Outcome.SAVED

    def test_a_change_that_shows_late_is_waited_for(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab)
        plan = operator.plan(key.arn)
        lab.faults.refuse("KMSInvalidStateException", operation="EnableKey", times=2)
        lab.faults.change(shown_as("PendingDeletion"), operation="DescribeKey", times=3)
        (result,) = operator.carry_out(plan)
        assert result.outcome is Outcome.SAVED

    def test_a_state_that_does_not_hold_is_not_taken_for_verified(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab)
        plan = operator.plan(key.arn)
        lab.faults.change(shown_in_turn("Disabled", "Enabled", "Disabled", "Enabled"), operation="DescribeKey", times=4)
        lab.world.counts.clear()
        (result,) = operator.carry_out(plan)
        assert result.outcome is Outcome.SAVED
        assert lab.world.counts.total("DescribeKey") == 5

    def test_a_change_that_never_shows_is_not_waited_for_for_ever(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab, patience=30.0)
        plan = operator.plan(key.arn)
        lab.faults.change(shown_as("Disabled"), operation="DescribeKey")
        (result,) = operator.carry_out(plan)
        assert result.outcome is Outcome.NOT_ENABLED
        assert "does not show after 30 s" in result.detail

    def test_when_nobody_answers_any_more_that_is_said(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab)
        plan = operator.plan(key.arn)
        lab.faults.deny(operation="DescribeKey")
        (result,) = operator.carry_out(plan)
        assert result.outcome is Outcome.UNKNOWN
        assert [change.operation for change in result.changes] == ["CancelKeyDeletion"]

    def test_one_key_that_fails_stops_no_other(self, lab: Lab) -> None:
        keys = [pending(lab) for _ in range(10)]
        lab.world.vault(HOME, REGION).keys[keys[3].key_id].denied = frozenset({"CancelKeyDeletion"})
        operator = Operator(lab)
        results = operator.carry_out(operator.plan(*(key.arn for key in keys)))
        assert sorted(result.outcome for result in results) == [Outcome.SAVED] * 9 + [Outcome.STILL_PENDING]
        assert len(operator.heard.results) == 10

    def test_many_keys_are_saved_within_the_quotas(self, lab: Lab) -> None:
        keys = [pending(lab, region=region) for region in (REGION, VIRGINIA) for _ in range(20)]
        operator = Operator(lab)
        plan = operator.plan(*(key.arn for key in keys))
        lab.faults.set_quota("kms", "CancelKeyDeletion", 5 * HURRY)
        lab.faults.set_quota("kms", "EnableKey", 5 * HURRY)
        started = lab.deadline(0)
        results = operator.carry_out(plan)
        assert {result.outcome for result in results} == {Outcome.SAVED}
        assert lab.deadline(0) - started >= 19 / 5, "faster than five a second"


class TestEverything:
    def plan(self, lab: Lab, scope: Scope, *ours: Key) -> Plan:
        """Plan for everything in a scope, `ours` being what an earlier run cancelled and did not enable."""
        operator = Operator(lab, ours=ours)
        settings = watching()
        look = look_once(
            lab.connect(narrowed(settings, scope)),
            scope,
            concurrency=settings.refresh.concurrency,
            log=Log(logging.Logger("look")),  # noqa: LOG001 - belongs to this look alone
            now=lab.world.agenda.time,
            monotonic=lab.monotonic,
        )
        return lab.run(operator.planner.of_report(report_of(lab.run(look), settings), scope))

    def test_what_an_earlier_run_cancelled_is_enabled_beside_what_is_pending(self, lab: Lab, key: Key) -> None:
        left, done = (lab.world.vault(HOME, VIRGINIA).create_key(state=state) for state in ("Disabled", "Enabled"))
        plan = self.plan(lab, Scope(), left, done)
        assert {step.arn: step.action for step in plan.steps} == {key.arn: Action.SAVE, left.arn: Action.ENABLE}

    def test_the_scope_holds_for_both(self, lab: Lab, key: Key) -> None:
        left = lab.world.vault(HOME, VIRGINIA).create_key(state="Disabled")
        assert [step.arn for step in self.plan(lab, Scope(regions=frozenset({REGION})), left).steps] == [key.arn]
        assert [step.arn for step in self.plan(lab, Scope(regions=frozenset({VIRGINIA})), left).steps] == [left.arn]

    def test_one_that_can_not_be_looked_at_again_is_told(self, lab: Lab) -> None:
        left = lab.world.vault(HOME, REGION).create_key(state="Disabled", denied={"DescribeKey"})
        plan = self.plan(lab, Scope(), left)
        assert plan.steps == ()
        assert any(left.arn in gap and "AccessDeniedException" in gap for gap in plan.unchecked)


class TestStopping:
    def test_keys_under_way_are_finished_and_no_other_is_begun(self, lab: Lab) -> None:
        keys = [pending(lab) for _ in range(60)]
        operator = Operator(lab)
        plan = operator.plan(*(key.arn for key in keys))
        operator.heard.on_change = lambda: operator.heard.changes == ["CancelKeyDeletion"] and operator.rescue.stop()
        results = operator.carry_out(plan)
        outcomes = {outcome: [r.outcome for r in results].count(outcome) for outcome in Outcome}
        assert outcomes[Outcome.SAVED] + outcomes[Outcome.NOT_REACHED] == 60
        assert outcomes[Outcome.SAVED] > 0
        assert outcomes[Outcome.NOT_REACHED] > 0
        assert sum(key.pending for key in keys) == outcomes[Outcome.NOT_REACHED]
        assert not any(key.state == "Disabled" for key in keys)

    def test_the_second_time_they_are_given_up_and_it_is_on_record_how_far_they_came(self, lab: Lab, key: Key) -> None:
        operator = Operator(lab)
        plan = operator.plan(key.arn)
        lab.faults.hang(operation="EnableKey")

        def stop_twice() -> None:
            operator.rescue.stop()
            operator.rescue.stop()

        operator.heard.on_change = stop_twice
        (result,) = operator.carry_out(plan)
        assert (result.outcome, key.state) == (Outcome.INTERRUPTED, "Disabled")
        assert operator.events() == ["cancelling", "cancelled", "failed"]


def trail(lab: Lab, name: str, account_id: str = HOME, region: str = REGION) -> list[Any]:
    return [event for event in lab.world.vault(account_id, region).trail.newest_first() if event.deed.name == name]


def shown_as(state: str) -> Callable[[Any], Any]:
    return lambda answer: {"KeyMetadata": {**answer["KeyMetadata"], "KeyState": state}}


def shown_in_turn(*states: str) -> Callable[[Any], Any]:
    following = iter(states)

    def change(answer: Any) -> Any:
        return shown_as(next(following))(answer)

    return change


def disconnected(answer: Any) -> Any:
    state = answer["KeyMetadata"]["KeyState"]
    return answer if state == "PendingDeletion" else shown_as("Unavailable")(answer)
