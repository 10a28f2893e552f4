"""The reader of the queue by itself, between a queue and a watcher that do as they are told."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest

from exporter.aws.calls import Access
from exporter.aws.queue import Batch, Level, Message
from exporter.errors import TargetError
from exporter.log import Log
from exporter.model import Target
from exporter.queue_reader import TRIES, QueueReader
from tests.support.eventbridge import ACCOUNT, REGION, api_call, key_arn, text
from tests.support.looks import Nobody

HERE, THERE = Target(ACCOUNT, REGION), Target(ACCOUNT, "us-east-1")
ELSEWHERE = Target("999988887777", REGION)
NOW = 1_790_000_000.0


def message(body: str = text(api_call()), *, number: int = 1, receives: int = 1, age: float = 3.0) -> Message:
    return Message(f"message-{number}", f"receipt-{number}-{receives}", body, receives, age)


def about(*targets: Target, key_id: str = "key-1") -> str:
    arns = (key_arn(key_id, account_id=target.account_id, region=target.region) for target in targets)
    return text(api_call(arns=tuple(arns)))


class Queue:
    """A queue that brings what it is given, and after that nothing for ever.

    Attributes:
        deleted: the numbers of the messages that were deleted, call by call.
        refusals: what calls of each operation fail with, in turn.
    """

    def __init__(self, *batches: Sequence[Message]) -> None:
        self._batches = list(batches)
        self.deleted: list[list[str]] = []
        self.refusals: dict[str, list[TargetError | None]] = {}
        self.receives = 0
        self.standing = Level(waiting=7, redrives=False)

    async def receive(self) -> Batch:
        self.receives += 1
        await asyncio.sleep(0)
        self._refuse("ReceiveMessage")
        if not self._batches:
            await asyncio.Event().wait()
        return Batch(self._batches.pop(0), NOW)

    async def delete(self, messages: Sequence[Message]) -> None:
        self._refuse("DeleteMessageBatch")
        self.deleted.append([each.message_id for each in messages])

    async def level(self) -> Level:
        self._refuse("GetQueueAttributes")
        return self.standing

    def _refuse(self, operation: str) -> None:
        if (refusals := self.refusals.get(operation)) and (refusal := refusals.pop(0)) is not None:
            raise refusal


class Watcher:
    """Watches two targets.

    Attributes:
        looks: where it was told to look, and at what.
        silent: keys that do not answer.
        hanging: targets whose keys never answer.
        unknown: targets that it can't ask yet.
    """

    def __init__(self) -> None:
        self.looks: list[tuple[Target, frozenset[str]]] = []
        self.silent: frozenset[str] = frozenset()
        self.hanging: set[Target] = set()
        self.unknown: set[Target] = set()

    def access(self, target: Target) -> Access | None:
        return None if target in self.unknown else Access(target, Nobody())

    def may_watch(self, target: Target) -> bool:
        return target in {HERE, THERE}

    async def look_at(self, access: Access, key_ids: Collection[str]) -> Collection[str]:
        self.looks.append((access.target, frozenset(key_ids)))
        if access.target in self.hanging:
            await asyncio.Event().wait()
        return self.silent.intersection(key_ids)


class Heard:
    """What was told to telemetry."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.ups: list[bool] = []
        self.answers: list[float] = []
        self.levels: list[tuple[int | None, float | None]] = []

    def change(self, source: str, event: str) -> None:
        assert source == "sqs"
        self.events[event] += 1

    def queue_reading(self, outcomes: Collection[str]) -> None:
        self.messages.update(dict.fromkeys(outcomes, 0))

    def queue_message(self, outcome: str) -> None:
        self.messages[outcome] += 1

    def queue_up(self, up: bool) -> None:
        self.ups.append(up)

    def queue_answered(self, at: float) -> None:
        self.answers.append(at)

    def queue_level(self, waiting: int | None, oldest_age: float | None) -> None:
        self.levels.append((waiting, oldest_age))


