"""A pending key in words: who did it, is it still needed, is it intended, how is it stopped.

"Could not ask" and "nothing there" are never the same words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final, Literal
from urllib.parse import quote

from exporter.facts import DAY, Facts
from exporter.model import Source, UsageCase
from exporter.times import age, day, minute, relative, span

Tone = Literal["urgent", "near", "good", "calm", "plain"]
"""How loudly something is told; the words alone must tell it too."""

_IMMINENT: Final = 2 * DAY
_SOON: Final = 7 * DAY
_AT_ONCE: Final = 60.0
_NAMED: Final = 4
"""Grantees that are named; the others are counted."""

_ASKED: Final = {
    Source.SCHEDULED_BY: "CloudTrail",
    Source.DENIED_USES: "CloudTrail",
    Source.LAST_USAGE: "KMS",
    Source.GRANTS: "KMS",
    Source.ACKNOWLEDGEMENT_TAG: "the Tagging API",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a cell."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one of the questions: the gist of it, and the facts that it rests on."""

    gist: Line
    lines: Sequence[Line] = ()


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A pending key in words."""

    facts: Facts

    @property
    def anchor(self) -> str:
        """What tells the row apart from all others, without blanks."""
        target = self.facts.target
        return quote(f"{target.account_id}/{target.region}/{self.facts.key.key_id}", errors="replace")

    @property
    def name(self) -> str:
        """The key as people call it."""
        return self.facts.key.alias or "no alias"

    @property
    def other_aliases(self) -> str:
        """The aliases but the first."""
        return ", ".join(self.facts.key.aliases[1:])

    @property
    def kind(self) -> str:
        """What is special about the key's state; `""` for an ordinary pending key."""
        key = self.facts.key
        special = [] if key.state == "PendingDeletion" else [key.state]
        if key.multi_region:
            special.append(f"multi-Region {key.multi_region}")
        if key.origin not in {"", "AWS_KMS"}:
            special.append(f"origin {key.origin}")
        return ", ".join(special)

    @property
    def deletion_at(self) -> float | None:
        """When AWS may delete the key, Unix seconds."""
        return self.facts.deletion_at

    @property
    def date(self) -> str:
        """When AWS may delete the key, or what has to happen before that is known."""
        if self.deletion_at is not None:
            return minute(self.deletion_at)
        window = self.facts.key.deletion.window if self.facts.key.deletion else None
        if window is not None:
            return f"starts when its last replica is gone, then {window / DAY:g} days"
        return "AWS tells no date"

    @property
    def left(self) -> str:
        """How long that is."""
        if self.deletion_at is None:
            return "not started" if self.facts.key.deletion else "unknown"
        seconds = self.deletion_at - self.facts.now
        return "due now" if seconds <= 0 else span(seconds)

    @property
    def unread(self) -> str:
        """That the key is not as it is now, but as it was last read; `""` where it could be read."""
        known = self.facts.unreadable
        return f"could not be read for {age(self.facts.now - known.since)}: {known.reason}" if known else ""

    @property
    def tone(self) -> Tone:
        """How loudly the row as a whole asks to be looked at."""
        if self.facts.needed:
            return "urgent"
        return "calm" if self.facts.calm else self.urgency.tone

    @property
    def urgency(self) -> Line:
        """How pressing that is; the same limits as those of the alerts."""
        seconds = inf if self.deletion_at is None else self.deletion_at - self.facts.now
        if seconds <= 0:
            return Line("AWS may delete it any moment", "urgent")
        if seconds < _IMMINENT:
            return Line("imminent", "urgent")
        return Line("soon", "near") if seconds < _SOON else Line("")

    @property
    def scheduled(self) -> Answer:
        """Who scheduled the deletion, and when."""
        known = self.facts.evidence.scheduling
        if known is not None:
            gist = Line(known.by) if known.by else Line("not told", "calm")
        elif self.facts.evidence.scheduling_looked_up:
            gist = Line("unknown", "near")
        else:
            gist = self._unasked(Source.SCHEDULED_BY)
        lines = list(self._when())
        if known is None and self.facts.evidence.scheduling_looked_up:
            lines.append(Line("not among CloudTrail's events of the last 90 days"))
        return Answer(gist, (*lines, *self._failure(Source.SCHEDULED_BY, known=known is not None)))

    @property
    def need(self) -> Answer:
        """Whether somebody still needs the key."""
        return Answer(self._need_gist(), (*self._last_use(), *self._denied_uses(), *self._grants()))

    @property
    def intent(self) -> Answer:
        """Whether the deletion is declared intended."""
        declared, facts = self.facts.acknowledgement, self.facts
        failure = self._failure(Source.ACKNOWLEDGEMENT_TAG, known=bool(facts.evidence.approval_tag))
        if declared is None:
            waiting = not facts.evidence.approval_tag and facts.sources.get(Source.ACKNOWLEDGEMENT_TAG) == ""
            unread = (Line("its tags are not read yet"),) if waiting else ()
            return Answer(Line("Not acknowledged"), (*unread, *failure))
        if not facts.acknowledged:
            gist = Line("Acknowledgement expired", "urgent" if facts.needed else "near")
        elif facts.needed:
            gist = Line("Acknowledged, yet used: do not rely on it", "urgent")
        else:
            gist = Line("Acknowledged", "good")
        told = [Line(declared.reason)] if declared.reason else []
        if declared.approved_by:
            told.append(Line(f"approved by {declared.approved_by}"))
        if declared.ticket:
            told.append(Line(f"ticket {declared.ticket}"))
        told.append(self._end(declared.until))
        if declared.source != "configuration":
            told.append(Line(f"declared by the {declared.source}"))
        return Answer(gist, (*told, *failure))

    def _when(self) -> Sequence[Line]:
        at, known = self.facts.scheduled_at, self.facts.evidence.scheduling
        if at is None:
            return (Line("was pending when first seen"),)
        ago = relative(at, self.facts.now)
        if known is None:
            return (Line(f"seen {minute(at)}"), Line(ago))
        window = "" if known.window is None else f", window of {known.window / DAY:g} days"
        return (Line(minute(at)), Line(f"{ago}{window}"))

    def _need_gist(self) -> Line:
        evidence = self.facts.evidence
        if self.facts.denied_uses:
            return Line("Yes: uses of it fail", "urgent")
        if self.facts.used_lately:
            return Line("Yes: it was in use", "urgent")
        if evidence.usage is None or self.facts.denied_uses is None or evidence.grants is None:
            return Line("Unknown", "near")
        if evidence.usage.case is UsageCase.UNKNOWN:
            return Line("Unknown: the record is too short", "near")
        if evidence.grants.count:
            return Line("Perhaps: it is granted to others", "near")
        return Line("Never used" if self.facts.never_used else "Not used lately", "calm")

    def _last_use(self) -> Sequence[Line]:
        known = self.facts.evidence.usage
        if known is None:
            return self._unknown("last use", Source.LAST_USAGE)
        again = self._failure(Source.LAST_USAGE, known=True)
        if known.case is UsageCase.NEVER:
            return (Line("never used since it was created"), *again)
        since = (
            "AWS's record of uses begins"
            if known.tracked_since is None
            else f"on record since {day(known.tracked_since)}"
        )
        if known.case is UsageCase.UNKNOWN or known.last_used_at is None:
            return (Line(f"no use {since}; the key is older: earlier uses are unknown"), *again)
        how = f", {known.operation}" if known.operation else ""
        at, scheduled_at = known.last_used_at, self.facts.scheduled_at
        tone: Tone = "urgent" if self.facts.used_lately else "plain"
        when = relative(at, self.facts.now) if scheduled_at is None else _between(at, scheduled_at)
        return (Line(f"last used {when}", tone), Line(f"{minute(at)}{how}"), *again)

    def _denied_uses(self) -> Sequence[Line]:
        known = self.facts.evidence.denied_uses
        if known is None:
            return self._unknown("denied uses", Source.DENIED_USES)
        again = self._failure(Source.DENIED_USES, known=True)
        if not known.count:
            none = "no denied uses" if known.complete else "denied uses: none in the events read so far"
            return (Line(none), *again)
        last = "" if known.last_at is None else f", last {relative(known.last_at, self.facts.now)}"
        by = f" by {known.last_by}" if known.last_by else ""
        what = f" ({known.last_operation})" if known.last_operation else ""
        least = "" if known.complete else "at least "
        return (Line(f"{least}{_counted(known.count, 'use')} denied{last}{by}{what}", "urgent"), *again)

    def _grants(self) -> Sequence[Line]:
        known = self.facts.evidence.grants
        if known is None:
            return self._unknown("grants", Source.GRANTS)
        again = self._failure(Source.GRANTS, known=True)
        if not known.count:
            return (Line("no grants"), *again)
        more = len(known.grantees) - _NAMED
        names = ", ".join(map(self._grantee, known.grantees[:_NAMED])) + (f" and {more} more" if more > 0 else "")
        return (Line(f"{_counted(known.count, 'grant')}{': ' if names else ''}{names}"), *again)

    def _grantee(self, principal: str) -> str:
        """Leave out of an ARN what the row tells anyway; a service or an unknown form stays as it is."""
        match principal.split(":", 5):
            case ["arn", _, _, _, account_id, resource] if account_id == self.facts.target.account_id:
                return resource
        return principal

    def _end(self, until: float) -> Line:
        if not isfinite(until):
            return Line("without an end")
        last = day(until - 1)
        if until <= self.facts.now:
            return Line(f"expired on {last}: it counts as none", "near")
        if self.deletion_at is not None and until < self.deletion_at:
            return Line(f"until {last}, which is before the deletion", "near")
        return Line(f"until {last}")

    def _unasked(self, source: Source) -> Line:
        """Return the word for a fact that its source did not tell."""
        error = self.facts.sources.get(source)
        if error:
            return Line("could not ask", "near")
        return Line("not asked" if error is None else "not known yet", "calm")

    def _unknown(self, what: str, source: Source) -> Sequence[Line]:
        """Tell that a source did not tell `what`, and why."""
        error = self.facts.unknown.get(source)
        if error:
            return (Line(f"{what}: could not ask {_ASKED[source]}: {self._briefly(error)}", "near"),)
        return (Line(f"{what}: {self._unasked(source).text}"),)

    def _failure(self, source: Source, *, known: bool) -> Sequence[Line]:
        """Tell what stands in the way of a source; what it told before may be old then."""
        error = self.facts.unknown.get(source)
        if not error:
            return ()
        return (Line(f"could not ask {_ASKED[source]}{' again' if known else ''}: {self._briefly(error)}", "near"),)

    def _briefly(self, error: str) -> str:
        """Leave of `OPERATION in TARGET: REASON: detail` what a row has room for; all of it stands with the target."""
        return ": ".join(error.replace(f" in {self.facts.target}", "", 1).split(": ")[:2])


def _between(used_at: float, scheduled_at: float) -> str:
    apart = abs(used_at - scheduled_at)
    if apart < _AT_ONCE:
        return "just when it was scheduled"
    words = span(apart) if apart < DAY else age(apart)
    return f"{words} {'after' if used_at > scheduled_at else 'before'} it was scheduled"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
