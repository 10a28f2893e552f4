"""What AWS Config knows beside what is watched: when it is asked, what stays known, and which keys nobody watches."""

from collections.abc import Callable, Collection
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final

from exporter.aws.config import Aggregator, Answer
from exporter.eventlog import EventLog
from exporter.inventory import Inventory
from exporter.model import ConfigKey, ConfigView, Target

if TYPE_CHECKING:
    from exporter.settings import Settings

_ASK_AGAIN: Final = 60.0
"""Seconds until Config is asked anew when it did not answer in full; never longer than `changes.config_interval`."""


class CrossCheck:
    """Asks now and then; belongs to the event loop of the refresh loop.

    Only keys where nobody looks are told apart. That Config reports a key as pending which the exporter knows, in a
    place that it watches, and not as pending, says nothing: what Config recorded may be a day old, and KMS itself was
    asked since.

    An answer in full replaces what was known. A partial one (a page that failed, a result that could not be read) adds
    what it told and removes nothing, since what it did not tell is not known to be over. So a key is known until a full
    answer lacks it, or it was not told for `refresh.keep_failed`.
    """

    def __init__(
        self,
        *,
        inventory: Inventory,
        published: Callable[[], None],
        eventlog: EventLog,
        monotonic: Callable[[], float],
    ) -> None:
        """Publish through `inventory`, calling `published` after each change of it."""
        self._inventory = inventory
        self._published = published
        self._eventlog = eventlog
        self._monotonic = monotonic
        self._aggregator: Aggregator | None = None
        self._watched: frozenset[Target] | None = None
        self._known: dict[tuple[Target, str], tuple[ConfigKey, float]] = {}
        self._complete_at = -inf
        self._asking = False
        self._due_at = monotonic()
        self._interval = self._keep = 0.0

    def configure(self, aggregator: Aggregator | None, settings: "Settings") -> None:
        """Ask another aggregator from now on, or none; what is known stays where it is the one of before."""
        before, self._aggregator = self._aggregator, aggregator
        self._asking = False  # a question under way was given up, perhaps before it began
        self._interval = settings.changes.config_interval
        self._keep = settings.refresh.keep_failed
        self._due_at = min(self._due_at, self._monotonic() + self._interval)
        if (before and before.name) != (aggregator and aggregator.name):
            self._known, self._complete_at = {}, -inf
            self._due_at = self._monotonic()
            self._publish(ConfigView() if aggregator else None)

    def discovered(self, targets: Collection[Target]) -> None:
        """Take `targets` for all that are watched, by this shard and the others."""
        self._watched = frozenset(targets)
        if self._view is not None:
            self._publish(self._with_keys(self._view))

    def take(self, now: float) -> bool:
        """Return whether to ask now, in which case `ask` must follow."""
        if self._aggregator is None or self._asking or now < self._due_at:
            return False
        self._asking = True
        self._due_at = now + min(_ASK_AGAIN, self._interval)  # should it crash
        return True

    async def ask(self) -> None:
        """Ask once and publish what became of it."""
        try:
            if self._aggregator is not None:
                answer = await self._aggregator.pending()
                self._take_in(answer)
                wait = self._interval if answer.complete else min(_ASK_AGAIN, self._interval)
                self._due_at = self._monotonic() + wait
        finally:
            self._asking = False

    @property
    def _view(self) -> ConfigView | None:
        return self._inventory.snapshot.config

    def _take_in(self, answer: Answer) -> None:
        now, before = self._monotonic(), self._view or ConfigView()
        told = {(key.target, key.key_id): (key, now) for key in answer.keys}
        if answer.complete:
            self._known, self._complete_at = told, now
        else:
            self._known = {
                which: (key, at) for which, (key, at) in (self._known | told).items() if now - at <= self._keep
            }
        view = ConfigView(
            asked_at=answer.at,
            last_success=answer.at if answer.complete else before.last_success,
            error=_what_is_missing(answer),
            unreadable=answer.unreadable,
        )
        self._publish(self._with_keys(view))

    def _with_keys(self, view: ConfigView) -> ConfigView:
        """Return a view with the keys as they are known now."""
        if not self._known and self._monotonic() - self._complete_at > self._keep:
            return replace(view, keys=None, unwatched=None)  # nobody has said of late that there are none
        keys = tuple(self._known[which][0] for which in sorted(self._known))
        watched = self._watched
        unwatched = None if watched is None else tuple(key for key in keys if key.target not in watched)
        return replace(view, keys=keys, unwatched=unwatched)

    def _publish(self, view: ConfigView | None) -> None:
        before = self._view
        if view == before:
            return
        self._inventory.cross_checked(view)
        self._published()
        self._eventlog.cross_checked(before or ConfigView(), view or ConfigView())


def _what_is_missing(answer: Answer) -> str:
    """Say why an answer is not one in full, `""` when it is."""
    if answer.error is not None:
        return str(answer.error)
    return f"{answer.unreadable} of the results could not be read" if answer.unreadable else ""
