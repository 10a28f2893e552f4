"""What KMS and the Tagging API are asked about keys: each question for itself, so that none stands in another's way."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol, TypeVar

from exporter.aws import grants, tagging, usage
from exporter.aws.calls import Access, Calls, Outcomes
from exporter.aws.dossier import HOUR, SOON, Case, Dossier, patience
from exporter.errors import TargetError
from exporter.model import Key, Source

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_DAY: Final = 86400.0
_CALL_TIME: Final = 600.0
_GRANTS_AT_ONCE: Final = 64
_USAGES_AT_ONCE: Final = 8
"""Keys asked about between two looks at the clock: a few seconds' worth of each operation's budget."""
_CUSTOMER: Final = "CUSTOMER"
_NOT_FOUND: Final = "NotFoundException"
_DENIED: Final = "AccessDenied"


class Ask(Protocol[Answer]):
    """Asks one thing about many keys."""

    def __call__(
        self, calls: Calls, access: Access, key_ids: Iterable[str], *, deadline: float
    ) -> Awaitable[Outcomes[str, Answer]]:
        """Return what came of it."""
        ...


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One time of asking about the keys of a target.

    Attributes:
        tag: key of the tag whose value is an acknowledgement.
        now: gives Unix seconds.
        ends_at: when, on the monotonic clock, nothing more is begun: the next time sees keys that have turned up since.
    """

    calls: Calls
    access: Access
    dossier: Dossier
    tag: str
    now: Callable[[], float]
    monotonic: Callable[[], float]
    ends_at: float

    @property
    def over(self) -> bool:
        """Whether nothing more is begun."""
        return self.monotonic() >= self.ends_at

    def deadline(self) -> float:
        """Return by when a request must be answered, on the clock of the event loop."""
        return asyncio.get_running_loop().time() + _CALL_TIME

    async def ask_tags(self) -> None:
        """Ask whether keys bear the acknowledgement tag; once, since a pending key can't be tagged."""
        source = Source.ACKNOWLEDGEMENT_TAG
        cases = self.dossier.due(source, self.monotonic())
        if not cases:
            return
        arns = [case.key.arn for case in cases]
        try:
            found = await tagging.tags_of(self.calls, self.access, arns, [self.tag], deadline=self.deadline())
        except TargetError as error:
            self.dossier.stopped(source, error, self.monotonic())
            return
        for case in cases:
            approval = next((value for _, value in found.get(case.key.arn, ())), None)
            self.dossier.answered(source, case, again_at=inf)
            self.dossier.learn(case, approval=approval, approval_tag=self.tag)

    async def ask_grants(self) -> None:
        """Ask for the grants on pending keys, hourly."""
        await self._ask_each(
            Source.GRANTS,
            grants.grants_of,
            lambda case, answer: self.dossier.learn(case, grants=answer),
            at_once=_GRANTS_AT_ONCE,
        )

    async def ask_usage(self) -> None:
        """Ask when pending keys were last used, hourly: AWS itself learns of a use up to an hour late."""
        await self._ask_each(
            Source.LAST_USAGE,
            usage.last_usage_of,
            lambda case, answer: self.dossier.learn(case, usage=answer),
            at_once=_USAGES_AT_ONCE,
        )

    async def cover(self) -> None:
        """Ask when keys that are not pending were last used: each about once a day, as far as time allows."""
        dossier = self.dossier
        if not dossier.cover_due(self.monotonic()):
            return
        for keys in _slices(self._to_be_covered(), _USAGES_AT_ONCE):
            if self.over:
                return
            outcomes = await usage.last_usage_of(
                self.calls, self.access, [key.key_id for key in keys], deadline=self.deadline()
            )
            for key in keys:
                if (answer := outcomes.answers.get(key.key_id)) is not None:
                    dossier.cover(key, answer, self.monotonic())
                elif key.key_id in outcomes.failures:
                    dossier.covered_at[key.key_id] = self.monotonic()  # in vain; the others come first
            errors = _errors(outcomes)
            dossier.news.errors += errors
            if errors and not outcomes.answers:
                dossier.cover_failure = str(errors[0])
                dossier.asked.add(Source.LAST_USAGE)
                dossier.cover_again_at = self.monotonic() + patience(errors[0])
                return
        oldest = min(dossier.covered_at.values(), default=inf)
        dossier.cover_again_at = min(oldest + _DAY, self.monotonic() + HOUR)

    def _to_be_covered(self) -> list[Key]:
        """Return the keys whose answer is a day old, those without one first; forget those that left."""
        covered, a_day_ago = self.dossier.covered_at, self.monotonic() - _DAY
        known = self.dossier.state.keys
        keys = [
            key for key in (known.by_id.values() if known else ()) if key.key_manager == _CUSTOMER and not key.pending
        ]
        for key_id in covered.keys() - {key.key_id for key in keys}:
            del covered[key_id]
        due = [key for key in keys if covered.get(key.key_id, -inf) <= a_day_ago]
        return sorted(due, key=lambda key: covered.get(key.key_id, -inf))

    async def _ask_each(
        self, source: Source, ask: Ask[Answer], learn: Callable[[Case, Answer], None], *, at_once: int
    ) -> None:
        dossier = self.dossier
        for cases in _slices(dossier.due(source, self.monotonic()), at_once):
            if self.over:
                return
            key_ids = [case.key.key_id for case in cases]
            outcomes = await ask(self.calls, self.access, key_ids, deadline=self.deadline())
            now = self.monotonic()
            for case in cases:
                error = outcomes.failures.get(case.key.key_id)
                if (answer := outcomes.answers.get(case.key.key_id)) is not None:
                    dossier.answered(source, case, again_at=now + HOUR)
                    learn(case, answer)
                elif error is not None and error.reason == _NOT_FOUND:
                    dossier.answered(source, case, again_at=now + SOON)  # the next pass will find it deleted
                elif error is not None:
                    dossier.failed(source, case, error, now)
            if (error := _what_stops(outcomes)) is not None:
                dossier.stopped(source, error, now)
                return


def _what_stops(outcomes: Outcomes[str, Answer]) -> TargetError | None:
    """Return what makes it pointless to ask about other keys.

    A denial does not: the policy of one key may refuse what those of the others allow.
    """
    if outcomes.ended_by is not None or outcomes.answers:
        return outcomes.ended_by
    reasons = (error for error in outcomes.failures.values() if error.reason != _NOT_FOUND)
    return next((error for error in reasons if not error.reason.startswith(_DENIED)), None)


def _errors(outcomes: Outcomes[str, Answer]) -> list[TargetError]:
    errors = list(outcomes.failures.values())
    return errors if outcomes.ended_by is None else [outcomes.ended_by, *errors]


def _slices(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
