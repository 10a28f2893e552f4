"""A run of many passes, of which requests fail in every way, leaves nothing behind.

A reload is held by `test_closed.py`: it takes a long run to tell what the garbage collector has not come by to yet.
"""

import pytest

from tests.faults.leaks import Growth, Sample, failing, growth, run

PASSES = 1200
MEMORY = 3.0
"""KiB a pass. A short run sees the allocator more than the exporter: a page that is kept of each pass would be four."""
FLAT = 0.01
"""Threads, file descriptors or sockets a pass: what is kept of one pass in a hundred is found."""


def is_flat(found: Growth) -> bool:
    return found.resident < MEMORY and max(found.threads, found.descriptors, found.sockets) < FLAT


def test_nothing_grows_with_the_passes() -> None:
    found = run(failing, PASSES)
    assert is_flat(found), str(found)


def test_a_process_that_keeps_memory_of_each_pass_is_found_out() -> None:
    found = growth([Sample(at, 50_000 + 4 * at, 20, 30, 10) for at in range(0, 1000, 100)])
    assert found.resident == pytest.approx(4)
    assert not is_flat(found)


def test_a_process_that_keeps_a_file_of_every_fiftieth_pass_is_found_out() -> None:
    found = growth([Sample(at, 50_000, 20, 30 + at / 50, 10) for at in range(0, 1000, 100)])
    assert found.descriptors == pytest.approx(0.02)
    assert not is_flat(found)


def test_what_is_there_from_the_start_is_no_growth() -> None:
    taken = [Sample(0, 30_000, 10, 20, 5), *(Sample(at, 50_000, 20, 30, 10) for at in range(100, 1000, 100))]
    assert growth(taken).resident == pytest.approx(0)
    assert is_flat(growth(taken))
