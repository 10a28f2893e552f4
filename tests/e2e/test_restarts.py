"""Exporters crash, restart, are updated: an alert that fires neither ends nor begins anew before its key is saved."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

import pytest

from tests.e2e.paging_fixtures import Chain, chain
from tests.support.waiting import until

PENDING: Final = {"KmsKeyDeletionScheduled", "KmsKeyDeletionSoon"}
"""What fires for a key that is scheduled with a week, the shortest window."""
SEVERAL: Final = 3
MOMENTS: Final = 12


@dataclass(frozen=True)
class Alerted:
    """A key that somebody was paged about.

    Attributes:
        account: its account, one of `ACCOUNTS`.
        pages: how many pages there were until all its alerts fired.
    """

    chain: Chain
    account: str
    key_id: str
    pages: int

    def uninterrupted(self) -> None:
        """Hold that its alerts have fired without a pause, and that nobody heard of it again.

        Prometheus keeps in `ALERTS_FOR_STATE` since when an alert has been active: an alert that ended, be it for one
        evaluation, has another value after it.
        """
        begun_anew = self._of_key(f'changes(ALERTS_FOR_STATE{{key_id="{self.key_id}"}}[1h])')
        assert begun_anew == dict.fromkeys(PENDING, 0)
        assert self.firing() == PENDING
        assert len(self.chain.pages(self.account)) == self.pages
        assert self.chain.pages(self.account, action="resolve") == []

    def firing(self) -> set[str]:
        """Return the names of its alerts that fire."""
        return set(self._of_key(f'ALERTS{{alertstate="firing", key_id="{self.key_id}"}}'))

    def several_evaluations(self, count: int = SEVERAL) -> None:
        """Wait until the rules were evaluated so many times more, with its alerts still there each time."""
        evaluations = f'count_over_time(ALERTS{{alertstate="firing", key_id="{self.key_id}"}}[1h])'
        before = self._of_key(evaluations)
        until(lambda: all(now >= before[name] + count for name, now in self._of_key(evaluations).items()))

    def told_by(self) -> int:
        """Return how many replicas tell of the key."""
        return len(self.chain.prometheus.query(f'kms_key_pending_deletion{{key_id="{self.key_id}"}} == 1'))

    def _of_key(self, expression: str) -> dict[str, float]:
        return {dict(labels)["alertname"]: value for labels, value in self.chain.prometheus.query(expression).items()}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with chain(tmp_path_factory.mktemp("restarts"), replicas=(0,)) as started:
        yield started


def paged(running: Chain, account: str) -> Alerted:
    """Schedule the deletion of a key, and wait until somebody is paged."""
    vault = running.vault(account)
    key_id = vault.schedule_deletion(vault.create_key(alias=f"alias/{account}").key_id, days=7).key_id
    running.page(account, key_id, within=30)
    until(lambda: running.firing(account) == PENDING)
    return Alerted(running, account, key_id, len(running.pages(account)))


@pytest.fixture(scope="module")
def alerted(running: Chain) -> Alerted:
    return paged(running, "payments")


@pytest.fixture(autouse=True)
def as_before(running: Chain) -> None:
    """Begin each test with the first replica alone, with AWS in reach."""
    if set(running.exporters.running) != {0}:
        running.exporters.kill()
        running.exporters.start(0)


def test_a_crash_and_a_restart(running: Chain, alerted: Alerted) -> None:
    running.exporters.kill(0)
    until(lambda: alerted.told_by() == 0)
    alerted.several_evaluations()
    running.exporters.start(0)
    until(lambda: alerted.told_by() == 1)
    alerted.several_evaluations()
    alerted.uninterrupted()


def test_a_rolling_update(running: Chain, alerted: Alerted) -> None:
    running.exporters.start(1)
    running.exporters.end(0)
    until(lambda: alerted.told_by() == 1)
    alerted.several_evaluations()
    alerted.uninterrupted()


def test_one_of_two_replicas_crashes_and_is_replaced(running: Chain, alerted: Alerted) -> None:
    running.exporters.start(1)
    until(lambda: alerted.told_by() == 2)
    running.exporters.kill(0)
    until(lambda: alerted.told_by() == 1)
    alerted.several_evaluations()
    running.exporters.start(0)
    until(lambda: alerted.told_by() == 2)
    alerted.several_evaluations()
    alerted.uninterrupted()


def test_a_restart_while_aws_cannot_be_reached(running: Chain, alerted: Alerted) -> None:
    running.exporters.kill(0)
    running.emulator.stop()
    try:
        running.exporters.launch(0)
        until(lambda: set(running.prometheus.query("kms_exporter_account_up").values()) == {0})
        assert alerted.told_by() == 0
        alerted.several_evaluations()
        alerted.uninterrupted()
    finally:
        running.emulator.start()
    until(lambda: alerted.told_by() == 1, within=60)
    alerted.several_evaluations()
    alerted.uninterrupted()


@pytest.mark.parametrize("seed", [7])
def test_crashes_restarts_and_outages_at_any_moment(running: Chain, alerted: Alerted, seed: int) -> None:
    chance = Random(seed)
    aws = True
    try:
        for _ in range(MOMENTS):
            match chance.choice(("replica", "replica", "aws")), chance.choice((0, 1)):
                case "aws", _:
                    (running.emulator.stop if aws else running.emulator.start)()
                    aws = not aws
                case _, replica if replica in running.exporters.running:
                    chance.choice((running.exporters.kill, running.exporters.end))(replica)
                case _, replica:
                    running.exporters.launch(replica)
            alerted.several_evaluations(chance.randrange(4))
    finally:
        if not aws:
            running.emulator.start()
    for replica in {0, 1} - set(running.exporters.running):
        running.exporters.launch(replica)
    until(lambda: alerted.told_by() == 2, within=60)
    alerted.several_evaluations()
    alerted.uninterrupted()


def test_a_key_that_is_saved_while_nobody_watches_is_told_so_after_the_restart(running: Chain) -> None:
    saved = paged(running, "orders")
    running.exporters.kill(0)
    until(lambda: saved.told_by() == 0)
    running.vault("orders").cancel_deletion(saved.key_id)
    assert saved.firing() == PENDING
    running.exporters.start(0)
    running.page("orders", "", within=30, action="resolve")
    until(lambda: saved.firing() == set())


def test_a_key_that_is_scheduled_while_nobody_watches_is_paged_after_the_restart(running: Chain) -> None:
    running.exporters.kill(0)
    vault = running.vault("archive")
    key = vault.schedule_deletion(vault.create_key(alias="alias/archive").key_id, days=7)
    running.exporters.start(0)
    running.page("archive", key.key_id, within=30)
