"""The emulated truth, without HTTP: time, pages, deletion."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.demo.agenda import Agenda
from exporter.demo.errors import AwsError
from exporter.demo.keys import DAY
from exporter.demo.paging import page
from exporter.demo.world import World

MEMBER = "222233334444"


@pytest.fixture
def agenda(clock):
    return Agenda(clock)


def test_planned_events_happen_in_order_and_at_their_time(agenda, clock):
    start, happened = clock.time, []
    agenda.plan(start + 2, lambda: happened.append(("second", agenda.time())))
    agenda.plan(start + 1, lambda: happened.append(("first", agenda.time())))
    agenda.plan(start + 9, lambda: happened.append(("later", agenda.time())))
    clock.time += 5
    assert happened == []

    agenda.settle()

    assert happened == [("first", start + 1), ("second", start + 2)]
    assert agenda.time() == start + 5


def test_an_event_can_plan_the_next_one(agenda, clock):
    ticks = []

    def tick():
        ticks.append(agenda.time())
        agenda.plan(agenda.time() + 10, tick)

    start = clock.time
    agenda.plan(start + 10, tick)
    clock.time += 35
    agenda.settle()

    assert ticks == [start + 10, start + 20, start + 30]


def test_what_never_happens_is_not_planned(agenda):
    agenda.plan(math.inf, lambda: pytest.fail("it happened"))
    agenda.advance(1e12)


def test_advancing_lets_what_is_due_happen(agenda, clock):
    happened = []
    agenda.plan(clock.time + 10, lambda: happened.append(agenda.time()))

    agenda.advance(60)

    assert happened == [clock.time + 10]
    assert agenda.time() == clock.time + 60


def test_time_does_not_run_backwards(agenda):
    with pytest.raises(ValueError, match="backwards"):
        agenda.advance(-1)


def test_an_event_that_fails_does_not_stop_time(agenda, clock):
    agenda.plan(clock.time, lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        agenda.settle()

    assert agenda.time() == clock.time


def test_the_past_can_be_told(agenda, clock):
    with agenda.as_of(clock.time - 100):
        assert agenda.time() == clock.time - 100
    assert agenda.time() == clock.time


@given(
    items=st.sets(st.text(min_size=1), max_size=30),
    limit=st.integers(1, 7),
    empty_first=st.booleans(),
)
def test_pages_hold_everything_once(items, limit, empty_first):
    everything, found, marker = sorted(items), [], None
    while True:
        chunk, marker = page(everything, limit, marker, empty_first=empty_first)
        assert len(chunk) <= limit
        found += chunk
        if marker is None:
            break

    assert found == everything


@given(
    items=st.sets(st.text(min_size=1), min_size=1, max_size=30),
    gone=st.sets(st.integers(0, 29)),
    limit=st.integers(1, 7),
)
def test_pages_of_a_list_that_shrinks_skip_nothing_that_stays(items, gone, limit):
    everything, found, marker = sorted(items), [], None
    staying = [each for number, each in enumerate(everything) if number not in gone]
    chunk, marker = page(everything, limit, None)
    found += chunk
    while marker is not None:
        chunk, marker = page(staying, limit, marker)
        found += chunk

    assert set(staying) <= set(found)
    assert len(found) == len(set(found))


def test_the_same_seed_gives_the_same_keys(clock):
    def ids(seed):
        vault = World(clock, seed=seed).vault("111122223333", "eu-west-1")
        return [vault.create_key().key_id for _ in range(3)]

    assert ids(1) == ids(1) != ids(2)


def test_the_truth_about_pending_keys_is_by_account_region_and_id(world):
    keys = [
        world.vault(account, region).create_key()
        for account, region in ((MEMBER, "eu-west-1"), ("111122223333", "us-east-1"), ("111122223333", "eu-west-1"))
    ]
    for key in keys:
        key.vault.schedule_deletion(key.key_id)
    world.vault(MEMBER, "eu-west-1").create_key()

    assert world.pending() == keys[::-1]
    assert world.vault(MEMBER, "eu-west-1").pending() == [keys[0]]
    assert len(list(world.keys())) == 4


def test_the_truth_about_pending_keys_is_up_to_date(world, clock):
    vault = world.vault(MEMBER, "eu-west-1")
    vault.schedule_deletion(vault.create_key().key_id, 7)
    clock.time += 7 * DAY

    assert world.pending() == []


def test_a_refused_change_changes_nothing(world):
    vault = world.vault(MEMBER, "eu-west-1")
    key = vault.create_key()

    with pytest.raises(AwsError, match="KMSInvalidStateException"):
        vault.cancel_deletion(key.key_id)
    with pytest.raises(AwsError, match="NotFoundException"):
        vault.schedule_deletion("nothing")

    assert key.state == "Enabled"


def test_only_a_primary_can_be_replicated_and_once_a_region(world):
    vault = world.vault("111122223333", "eu-west-1")
    primary = vault.create_key(multi_region=True)
    replica = world.replicate(primary, "us-east-1")

    for key, region in ((vault.create_key(), "us-east-1"), (replica, "eu-central-1"), (primary, "us-east-1")):
        with pytest.raises(ValueError, match="can't be replicated"):
            world.replicate(key, region)


def test_a_family_survives_its_primary(world):
    primary = world.vault("111122223333", "eu-west-1").create_key(multi_region=True)
    replica = world.replicate(primary, "us-east-1")
    primary.vault.delete(primary.key_id)

    assert replica.family.primary is None
    replica.vault.delete(replica.key_id)
    assert list(world.keys()) == []
