"""Many scrapes at once: what each of them is told, and what else gets a turn meanwhile."""

import asyncio
import threading
import weakref
from itertools import pairwise

import pytest

from exporter.exposition.renderer import Body
from exporter.web.metrics import INLINE_SAMPLES, MetricsEndpoint
from tests.support.serving import FakeExporter

MANY = 50
PATIENCE = 10.0
GZIP = (b"accept-encoding", b"gzip")
OPENMETRICS = (b"accept", b"application/openmetrics-text;version=1.0.0")


class Number(Body):
    """A body that does not hinder its being forgotten."""


class Counter:
    """Renders nothing but a number, one more each time."""

    def __init__(self, samples: int = 0) -> None:
        self.page = self
        self.clocked_samples = samples
        self.count = 0
        self.kept = weakref.WeakSet()

    def scrape(self, *_arguments, **_options) -> Body:
        self.count += 1
        body = Number((b"%d" % self.count,), 1)
        self.kept.add(body)
        return body


class Slow(Counter):
    """Belongs in a thread, and takes its time there."""

    def __init__(self) -> None:
        super().__init__(samples=INLINE_SAMPLES + 1)
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def scrape(self, *arguments, **options) -> Body:
        body = super().scrape(*arguments, **options)
        self.begun.release()
        assert self.go_on.acquire(timeout=PATIENCE)
        return body


class Broken(Slow):
    """Fails the second time."""

    def scrape(self, *arguments, **options) -> Body:
        body = super().scrape(*arguments, **options)
        if self.count == 2:
            raise ZeroDivisionError
        return body


class Scraped:
    """An endpoint, and who scrapes it."""

    def __init__(self, renderer: Counter) -> None:
        exporter = FakeExporter()
        exporter.renderer = renderer
        self._endpoint = MetricsEndpoint(exporter)
        self.order = []
        """Bodies in the order in which they were sent, and what else was done between them."""

    async def scrape(self, *headers) -> bytes:
        parts = []

        async def send(message) -> None:
            parts.append(message.get("body", b""))

        await self._endpoint({"type": "http", "method": "GET", "headers": headers}, None, send)
        self.order.append(b"".join(parts))
        return self.order[-1]


def test_scrapes_of_the_same_moment_are_told_the_same() -> None:
    scraped = Scraped(Counter())

    async def scenario() -> list[bytes]:
        return await asyncio.gather(*[scraped.scrape() for _ in range(MANY)])

    assert asyncio.run(scenario()) == [b"1"] * MANY


def test_one_after_the_other_are_told_anew() -> None:
    scraped = Scraped(Counter())

    async def scenario() -> list[bytes]:
        return [await scraped.scrape() for _ in range(3)]

    assert asyncio.run(scenario()) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("headers", [(GZIP,), (OPENMETRICS,), (GZIP, OPENMETRICS)])
def test_other_forms_are_other_bodies(headers) -> None:
    scraped = Scraped(Counter())

    async def scenario() -> list[bytes]:
        return await asyncio.gather(scraped.scrape(), scraped.scrape(*headers))

    assert sorted(asyncio.run(scenario())) == [b"1", b"2"]


def told_while_one_is_rendered(slow: Slow, count: int) -> list[bytes | BaseException]:
    """Return what a scrape was told, and then what those were told that came while it was rendered."""
    scraped = Scraped(slow)

    async def scenario() -> list[bytes | BaseException]:
        first = asyncio.create_task(scraped.scrape())
        assert await asyncio.to_thread(slow.begun.acquire, timeout=PATIENCE)
        later = [asyncio.create_task(scraped.scrape()) for _ in range(count)]
        await asyncio.sleep(0)
        slow.go_on.release(count)
        return await asyncio.gather(first, *later, return_exceptions=True)

    return asyncio.run(scenario())


def test_nobody_is_told_what_was_known_before_it_asked() -> None:
    assert told_while_one_is_rendered(Slow(), MANY) == [b"1", *[b"2"] * MANY]


def test_a_failure_is_that_of_one_scrape_and_leaves_nothing_older_to_the_others() -> None:
    first, second, *others = told_while_one_is_rendered(Broken(), 3)
    assert first == b"1"
    assert isinstance(second, ZeroDivisionError)
    assert others == [b"3", b"3"]


def told_after_one_is_given_up(which: int) -> list[bytes]:
    """Return what scrapes are told one of which (0 is rendered, 1 waits for it) is cancelled."""
    slow = Slow()
    scraped = Scraped(slow)

    async def scenario() -> list[bytes]:
        tasks = [asyncio.create_task(scraped.scrape())]
        assert await asyncio.to_thread(slow.begun.acquire, timeout=PATIENCE)
        tasks += [asyncio.create_task(scraped.scrape()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks.pop(which).cancel()
        slow.go_on.release(2)
        return await asyncio.gather(*tasks)

    return asyncio.run(scenario())


def test_who_gives_up_while_it_waits_keeps_nobody_waiting() -> None:
    assert told_after_one_is_given_up(1) == [b"1", b"2", b"2"]


def test_neither_does_who_gives_up_while_its_body_is_rendered() -> None:
    assert told_after_one_is_given_up(0) == [b"2", b"2", b"2"]


def test_each_turn_of_the_event_loop_answers_one() -> None:
    scraped = Scraped(Counter())

    async def scenario() -> None:
        scrapes = asyncio.gather(*[scraped.scrape() for _ in range(MANY)])
        while not scrapes.done():
            scraped.order.append("something else")
            await asyncio.sleep(0)

    asyncio.run(scenario())
    bodies = [index for index, what in enumerate(scraped.order) if what == b"1"]
    assert len(bodies) == MANY
    assert all(later - earlier > 1 for earlier, later in pairwise(bodies))


def test_no_body_is_kept() -> None:
    """It would hold a page beside the next one."""
    counter = Counter()
    scraped = Scraped(counter)

    async def scenario() -> None:
        await asyncio.gather(*[scraped.scrape() for _ in range(MANY)])

    asyncio.run(scenario())
    assert not counter.kept
