"""What a look is judged to mean: which deletions fail, what could not be checked, and the exit status."""

from typing import Any

import pytest

from exporter.findings.judging import report_of
from exporter.findings.report import GapKind, Report, Status, Verdict
from exporter.model import (
    Deletion,
    DeniedUses,
    Evidence,
    Grants,
    Key,
    Scheduling,
    Source,
    TargetState,
    Usage,
    UsageCase,
)
from exporter.oneshot import Scope
from exporter.settings import Settings
from tests.support.looks import HERE, THERE, a_key, a_look, a_state
from tests.support.snapshots import DAY, NOW

LONG_AGO = Usage(UsageCase.USED, last_used_at=NOW - 300 * DAY)
LATELY = Usage(UsageCase.USED, last_used_at=NOW - DAY)
APPROVED = {"deletions": {"acknowledgements": [{"key": "abc", "reason": "retired"}]}}


def report(*states: TargetState, settings: dict[str, Any] | None = None, **look: Any) -> Report:
    fail_within = look.pop("fail_within", float("inf"))
    return report_of(a_look(*states, **look), Settings.model_validate(settings or {}), fail_within=fail_within)


def test_without_a_pending_key_everything_is_clear() -> None:
    told = report(a_state(a_key(left=None)))
    assert (told.status, told.findings, told.gaps) == (Status.CLEAR, (), ())


def test_a_pending_key_that_nobody_acknowledged_fails() -> None:
    told = report(a_state(a_key()))
    assert (told.status, told.findings[0].verdict) == (Status.PENDING, Verdict.FAILS)


def test_an_acknowledged_one_is_listed_and_does_not() -> None:
    told = report(a_state(a_key(), evidence={"abc": Evidence(usage=LONG_AGO)}), settings=APPROVED)
    assert (told.status, told.findings[0].verdict) == (Status.CLEAR, Verdict.ACKNOWLEDGED)


@pytest.mark.parametrize("evidence", [Evidence(usage=LATELY), Evidence(denied_uses=DeniedUses(3))])
def test_an_acknowledgement_that_a_use_contradicts_counts_as_none(evidence: Evidence) -> None:
    told = report(a_state(a_key(), evidence={"abc": evidence}), settings=APPROVED)
    assert (told.status, told.findings[0].verdict, told.contradicted) == (Status.PENDING, Verdict.FAILS, 1)


def test_one_that_has_expired_does_too() -> None:
    expired = {"deletions": {"acknowledgements": [{"key": "abc", "reason": "retired", "until": "2020-01-31"}]}}
    assert report(a_state(a_key()), settings=expired).status is Status.PENDING


@pytest.mark.parametrize(
    ("left", "verdict", "status"),
    [
        (6 * DAY, Verdict.FAILS, Status.PENDING),
        (7 * DAY, Verdict.FAILS, Status.PENDING),
        (8 * DAY, Verdict.LATER, Status.CLEAR),
        (-DAY, Verdict.FAILS, Status.PENDING),
    ],
)
def test_only_deletions_due_in_time_fail(left: float, verdict: Verdict, status: Status) -> None:
    told = report(a_state(a_key(left=left)), fail_within=7 * DAY)
    assert (told.findings[0].verdict, told.status) == (verdict, status)


@pytest.mark.parametrize(("window", "verdict"), [(7 * DAY, Verdict.FAILS), (30 * DAY, Verdict.LATER)])
def test_a_primary_that_waits_for_replicas_may_start_its_window_now(window: float, verdict: Verdict) -> None:
    waiting = Key("mrk-1", a_key().arn, "PendingReplicaDeletion", deletion=Deletion(window=window))
    assert report(a_state(waiting), fail_within=7 * DAY).findings[0].verdict is verdict


def test_a_pending_key_without_any_date_fails_within_any_time() -> None:
    undated = Key("abc", a_key().arn, "PendingDeletion")
    assert report(a_state(undated), fail_within=DAY).findings[0].verdict is Verdict.FAILS


def test_what_fails_comes_first_and_then_what_is_due_first() -> None:
    keys = [a_key("calm", left=DAY), a_key("late", left=20 * DAY), a_key("soon", left=2 * DAY)]
    settings = {"deletions": {"acknowledgements": [{"key": "calm", "reason": "retired"}]}}
    assert [found.facts.key.key_id for found in report(a_state(*keys), settings=settings).findings] == [
        "soon",
        "late",
        "calm",
    ]


