"""What stands in the JSON about an account, a target, a key and a change of one; `openapi` describes each member."""

from collections.abc import Mapping
from itertools import islice
from math import isfinite
from typing import Final

from exporter.acknowledgements import Acknowledgement, Rule
from exporter.facts import DAY, Facts
from exporter.model import DeniedUses, Grants, Scheduling, Snapshot, Source, TargetState, Transition, Usage
from exporter.times import rfc3339

MAX_UNREADABLE: Final = 100
"""Unreadable keys that are named for a target; all are counted."""

Record = Mapping[str, object]


def account(snapshot: Snapshot, account_id: str) -> Record:
    """Tell whether an account could be entered."""
    return {
        "account_id": account_id,
        "up": snapshot.accounts[account_id],
        "error": snapshot.account_errors.get(account_id, ""),
    }


def target(state: TargetState) -> Record:
    """Tell how a target stands; a source of evidence that was not asked is null, one that answered is `""`."""
    return {
        "account_id": state.target.account_id,
        "account_name": state.account_name,
        "region": state.target.region,
        "up": state.up,
        "last_success": rfc3339(state.last_success),
        "last_full": rfc3339(state.last_full),
        "keys": None if state.keys is None else len(state.keys.by_id),
        "unreadable": len(state.unreadable),
        "unreadable_keys": [
            {"key_id": key_id, "reason": unreadable.reason, "since": rfc3339(unreadable.since)}
            for key_id, unreadable in islice(state.unreadable.items(), MAX_UNREADABLE)
        ],
        "last_error": state.last_error,
        "sources": {source.value: state.sources.get(source) for source in Source},
    }


def transition(change: Transition) -> Record:
    """Tell of one change."""
    return {
        "kind": change.kind.value,
        "at": rfc3339(change.at),
        "account_id": change.target.account_id,
        "region": change.target.region,
        "key_id": change.key.key_id,
        "alias": change.key.alias,
        "before": change.before,
        "state": change.key.state,
    }


def rule(declared: Rule) -> Record:
    """Tell what an acknowledgement of the configuration is about."""
    return {"key": declared.key, "account_id": declared.account_id, "region": declared.region}


def key(facts: Facts) -> Record:
    """Tell everything that is known of a key."""
    described, pending = facts.key, facts.key.pending
    window = described.deletion.window if described.deletion else None
    return {
        "account_id": facts.target.account_id,
        "account_name": facts.account_name,
        "region": facts.target.region,
        "key_id": described.key_id,
        "arn": described.arn,
        "aliases": described.aliases,
        "description": described.description,
        "state": described.state,
        "key_manager": described.key_manager,
        "key_spec": described.key_spec,
        "key_usage": described.key_usage,
        "origin": described.origin,
        "multi_region": described.multi_region,
        "tags": dict(described.tags),
        "created": rfc3339(described.created_at),
        "pending": pending,
        "deletion_date": rfc3339(facts.deletion_at),
        "days_left": facts.days_left,
        "deletion_window_days": None if window is None else window / DAY,
        "material_expires": rfc3339(described.material_expires_at),
        "scheduled_at": rfc3339(facts.scheduled_at),
        **_scheduling(facts.evidence.scheduling),
        **_usage(facts.evidence.usage),
        **_grants(facts.evidence.grants),
        **_denied_uses(facts.evidence.denied_uses),
        "acknowledged": facts.acknowledged if pending else None,
        "acknowledgement": _acknowledgement(facts.acknowledgement, facts.now),
        "needed": facts.needed if pending else None,
        "console_url": facts.console_url,
    }


def _scheduling(known: Scheduling | None) -> Record:
    return {
        "scheduled_by": (known.by or None) if known else None,
        "scheduled_event_id": (known.event_id or None) if known else None,
    }


def _usage(known: Usage | None) -> Record:
    return {
        "usage": known.case.value if known else None,
        "last_used": rfc3339(known.last_used_at) if known else None,
        "last_used_operation": (known.operation or None) if known else None,
        "usage_tracked_since": rfc3339(known.tracked_since) if known else None,
    }


def _grants(known: Grants | None) -> Record:
    return {"grants": known.count if known else None, "grantees": known.grantees if known else None}


def _denied_uses(known: DeniedUses | None) -> Record:
    return {
        "denied_uses": known.known if known else None,
        "denied_last_at": rfc3339(known.last_at) if known else None,
        "denied_last_by": (known.last_by or None) if known else None,
    }


def _acknowledgement(declared: Acknowledgement | None, now: float) -> Record | None:
    if declared is None:
        return None
    return {
        "reason": declared.reason,
        "approved_by": declared.approved_by,
        "ticket": declared.ticket,
        "until": rfc3339(declared.until) if isfinite(declared.until) else None,
        "source": declared.source,
        "expired": not declared.holds(now),
    }
