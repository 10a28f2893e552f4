"""Findings in words, as the table, JUnit and OCSF tell them. Text of strangers is passed on as it is."""

from math import inf
from typing import Final

from exporter.facts import DAY, Facts
from exporter.findings.report import Finding, Verdict
from exporter.model import Source, UsageCase
from exporter.times import age, day, rfc3339

UNKNOWN: Final = "unknown"
SOURCES: Final = {
    Source.SCHEDULED_BY: "who scheduled the deletion",
    Source.LAST_USAGE: "when the key was last used",
    Source.GRANTS: "which grants there are on it",
    Source.DENIED_USES: "whether uses were denied since",
    Source.ACKNOWLEDGEMENT_TAG: "whether a tag acknowledges it",
}


def name_of(facts: Facts) -> str:
    """Return what people call the key."""
    return facts.key.alias or facts.key.key_id


def left(facts: Facts) -> str:
    """Return how long the key still exists."""
    deletion = facts.key.deletion
    if deletion is None:
        return UNKNOWN
    if facts.deletion_at is None:
        return "no date"
    days = (facts.deletion_at - facts.now) / DAY
    if days < 0:
        return "due now"
    return f"{days:.1f} d" if days >= 1 else age(facts.deletion_at - facts.now)


def date(facts: Facts) -> str:
    """Return when AWS may delete the key, or what has to happen before that is known."""
    deletion = facts.key.deletion
    if deletion is not None and deletion.window is not None:
        return f"{deletion.window / DAY:g} d after its last replica"
    return rfc3339(facts.deletion_at) or UNKNOWN


def who(finding: Finding, *, principals: bool) -> str:
    """Return who scheduled the deletion; `principals` is whether people may be named."""
    facts = finding.facts
    if facts.scheduled_by:
        return facts.scheduled_by
    if facts.evidence.scheduling is not None:
        return UNKNOWN if principals else "hidden"
    if facts.evidence.scheduling_looked_up:
        return "unknown, not in the last 90 days"
    return UNKNOWN


def last_used(facts: Facts) -> str:
    """Return when the key was last used, as far as AWS knows."""
    usage = facts.evidence.usage
    if usage is None:
        return UNKNOWN
    match usage.case:
        case UsageCase.USED:
            return UNKNOWN if usage.last_used_at is None else f"{age(facts.now - usage.last_used_at)} ago"
        case UsageCase.NEVER:
            return "never"
        case UsageCase.UNKNOWN:
            since = rfc3339(usage.tracked_since)
            return f"not since {since[:10]}" if since else UNKNOWN


def denied(facts: Facts) -> str:
    """Return how often a use of the key failed since, `""` for never, and where nobody knows."""
    return f"{facts.denied_uses} denied" if facts.denied_uses else ""


def acknowledged(facts: Facts) -> str:
    """Return whether, and by whom and why, the deletion is declared intended."""
    declared = facts.acknowledgement
    if declared is None:
        return "no"
    details = [
        declared.reason,
        f"by {declared.approved_by}" if declared.approved_by else "",
        declared.ticket,
        f"until {day(declared.until - 1)}" if declared.until != inf else "",  # the last day on which it holds
    ]
    told = ", ".join(filter(None, details))
    if not facts.acknowledged:
        return f"expired: {told}"
    return f"yes, but it is used: {told}" if facts.needed else f"yes: {told}"


def verdict(finding: Finding) -> str:
    """Return in a sentence what the finding means."""
    facts = finding.facts
    match finding.verdict:
        case Verdict.ACKNOWLEDGED:
            return "Pending deletion, which is declared intended."
        case _ if facts.acknowledged:
            return "Pending deletion, which is declared intended, yet the key is used."
        case Verdict.LATER:
            return "Pending deletion that nobody acknowledged, due later than the time that counts."
        case _ if facts.needed:
            return "Pending deletion that nobody acknowledged, and the key is used."
        case _:
            return "Pending deletion that nobody acknowledged."
