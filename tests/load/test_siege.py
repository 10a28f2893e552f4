"""Scrapes, passes and memory beside everything that a network may hold against them: the real process is asked."""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import pytest

from benchmarks.strangers import KINDS, Stranger, Stream, once, scrape_at_once, strangers
from tests.load.conftest import KEYS, Besieged
from tests.support.waiting import until

SCRAPERS: Final = 200
MANY: Final = 200
MOST_GROWTH: Final = 64.0
"""MB. A copy of the page for each of `MANY` would be ten times as much, and so would be what they are able to send."""

A_FEW: Final = MANY // len(KINDS)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Stream:
    return KINDS[request.param]


@contextmanager
def every_kind(exporter: Besieged) -> Iterator[list[Stranger]]:
    """Besiege it with some of each kind."""
    with ExitStack() as stack:
        yield [
            each
            for stream in KINDS.values()
            for each in stack.enter_context(strangers(exporter.address, A_FEW, stream))
        ]


def pending(page: str) -> set[str]:
    return set(re.findall(r'^kms_key_pending_deletion\{.*key_id="([^"]+)"\} 1$', page, re.MULTILINE))


def is_whole(page: str) -> bool:
    """Whether a page tells of every key, and of the process, which is its end."""
    return page.count("\nkms_key_pending_deletion{") == KEYS and "\nprocess_cpu_seconds_total " in page


def passes(page: str) -> float:
    """Return when the latest pass succeeded."""
    (found,) = re.findall(r"^kms_exporter_target_last_success_timestamp_seconds\{.*\} (\S+)$", page, re.MULTILINE)
    return float(found)


def truth(exporter: Besieged) -> set[str]:
    return {key.key_id for key in exporter.vault.pending()}


def left_alone(exporter: Besieged, descriptors: int) -> None:
    """Wait until nothing of who left is kept."""
    until(lambda: exporter.descriptors() <= descriptors)


def test_each_of_many_scrapers_at_once_gets_a_whole_page(exporter: Besieged) -> None:
    before = exporter.resident()
    answers = scrape_at_once(exporter.address, SCRAPERS)
    assert [answer.status for answer in answers] == [200] * SCRAPERS
    assert pending(answers[0].text) == truth(exporter)
    assert all(is_whole(answer.text) for answer in answers)
    assert exporter.resident() - before < MOST_GROWTH


def test_scrapers_go_unhurt_memory_stays_and_nothing_is_kept_of_who_left(exporter: Besieged, kind: Stream) -> None:
    memory, descriptors = exporter.resident(), exporter.descriptors()
    with strangers(exporter.address, MANY, kind):
        assert pending(exporter.metrics()) == truth(exporter)
        assert exporter.resident() - memory < MOST_GROWTH
    left_alone(exporter, descriptors)


def test_many_scrapers_beside_everything_at_once_get_whole_pages(exporter: Besieged) -> None:
    descriptors = exporter.descriptors()
    with every_kind(exporter):
        answers = scrape_at_once(exporter.address, SCRAPERS)
        assert all(is_whole(answer.text) for answer in answers)
    left_alone(exporter, descriptors)


def test_passes_go_on_beside_everything_at_once_and_tell_what_changed(exporter: Besieged) -> None:
    vault = exporter.vault
    with every_kind(exporter):
        first = passes(exporter.metrics())
        scheduled = vault.schedule_deletion(next(key.key_id for key in vault.keys.values() if not key.pending))
        until(lambda: scheduled.key_id in pending(exporter.metrics()))
        second = until(lambda: (latest := passes(exporter.metrics())) > first and latest)
        until(lambda: passes(exporter.metrics()) > second)
    assert 'reason="timeout"' not in exporter.metrics()


def test_it_is_told_alive_and_ready_beside_everything_at_once(exporter: Besieged) -> None:
    with every_kind(exporter):
        assert exporter.process.get("/healthz").status_code == 200
        assert exporter.process.get("/readyz").status_code == 200


def test_there_is_a_bound_to_connections_and_room_again_once_some_leave(exporter: Besieged) -> None:
    descriptors = exporter.descriptors()
    with strangers(exporter.address, 600, once(b"")) as opened:
        until(lambda: sum(stranger.closed() for stranger in opened) >= 600 - 512)
        assert exporter.descriptors() <= descriptors + 512
    left_alone(exporter, descriptors)
    assert exporter.process.get("/metrics").status_code == 200


def test_what_strangers_do_is_no_error_in_the_log(exporter: Besieged) -> None:
    descriptors = exporter.descriptors()
    with every_kind(exporter):
        pass
    left_alone(exporter, descriptors)
    assert not [line for line in exporter.process.log if "level=error" in line]


def test_sigterm_ends_it_beside_everything_at_once(fresh: Besieged) -> None:
    with every_kind(fresh):
        assert fresh.process.end(signal.SIGTERM) == 0
    assert fresh.process.events("stopped")
