"""The report as CSV: a row for each pending key, and one for each thing that could not be checked.

RFC 4180, UTF-8 with a byte order mark, which spreadsheets need to read it as that.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

from exporter.findings.report import Finding, Gap, Report
from exporter.findings.text import in_cell
from exporter.times import rfc3339

COLUMNS: Final = (
    "kind",
    "verdict",
    "account_id",
    "account_name",
    "region",
    "key_id",
    "arn",
    "alias",
    "state",
    "deletion_date",
    "days_left",
    "scheduled_by",
    "scheduled_at",
    "scheduled_event_id",
    "usage",
    "last_used",
    "denied_uses",
    "grants",
    "grantees",
    "acknowledged",
    "contradicted",
    "acknowledgement_reason",
    "acknowledgement_approved_by",
    "acknowledgement_ticket",
    "acknowledgement_until",
    "unknown",
    "reason",
    "save_command",
    "checked_at",
    "checked_by",
)
FINDING: Final = "finding"
UNREADABLE: Final = "unreadable"

_Row = Mapping[str, str | float | None]


def as_csv(report: Report) -> bytes:
    """Return the table; cells that are text can't be taken for formulas, and what is not known is empty."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    of_all = {"checked_at": rfc3339(report.ended), "checked_by": report.caller.arn if report.caller else None}
    for row in _rows(report):
        writer.writerow({name: _cell(value) for name, value in {**row, **of_all}.items()})
    return out.getvalue().encode("utf-8-sig", "backslashreplace")


def _rows(report: Report) -> Iterable[_Row]:
    yield from map(_finding, report.findings)
    yield from map(_gap, report.gaps)


def _cell(value: str | float | None) -> str | float:
    if isinstance(value, str):
        return in_cell(value)
    return "" if value is None else value


def _gap(gap: Gap) -> _Row:
    return {
        "kind": UNREADABLE,
        "account_id": gap.account_id,
        "region": gap.region,
        "key_id": gap.key_id,
        "reason": f"{gap.kind}: {gap.reason}",
    }


def _finding(finding: Finding) -> _Row:
    facts, key, evidence = finding.facts, finding.facts.key, finding.facts.evidence
    declared = facts.acknowledgement
    return {
        "kind": FINDING,
        "verdict": str(finding.verdict),
        "account_id": facts.target.account_id,
        "account_name": facts.account_name,
        "region": facts.target.region,
        "key_id": key.key_id,
        "arn": key.arn,
        "alias": key.alias,
        "state": key.state,
        "deletion_date": rfc3339(facts.deletion_at),
        "days_left": None if facts.days_left is None else round(facts.days_left, 2),
        "scheduled_by": facts.scheduled_by,
        "scheduled_at": rfc3339(facts.scheduled_at),
        "scheduled_event_id": evidence.scheduling.event_id if evidence.scheduling else None,
        "usage": str(evidence.usage.case) if evidence.usage else None,
        "last_used": rfc3339(facts.last_used_at),
        "denied_uses": facts.denied_uses,
        "grants": evidence.grants.count if evidence.grants else None,
        "grantees": " ".join(evidence.grants.grantees) if evidence.grants else None,
        "acknowledged": _yes_no(facts.acknowledged),
        "contradicted": _yes_no(facts.acknowledged and facts.needed),
        "acknowledgement_reason": declared.reason if declared else None,
        "acknowledgement_approved_by": declared.approved_by if declared else None,
        "acknowledgement_ticket": declared.ticket if declared else None,
        "acknowledgement_until": rfc3339(declared.until) if declared and declared.until != inf else None,
        "unknown": "; ".join(f"{source}: {why}" for source, why in finding.missing.items()),
        "save_command": facts.save_commands[0],
    }


def _yes_no(value: bool) -> str:
    return "true" if value else "false"
