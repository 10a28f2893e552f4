"""What is remembered of one target's keys from one inquiry to the next: what is known, and what is to be asked when.

Moments are monotonic where nothing else is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final

from exporter.aws.denied import Uses
from exporter.errors import TargetError
from exporter.model import Evidence, Key, Learned, Scheduling, Source, TargetState, Usage, frozen

HOUR: Final = 3600.0
SOON: Final = 300.0

_STANDING: Final = ("AccessDenied", "Unauthorized", "UnknownOperation", "UnsupportedOperation", "InvalidAction")
"""What those codes begin with that only people can do something about: a policy, a region without the operation."""
_NOTHING: Final = Evidence()


@dataclass(slots=True)
class Case:
    """One deletion that is looked into.

    Attributes:
        key: as it was last seen; its `deletion` is what the case is about.
        seen_at: when the key was first seen pending, in Unix seconds; None when it was so from the start.
        opened_at: since when it is looked into.
        evidence: everything that is known.
        due: when each source is asked next; one that is absent is due.
        failures: what stood in the way of asking a source about this key, when it was last tried.
        explained: whether it is settled who scheduled the deletion.
        searched_until: up to when CloudTrail was searched for that, in Unix seconds; None before the first search.
        doubtful: whether some events could not be read: the one that is wanted may be among them.
        candidate: the newest scheduling that does not quite fit, for want of a better one.
        uses: the denied ones; None before the first look.
    """

    key: Key
    seen_at: float | None
    opened_at: float
    evidence: Evidence
    due: dict[Source, float] = field(default_factory=dict)
    failures: dict[Source, str] = field(default_factory=dict)
    explained: bool = False
    searched_until: float | None = None
    doubtful: bool = False
    candidate: Scheduling | None = None
    uses: Uses | None = None

    def due_at(self, source: Source) -> float:
        """Return when a source is asked next."""
        return self.due.get(source, -inf)


@dataclass(frozen=True, slots=True)
class Pause:
    """A source that failed as a whole.

    Attributes:
        until: when it is asked again.
        text: what stood in the way.
    """

    until: float
    text: str


@dataclass(slots=True)
class News:
    """What was found out and not told yet."""

    case_ids: dict[str, None] = field(default_factory=dict)
    covered: dict[str, tuple[Key, Evidence]] = field(default_factory=dict)
    errors: list[TargetError] = field(default_factory=list)


@dataclass(slots=True)
class Dossier:
    """One target.

    Attributes:
        state: as it was last seen.
        sources: those that are asked about pending keys.
        principals: whether people may be named.
        tag: that acknowledges.
        cases: by key id.
        pauses: sources that failed as a whole.
        asked: sources that answered or failed since the start.
        covered_at: id of a key that is not pending to when it was last asked about.
        cover_again_at: when such keys are asked about next.
        cover_failure: what stood in the way of that, when it was last tried.
        urgent: whether the news must not wait.
    """

    state: TargetState
    sources: frozenset[Source]
    principals: bool
    tag: str
    cases: dict[str, Case] = field(default_factory=dict)
    pauses: dict[Source, Pause] = field(default_factory=dict)
    asked: set[Source] = field(default_factory=set)
    covered_at: dict[str, float] = field(default_factory=dict)
    cover_again_at: float = -inf
    cover_failure: str = ""
    news: News = field(default_factory=News)
    urgent: bool = False

    def update(self, state: TargetState, now: float) -> None:
        """Open a case for each deletion that is new, and close those that are over."""
        self.state = state
        keys = state.keys
        pending = {key.key_id: key for key in keys.by_id.values() if key.pending} if keys else {}
        for key_id in self.cases.keys() - pending.keys():
            del self.cases[key_id]
        if not pending:
            # Nobody waits for what a source would say. One that failed is tried anew for the next key.
            self.asked &= {Source.LAST_USAGE} if self.covered_at else set()
            self.pauses.clear()
        for key_id, key in pending.items():
            case = self.cases.get(key_id)
            if case is not None and case.key.deletion == key.deletion:
                case.key = key
                continue
            known = self._told(key_id)
            self.cases[key_id] = Case(
                key=key,
                seen_at=keys.scheduled_at.get(key_id) if keys else None,
                opened_at=now,
                # Of another deletion, only what is true of the key whatever becomes of it is still known.
                evidence=self._allowed(known if case is None else Evidence(usage=known.usage)),
            )

    def due(self, source: Source, now: float) -> list[Case]:
        """Return the cases for which it is time to ask a source, those first that have waited longest."""
        if source not in self.sources or self._paused(source, now):
            return []
        cases = [case for case in self.cases.values() if case.due_at(source) <= now]
        return sorted(cases, key=lambda case: case.due_at(source))

    def unread(self, now: float) -> list[Case]:
        """Return the cases of which there are older events to read."""
        if self._paused(Source.DENIED_USES, now):
            return []
        return [case for case in self.cases.values() if case.uses is not None and case.uses.unread_until is not None]

    def cover_due(self, now: float) -> bool:
        """Whether it is time to ask about keys that are not pending."""
        return now >= self.cover_again_at and not self._paused(Source.LAST_USAGE, now)

    def owes(self) -> bool:
        """Whether the target's state lacks something that is known, or shows a source otherwise than it stands."""
        untold = any(case.evidence != self._told(key_id) for key_id, case in self.cases.items())
        return untold or self.standing() != self.state.sources

    def repeat(self) -> None:
        """Tell what the target's state lacks: it was told of a key that changed just then."""
        for key_id, case in self.cases.items():
            if case.evidence != self._told(key_id):
                self.news.case_ids[key_id] = None

    def standing(self) -> Mapping[Source, str]:
        """Return what stands in the way of each source that was asked, `""` for nothing."""
        return {source: self._standing(source) for source in self.asked}

    def answered(self, source: Source, case: Case, *, again_at: float) -> None:
        """Take note that a source answered about a case."""
        self.asked.add(source)
        self.pauses.pop(source, None)
        case.failures.pop(source, None)
        case.due[source] = again_at

    def failed(self, source: Source, case: Case, error: TargetError, now: float) -> None:
        """Take note that a source could not be asked about one case."""
        self.asked.add(source)
        self.news.errors.append(error)
        case.failures[source] = str(error)
        case.due[source] = now + patience(error)

    def stopped(self, source: Source, error: TargetError, now: float) -> None:
        """Take note that a source could not be asked at all, and leave it alone for a while."""
        self.asked.add(source)
        if error not in self.news.errors:
            self.news.errors.append(error)
        self.pauses[source] = Pause(now + patience(error), str(error))

    def learn(self, case: Case, **facts: Any) -> None:
        """Add facts to what is known of a case."""
        evidence = replace(case.evidence, **facts)
        if evidence != case.evidence:
            case.evidence = evidence
            self.news.case_ids[case.key.key_id] = None

    def cover(self, key: Key, usage: Usage, now: float) -> None:
        """Take in when a key that is not pending was last used."""
        self.asked.add(Source.LAST_USAGE)
        self.cover_failure = ""
        self.covered_at[key.key_id] = now
        known = self._told(key.key_id)
        if known.usage != usage:
            self.news.covered[key.key_id] = key, replace(known, usage=usage)

    def take_news(self) -> Learned | None:
        """Return what was not told yet; None when that is nothing."""
        news, self.news, self.urgent = self.news, News(), False
        cases = [case for key_id in news.case_ids if (case := self.cases.get(key_id)) is not None]
        evidence = (*((case.key, case.evidence) for case in cases), *news.covered.values())
        sources = self.standing()
        if not evidence and not news.errors and sources == self.state.sources:
            return None
        self.state = replace(self.state, sources=frozen(sources))
        return Learned(evidence, frozen(sources), tuple(news.errors))

    def _told(self, key_id: str) -> Evidence:
        """Return what the target's state says of a key."""
        return self.state.keys.evidence.get(key_id, _NOTHING) if self.state.keys else _NOTHING

    def _paused(self, source: Source, now: float) -> bool:
        pause = self.pauses.get(source)
        return pause is not None and now < pause.until

    def _standing(self, source: Source) -> str:
        pause = self.pauses.get(source)
        if pause is not None:
            return pause.text
        failures = (text for case in self.cases.values() if (text := case.failures.get(source)))
        return next(failures, self.cover_failure if source is Source.LAST_USAGE else "")

    def _allowed(self, evidence: Evidence) -> Evidence:
        """Leave out what the settings in force do not allow: the evidence may be older than they are."""
        scheduling, uses = evidence.scheduling, evidence.denied_uses
        if not self.principals:
            scheduling = scheduling and replace(scheduling, by="", principal_arn="")
            uses = uses and replace(uses, last_by="")
        searched, tagged = Source.SCHEDULED_BY in self.sources, self.tag and evidence.approval_tag == self.tag
        return Evidence(
            scheduling=scheduling if searched else None,
            scheduling_looked_up=evidence.scheduling_looked_up and searched,
            usage=evidence.usage,
            grants=evidence.grants if Source.GRANTS in self.sources else None,
            denied_uses=uses if Source.DENIED_USES in self.sources else None,
            approval=evidence.approval if tagged else None,
            approval_tag=self.tag if tagged else "",
        )


def patience(error: TargetError) -> float:
    """Return after how many seconds it is worth trying again what failed."""
    return HOUR if error.reason.startswith(_STANDING) else SOON
