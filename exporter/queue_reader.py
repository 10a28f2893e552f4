"""Turns what EventBridge puts into a queue into looks at keys, within seconds.

A message is never believed: it only names keys, which are then described. It is deleted once they were; until then SQS
hands it out again, so nothing that happens to this process loses one.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from math import inf
from typing import Final, Protocol

from exporter.aws.calls import Access
from exporter.aws.eventbridge import NoEventError, Notice, read_notice
from exporter.aws.queue import Batch, Message, Queue
from exporter.errors import TargetError
from exporter.eventlog import QUEUE
from exporter.log import Log
from exporter.model import Target

TRIES: Final = 5
"""How often a message that can't be read is left for the queue's redrive policy, where there is none to wait for."""
MEASURE_EVERY: Final = 60.0
_BATCHES: Final = 8
"""Batches that are looked into at once: a target that hangs keeps messages about the others waiting only when there are
so many of its own."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0


class Outcome(StrEnum):
    """What became of a message that was received."""

    HANDLED = "handled"
    """Each key that it names was described; deleted."""
    IGNORED = "ignored"
    """It is about nothing that this process watches, or about nothing that changes a key; deleted."""
    FAILED = "failed"
    """A key that it names could not be described, or not yet; it comes again."""
    POISON = "poison"
    """It is no event."""


class Watcher(Protocol):
    """Whoever watches targets, and describes keys of theirs."""

    def access(self, target: Target) -> Access | None:
        """Return how a target is asked; None where it can't be now."""
        ...

    def may_watch(self, target: Target) -> bool:
        """Whether a target is watched here, or may turn out to be."""
        ...

    async def look_at(self, access: Access, key_ids: Collection[str]) -> Collection[str]:
        """Describe keys; return those that did not answer."""
        ...


class Telemetry(Protocol):
    """What is told of the queue."""

    def change(self, source: str, event: str) -> None:
        """Count an event."""
        ...

    def queue_reading(self, outcomes: Collection[str]) -> None:
        """Show that a queue is read, and what may become of messages."""
        ...

    def queue_message(self, outcome: str) -> None:
        """Count a message."""
        ...

    def queue_up(self, up: bool) -> None:
        """Show whether the queue works."""
        ...

    def queue_answered(self, at: float) -> None:
        """Show when (Unix seconds) the queue was read last."""
        ...

    def queue_level(self, waiting: int | None, oldest_age: float | None) -> None:
        """Show how many messages wait and how old, in seconds, the oldest of the last minute was; None is unknown."""
        ...


