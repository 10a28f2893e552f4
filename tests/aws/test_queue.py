"""What a queue of EventBridge's tells, and what the refresh loop makes of it."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from exporter.aws.connection import Connection
from exporter.aws.discovery import Discovery, Watch
from exporter.demo.faults import Fault, merging
from exporter.demo.queues import Queue, Redrive
from exporter.demo.scenario import REGIONS
from exporter.demo.vault import Vault
from exporter.demo.world import World
from exporter.model import Target
from exporter.settings import Settings
from exporter.sharding import Shard
from tests.aws.harness import Station
from tests.support.eventbridge import api_call, key_arn, text

if TYPE_CHECKING:
    from tests.aws.harness import Eventually, Lab, OpenLab, RunStation

HOME, PAYMENTS, STRANGER = "111122223333", "222233334444", "999988887777"
IRELAND, VIRGINIA, TOKYO = "eu-west-1", "us-east-1", "ap-northeast-1"
NAME = "kms-events"
COMES_BACK_AFTER = 60

Open = Callable[..., Station]


@pytest.fixture
def world() -> World:
    """Two accounts, and a queue of the home account that gets the events of both."""
    world = World(home_regions=[IRELAND, VIRGINIA])
    world.add_account(PAYMENTS, "payments", [IRELAND])
    world.add_role(PAYMENTS, "KmsExporter")
    world.create_organization()
    for vault in (world.vault(HOME, IRELAND), world.vault(HOME, VIRGINIA), world.vault(PAYMENTS, IRELAND)):
        for number in range(3):
            vault.create_key(alias=f"alias/key-{number}")
    world.bridge.add_rule(world.add_queue(NAME, IRELAND))
    return world


@pytest.fixture
def lab(open_lab: "OpenLab", world: World) -> "Lab":
    return open_lab(world)


@pytest.fixture
def queue(world: World) -> Queue:
    return world.queues[HOME, IRELAND, NAME]


@pytest.fixture
def open_station(lab: "Lab", run_station: "RunStation", eventually: "Eventually") -> Open:
    """Start refresh loops in which, after the first passes, only messages make anybody look at a key."""

    def opened(
        *, ready: bool = True, url: str | None = None, shard: dict[str, int] | None = None, **aws: Any
    ) -> Station:
        url = f"{lab.emulator.url}/{HOME}/{NAME}" if url is None else url
        station = run_station(lab, resting(url, shard or {}, **{"organization": {"enabled": True}, **aws}))
        if ready:
            eventually(lambda: station.refresher.ready)
        return station

    return opened


def resting(url: str, shard: dict[str, int], **aws: Any) -> Settings:
    changes = {"sqs_queue_url": url, "cloudtrail": False}
    refresh = {"interval": "1h", "full_interval": "1h", "fallback_interval": "1h"}
    return Settings.model_validate(
        {"aws": {"request_rate": 1, **aws}, "changes": changes, "refresh": refresh, "shard": shard}
    )


def some_key(vault: Vault) -> str:
    return next(key.key_id for key in vault.keys.values() if not key.pending)


def outcomes(lab: "Lab") -> dict[str, int]:
    """Return how many messages met each fate, where any did."""
    return {name: count for name, count in (lab.heard.messages or {}).items() if count}


def told(key_id: str, *, account_id: str = HOME, region: str = IRELAND) -> str:
    """Return the message that somebody scheduled the deletion of a key."""
    return text(api_call(arns=(key_arn(key_id, account_id=account_id, region=region),)))


def empty(queue: Queue) -> bool:
    return not queue.waiting() and not queue.in_flight()


def held_back(lab: "Lab", eventually: "Eventually", open_station: Open) -> tuple[Station, Fault]:
    """Start a loop that has read everything but gets no message before the fault is removed."""
    denial = lab.faults.deny(operation="ReceiveMessage")
    station = open_station()
    eventually(lambda: station.events.named("queue_failed"))
    lab.world.counts.clear()
    return station, denial


class TestMessages:
    def test_a_deletion_is_found_by_its_message_alone(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        station = open_station()
        passes = lab.heard.passes.copy()
        lab.world.counts.clear()
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: station.pending() == {key.arn})
        eventually(lambda: empty(queue))
        assert lab.heard.passes - passes == {"named": 1}
        assert outcomes(lab) == {"handled": 1}
        assert lab.heard.named == {"ScheduleKeyDeletion": 1}
        assert world.counts.total("ReceiveMessage") <= 2, "it waits, and does not ask again and again"

    def test_one_queue_tells_of_several_accounts_and_regions(
        self, world: World, open_station: Open, eventually: "Eventually"
    ) -> None:
        station = open_station()
        places = (HOME, IRELAND), (HOME, VIRGINIA), (PAYMENTS, IRELAND)
        keys = [world.vault(*place).schedule_deletion(some_key(world.vault(*place))).arn for place in places]
        eventually(lambda: station.pending() == set(keys))

    def test_what_happened_before_it_is_read_is_not_missed(
        self, world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        station = open_station()
        eventually(lambda: empty(queue))
        assert station.pending() == {key.arn}

    def test_many_messages_about_one_key_are_one_request(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        _, denial = held_back(lab, eventually, open_station)
        key_id = some_key(world.vault(HOME, IRELAND))
        for _ in range(10):
            queue.send(told(key_id))
        lab.faults.remove(denial)
        eventually(lambda: outcomes(lab) == {"handled": 10})
        assert world.counts.total("DescribeKey") == 1
        eventually(lambda: empty(queue))
        assert world.counts.total("DeleteMessageBatch") == 1

    def test_their_order_does_not_matter(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        station, denial = held_back(lab, eventually, open_station)
        vault = world.vault(HOME, IRELAND)
        saved, lost = list(vault.keys)[:2]
        vault.schedule_deletion(saved)
        vault.cancel_deletion(saved)
        lost_arn = vault.schedule_deletion(lost).arn
        bodies = [letter.body for letter in queue.receive(10)]
        for body in reversed(bodies):
            queue.send(body)
        lab.faults.remove(denial)
        eventually(lambda: station.pending() == {lost_arn})
        eventually(lambda: outcomes(lab) == {"handled": 3})
        assert station.pending() == {lost_arn}

    def test_a_key_that_aws_deletes_is_told_as_gone(
        self, world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        vault = world.vault(HOME, IRELAND)
        key_id = some_key(vault)
        vault.schedule_deletion(key_id)
        station = open_station()
        eventually(lambda: empty(queue))
        vault.delete(key_id)
        eventually(lambda: [event["key_id"] for event in station.events.named("deleted")] == [key_id])

    def test_a_key_that_is_new_is_known_with_its_alias(
        self, world: World, open_station: Open, eventually: "Eventually"
    ) -> None:
        station = open_station()
        before = station.key_count()
        world.vault(HOME, IRELAND).create_key(alias="alias/new")
        eventually(lambda: station.key_count() == before + 1)

    def test_what_others_watch_is_deleted_and_asks_nothing(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        open_station()
        world.counts.clear()
        queue.send(told("some-key", account_id=STRANGER))
        queue.send(told("some-key", region=TOKYO))
        queue.send(text(api_call("CreateGrant")))
        eventually(lambda: outcomes(lab) == {"ignored": 3})
        eventually(lambda: empty(queue))
        assert world.counts.total("DescribeKey") == 0

    def test_so_is_what_another_shard_watches(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        shards = [Shard(index, 2) for index in range(2)]
        (ours,) = (shard.index for shard in shards if shard.owns(Target(HOME, IRELAND)))
        others = world.vault(HOME, next(r for r in REGIONS if not shards[ours].owns(Target(HOME, r))))
        world.home.regions.add(others.region)
        queue_of_shard = world.add_queue(f"{NAME}-{ours}", IRELAND)
        url = f"{lab.emulator.url}/{HOME}/{NAME}-{{shard}}"
        station = open_station(url=url, shard={"index": ours, "total": 2})
        vault = world.vault(HOME, IRELAND)
        queue_of_shard.send(told(others.create_key().key_id, region=others.region))
        queue_of_shard.send(told(vault.schedule_deletion(some_key(vault)).key_id))
        eventually(lambda: outcomes(lab) == {"ignored": 1, "handled": 1})
        assert len(station.pending()) == 1
        assert queue.waiting(), "the queue of nobody is read by nobody"

    def test_a_fifo_queue_will_do(self, lab: "Lab", world: World, open_station: Open, eventually: "Eventually") -> None:
        fifo = world.add_queue("kms.fifo", IRELAND)
        world.bridge.add_rule(fifo)
        station = open_station(url=fifo.url(lab.emulator.url))
        vault = world.vault(HOME, IRELAND)
        keys = {vault.schedule_deletion(key_id).arn for key_id in list(vault.keys)}
        eventually(lambda: station.pending() == keys)
        eventually(lambda: empty(fifo))


class TestMessagesThatHaveToWait:
    def test_one_stays_until_its_key_could_be_described(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        station = open_station()
        denial = lab.faults.deny(operation="DescribeKey")
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: outcomes(lab) == {"failed": 1})
        assert [letter.receives for letter in queue.in_flight()] == [1]
        lab.faults.remove(denial)
        world.agenda.advance(COMES_BACK_AFTER)
        eventually(lambda: station.pending() == {key.arn})
        eventually(lambda: empty(queue))

    def test_a_look_in_vain_takes_nothing_from_a_pass_under_way(
        self, lab: "Lab", world: World, queue: Queue, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        settings = resting(f"{lab.emulator.url}/{HOME}/{NAME}", {}, read_timeout=2)
        tagged = settings.keys.model_copy(update={"tags": ("team",)})
        station = run_station(lab, settings.model_copy(update={"keys": tagged}))
        eventually(lambda: station.refresher.ready)
        world.bridge.lag = 60
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        hanging = lab.faults.hang(operation="GetResources", region=IRELAND)
        lab.monotonic.advance(3600)
        eventually(lambda: hanging.hits)  # the pass has described its keys, and asks for their tags
        lab.faults.deny(operation="DescribeKey")
        world.agenda.advance(60)
        eventually(lambda: outcomes(lab) == {"failed": 1})
        eventually(lambda: station.pending() == {key.arn})
        assert queue.in_flight()

    def test_one_stays_while_its_target_has_not_been_read(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        denial = lab.faults.deny(operation="ListKeys", region=VIRGINIA)
        station = open_station()
        vault = world.vault(HOME, VIRGINIA)
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: outcomes(lab) == {"failed": 1})
        assert queue.in_flight()
        lab.faults.remove(denial)
        lab.monotonic.advance(3600)
        eventually(lambda: station.pending() == {key.arn})
        world.agenda.advance(COMES_BACK_AFTER)
        eventually(lambda: empty(queue))

    def test_one_stays_while_its_account_lets_nobody_in(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        world.add_role(PAYMENTS, "KmsExporter", assumable=False)
        open_station()
        vault = world.vault(PAYMENTS, IRELAND)
        vault.schedule_deletion(some_key(vault))
        eventually(lambda: outcomes(lab) == {"failed": 1})
        assert queue.in_flight()

    def test_one_stays_while_nobody_knows_which_accounts_there_are(
        self, lab: "Lab", queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        lab.faults.deny(operation="ListAccounts")
        open_station()
        queue.send(told("some-key", account_id=STRANGER))
        eventually(lambda: outcomes(lab) == {"failed": 1})
        assert queue.in_flight()

    def test_none_is_received_before_every_target_was_tried(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        hanging = lab.faults.hang(operation="ListKeys", region=VIRGINIA)
        station = open_station(ready=False, read_timeout=20)
        vault = world.vault(HOME, IRELAND)
        vault.schedule_deletion(some_key(vault))
        eventually(lambda: station.is_up(IRELAND) and station.is_up(IRELAND, PAYMENTS) and hanging.hits)
        assert [letter.receives for letter in queue.waiting()] == [0]
        assert lab.heard.messages is None


class TestPoison:
    def test_it_goes_to_the_dead_letter_queue_where_there_is_one(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        dead = world.add_queue("dead", IRELAND)
        queue.redrive = Redrive(dead, max_receives=7)
        self._come_again_and_again(lab, queue, open_station, eventually, times=7)
        world.agenda.advance(COMES_BACK_AFTER)
        eventually(lambda: [letter.body for letter in dead.waiting()] == ["Hello!"])
        assert empty(queue)

    def test_it_is_dropped_after_five_times_where_there_is_none(
        self, lab: "Lab", queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        station = self._come_again_and_again(lab, queue, open_station, eventually, times=5)
        eventually(lambda: empty(queue))
        (dropped,) = station.events.named("queue_message_dropped")
        assert dropped["receives"] == 5

    def _come_again_and_again(
        self, lab: "Lab", queue: Queue, open_station: Open, eventually: "Eventually", *, times: int
    ) -> Station:
        station = open_station()
        queue.send("Hello!")
        for number in range(1, times):
            eventually(lambda number=number: outcomes(lab) == {"poison": number})
            lab.world.agenda.advance(COMES_BACK_AFTER)
        eventually(lambda: outcomes(lab) == {"poison": times})
        return station

    def test_it_costs_the_good_ones_nothing(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        station = open_station()
        for body in ("Hello!", "[" * 10_000, "{}", "null"):
            queue.send(body)
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: station.pending() == {key.arn})
        eventually(lambda: outcomes(lab) == {"poison": 4, "handled": 1})
        assert not station.events.named("task_crashed")


class TestAQueueThatFails:
    @pytest.mark.parametrize("operation", ["ReceiveMessage", "GetQueueAttributes"])
    def test_it_is_told_once_and_so_is_the_recovery(
        self, lab: "Lab", open_station: Open, eventually: "Eventually", operation: str
    ) -> None:
        denial = lab.faults.deny(operation=operation)
        station = open_station()
        eventually(lambda: denial.hits and lab.heard.queue.get("up") == 0)
        lab.faults.remove(denial)
        lab.monotonic.advance(60)  # it is measured again
        lab.world.queues[HOME, IRELAND, NAME].send("to end the poll")
        eventually(lambda: lab.heard.queue.get("up") == 1)
        (failed,) = station.events.named("queue_failed")
        assert "AccessDenied" in failed["error"]
        assert len(station.events.named("queue_recovered")) == 1

    def test_messages_that_can_not_be_deleted_come_again(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        denial = lab.faults.deny(operation="DeleteMessageBatch")
        station = open_station()
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: station.pending() == {key.arn} and lab.heard.queue.get("up") == 0)
        lab.faults.remove(denial)
        world.agenda.advance(COMES_BACK_AFTER)
        eventually(lambda: empty(queue) and lab.heard.queue.get("up") == 1)

    def test_one_that_is_made_later_is_read_then(
        self, lab: "Lab", world: World, open_station: Open, eventually: "Eventually"
    ) -> None:
        station = open_station(url=f"{lab.emulator.url}/{HOME}/later")
        eventually(lambda: station.events.named("queue_failed"))
        assert "NonExistentQueue" in station.events.named("queue_failed")[0]["error"]
        world.bridge.add_rule(world.add_queue("later", IRELAND))
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: station.pending() == {key.arn})

    def test_an_endpoint_that_dies_is_read_again_when_it_is_back(
        self, lab: "Lab", world: World, open_station: Open, eventually: "Eventually"
    ) -> None:
        station = open_station()
        eventually(lambda: lab.heard.queue.get("waiting") is not None)
        lab.emulator.stop()
        eventually(lambda: lab.heard.queue.get("up") == 0)
        lab.emulator.start()
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: station.pending() == {key.arn} and lab.heard.queue.get("up") == 1)

    def test_throttling_is_waited_out(
        self, lab: "Lab", world: World, open_station: Open, eventually: "Eventually"
    ) -> None:
        lab.faults.throttle(operation="ReceiveMessage", times=3)
        station = open_station()
        vault = world.vault(HOME, IRELAND)
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: station.pending() == {key.arn})
        assert lab.heard.throttles["ReceiveMessage"] == 3

    def test_an_answer_that_is_none_is_a_failure(
        self, lab: "Lab", queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        lab.faults.change(merging({"Messages": [{"MessageId": "1"}]}), operation="ReceiveMessage")
        station = open_station()

        def failed_after_one_more() -> object:
            queue.send(told("some-key"))
            return station.events.named("queue_failed")

        eventually(failed_after_one_more)
        assert "invalid_response" in station.events.named("queue_failed")[0]["error"]

    def test_a_poll_that_hangs_takes_nothing_from_the_passes(
        self, lab: "Lab", open_station: Open, eventually: "Eventually"
    ) -> None:
        hanging = lab.faults.hang(service="sqs")
        station = open_station()
        eventually(lambda: hanging.hits)
        passes = lab.heard.passes.total()
        lab.monotonic.advance(3600)
        eventually(lambda: lab.heard.passes.total() > passes + 2)
        assert station.is_up(IRELAND)
        station.stop()


class TestTheQueueInForce:
    def test_its_level_is_known_before_the_first_poll_ends(
        self, lab: "Lab", open_station: Open, eventually: "Eventually"
    ) -> None:
        open_station()
        eventually(lambda: lab.heard.queue.get("waiting") == 0)

    def test_how_long_the_oldest_message_waited_is_told(
        self, lab: "Lab", world: World, queue: Queue, open_station: Open, eventually: "Eventually"
    ) -> None:
        with world.agenda.as_of(world.agenda.time() - 300):
            queue.send(told("some-key"))
        open_station()
        eventually(lambda: empty(queue))
        lab.monotonic.advance(60)
        queue.send(told("some-key"))  # ends the poll
        eventually(lambda: 300 <= (lab.heard.queue.get("oldest_age") or 0) < 300 + 2 * 60)

    def test_another_one_takes_its_place_at_a_reload(
        self, lab: "Lab", world: World, open_station: Open, eventually: "Eventually"
    ) -> None:
        other = world.add_queue("other", IRELAND)
        station = open_station()
        station.refresher.reload(resting(other.url(lab.emulator.url), {}))
        vault = world.vault(HOME, IRELAND)
        other.send(told(vault.schedule_deletion(some_key(vault)).key_id))
        eventually(lambda: empty(other))
        eventually(station.pending)

    def test_it_is_read_after_a_reload_in_the_moment_when_reading_was_to_begin(
        self, lab: "Lab", world: World, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        settings = resting(f"{lab.emulator.url}/{HOME}/{NAME}", {}, organization={"enabled": True})
        connections, again = [], [False]

        class ReloadsOnceMore:
            """A discovery in whose last moment another reload comes."""

            def __init__(self, discovery: Discovery) -> None:
                self._discovery = discovery

            async def look(self) -> AsyncGenerator[Watch, None]:
                async for watch in self._discovery.look():
                    yield watch
                if again.pop():
                    station.refresher.reload(settings)

        def connect(settings: Settings) -> Connection:
            connections.append(lab.connect(settings))
            return replace(connections[-1], discovery=cast("Any", ReloadsOnceMore(connections[-1].discovery)))

        station = run_station(lab, settings, connect)
        eventually(lambda: station.refresher.ready)
        again += [False, True]
        station.refresher.reload(settings)
        eventually(lambda: len(connections) == 3)
        key = world.vault(HOME, IRELAND).schedule_deletion(some_key(world.vault(HOME, IRELAND)))
        eventually(lambda: station.pending() == {key.arn})

    def test_nothing_is_told_of_one_that_is_taken_away(
        self, lab: "Lab", open_station: Open, eventually: "Eventually"
    ) -> None:
        station = open_station()
        eventually(lambda: lab.heard.queue.get("waiting") == 0)
        station.refresher.reload(resting("", {}))
        eventually(lambda: lab.heard.messages is None and not lab.heard.queue)

    def test_without_one_nobody_asks(self, lab: "Lab", open_station: Open) -> None:
        station = open_station(url="")
        assert station.refresher.ready
        assert lab.world.counts.total("ReceiveMessage") == 0
        assert lab.heard.messages is None
