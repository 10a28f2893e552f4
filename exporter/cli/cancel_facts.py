"""What `cancel-deletion` tells about a key, as text that is fit for a terminal, a file and a pipe alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import inf
from typing import Final

from exporter.facts import Facts
from exporter.model import Source, UsageCase
from exporter.remediation.plan import Action, Relative, Step
from exporter.settings.problems import one_line
from exporter.times import age

_WILL: Final = {
    Action.SAVE: "cancel the deletion, enable the key, verify that it is enabled",
    Action.CANCEL: "cancel the deletion and leave the key disabled, as --no-enable says",
    Action.ENABLE: "enable the key: an earlier run on this record cancelled its deletion and came no further",
}
_MOST_PRINCIPALS: Final = 4
_SSO: Final = "AWSReservedSSO_"


class Tone(StrEnum):
    """How a line is meant."""

    PLAIN = "plain"
    QUIET = "quiet"
    STRONG = "strong"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what strangers wrote into it, such as a description, neither breaks it nor steers a terminal."""

    text: str
    tone: Tone = Tone.PLAIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", one_line(self.text))


@dataclass(frozen=True, slots=True)
class Row:
    """One fact about a key, its value as safe as a `Line`."""

    label: str
    value: str
    tone: Tone = Tone.PLAIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", one_line(self.value))


def title(step: Step) -> str:
    """Name a key for people."""
    return one_line(step.facts.key.alias or step.facts.key.key_id)


def place(facts: Facts) -> str:
    """Say where a key is."""
    name = f" ({facts.account_name})" if facts.account_name else ""
    return f"{facts.target.account_id}{name}, {facts.target.region}"


def rows(step: Step) -> Iterator[Row]:
    """Tell the facts about a key, and what will be done."""
    facts = step.facts
    yield Row("key", facts.key.arn)
    yield Row("account", place(facts))
    if facts.key.description:
        yield Row("described", facts.key.description)
    if step.through:
        yield Row("through", step.through)
    yield Row("state", _state(facts), Tone.BAD if facts.key.pending else Tone.PLAIN)
    if facts.key.pending:
        yield Row("scheduled", scheduled(facts))
        yield Row("last used", _last_used(facts), Tone.BAD if facts.used_lately else Tone.PLAIN)
        yield Row("denied uses", _denied_uses(facts), Tone.BAD if facts.denied_uses else Tone.PLAIN)
        yield Row("grants", _grants(facts))
        yield Row("acknowledged", _acknowledged(facts))
    for relative in step.relatives:
        yield Row("related key", relative_key(relative), Tone.BAD if relative.needs_a_look else Tone.PLAIN)
    yield Row("will", will(step), Tone.STRONG)


def cells(step: Step) -> tuple[str, ...]:
    """Tell the facts that a line has room for: key, account, region, time left, by whom, last use, denied uses."""
    facts = step.facts
    if facts.deletion_at is None:
        left = "no date yet" if facts.key.pending else ""
    else:
        left = age(facts.deletion_at - facts.now) if facts.deletion_at > facts.now else "any moment"
    return (
        title(step),
        facts.target.account_id,
        facts.target.region,
        left,
        _who(facts.scheduled_by),
        _used(facts),
        "unknown" if facts.denied_uses is None else str(facts.denied_uses),
    )


def will(step: Step) -> str:
    """Say what will be done to a key."""
    return _WILL.get(step.action) or f"nothing: {why_nothing(step)}"


def why_nothing(step: Step) -> str:
    """Say why a key needs nothing of this command."""
    key = step.facts.key
    if key.state == "Disabled":
        return (
            "it is not pending deletion. It is Disabled, and no record given here shows that this command cancelled "
            f"its deletion: aws kms enable-key --region {step.facts.target.region} --key-id {key.arn}"
        )
    return f"it is not pending deletion; it is {key.state}"


