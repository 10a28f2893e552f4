"""The report as JSON, as `findings.schema.json` beside this module describes it."""

import json
from collections.abc import Mapping
from math import inf, isinf

from exporter.acknowledgements import Acknowledgement
from exporter.findings.report import CheckedAccount, CheckedTarget, Finding, Gap, Report, Verdict, days
from exporter.model import Evidence
from exporter.times import rfc3339

FORMAT_VERSION = 1
"""Grows when a member changes its meaning or goes away."""


def as_json(report: Report) -> bytes:
    """Return one JSON object, in ASCII."""
    document = {
        "format_version": FORMAT_VERSION,
        "status": int(report.status),
        "identity": _identity(report),
        "checked": _checked(report),
        "summary": summary(report),
        "unreadable": [_gap(gap) for gap in report.gaps],
        "findings": [finding_of(finding) for finding in report.findings],
        "acknowledgements_unmatched": report.unmatched,
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def summary(report: Report) -> Mapping[str, object]:
    """Return the counts."""
    return {
        "pending": len(report.findings),
        "failing": report.count(Verdict.FAILS),
        "later": report.count(Verdict.LATER),
        "acknowledged": report.count(Verdict.ACKNOWLEDGED),
        "contradicted": report.contradicted,
        "accounts": len(report.accounts),
        "targets": len(report.targets),
        "targets_complete": report.complete_targets,
        "keys": report.keys,
        "unreadable": len(report.gaps),
    }


def finding_of(finding: Finding) -> Mapping[str, object]:
    """Return a pending key with everything that is known of it."""
    facts, key, evidence = finding.facts, finding.facts.key, finding.facts.evidence
    return {
        "account_id": facts.target.account_id,
        "account_name": facts.account_name,
        "region": facts.target.region,
        "key_id": key.key_id,
        "arn": key.arn,
        "alias": key.alias,
        "aliases": list(key.aliases),
        "description": key.description,
        "tags": dict(key.tags),
        "key_spec": key.key_spec,
        "key_usage": key.key_usage,
        "origin": key.origin,
        "multi_region": key.multi_region,
        "created": rfc3339(key.created_at),
        "state": key.state,
        "deletion_date": rfc3339(facts.deletion_at),
        "deletion_window_days": days(key.deletion.window if key.deletion else None),
        "days_left": facts.days_left,
        "verdict": str(finding.verdict),
        "scheduled_by": facts.scheduled_by or None,
        "scheduled_by_arn": (evidence.scheduling.principal_arn or None) if evidence.scheduling else None,
        "scheduled_at": rfc3339(facts.scheduled_at),
        "scheduled_event_id": (evidence.scheduling.event_id or None) if evidence.scheduling else None,
        **_uses(evidence),
        **_grants(evidence),
        "needed": facts.needed,
        "acknowledged": facts.acknowledged,
        "contradicted": facts.acknowledged and facts.needed,
        "acknowledgement": _acknowledgement(facts.acknowledgement, facts.now),
        "unknown": {str(source): reason for source, reason in finding.missing.items()},
        "console_url": facts.console_url,
        "save_commands": list(facts.save_commands),
    }


def _identity(report: Report) -> Mapping[str, str] | None:
    caller = report.caller
    if caller is None:
        return None
    return {"account_id": caller.account_id, "arn": caller.arn, "user_id": caller.user_id}


def _checked(report: Report) -> Mapping[str, object]:
    scope = report.scope
    return {
        "started": rfc3339(report.started),
        "ended": rfc3339(report.ended),
        "version": report.version,
        "only_accounts": sorted(scope.accounts) or None,
        "only_regions": sorted(scope.regions) or None,
        "fail_within_days": None if isinf(report.fail_within) else days(report.fail_within),
        "accounts": [_account(account) for account in report.accounts],
        "targets": [_target(target) for target in report.targets],
    }


def _account(account: CheckedAccount) -> Mapping[str, object]:
    return {
        "account_id": account.account_id or None,
        "account_name": account.name,
        "role_arn": account.role_arn or None,
        "error": account.error or None,
    }


def _target(checked: CheckedTarget) -> Mapping[str, object]:
    return {
        "account_id": checked.target.account_id,
        "account_name": checked.account_name,
        "region": checked.target.region,
        "complete": checked.complete,
        "checked": rfc3339(checked.checked_at),
        "keys": checked.keys,
        "aws_managed_keys": checked.aws_managed,
        "pending": checked.pending,
        "unreadable": checked.unreadable,
    }


def _gap(gap: Gap) -> Mapping[str, object]:
    return {
        "kind": str(gap.kind),
        "account_id": gap.account_id or None,
        "region": gap.region or None,
        "key_id": gap.key_id or None,
        "reason": gap.reason,
    }


def _uses(evidence: Evidence) -> Mapping[str, object]:
    usage, denied = evidence.usage, evidence.denied_uses
    return {
        "last_used": rfc3339(usage.last_used_at) if usage else None,
        "last_used_operation": (usage.operation or None) if usage else None,
        "last_used_event_id": (usage.event_id or None) if usage else None,
        "usage": str(usage.case) if usage else None,
        "usage_tracked_since": rfc3339(usage.tracked_since) if usage else None,
        "denied_uses": denied.known if denied else None,
        "denied_last": rfc3339(denied.last_at) if denied else None,
        "denied_last_by": (denied.last_by or None) if denied else None,
        "denied_last_operation": (denied.last_operation or None) if denied else None,
    }


def _grants(evidence: Evidence) -> Mapping[str, object]:
    grants = evidence.grants
    return {
        "grants": grants.count if grants else None,
        "grantees": list(grants.grantees) if grants else None,
    }


def _acknowledgement(declared: Acknowledgement | None, now: float) -> Mapping[str, object] | None:
    if declared is None:
        return None
    return {
        "reason": declared.reason,
        "approved_by": declared.approved_by or None,
        "ticket": declared.ticket or None,
        "until": None if declared.until == inf else rfc3339(declared.until),
        "expired": not declared.holds(now),
        "source": declared.source,
    }
