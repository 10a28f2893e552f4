"""Why keys are pending, and who would miss them: asked beside the passes, slowly, and only where a key is pending.

```
                      ┌─ tags ──────► Tagging API   once a key
 due? ─► investigate ─┼─ grants ────► KMS           hourly
  ▲          │        ├─ usage ─────► KMS           hourly; then keys that are not pending, daily
  │          │        └─ history ───► CloudTrail    who scheduled it, until that is known;
  │          ▼                                      then denied uses, every five minutes
  │     Learned, every few seconds
  └────── inventory
```

The four ask side by side, each at the pace of its own quota, so one that is denied, slow or throttled costs its own
facts alone. What is known, and when to ask again, is kept in a `Dossier` for each target.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Container
from typing import TYPE_CHECKING, Final

from exporter.aws.calls import Access, Calls
from exporter.aws.dossier import Dossier
from exporter.aws.history import ask_history
from exporter.aws.inquiry import Inquiry
from exporter.model import Keys, Learned, Source, Target, TargetState

if TYPE_CHECKING:
    from exporter.settings import Settings

_STRETCH: Final = 45.0
"""Seconds after which an inquiry begins nothing more: less than there are between two passes by default."""
_TICK: Final = 1.0
_TELL_EVERY: Final = 10.0
"""Seconds between two tellings, each of which makes the target's keys be rendered anew. What is urgent does not wait,
and what is about keys that are not pending waits for the end."""


class Investigator:
    """Finds out what is behind deletions; belongs to one event loop."""

    def __init__(
        self, *, calls: Calls, settings: "Settings", now: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        """Ask what `settings` want to know; `now` gives Unix seconds, `monotonic` decides when to ask again."""
        self._calls = calls
        self._sources = _sources(settings)
        self._tag = settings.deletions.acknowledgement_tag
        self._principals = settings.deletions.scheduled_by
        self._covers = settings.keys.last_usage
        self._now = now
        self._monotonic = monotonic
        self._dossiers: dict[Target, Dossier] = {}

    def due(self, state: TargetState) -> bool:
        """Whether there is something to ask, or to tell, about the keys of a target now."""
        if state.keys is None or not (state.target in self._dossiers or self._has_cause(state, state.keys)):
            return False
        dossier, now = self._update(state), self._monotonic()
        return (
            any(dossier.due(source, now) for source in self._sources)
            or bool(dossier.unread(now))
            or (self._covers and dossier.cover_due(now))
            or dossier.owes()
        )

    async def investigate(self, access: Access, state: TargetState) -> AsyncGenerator[Learned, None]:
        """Ask whatever is due, and tell what is found out as it comes.

        Takes `_STRETCH` at the most and what was begun by then; what is left stays due. Never raises TargetError:
        failures are part of what is told.
        """
        dossier = self._update(state)
        dossier.repeat()
        inquiry = Inquiry(
            calls=self._calls,
            access=access,
            dossier=dossier,
            tag=self._tag,
            now=self._now,
            monotonic=self._monotonic,
            ends_at=self._monotonic() + _STRETCH,
        )
        questions = (inquiry.ask_tags(), inquiry.ask_grants(), self._ask_usage(inquiry), ask_history(inquiry))
        tasks = {asyncio.create_task(question) for question in questions}
        tell_at = self._monotonic() + _TICK  # most of it is known by then
        try:
            while tasks:
                done, tasks = await asyncio.wait(tasks, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                time_to_tell = self._monotonic() >= tell_at and dossier.news.case_ids
                if (not tasks or dossier.urgent or time_to_tell) and (learned := dossier.take_news()) is not None:
                    tell_at = self._monotonic() + _TELL_EVERY
                    yield learned
        finally:
            for task in tasks:
                task.cancel()

    def forget(self, watched: Container[Target]) -> None:
        """Forget everything about targets that are not in `watched`."""
        self._dossiers = {target: dossier for target, dossier in self._dossiers.items() if target in watched}

    def _has_cause(self, state: TargetState, keys: Keys) -> bool:
        """Whether there is anything to be remembered of a target: of most, there is not."""
        return self._covers or bool(state.sources) or any(key.pending for key in keys.by_id.values())

    def _update(self, state: TargetState) -> Dossier:
        dossier = self._dossiers.get(state.target)
        if dossier is None:
            dossier = self._dossiers[state.target] = Dossier(state, self._sources, self._principals, self._tag)
        dossier.update(state, self._monotonic())
        return dossier

    async def _ask_usage(self, inquiry: Inquiry) -> None:
        await inquiry.ask_usage()
        if self._covers:
            await inquiry.cover()


def _sources(settings: "Settings") -> frozenset[Source]:
    """Return what is asked about pending keys."""
    wanted = {
        Source.ACKNOWLEDGEMENT_TAG: bool(settings.deletions.acknowledgement_tag),
        Source.SCHEDULED_BY: settings.changes.cloudtrail,
        Source.DENIED_USES: settings.changes.cloudtrail,
        Source.GRANTS: settings.deletions.grants,
        Source.LAST_USAGE: settings.deletions.last_usage,
    }
    return frozenset(source for source, on in wanted.items() if on)