class TestWhatCouldNotBeChecked:
    """Each of these is status 2, whatever was found elsewhere."""

    def only_gap(self, told: Report) -> tuple[GapKind, str, str, str, str]:
        assert told.status is Status.UNCHECKED
        (gap,) = told.gaps
        return gap.kind, gap.account_id, gap.region, gap.key_id, gap.reason

    def test_a_key(self) -> None:
        told = report(a_state(unreadable={"k": "AccessDeniedException"}))
        assert self.only_gap(told) == (GapKind.KEY, *HERE_PARTS, "k", "AccessDeniedException")
        assert not told.targets[0].complete

    def test_a_target(self) -> None:
        told = report(a_state(up=False, keys=None, last_success=None, last_error="ListKeys: timeout"))
        assert self.only_gap(told) == (GapKind.TARGET, *HERE_PARTS, "", "ListKeys: timeout")
        assert (told.targets[0].complete, told.targets[0].keys, told.targets[0].checked_at) == (False, None, None)

    def test_a_target_that_was_never_reached(self) -> None:
        assert self.only_gap(report(TargetState(HERE)))[0] is GapKind.TARGET

    def test_an_account(self) -> None:
        told = report(a_state(), account_errors={THERE.account_id: "AssumeRole: AccessDenied"})
        assert self.only_gap(told) == (GapKind.ACCOUNT, THERE.account_id, "", "", "AssumeRole: AccessDenied")
        assert [(account.account_id, account.role_arn) for account in told.accounts] == [
            (HERE.account_id, ""),
            (THERE.account_id, None),
        ]

    def test_the_home_account_while_nobody_knows_its_id(self) -> None:
        told = report(account_errors={"home": "GetCredentials: credentials"})
        assert self.only_gap(told) == (GapKind.ACCOUNT, "", "", "", "GetCredentials: credentials")

    def test_the_organization(self) -> None:
        told = report(a_state(), organization_error="ListAccounts: AccessDenied")
        assert self.only_gap(told)[0] is GapKind.ORGANIZATION

    def test_whose_credentials_these_are(self) -> None:
        told = report(a_state(), caller=None, caller_error="GetCallerIdentity: timeout")
        assert self.only_gap(told)[0] is GapKind.IDENTITY

    def test_an_account_that_was_asked_for_and_is_not_watched(self) -> None:
        told = report(a_state(), scope=Scope(accounts=frozenset({HERE.account_id, "999999999999"})))
        assert self.only_gap(told)[:2] == (GapKind.SELECTION, "999999999999")

    def test_a_region_that_was_asked_for_and_is_not_watched(self) -> None:
        told = report(a_state(), scope=Scope(regions=frozenset({HERE.region, "eu-wset-1"})))
        assert self.only_gap(told)[2] == "eu-wset-1"

    def test_anything_where_nothing_is_watched(self) -> None:
        assert self.only_gap(report())[0] is GapKind.SELECTION

    def test_it_is_not_hidden_by_what_fails(self) -> None:
        told = report(a_state(a_key()), a_state(target=THERE, unreadable={"k": "timeout"}))
        assert told.status is Status.UNCHECKED
        assert told.count(Verdict.FAILS) == 1


HERE_PARTS = (HERE.account_id, HERE.region)


def test_accounts_that_were_asked_for_and_found_do_not_need_the_organization() -> None:
    scope = Scope(accounts=frozenset({HERE.account_id}))
    assert report(a_state(), scope=scope, organization_error="ListAccounts: AccessDenied").status is Status.CLEAR


def test_evidence_that_nobody_gave_is_told_with_its_reason_and_is_no_gap() -> None:
    evidence = Evidence(grants=Grants(0), scheduling=Scheduling(NOW, by="alice"), approval_tag="approved")
    told = report(
        a_state(a_key(), evidence={"abc": evidence}, sources={Source.LAST_USAGE: "AccessDenied", Source.GRANTS: "x"}),
        settings={"changes": {"cloudtrail": False}},
    )
    assert told.findings[0].missing == {
        Source.LAST_USAGE: "AccessDenied",
        Source.DENIED_USES: "switched off in the configuration",
    }
    assert told.gaps == ()


def test_evidence_that_did_not_come_in_time_is_told_too() -> None:
    assert set(report(a_state(a_key())).findings[0].missing) == set(Source)
    assert set(report(a_state(a_key())).findings[0].missing.values()) == {"not answered in time"}


def test_a_hidden_principal_is_told_to_be_hidden() -> None:
    evidence = {"abc": Evidence(scheduling=Scheduling(NOW))}
    told = report(a_state(a_key(), evidence=evidence), settings={"deletions": {"scheduled_by": False}})
    assert told.findings[0].missing[Source.SCHEDULED_BY] == "hidden by deletions.scheduled_by"


class TestAcknowledgementsThatMatchNothing:
    TYPO = {"deletions": {"acknowledgements": [{"key": "alias/typo", "reason": "retired"}]}}  # noqa: RUF012

    def test_they_are_told(self) -> None:
        assert report(a_state(a_key()), settings=self.TYPO).unmatched == ("alias/typo",)

    def test_nobody_knows_where_only_a_part_was_looked_at(self) -> None:
        scope = Scope(regions=frozenset({HERE.region}))
        assert report(a_state(a_key()), settings=self.TYPO, scope=scope).unmatched is None

    def test_nobody_knows_where_an_account_could_not_be_entered(self) -> None:
        errors = {THERE.account_id: "AssumeRole: AccessDenied"}
        assert report(a_state(a_key()), settings=self.TYPO, account_errors=errors).unmatched is None
