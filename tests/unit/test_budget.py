"""The request budget of an operation, and the places in flight of an endpoint."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.budget import Lane, Pace

RATE = 10.0
NOW = 1000.0


class TestPace:
    def test_the_first_request_need_not_wait(self) -> None:
        assert Pace(RATE).reserve(1, NOW) == 0

    def test_requests_are_evenly_spaced(self) -> None:
        pace = Pace(RATE)
        assert [pace.reserve(1, NOW) for _ in range(4)] == pytest.approx([0, 0.1, 0.2, 0.3])

    def test_several_at_once_take_as_much_as_one_by_one(self) -> None:
        pace = Pace(RATE)
        assert [pace.reserve(8, NOW) for _ in range(3)] == pytest.approx([0, 0.8, 1.6])

    def test_an_unused_past_is_not_saved_up(self) -> None:
        pace = Pace(RATE)
        pace.reserve(1, NOW)
        waits = [pace.reserve(1, NOW + 3600) for _ in range(3)]
        assert waits == pytest.approx([0, 0.1, 0.2])

    def test_what_was_not_sent_is_given_back(self) -> None:
        pace = Pace(RATE)
        pace.reserve(8, NOW)
        pace.give_back(7)
        assert pace.reserve(1, NOW) == pytest.approx(0.1)

    @given(
        steps=st.lists(
            st.tuples(st.floats(0, 2), st.integers(1, 8)).flatmap(
                lambda step: st.tuples(st.just(step[0]), st.just(step[1]), st.integers(0, step[1] - 1))
            ),
            min_size=1,
            max_size=60,
        )
    )
    def test_the_rate_holds_whatever_is_reserved_and_given_back(self, steps: list[tuple[float, int, int]]) -> None:
        """N requests are sent over at least (N - one reservation) / rate seconds, however they come."""
        pace, now, sent, last_start = Pace(RATE), NOW, 0, NOW
        for pause, count, unsent in steps:
            now += pause
            last_start = max(last_start, now + pace.reserve(count, now))
            pace.give_back(unsent)
            sent += count - unsent
        assert last_start - NOW >= (sent - 8) / RATE - 1e-6


class TestThrottling:
    def test_it_pauses_with_jitter(self) -> None:
        waits = []
        for seed in range(50):
            pace = Pace(RATE)
            pace.throttled(NOW, random.Random(seed))
            waits.append(pace.reserve(1, NOW))
        assert all(0.125 <= wait <= 0.25 for wait in waits)
        assert max(waits) - min(waits) > 0.05

    def test_the_pause_comes_on_top_of_what_is_reserved(self) -> None:
        pace = Pace(RATE)
        pace.reserve(8, NOW)
        pace.throttled(NOW, random.Random(0))
        assert 0.8 + 0.125 <= pace.reserve(1, NOW) <= 0.8 + 0.25

    def test_pauses_grow_while_it_goes_on(self) -> None:
        pace, now, rng = Pace(RATE), NOW, random.Random(0)
        bounds = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0]
        for longest in bounds:
            pace.throttled(now, rng)
            wait = pace.reserve(1, now)
            assert longest / 2 <= wait <= longest
            now += wait + 0.1

    def test_requests_refused_together_are_one_refusal(self) -> None:
        pace, rng = Pace(RATE), random.Random(0)
        for _ in range(12):
            pace.throttled(NOW, rng)
        assert pace.reserve(1, NOW) <= 0.25
        pace.throttled(NOW + 1, rng)
        assert pace.reserve(1, NOW + 1) <= 0.5

    def test_an_answer_forgets_it(self) -> None:
        pace, now, rng = Pace(RATE), NOW, random.Random(0)
        for _ in range(10):
            pace.throttled(now, rng)
            now += 30
        pace.accepted()
        pace.throttled(now, rng)
        assert pace.reserve(1, now) <= 0.25


class Walkers:
    """Tasks that enter a lane and stay in it until they are told to leave; `inside` says who is in."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._walk(name))
        await _settled()

    async def leave(self, name: str, *, hung: bool | None = False) -> None:
        self.inside.remove(name)
        self.lane.leave(hung=hung)
        await _settled()

    async def give_up(self, *names: str) -> None:
        for name in names:
            self.tasks[name].cancel()
        await _settled()

    async def _walk(self, name: str) -> None:
        await self.lane.enter()
        self.inside.append(name)


async def _settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


