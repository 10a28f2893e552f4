"""When each target is swept, and how deeply; time is a number that the tests set."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import PassKind, Target
from exporter.schedule import Schedule

INTERVAL = 60.0
FULL_INTERVAL = 300.0
ONE = Target("111122223333", "eu-west-1")
OTHER = Target("222233334444", "eu-west-1")

FULL, CHANGES = PassKind.FULL, PassKind.CHANGES


def new_schedule(*targets: Target, seed: int = 0) -> Schedule:
    schedule = Schedule(interval=INTERVAL, full_interval=FULL_INTERVAL, rng=random.Random(seed))
    schedule.watch(targets, 0.0)
    return schedule


def fleet(count: int) -> list[Target]:
    return [Target(f"{number:012}", "eu-west-1") for number in range(count)]


def passes(
    schedule: Schedule, *, until: float, takes: float = 1.0, fails: bool = False
) -> Iterator[tuple[float, Target, PassKind]]:
    """Play the refresh loop: every pass takes `takes` seconds; yield when each began."""
    running: list[tuple[float, Target, PassKind]] = []
    now = 0.0
    while now <= until:
        for ended, target, kind in sorted(running):
            if ended <= now:
                running.remove((ended, target, kind))
                schedule.done(target, kind, ok=not fails, now=now)
        for target, kind in schedule.take(now):
            yield now, target, kind
            running.append((now + takes, target, kind))
        next_due = schedule.next_due()
        now = min([ended for ended, *_ in running] + ([next_due] if next_due is not None else [until + 1]))


def starts(schedule: Schedule, *, until: float, takes: float = 1.0, fails: bool = False) -> list[float]:
    return [at for at, *_ in passes(schedule, until=until, takes=takes, fails=fails)]


class TestFirstPasses:
    def test_a_single_target_is_due_at_once(self) -> None:
        assert new_schedule(ONE).take(0.0) == [(ONE, FULL)]

    def test_those_of_a_fleet_are_spread(self) -> None:
        schedule = new_schedule(*fleet(1000))
        begun = {target: at for at, target, _ in reversed(list(passes(schedule, until=INTERVAL - 1)))}
        assert len(begun) == 1000
        per_second = Counter(int(at) for at in begun.values())
        assert set(per_second) == set(range(10)), "a hundredth of a second for each"
        assert max(per_second.values()) < 200

    def test_they_are_never_spread_over_more_than_an_interval(self) -> None:
        schedule = new_schedule(*fleet(20_000))
        assert len(schedule.take(INTERVAL)) == 20_000

    def test_targets_that_appear_later_are_due_soon(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.watch([ONE, OTHER], 30.0)
        assert schedule.take(30.0) == [(OTHER, FULL)]


class TestIntervals:
    def test_a_target_is_swept_every_interval_whatever_a_pass_takes(self) -> None:
        assert starts(new_schedule(ONE), until=310, takes=7) == [0, 67, 127, 187, 247, 307]

    def test_passes_that_take_longer_than_the_interval_leave_a_rest(self) -> None:
        assert starts(new_schedule(ONE), until=400, takes=100) == [0, 160, 266, 372]

    @pytest.mark.parametrize("count", [60, 1_000])
    def test_targets_that_began_together_are_spread_over_the_interval(self, count: int) -> None:
        begun = [at for at, *_ in passes(new_schedule(*fleet(count)), until=5 * INTERVAL)]
        by_sixth = Counter(int(at % INTERVAL // 10) for at in begun if at >= 4 * INTERVAL)
        assert set(by_sixth) == set(range(6))
        assert max(by_sixth.values()) <= count / 2

    def test_so_are_those_that_appear_one_after_the_other(self) -> None:
        schedule, targets = new_schedule(), fleet(300)
        for number in range(len(targets)):
            schedule.watch(targets[: number + 1], number / 100)
        begun = [at for at, *_ in passes(schedule, until=5 * INTERVAL)]
        by_sixth = Counter(int(at % INTERVAL // 10) for at in begun if at >= 4 * INTERVAL)
        assert set(by_sixth) == set(range(6))
        assert max(by_sixth.values()) <= 150

    def test_a_few_are_not(self) -> None:
        begun = [at for at, *_ in passes(new_schedule(ONE, OTHER), until=2 * INTERVAL)]
        assert all(abs(at - round(at / INTERVAL) * INTERVAL) < 2 for at in begun)

    def test_no_second_pass_comes_early_while_a_first_one_is_still_to_end(self) -> None:
        schedule = new_schedule(*(targets := fleet(100)))
        schedule.take(INTERVAL)
        for at, target in enumerate(targets[:-1]):
            schedule.done(target, FULL, ok=True, now=100.0 + at)
        assert schedule.next_due() == 100.0 + INTERVAL
        begun = [schedule.take(100.0 + at + INTERVAL) for at in range(99)]
        assert [[target for target, _ in at_once] for at_once in begun] == [[target] for target in targets[:-1]]

    def test_each_target_comes_early_once(self) -> None:
        schedule = new_schedule(*(targets := fleet(100)))
        begun: dict[Target, list[float]] = {target: [] for target in targets}
        for at, target, _ in passes(schedule, until=20 * INTERVAL):
            begun[target].append(at)
        for starts_of_one in begun.values():
            apart = [later - earlier for earlier, later in pairwise(starts_of_one)]
            assert sum(rest < INTERVAL - 1 for rest in apart) <= 1
            assert apart[2:] == pytest.approx([INTERVAL] * len(apart[2:]))

    def test_one_pass_is_full_and_those_in_between_look_for_changes(self) -> None:
        kinds = [kind for _, _, kind in passes(new_schedule(ONE), until=100 * INTERVAL)]
        first, *others = [number for number, kind in enumerate(kinds) if kind is FULL]
        assert first == 0
        assert 3 <= others[0] <= 5, "the second comes early, by chance"
        assert {later - earlier for earlier, later in pairwise(others)} == {5}

    def test_targets_that_began_together_drift_apart(self) -> None:
        schedule = new_schedule(*fleet(300))
        full = Counter(int(at // INTERVAL) for at, _, kind in passes(schedule, until=25 * INTERVAL) if kind is FULL)
        assert full[0] == 300
        later = [full[minute] for minute in range(20, 25)]
        assert sum(later) == pytest.approx(300, abs=60), "each about once in five minutes"
        assert sum(1 for count in later if count) >= 3, "but not all in the same one"


class TestFailures:
    def test_a_failed_target_is_tried_again_within_the_interval(self) -> None:
        first, second, *_ = starts(new_schedule(ONE), until=300, takes=1, fails=True)
        assert 0.5 * INTERVAL <= second - first - 1 <= INTERVAL

    @pytest.mark.parametrize("seed", range(5))
    def test_the_distance_grows_to_two_intervals_at_the_most(self, seed: int) -> None:
        begun = starts(new_schedule(ONE, seed=seed), until=5000, takes=1, fails=True)
        rests = [later - earlier - 1 for earlier, later in pairwise(begun)]
        assert all(INTERVAL <= rest <= 2 * INTERVAL for rest in rests[1:])
        assert len(set(rests)) > 10, "with jitter"

    def test_one_that_failed_for_long_is_tried_again_within_two_intervals(self) -> None:
        schedule, now = new_schedule(ONE), 0.0
        for _ in range(2000):  # two days
            schedule.take(now)
            schedule.done(ONE, FULL, ok=False, now=now)
            due = schedule.next_due()
            assert due is not None
            assert due - now <= 2 * INTERVAL
            now = due

    def test_a_full_pass_that_failed_is_repeated_in_full(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.done(ONE, FULL, ok=False, now=1.0)
        assert schedule.take(INTERVAL + 1) == [(ONE, FULL)]

    def test_a_changes_pass_that_failed_is_repeated_as_such(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.done(ONE, FULL, ok=True, now=0.0)
        assert schedule.take(60.0) == [(ONE, CHANGES)]
        schedule.done(ONE, CHANGES, ok=False, now=61.0)
        assert schedule.take(121.0) == [(ONE, CHANGES)]

    def test_a_success_ends_the_backing_off(self) -> None:
        schedule, now = new_schedule(ONE), 0.0
        for ok in (False, False, False, True):
            schedule.take(now)
            schedule.done(ONE, FULL, ok=ok, now=now)
            due = schedule.next_due()
            assert due is not None
            rest, now = due - now, due
        assert rest == INTERVAL


class TestTaking:
    def test_what_was_taken_is_not_taken_again_before_it_is_done(self) -> None:
        schedule = new_schedule(ONE)
        assert schedule.take(0.0) == [(ONE, FULL)]
        schedule.watch([ONE, OTHER], 1.0)
        assert schedule.take(10 * INTERVAL) == [(OTHER, FULL)]
        assert schedule.next_due() is None

    def test_nothing_is_due_before_its_time(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.done(ONE, FULL, ok=True, now=0.0)
        assert schedule.next_due() == 60.0
        assert schedule.take(59.9) == []
        assert schedule.take(60.0) == [(ONE, CHANGES)]

    def test_a_target_that_left_is_not_taken(self) -> None:
        schedule = new_schedule(ONE, OTHER)
        schedule.watch([OTHER], 0.0)
        assert schedule.take(INTERVAL) == [(OTHER, FULL)]

    def test_a_pass_over_a_target_that_left_may_end(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.watch([], 1.0)
        schedule.done(ONE, FULL, ok=True, now=2.0)
        assert schedule.take(1000.0) == []
        assert schedule.next_due() is None

    def test_targets_are_untried_until_their_first_pass_ended(self) -> None:
        schedule = new_schedule(ONE, OTHER)
        assert schedule.untried == 2
        schedule.take(INTERVAL)
        assert schedule.untried == 2
        schedule.done(ONE, FULL, ok=False, now=61.0)
        assert schedule.untried == 1
        schedule.take(1000.0)
        schedule.done(ONE, FULL, ok=True, now=1001.0)
        assert schedule.untried == 1
        schedule.watch([ONE], 1002.0)
        assert schedule.untried == 0


class TestOtherIntervals:
    def test_a_shorter_one_holds_from_now_on(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.done(ONE, FULL, ok=True, now=1.0)
        schedule.change(interval=10.0, full_interval=50.0, now=2.0)
        assert schedule.next_due() == 12.0

    def test_a_longer_one_holds_from_the_next_pass_on(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.done(ONE, FULL, ok=True, now=0.0)
        schedule.change(interval=600.0, full_interval=3600.0, now=2.0)
        assert schedule.next_due() == 60.0
        schedule.take(60.0)
        schedule.done(ONE, FULL, ok=True, now=61.0)
        assert schedule.next_due() == 660.0

    def test_the_next_pass_of_each_target_is_full(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.done(ONE, FULL, ok=True, now=0.0)
        schedule.change(interval=INTERVAL, full_interval=FULL_INTERVAL, now=2.0)
        assert schedule.take(60.0) == [(ONE, FULL)]

    def test_what_was_running_is_due_at_once(self) -> None:
        schedule = new_schedule(ONE)
        schedule.take(0.0)
        schedule.change(interval=INTERVAL, full_interval=FULL_INTERVAL, now=2.0)
        schedule.done(ONE, FULL, ok=False, now=2.0)  # given up
        assert schedule.take(2.0) == [(ONE, FULL)]

    def test_targets_are_not_forgotten(self) -> None:
        schedule = new_schedule(ONE, OTHER)
        schedule.change(interval=10.0, full_interval=50.0, now=0.0)
        assert sorted(target for target, _ in schedule.take(10.0)) == [ONE, OTHER]


@given(
    seed=st.integers(0, 1000),
    outcomes=st.lists(st.tuples(st.sampled_from([ONE, OTHER]), st.booleans(), st.floats(0, 90)), max_size=40),
)
def test_no_target_is_ever_further_away_than_two_intervals(
    seed: int, outcomes: list[tuple[Target, bool, float]]
) -> None:
    """Whatever succeeds, fails and takes how long: once its pass has ended, a target comes up again in time."""
    schedule, now = new_schedule(ONE, OTHER, seed=seed), 0.0
    running: dict[Target, PassKind] = {}
    idle_since = {ONE: now, OTHER: now}
    for target, ok, seconds in outcomes:
        now += seconds
        for taken, kind in schedule.take(now):
            assert taken not in running
            running[taken] = kind
        if target in running:
            schedule.done(target, running.pop(target), ok=ok, now=now)
            idle_since[target] = now
        for idle in {ONE, OTHER} - running.keys():
            assert now - idle_since[idle] <= 2 * INTERVAL
        due = schedule.next_due()
        assert due is not None or running.keys() == {ONE, OTHER}
