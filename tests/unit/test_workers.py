"""Threads for blocking calls, awaited from an event loop."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from exporter.aws.workers import Workers
from tests.support.waiting import until

PATIENCE = 10.0


@pytest.fixture
def workers() -> Iterator[Workers]:
    pool = Workers(2)
    yield pool
    pool.close()


def test_a_result_comes_back(workers: Workers) -> None:
    async def scenario() -> str:
        return await workers.submit(lambda: threading.current_thread().name)

    assert asyncio.run(scenario()).startswith("aws-")


def test_an_exception_comes_back(workers: Workers) -> None:
    def fail() -> None:
        raise ValueError("no")

    async def scenario() -> None:
        await workers.submit(fail)

    with pytest.raises(ValueError, match="no"):
        asyncio.run(scenario())


def test_as_many_run_at_once_as_there_are_threads(workers: Workers) -> None:
    both_run = threading.Barrier(2, timeout=PATIENCE)

    async def scenario() -> None:
        await asyncio.gather(workers.submit(both_run.wait), workers.submit(both_run.wait))

    asyncio.run(scenario())


class StillLoop(asyncio.SelectorEventLoop):
    """A loop in which no time passes: nothing has ever waited for long."""

    def time(self) -> float:
        return 0.0


def test_one_that_is_long_has_a_thread_of_its_own_at_once(workers: Workers) -> None:
    go_on = threading.Event()

    async def scenario() -> bool:
        busy = workers.submit(lambda: go_on.wait(PATIENCE), long=True)
        await workers.submit(go_on.set, long=True)
        return await busy

    with asyncio.Runner(loop_factory=StillLoop) as runner:
        assert runner.run(scenario()), "the other had to wait for it"


def test_a_burst_is_worked_off_by_the_thread_that_is_awake(workers: Workers) -> None:
    def job() -> str:
        threading.Event().wait(0.001)  # as a request does, so that another thread could take the next one
        return threading.current_thread().name

    async def scenario() -> set[str]:
        return set(await asyncio.gather(*(workers.submit(job) for _ in range(20))))

    def worked_off_by_one() -> bool:
        with asyncio.Runner(loop_factory=StillLoop) as runner:
            return len(runner.run(scenario())) == 1

    until(worked_off_by_one)  # at first, both may still be awake


def test_what_is_done_is_told_while_another_hangs(workers: Workers) -> None:
    go_on = threading.Event()

    async def scenario() -> None:
        quick = workers.submit(lambda: None)
        hanging = [workers.submit(lambda: go_on.wait(PATIENCE)) for _ in range(3)]
        await asyncio.wait_for(quick, PATIENCE / 2)
        go_on.set()
        await asyncio.gather(*hanging)

    asyncio.run(scenario())


def test_what_is_submitted_to_busy_threads_waits_its_turn(workers: Workers) -> None:
    go_on, order = threading.Event(), list[int]()

    async def scenario() -> None:
        busy = [workers.submit(lambda: go_on.wait(PATIENCE)) for _ in range(2)]
        waiting = [workers.submit(lambda number=number: order.append(number)) for number in range(5)]  # type: ignore[misc]  # a default in a lambda
        go_on.set()
        await asyncio.gather(*busy, *waiting)

    asyncio.run(scenario())
    assert sorted(order) == [0, 1, 2, 3, 4]


def test_a_result_that_nobody_waits_for_any_more_is_dropped(workers: Workers) -> None:
    go_on = threading.Event()

    async def scenario() -> str:
        abandoned = workers.submit(lambda: go_on.wait(PATIENCE))
        abandoned.cancel()
        go_on.set()
        return await workers.submit(lambda: "still at work")

    assert asyncio.run(scenario()) == "still at work"


def test_a_loop_that_is_closed_meanwhile_disturbs_nobody() -> None:
    workers, go_on = Workers(1), threading.Event()

    async def scenario() -> None:
        workers.submit(lambda: go_on.wait(PATIENCE))

    asyncio.run(scenario())
    (thread,) = (thread for thread in workers._threads if thread.is_alive())
    go_on.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_threads_end_once_what_was_queued_is_done() -> None:
    workers, done = Workers(2), list[int]()

    async def scenario() -> None:
        jobs = [workers.submit(lambda number=number: done.append(number)) for number in range(6)]  # type: ignore[misc]  # a default in a lambda
        workers.close()
        await asyncio.gather(*jobs)

    asyncio.run(scenario())
    for thread in workers._threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in workers._threads)
    assert sorted(done) == [0, 1, 2, 3, 4, 5]


def test_they_do_not_keep_the_process_alive() -> None:
    workers = Workers(1)
    assert all(thread.daemon for thread in workers._threads)
    workers.close()