class HurriedLoop(asyncio.SelectorEventLoop):
    """A loop in which pauses take no time, and are remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
        self.pauses.append(when - self.time())
        return super().call_at(self.time(), callback, *args, context=context)


class Desk:
    """A reader with everything around it; each poll takes its 20 s."""

    def __init__(self, *batches: Sequence[Message]) -> None:
        self.queue = Queue(*batches)
        self.watcher = Watcher()
        self.heard = Heard()
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.pauses: list[float] = []

    def run(self, until: Callable[[], object]) -> None:
        """Read until something has come about."""
        with asyncio.Runner(loop_factory=HurriedLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, HurriedLoop)
            self.pauses = loop.pauses
            runner.run(self._read(until))

    def named(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.log if name == event]

    def outcomes(self) -> dict[str, int]:
        return {name: count for name, count in self.heard.messages.items() if count}

    async def _read(self, until: Callable[[], object]) -> None:
        logger = logging.Logger("desk")  # noqa: LOG001 - belongs to this desk alone
        logger.addFilter(lambda record: self.log.append((record.getMessage(), record.__dict__["fields"])))
        reader = QueueReader(
            queue=self.queue,  # type: ignore[arg-type]  # does what a queue does
            watcher=self.watcher,
            telemetry=self.heard,
            log=Log(logger),
            monotonic=lambda: 20.0 * self.queue.receives,
            rng=random.Random(0),
        )
        reading = asyncio.create_task(reader.run())
        for _ in range(1000):
            await asyncio.sleep(0)
            if until():
                break
        else:
            pytest.fail("it never came about")
        reading.cancel()
        await asyncio.wait({reading})
        assert reading.cancelled()


class TestWhatBecomesOfMessages:
    def test_one_is_deleted_when_its_key_has_answered(self) -> None:
        desk = Desk([message(about(HERE))])
        desk.run(lambda: desk.queue.deleted)
        assert desk.watcher.looks == [(HERE, frozenset({"key-1"}))]
        assert (desk.queue.deleted, desk.outcomes()) == ([["message-1"]], {"handled": 1})
        assert desk.heard.events == {"ScheduleKeyDeletion": 1}

    def test_one_whose_key_did_not_is_left(self) -> None:
        desk = Desk([message(about(HERE, key_id="key-1")), message(about(HERE, key_id="key-2"), number=2)])
        desk.watcher.silent = frozenset({"key-1"})
        desk.run(lambda: desk.queue.deleted)
        assert (desk.queue.deleted, desk.outcomes()) == ([["message-2"]], {"failed": 1, "handled": 1})
        assert desk.heard.events == {"ScheduleKeyDeletion": 1}, "what comes again is counted when it has been seen to"

    def test_one_whose_target_can_not_be_asked_yet_is_left(self) -> None:
        desk = Desk([message(about(THERE))])
        desk.watcher.unknown = {THERE}
        desk.run(desk.outcomes)
        assert (desk.queue.deleted, desk.outcomes(), desk.watcher.looks) == ([], {"failed": 1}, [])

    def test_one_about_what_others_watch_is_deleted(self) -> None:
        desk = Desk([message(about(ELSEWHERE))])
        desk.run(lambda: desk.queue.deleted)
        assert (desk.outcomes(), desk.watcher.looks, desk.heard.events) == ({"ignored": 1}, [], {})

    def test_one_about_several_targets_needs_an_answer_of_those_that_are_watched(self) -> None:
        desk = Desk([message(about(HERE, THERE, ELSEWHERE))])
        desk.run(lambda: desk.queue.deleted)
        assert (len(desk.watcher.looks), desk.outcomes()) == (2, {"handled": 1})

    def test_many_about_one_key_are_one_look(self) -> None:
        desk = Desk([message(about(HERE), number=number) for number in range(10)])
        desk.run(lambda: desk.queue.deleted)
        assert desk.watcher.looks == [(HERE, frozenset({"key-1"}))]
        assert (len(desk.queue.deleted[0]), desk.outcomes()) == (10, {"handled": 10})

    def test_the_same_message_twice_is_deleted_twice_in_one_call(self) -> None:
        desk = Desk([message(receives=1), message(receives=2)])
        desk.run(lambda: desk.queue.deleted)
        assert desk.queue.deleted == [["message-1", "message-1"]]

    def test_a_target_that_hangs_holds_up_the_messages_of_no_other(self) -> None:
        desk = Desk([message(about(HERE))], [message(about(THERE), number=2)])
        desk.watcher.hanging = {HERE}
        desk.run(lambda: desk.queue.deleted)
        assert desk.queue.deleted == [["message-2"]]

    def test_but_not_more_is_received_than_can_be_looked_into(self) -> None:
        desk = Desk(*([message(about(HERE), number=number)] for number in range(20)))
        desk.watcher.hanging = {HERE}
        desk.run(lambda: len(desk.watcher.looks) == 8)
        assert desk.queue.receives <= 9


class TestPoison:
    def test_one_is_set_aside_told_and_counted(self) -> None:
        desk = Desk([message("Hello!"), message(about(HERE), number=2)])
        desk.run(lambda: desk.queue.deleted)
        assert (desk.queue.deleted, desk.outcomes()) == ([["message-2"]], {"poison": 1, "handled": 1})
        (told,) = desk.named("queue_message_poison")
        assert (told["message_id"], told["receives"]) == ("message-1", 1)

    def test_without_a_redrive_policy_it_is_dropped_when_it_has_come_often_enough(self) -> None:
        desk = Desk([message("Hello!", receives=TRIES - 1)], [message("Hello!", receives=TRIES)])
        desk.run(lambda: desk.queue.deleted)
        assert (desk.queue.deleted, desk.outcomes()) == ([["message-1"]], {"poison": 2})
        assert desk.named("queue_message_dropped") == [{"message_id": "message-1", "receives": TRIES}]

    def test_with_one_it_is_left_to_that(self) -> None:
        desk = Desk([message("Hello!", receives=TRIES + 1)], [message(about(HERE), number=2)])
        desk.queue.standing = Level(waiting=0, redrives=True)
        desk.run(lambda: desk.queue.deleted)
        assert (desk.queue.deleted, desk.named("queue_message_dropped")) == ([["message-2"]], [])

    def test_a_message_that_only_fails_is_never_dropped(self) -> None:
        desk = Desk([message(about(HERE), receives=100)])
        desk.watcher.silent = frozenset({"key-1"})
        desk.run(desk.outcomes)
        assert desk.queue.deleted == []


def refusal(operation: str, reason: str = "AccessDenied") -> TargetError:
    return TargetError(HERE, operation, reason)


class TestTheQueue:
    def test_it_is_up_when_it_answers(self) -> None:
        desk = Desk([])
        desk.run(lambda: desk.queue.receives == 2)
        assert (set(desk.heard.ups), desk.heard.answers) == ({True}, [NOW])

    def test_a_failure_is_told_once_however_often_it_is_met(self) -> None:
        desk = Desk([])
        desk.queue.refusals["ReceiveMessage"] = [refusal("ReceiveMessage")] * 3
        desk.run(lambda: desk.queue.receives == 5)
        assert len(desk.named("queue_failed")) == len(desk.named("queue_recovered")) == 1
        assert "ReceiveMessage in 111122223333/eu-west-1: AccessDenied" in desk.named("queue_failed")[0]["error"]
        assert (False in desk.heard.ups, desk.heard.ups[-1]) == (True, True)

    def test_another_failure_is_told_too(self) -> None:
        desk = Desk([])
        codes = ("AccessDenied", "AWS.SimpleQueueService.NonExistentQueue")
        desk.queue.refusals["ReceiveMessage"] = [refusal("ReceiveMessage", code) for code in codes]
        desk.run(lambda: desk.named("queue_recovered"))
        assert len(desk.named("queue_failed")) == 2

    def test_it_is_tried_again_after_pauses_that_grow_to_a_minute(self) -> None:
        desk = Desk([])
        desk.queue.refusals["ReceiveMessage"] = [refusal("ReceiveMessage")] * 10
        desk.run(lambda: desk.named("queue_recovered"))
        bounds = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
        assert len(desk.pauses) == len(bounds)
        assert all(bound / 2 <= pause <= bound for pause, bound in zip(desk.pauses, bounds, strict=True)), desk.pauses

    def test_what_can_not_be_deleted_makes_it_down_and_is_tried_with_the_next(self) -> None:
        desk = Desk([message(about(HERE))], [message(about(HERE), number=2)])
        desk.queue.refusals["DeleteMessageBatch"] = [refusal("DeleteMessageBatch")]
        desk.run(lambda: desk.queue.deleted)
        assert desk.queue.deleted == [["message-2"]]
        assert desk.heard.ups.count(False) >= 1
        assert desk.named("queue_recovered")

    def test_a_queue_that_can_not_be_measured_is_read_all_the_same(self) -> None:
        desk = Desk([message(about(HERE))])
        desk.queue.refusals["GetQueueAttributes"] = [refusal("GetQueueAttributes")] * 2
        desk.run(lambda: desk.queue.deleted)
        assert {waiting for waiting, _ in desk.heard.levels} == {None}
        assert desk.heard.ups[-1] is False, "whether it is drained can't be told"


class TestItsLevel:
    def test_it_is_asked_for_before_the_first_message_comes(self) -> None:
        desk = Desk()
        desk.run(lambda: desk.queue.receives)
        assert desk.heard.levels == [(7, None)]

    def test_and_once_a_minute_with_the_age_of_the_oldest_message_that_came_meanwhile(self) -> None:
        desk = Desk([message(age=5.0)], [message(age=90.0), message(age=80.0)], [])
        desk.run(lambda: desk.queue.receives == 4)
        assert desk.heard.levels == [(7, None), (7, 90.0)]

    def test_one_failure_to_tell_it_is_made_good_with_the_next_poll(self) -> None:
        desk = Desk([])
        desk.queue.refusals["GetQueueAttributes"] = [refusal("GetQueueAttributes")]
        desk.run(lambda: desk.queue.receives == 2)
        assert desk.heard.levels == [(None, None), (7, 0.0)]
        assert desk.heard.ups[-1]

    def test_further_ones_wait_for_a_minute(self) -> None:
        desk = Desk([], [], [])
        desk.queue.refusals["GetQueueAttributes"] = [refusal("GetQueueAttributes")] * 2
        desk.run(lambda: desk.queue.receives == 3)
        assert [waiting for waiting, _ in desk.heard.levels] == [None, None]

    def test_and_at_once_when_the_queue_is_back(self) -> None:
        desk = Desk([])
        for operation, times in {"ReceiveMessage": 1, "GetQueueAttributes": 2}.items():
            desk.queue.refusals[operation] = [refusal(operation)] * times
        desk.run(lambda: desk.queue.receives == 3)
        assert desk.heard.levels == [(None, None), (None, None), (7, 0.0)]
        assert desk.heard.ups[-1]

    def test_where_none_came_none_is_old(self) -> None:
        desk = Desk([], [], [])
        desk.run(lambda: desk.queue.receives == 4)
        assert desk.heard.levels == [(7, None), (7, 0.0)]

    def test_where_nothing_could_be_received_nobody_knows_how_old_any_is(self) -> None:
        desk = Desk()
        desk.queue.refusals["ReceiveMessage"] = [refusal("ReceiveMessage")] * 3
        desk.run(lambda: desk.queue.receives == 4)
        assert desk.heard.levels == [(7, None), (7, None)]


def test_it_ends_at_once_when_it_is_cancelled() -> None:
    desk = Desk([message(about(HERE))])
    desk.watcher.hanging = {HERE}
    desk.run(lambda: desk.watcher.looks)
    assert desk.queue.deleted == []