class TestLane:
    def test_no_more_than_its_limit_are_inside(self) -> None:
        async def scenario() -> None:
            walkers = Walkers(Lane(2))
            await walkers.come("a", "b", "c")
            assert walkers.inside == ["a", "b"]

        asyncio.run(scenario())

    def test_first_come_first_served(self) -> None:
        async def scenario() -> None:
            walkers = Walkers(Lane(1))
            await walkers.come("a", "b", "c")
            await walkers.leave("a")
            assert walkers.inside == ["b"]
            await walkers.come("d")
            await walkers.leave("b")
            assert walkers.inside == ["c"]

        asyncio.run(scenario())

    def test_nobody_overtakes_those_who_wait(self) -> None:
        async def scenario() -> None:
            walkers = Walkers(Lane(1))
            await walkers.come("a", "b")
            walkers.inside.remove("a")
            walkers.lane.leave(hung=False)  # "b" has the place, though it has not run yet
            await walkers.come("c")
            assert walkers.inside == ["b"]

        asyncio.run(scenario())

    def test_giving_up_waiting_takes_no_place(self) -> None:
        async def scenario() -> None:
            walkers = Walkers(Lane(1))
            await walkers.come("a", "b", "c")
            await walkers.give_up("b")
            await walkers.leave("a")
            assert walkers.inside == ["c"]
            await walkers.leave("c")
            await walkers.come("d")
            assert walkers.inside == ["d"]

        asyncio.run(scenario())

    def test_giving_up_in_the_very_moment_of_being_let_in_takes_no_place(self) -> None:
        async def scenario() -> None:
            walkers = Walkers(Lane(1))
            await walkers.come("a", "b", "c")
            walkers.inside.remove("a")
            walkers.lane.leave(hung=False)
            await walkers.give_up("b")
            assert walkers.inside == ["c"]
            await walkers.leave("c")
            await walkers.come("d")
            assert walkers.inside == ["d"]

        asyncio.run(scenario())

    def test_after_a_hang_one_at_a_time_tries_its_luck(self) -> None:
        async def scenario() -> None:
            walkers = Walkers(Lane(4))
            await walkers.come("a", "b", "c", "d", "e", "f")
            for name in ("a", "b", "c"):
                await walkers.leave(name, hung=True)
                assert walkers.inside[-1] == "d", "nobody comes in while the others hang"
            await walkers.leave("d", hung=True)
            assert walkers.inside == ["e"]
            await walkers.leave("e", hung=True)
            assert walkers.inside == ["f"]

        asyncio.run(scenario())

    def test_a_single_answer_opens_it_again(self) -> None:
        async def scenario() -> None:
            walkers = Walkers(Lane(3))
            await walkers.come("a", "b", "c", "d", "e")
            await walkers.leave("a", hung=True)
            await walkers.leave("b", hung=True)
            assert walkers.inside == ["c"]
            await walkers.leave("c", hung=False)
            assert walkers.inside == ["d", "e"]

        asyncio.run(scenario())

    def test_leaving_without_having_sent_anything_says_nothing(self) -> None:
        async def scenario() -> None:
            walkers = Walkers(Lane(2))
            await walkers.come("a", "b", "c", "d")
            await walkers.leave("a", hung=True)
            await walkers.leave("b", hung=None)
            assert walkers.inside == ["c"], "still one at a time"

        asyncio.run(scenario())

    @given(data=st.data(), limit=st.integers(1, 3))
    def test_whatever_happens_its_places_neither_leak_nor_multiply(self, data: st.DataObject, limit: int) -> None:
        async def scenario() -> None:
            walkers, count = Walkers(Lane(limit)), 0
            for _ in range(data.draw(st.integers(0, 20))):
                match data.draw(st.sampled_from(["come", "leave", "give up", "race"])):
                    case "come":
                        count += 1
                        await walkers.come(str(count))
                    case "leave" if walkers.inside:
                        await walkers.leave(walkers.inside[0], hung=data.draw(st.sampled_from([True, False, None])))
                    case "give up" if walkers.tasks:
                        await walkers.give_up(data.draw(st.sampled_from(sorted(walkers.tasks))))
                    case "race" if walkers.inside and walkers.tasks:
                        walkers.inside.pop()
                        walkers.lane.leave(hung=False)
                        await walkers.give_up(data.draw(st.sampled_from(sorted(walkers.tasks))))
                assert len(walkers.inside) <= limit
            await walkers.give_up(*walkers.tasks)
            await walkers.come("last")
            while walkers.inside:
                await walkers.leave(walkers.inside[0], hung=False)
            await walkers.come("x", "y", "z", "one too many")
            assert walkers.inside == ["x", "y", "z"][:limit]

        asyncio.run(scenario())