class QueueReader:
    """Reads one queue; belongs to the event loop of whoever watches."""

    def __init__(
        self,
        *,
        queue: Queue,
        watcher: Watcher,
        telemetry: Telemetry,
        log: Log,
        monotonic: Callable[[], float],
        rng: random.Random,
    ) -> None:
        """Read `queue` for `watcher`; `rng` draws the jitter of pauses."""
        self._queue = queue
        self._watcher = watcher
        self._telemetry = telemetry
        self._log = log
        self._monotonic = monotonic
        self._rng = rng
        self._room = asyncio.Semaphore(_BATCHES)
        self._errors: dict[str, str] = {}
        self._redrives = False
        self._measure_at = -inf
        self._oldest_age: float | None = None

    async def run(self) -> None:
        """Read until cancelled: a poll that hangs is left to its thread."""
        self._telemetry.queue_reading(list(Outcome))
        failures = 0
        async with asyncio.TaskGroup() as handling:
            while True:
                await self._measure()
                async with self._room:
                    pass  # what is received now is looked into at once, not after it has come back already
                try:
                    batch = await self._queue.receive()
                except TargetError as error:
                    self._failed(error)
                    failures += 1
                    await asyncio.sleep(self._pause(failures))
                    continue
                failures = 0
                self._received(batch)
                if batch.messages:
                    handling.create_task(self.handle(batch.messages))

    async def _measure(self) -> None:
        """Ask about once a minute how the queue stands."""
        if self._monotonic() < self._measure_at:
            return
        self._measure_at = self._monotonic() + MEASURE_EVERY
        oldest_age, self._oldest_age = self._oldest_age, None
        waiting = None
        try:
            level = await self._queue.level()
        except TargetError as error:
            if "GetQueueAttributes" not in self._errors:
                self._measure_at = -inf  # with the next poll, should it have been for a moment only
            self._failed(error)
        else:
            self._worked("GetQueueAttributes")
            self._redrives, waiting = level.redrives, level.waiting
        self._telemetry.queue_level(waiting, oldest_age)

    def _received(self, batch: Batch) -> None:
        if "ReceiveMessage" in self._errors:
            self._measure_at = -inf  # what ailed the queue may have been in the way of measuring it too
        self._worked("ReceiveMessage")
        self._telemetry.queue_answered(batch.at)
        # A poll asks the whole queue: where it brought nothing, nothing waited.
        self._oldest_age = max((self._oldest_age or 0.0, *(message.age for message in batch.messages)))

    async def handle(self, messages: Sequence[Message]) -> None:
        """Look at each key that the messages name, once, and delete those messages that are done with."""
        notices = [(message, self._read(message)) for message in messages]
        async with self._room:
            unanswered = await self._look_into(notices)
        done = []
        for message, notice in notices:
            outcome = self._outcome(notice, unanswered)
            self._telemetry.queue_message(outcome)
            if outcome is Outcome.HANDLED and notice is not None:
                self._telemetry.change(QUEUE, notice.name)
            if outcome in {Outcome.HANDLED, Outcome.IGNORED} or self._is_given_up(message, outcome):
                done.append(message)
        if done:
            await self._delete(done)

    async def _look_into(self, notices: Iterable[tuple[Message, Notice | None]]) -> Mapping[Target, Collection[str]]:
        """Look at all keys of the notices that are in places watched here; return those that did not answer."""
        wanted: defaultdict[Target, set[str]] = defaultdict(set)
        for _, notice in notices:
            for target, key_ids in notice.about.items() if notice else ():
                if self._watcher.may_watch(target):
                    wanted[target] |= key_ids
        looks = await asyncio.gather(*(self._look_at(target, key_ids) for target, key_ids in wanted.items()))
        return dict(zip(wanted, looks, strict=True))

    def _read(self, message: Message) -> Notice | None:
        """Return what a message says; None where it says nothing that can be understood."""
        try:
            return read_notice(message.body)
        except NoEventError as error:
            self._log.warning(
                "queue_message_poison", message_id=message.message_id, receives=message.receives, error=str(error)
            )
            return None

    async def _look_at(self, target: Target, key_ids: Collection[str]) -> Collection[str]:
        access = self._watcher.access(target)
        return key_ids if access is None else await self._watcher.look_at(access, key_ids)

    @staticmethod
    def _outcome(notice: Notice | None, unanswered: Mapping[Target, Collection[str]]) -> Outcome:
        if notice is None:
            return Outcome.POISON
        ours = [(key_ids, unanswered[target]) for target, key_ids in notice.about.items() if target in unanswered]
        if not ours:
            return Outcome.IGNORED
        return Outcome.HANDLED if all(key_ids.isdisjoint(failed) for key_ids, failed in ours) else Outcome.FAILED

    def _is_given_up(self, message: Message, outcome: Outcome) -> bool:
        """Whether a message that nobody will ever understand has come often enough."""
        if outcome is not Outcome.POISON or self._redrives or message.receives < TRIES:
            return False
        self._log.error("queue_message_dropped", message_id=message.message_id, receives=message.receives)
        return True

    async def _delete(self, messages: Sequence[Message]) -> None:
        try:
            await self._queue.delete(messages)
        except TargetError as error:
            self._failed(error)  # they come again, and are looked into again
        else:
            self._worked("DeleteMessageBatch")

    def _failed(self, error: TargetError) -> None:
        self._telemetry.queue_up(False)
        if self._errors.get(error.operation) != error.reason:
            self._errors[error.operation] = error.reason
            self._log.warning("queue_failed", error=str(error))

    def _worked(self, operation: str) -> None:
        was_down = bool(self._errors)
        self._errors.pop(operation, None)
        self._telemetry.queue_up(not self._errors)
        if was_down and not self._errors:
            self._log.info("queue_recovered")

    def _pause(self, failures: int) -> float:
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 16))
        return self._rng.uniform(longest / 2, longest)