def moment(at: float) -> str:
    """Write Unix seconds for people: UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def until(seconds: float) -> str:
    """Write a time that is still to come, or is over."""
    return f"in {age(seconds)}" if seconds > 0 else f"{age(-seconds)} ago"


def _state(facts: Facts) -> str:
    deletion = facts.key.deletion
    if deletion is None:
        return facts.key.state
    if deletion.at is not None and deletion.at <= facts.now:
        return f"{facts.key.state}; AWS deletes it any moment: it is due since {moment(deletion.at)}"
    if deletion.at is not None:
        return f"{facts.key.state}; AWS deletes it from {moment(deletion.at)} on, {until(deletion.at - facts.now)}"
    window = f"{age(deletion.window)} after" if deletion.window is not None else "some time after"
    return f"{facts.key.state}; AWS deletes it {window} its last replica is deleted"


def scheduled(facts: Facts) -> str:
    """Tell who scheduled the deletion, and when."""
    scheduling = facts.evidence.scheduling
    if scheduling is None:
        searched = facts.evidence.scheduling_looked_up
        return "not in CloudTrail's history of 90 days" if searched else _unknown(facts, Source.SCHEDULED_BY)
    who = f"by {scheduling.by}, " if scheduling.by else ""
    event = f", CloudTrail event {scheduling.event_id}" if scheduling.event_id else ""
    return f"{who}{moment(scheduling.at)} ({until(scheduling.at - facts.now)}){event}"


def _who(principal: str) -> str:
    """Shorten the name of who came through IAM Identity Center: their role's leaves no room for their own."""
    short = principal.rpartition("/")[2] if principal.startswith(_SSO) else principal
    return one_line(short) or "unknown"


def _used(facts: Facts) -> str:
    if facts.last_used_at is not None:
        return until(facts.last_used_at - facts.now)
    return "never" if facts.never_used else "unknown"


def _last_used(facts: Facts) -> str:
    usage = facts.evidence.usage
    if usage is None:
        return _unknown(facts, Source.LAST_USAGE)
    if usage.last_used_at is not None:
        what = f"{usage.operation}, " if usage.operation else ""
        return f"{what}{moment(usage.last_used_at)} ({until(usage.last_used_at - facts.now)})"
    if usage.case is UsageCase.NEVER:
        return "never"
    since = "" if usage.tracked_since is None else f" before {moment(usage.tracked_since)}"
    return f"not on record; unknown{since}"


def _denied_uses(facts: Facts) -> str:
    denied = facts.evidence.denied_uses
    if denied is None:
        return _unknown(facts, Source.DENIED_USES)
    if not denied.count:
        return "none since it was scheduled" if denied.complete else "none in the events read so far"
    by = f" by {denied.last_by}" if denied.last_by else ""
    last = f"; the last {moment(denied.last_at)}, {denied.last_operation}{by}" if denied.last_at else ""
    least = "" if denied.complete else "at least "
    return f"{least}{denied.count} since it was scheduled{last}"


def _grants(facts: Facts) -> str:
    grants = facts.evidence.grants
    if grants is None:
        return _unknown(facts, Source.GRANTS)
    if not grants.count:
        return "none"
    shown = ", ".join(grants.grantees[:_MOST_PRINCIPALS])
    more = len(grants.grantees) - _MOST_PRINCIPALS
    return f"{grants.count}: {shown}{f' and {more} more' if more > 0 else ''}"


def _acknowledged(facts: Facts) -> str:
    declared = facts.acknowledgement
    if declared is None:
        missing = Source.ACKNOWLEDGEMENT_TAG in facts.unknown
        return f"no; its tag is {_unknown(facts, Source.ACKNOWLEDGEMENT_TAG)}" if missing else "no"
    parts = [declared.reason]
    parts += [f"approved by {declared.approved_by}"] if declared.approved_by else []
    parts += [f"ticket {declared.ticket}"] if declared.ticket else []
    parts += [f"until {moment(declared.until)}"] if declared.until < inf else []
    told = ", ".join(parts)
    if not declared.holds(facts.now):
        return f"no longer: {told}"
    return f"YES, it is declared intended: {told}" + (" (but the key is used)" if facts.needed else "")


def _unknown(facts: Facts, source: Source) -> str:
    why = facts.unknown.get(source)
    return f"unknown ({why})" if why else "unknown"


def relative_key(relative: Relative) -> str:
    """Tell how another key of the same multi-Region key stands."""
    if relative.key is None:
        return f"{relative.arn} could not be checked ({relative.error})"
    at = relative.key.deletion.at if relative.key.deletion else None
    when = f", AWS deletes it from {moment(at)} on" if at is not None else ""
    return f"{relative.arn} is {relative.key.state}{when}"
