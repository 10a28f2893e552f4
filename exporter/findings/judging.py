"""From what a look found to what a report tells: what fails, what could not be checked, what is not known."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Final

import exporter
from exporter.acknowledgements import Acknowledgements
from exporter.facts import Facts, pending_facts
from exporter.findings.report import (
    CheckedAccount,
    CheckedTarget,
    Finding,
    Gap,
    GapKind,
    Report,
    Verdict,
    due_at,
)
from exporter.model import HOME, Source, TargetState, frozen
from exporter.oneshot import Look

if TYPE_CHECKING:
    from exporter.settings import Settings

NOT_ASKED: Final = "not answered in time"
SWITCHED_OFF: Final = "switched off in the configuration"
HIDDEN: Final = "hidden by deletions.scheduled_by"


def report_of(look: Look, settings: "Settings", *, fail_within: float = inf) -> Report:
    """Judge what a look found."""
    snapshot = look.snapshot
    acknowledgements = Acknowledgements.of(settings)
    findings = [
        Finding(facts, _verdict(facts, fail_within), _missing(facts, settings))
        for facts in pending_facts(snapshot, acknowledgements, look.ended)
    ]
    # A rule may be about a key of an account that was left out or could not be entered.
    judged = look.scope.whole and not snapshot.account_errors and not look.organization_error
    unmatched = tuple(map(str, acknowledgements.unmatched(snapshot))) if judged else None
    return Report(
        caller=look.caller,
        version=exporter.__version__,
        started=look.started,
        ended=look.ended,
        scope=look.scope,
        fail_within=fail_within,
        principals=settings.deletions.scheduled_by,
        accounts=tuple(_accounts(look)),
        targets=tuple(map(_target, snapshot.targets)),
        gaps=tuple(_gaps(look)),
        findings=tuple(sorted(findings, key=lambda finding: finding.urgency)),
        unmatched=unmatched,
    )


def _verdict(facts: Facts, fail_within: float) -> Verdict:
    if facts.calm:
        return Verdict.ACKNOWLEDGED
    return Verdict.FAILS if due_at(facts) - facts.now <= fail_within else Verdict.LATER


def _missing(facts: Facts, settings: "Settings") -> Mapping[Source, str]:
    """Return what is not known about a key, and why."""
    evidence, deletions, cloudtrail = facts.evidence, settings.deletions, settings.changes.cloudtrail
    known_and_wanted = {
        Source.SCHEDULED_BY: (evidence.scheduling is not None or evidence.scheduling_looked_up, cloudtrail),
        Source.LAST_USAGE: (evidence.usage is not None, deletions.last_usage),
        Source.GRANTS: (evidence.grants is not None, deletions.grants),
        Source.DENIED_USES: (facts.denied_uses is not None, cloudtrail),
        Source.ACKNOWLEDGEMENT_TAG: (bool(evidence.approval_tag), bool(deletions.acknowledgement_tag)),
    }
    missing = {
        source: (facts.sources.get(source) or NOT_ASKED) if wanted else SWITCHED_OFF
        for source, (known, wanted) in known_and_wanted.items()
        if not known
    }
    if evidence.scheduling is not None and not deletions.scheduled_by:
        missing[Source.SCHEDULED_BY] = HIDDEN
    return frozen(missing)


def _accounts(look: Look) -> Iterator[CheckedAccount]:
    errors = look.snapshot.account_errors
    names = {state.target.account_id: state.account_name for state in look.snapshot.targets}
    for account_id in sorted({*look.roles, *errors}):
        yield CheckedAccount(
            account_id="" if account_id == HOME else account_id,
            name=names.get(account_id, ""),
            role_arn=look.roles.get(account_id),
            error=errors.get(account_id, ""),
        )


def _target(state: TargetState) -> CheckedTarget:
    keys = state.keys
    return CheckedTarget(
        target=state.target,
        account_name=state.account_name,
        complete=_complete(state),
        checked_at=state.last_success,
        keys=None if keys is None else sum(key.key_manager == "CUSTOMER" for key in keys.by_id.values()),
        aws_managed=None
        if keys is None
        else len(keys.aws_managed) + sum(key.key_manager != "CUSTOMER" for key in keys.by_id.values()),
        pending=None if keys is None else sum(key.pending for key in keys.by_id.values()),
        unreadable=len(state.unreadable),
    )


def _complete(state: TargetState) -> bool:
    return bool(state.up) and state.keys is not None and not state.unreadable


def _gaps(look: Look) -> Iterator[Gap]:
    if look.caller is None:
        yield Gap(GapKind.IDENTITY, look.caller_error)
    for account_id in look.unwatched_accounts:
        where = " in the regions that were asked for" if look.scope.regions else ""
        yield Gap(GapKind.SELECTION, f"was asked for, but is not watched{where}", account_id=account_id)
    for region in look.unwatched_regions:
        where = " in the accounts that were asked for" if look.scope.accounts else ""
        yield Gap(GapKind.SELECTION, f"was asked for, but is not watched{where}", region=region)
    if look.organization_error and not _found_without_it(look):
        yield Gap(GapKind.ORGANIZATION, look.organization_error)
    for account_id, error in sorted(look.snapshot.account_errors.items()):
        yield Gap(GapKind.ACCOUNT, error, account_id="" if account_id == HOME else account_id)
    for state in look.snapshot.targets:
        yield from _gaps_of(state)
    if not look.accesses and not look.snapshot.account_errors and not look.organization_error and look.scope.whole:
        yield Gap(GapKind.SELECTION, "no account and region is watched at all")


def _found_without_it(look: Look) -> bool:
    """Whether the list of the organization's accounts does not matter, since the accounts asked for were found."""
    return bool(look.scope.accounts) and look.scope.accounts <= {target.account_id for target in look.accesses}


def _gaps_of(state: TargetState) -> Iterator[Gap]:
    where = {"account_id": state.target.account_id, "region": state.target.region}
    if not state.up or state.keys is None:
        yield Gap(GapKind.TARGET, state.last_error or "its keys were not read", **where)
    for key_id, why in sorted(state.unreadable.items()):
        yield Gap(GapKind.KEY, why.reason, **where, key_id=key_id)
