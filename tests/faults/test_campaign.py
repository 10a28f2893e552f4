"""A short campaign of faults in which no promise may be broken; `make soak` runs long ones."""

import random
import re
from itertools import count, pairwise

from exporter.model import Target
from tests.faults.campaign import run
from tests.faults.schedule import EVERYWHERE, KINDS, Tempo, draw

TARGETS = [Target("111122223333", "eu-west-1"), Target("222233334444", "us-east-1")]
TEMPO = Tempo(shortest=1, longest=5, outlasting=40, calm=6)


def test_a_seed_draws_the_same_schedule_each_time() -> None:
    assert draw(random.Random(7), 600, TARGETS, TEMPO) == draw(random.Random(7), 600, TARGETS, TEMPO)
    assert draw(random.Random(7), 600, TARGETS, TEMPO) != draw(random.Random(8), 600, TARGETS, TEMPO)


def test_every_kind_has_its_turn() -> None:
    assert {planned.kind for planned in draw(random.Random(0), 1000, TARGETS, TEMPO)} == set(KINDS)


def test_faults_everywhere_come_one_at_a_time_and_leave_time_to_recover() -> None:
    everywhere = [planned for planned in draw(random.Random(0), 1000, TARGETS, TEMPO) if planned.kind in EVERYWHERE]
    assert all(after.start - before.end >= TEMPO.calm for before, after in pairwise(everywhere))


def test_all_faults_are_over_before_the_end() -> None:
    assert all(planned.end <= 594 for planned in draw(random.Random(0), 600, TARGETS, TEMPO))


def test_no_promise_is_broken() -> None:
    report = run(seed=24, seconds=45, interval=1, allowance=5)
    assert not report.violations, str(report)
    assert report.injected.total() >= 6
    assert all(
        report.checked[check] for check in ("missing", "invented", "scheduled", "days", "ages", "admitted", "counted")
    )


def test_no_promise_is_broken_while_an_account_and_a_region_are_gone_for_long() -> None:
    report = run(seed=836, seconds=50, interval=1, allowance=5, only="account_leaves,region_disabled")
    assert not report.violations, str(report)
    assert report.injected == {"account_leaves": 1, "region_disabled": 1}
    assert all(report.checked[check] for check in ("shown_down", "left", "recovered"))


def test_a_page_that_loses_a_pending_key_is_found_out_and_told_with_its_seed() -> None:
    with_keys = count()

    def lose_one(page: str) -> str:
        key_id = re.search(r'kms_key_pending_deletion\{.*key_id="([^"]+)"\} 1', page)
        if key_id is None or next(with_keys) < 20:
            return page
        return re.sub(rf'^.*key_id="{key_id[1]}".*\n', "", page, flags=re.MULTILINE)

    # Violations end it long before its time, which lets a busy machine start the process. Nothing else goes wrong.
    report = run(seed=11, seconds=60, interval=1, only="nothing", sabotage=lose_one)
    assert any(re.match(r"seed 11 at \S+ s: missing: ", violation) for violation in report.violations)
