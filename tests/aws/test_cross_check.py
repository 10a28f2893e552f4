"""AWS Config as a cross-check: what is known by it, for how long, and which of its keys nobody watches."""

import logging
from typing import Any

import pytest

from exporter.aws.config import Aggregator
from exporter.cross_check import CrossCheck
from exporter.demo.keys import Key
from exporter.demo.world import World
from exporter.eventlog import EventLog
from exporter.inventory import Inventory
from exporter.log import Log
from exporter.model import ConfigView, Target
from exporter.settings import Settings
from tests.aws.harness import Events, Eventually, Lab, OpenLab, RunStation, Station, brisk

HOME, PAYMENTS, STRANGER = "111122223333", "222233334444", "999988887777"
IRELAND, VIRGINIA = "eu-west-1", "us-east-1"
NAME = "organization"
SELECT = "SelectAggregateResourceConfig"
DAY = 86_400.0


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """An organization of two accounts, and one that AWS Config collects from and nobody else knows."""
    world = World(home_regions=[IRELAND])
    world.add_account(PAYMENTS, "payments", [IRELAND])
    world.add_role(PAYMENTS, "KmsExporter")
    world.create_organization()
    world.add_account(STRANGER, "acquired", [IRELAND, VIRGINIA]).member = False
    world.add_aggregator(NAME, IRELAND)
    return open_lab(world)


def pending(lab: Lab, account_id: str, region: str = IRELAND) -> Key:
    vault = lab.world.vault(account_id, region)
    return vault.schedule_deletion(vault.create_key().key_id)


class Desk:
    """A cross-check at the test's own pace, in a process that watches the home account in one region."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.events = Events()
        self.publications = 0
        logger = logging.Logger("desk")  # noqa: LOG001 - belongs to this desk alone
        logger.addHandler(self.events)
        self.inventory = Inventory(
            keep_failed=DAY, keep_tombstones=DAY, now=lab.world.agenda.time, monotonic=lab.monotonic
        )
        self.check = CrossCheck(
            inventory=self.inventory,
            published=self._published,
            eventlog=EventLog(Log(logger), lab.heard),
            monotonic=lab.monotonic,
        )
        self.open()

    def discover(self, *others: Target) -> None:
        """Learn that these are watched beside the home account."""
        self.check.discovered([Target(HOME, IRELAND), *others])

    def open(self, name: str = NAME, **changes: Any) -> None:
        """Put settings in force."""
        settings = Settings.model_validate({"changes": {"config_aggregator": name, **changes}})
        aggregator = Aggregator(calls=self.lab.calls(), home=self.lab.home(), name=name, now=self.lab.world.agenda.time)
        self.check.configure(aggregator if name else None, settings)

    @property
    def view(self) -> ConfigView:
        view = self.inventory.snapshot.config
        assert view is not None
        return view

    def known(self) -> set[str] | None:
        return None if self.view.keys is None else {key.arn for key in self.view.keys}

    def unwatched(self) -> set[str] | None:
        return None if self.view.unwatched is None else {key.arn for key in self.view.unwatched}

    def look(self) -> None:
        """Ask if it is time to."""
        if self.check.take(self.lab.monotonic()):
            self.lab.run(self.check.ask())

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.lab.monotonic.advance(seconds)
        self.lab.world.agenda.advance(seconds)

    def _published(self) -> None:
        self.publications += 1


@pytest.fixture
def desk(lab: Lab) -> Desk:
    desk = Desk(lab)
    desk.discover()
    return desk


class TestWhatIsTold:
    def test_nothing_is_known_before_it_was_asked(self, desk: Desk) -> None:
        assert desk.view == ConfigView()
        assert desk.view.up is None

    def test_a_key_where_somebody_watches_is_known_and_no_more(self, desk: Desk) -> None:
        key = pending(desk.lab, HOME)
        desk.look()
        assert desk.view.up is True
        assert desk.known() == {key.arn}
        assert desk.unwatched() == set()
        assert desk.events.named("config_unwatched_key") == []

    def test_a_key_where_nobody_watches_is_told_and_logged_once(self, desk: Desk) -> None:
        key = pending(desk.lab, STRANGER)
        for _ in range(3):
            desk.look()
            desk.wait(DAY)
        assert desk.unwatched() == {key.arn}
        assert desk.events.named("config_unwatched_key") == [
            {"account_id": STRANGER, "region": IRELAND, "key_id": key.key_id, "state": "PendingDeletion"}
        ]

    def test_so_is_one_in_another_region_of_an_account_that_is_watched(self, desk: Desk) -> None:
        desk.lab.world.home.regions.add(VIRGINIA)
        key = pending(desk.lab, HOME, VIRGINIA)
        desk.look()
        assert desk.unwatched() == {key.arn}

    def test_it_ends_when_somebody_watches_from_now_on(self, desk: Desk) -> None:
        key = pending(desk.lab, STRANGER)
        desk.look()
        desk.discover(Target(STRANGER, IRELAND))
        assert desk.unwatched() == set()
        assert desk.known() == {key.arn}

    def test_it_ends_when_the_key_was_saved(self, desk: Desk) -> None:
        key = pending(desk.lab, STRANGER)
        desk.look()
        key.vault.cancel_deletion(key.key_id)
        desk.wait(3600)
        desk.look()
        assert (desk.known(), desk.unwatched()) == (set(), set())

    def test_no_key_is_unwatched_while_it_is_not_known_what_is_watched(self, lab: Lab) -> None:
        key = pending(lab, STRANGER)
        desk = Desk(lab)
        desk.look()
        assert desk.known() == {key.arn}
        assert desk.unwatched() is None
        desk.discover()
        assert desk.unwatched() == {key.arn}

    def test_what_config_recorded_may_be_old(self, desk: Desk) -> None:
        ((_, aggregator),) = desk.lab.world.aggregators.items()
        aggregator.age = DAY
        desk.look()
        key = pending(desk.lab, STRANGER)
        desk.wait(DAY - 1)
        desk.look()
        assert desk.known() == set()
        desk.wait(3600)
        desk.look()
        assert desk.unwatched() == {key.arn}


class TestPace:
    def test_it_is_asked_once_in_an_interval(self, desk: Desk) -> None:
        for _ in range(15):
            desk.look()
            desk.wait(60)
        assert desk.lab.world.counts.total(SELECT) == 1
        desk.look()
        assert desk.lab.world.counts.total(SELECT) == 2

    def test_after_a_failure_it_is_asked_within_a_minute(self, desk: Desk) -> None:
        desk.lab.faults.deny(operation=SELECT, times=1)
        desk.look()
        assert desk.view.up is False
        desk.wait(61)
        desk.look()
        assert desk.view.up is True

    def test_it_is_not_asked_beside_a_question_that_is_open(self, desk: Desk) -> None:
        assert desk.check.take(desk.lab.monotonic())
        desk.wait(DAY)
        assert not desk.check.take(desk.lab.monotonic())

    def test_nothing_is_published_when_nothing_is_new_to_tell(self, desk: Desk) -> None:
        before = desk.publications
        desk.discover()
        assert desk.publications == before


class TestFailure:
    def test_what_was_known_is_kept_and_the_failure_told_once(self, desk: Desk) -> None:
        key = pending(desk.lab, STRANGER)
        desk.look()
        last_success = desk.view.last_success
        denial = desk.lab.faults.deny(operation=SELECT)
        for _ in range(3):
            desk.wait(3600)
            desk.look()
        assert desk.view.up is False
        assert desk.unwatched() == {key.arn}
        assert desk.view.last_success == last_success
        (event,) = desk.events.named("config_failed")
        assert "AccessDeniedException" in event["error"]
        desk.lab.faults.remove(denial)
        desk.wait(3600)
        desk.look()
        assert desk.view.up is True
        assert len(desk.events.named("config_recovered")) == 1
        assert len(desk.events.named("config_unwatched_key")) == 1

    def test_what_is_too_old_is_dropped_and_then_unknown(self, desk: Desk) -> None:
        pending(desk.lab, STRANGER)
        desk.look()
        desk.lab.faults.deny(operation=SELECT)
        desk.wait(DAY + 1)
        desk.look()
        assert (desk.known(), desk.unwatched()) == (None, None)

    def test_that_there_were_none_is_too_old_just_so(self, desk: Desk) -> None:
        desk.look()
        assert desk.known() == set()
        desk.lab.faults.deny(operation=SELECT)
        desk.wait(DAY - 60)
        desk.look()
        assert desk.known() == set()
        desk.wait(120)
        desk.look()
        assert desk.known() is None

    def test_a_result_that_can_not_be_read_may_have_been_any_key(self, desk: Desk) -> None:
        key = pending(desk.lab, STRANGER)
        desk.look()
        desk.lab.faults.change(lambda answer: {**answer, "Results": ["{}"]}, operation=SELECT)
        desk.wait(3600)
        desk.look()
        assert desk.view.up is False
        assert desk.view.unreadable == 1
        assert desk.view.error == "1 of the results could not be read"
        assert desk.unwatched() == {key.arn}

    def test_a_partial_answer_adds_what_it_told(self, desk: Desk) -> None:
        key = pending(desk.lab, STRANGER)
        desk.lab.faults.change(lambda answer: {**answer, "Results": [*answer["Results"], "{}"]}, operation=SELECT)
        desk.look()
        assert desk.view.up is False
        assert desk.view.last_success is None
        assert desk.unwatched() == {key.arn}

    def test_what_only_partial_answers_told_gets_too_old_as_well(self, desk: Desk) -> None:
        pending(desk.lab, STRANGER)
        partial = desk.lab.faults.change(
            lambda answer: {**answer, "Results": [*answer["Results"], "{}"]}, operation=SELECT
        )
        desk.look()
        desk.lab.faults.remove(partial)
        desk.lab.faults.deny(operation=SELECT)
        desk.wait(DAY + 1)
        desk.look()
        assert desk.known() is None


class TestOtherSettings:
    def test_another_aggregator_is_asked_at_once_and_nothing_is_known_of_it_before(self, desk: Desk) -> None:
        pending(desk.lab, STRANGER)
        desk.look()
        desk.lab.world.add_aggregator("another", IRELAND, accounts=[HOME])
        desk.open("another")
        assert desk.view == ConfigView()
        desk.look()
        assert desk.known() == set()

    def test_the_same_one_stays_known(self, desk: Desk) -> None:
        key = pending(desk.lab, STRANGER)
        desk.look()
        desk.open(config_interval="1m")
        assert desk.unwatched() == {key.arn}
        desk.wait(60)
        desk.look()
        assert desk.lab.world.counts.total(SELECT) == 2

    def test_without_one_nothing_is_told_any_more(self, desk: Desk) -> None:
        pending(desk.lab, STRANGER)
        desk.look()
        desk.open("")
        assert desk.inventory.snapshot.config is None
        assert not desk.check.take(desk.lab.monotonic())


class TestInTheRefreshLoop:
    def start(self, run_station: RunStation, lab: Lab, **settings: Any) -> Station:
        wanted = {
            "aws": {"request_rate": 1, "organization": {"enabled": True}},
            "changes": {"config_aggregator": NAME},
            **settings,
        }
        return run_station(lab, brisk(Settings.model_validate(wanted)))

    def test_it_tells_of_the_account_that_nobody_watches(
        self, lab: Lab, run_station: RunStation, eventually: Eventually
    ) -> None:
        for account_id in (HOME, PAYMENTS):
            pending(lab, account_id)
        key = pending(lab, STRANGER)
        station = self.start(run_station, lab)
        eventually(lambda: station.events.named("config_unwatched_key"))
        eventually(lambda: station.refresher.ready)
        view = station.inventory.snapshot.config
        assert view is not None
        assert view.keys is not None
        assert len(view.keys) == 3
        assert view.unwatched is not None
        assert [told.arn for told in view.unwatched] == [key.arn]
        assert lab.world.counts.total(SELECT) == 1

    def test_a_failure_of_config_costs_no_pass(self, lab: Lab, run_station: RunStation, eventually: Eventually) -> None:
        lab.faults.deny(operation=SELECT)
        key = pending(lab, HOME)
        station = self.start(run_station, lab)
        eventually(lambda: station.events.named("config_failed"))
        eventually(lambda: station.refresher.ready)
        assert station.pending() == {key.arn}

    def test_what_another_shard_watches_is_watched_and_only_the_first_asks(
        self, lab: Lab, run_station: RunStation, eventually: Eventually
    ) -> None:
        for account_id in (HOME, PAYMENTS):
            pending(lab, account_id)
        key = pending(lab, STRANGER)
        first, second = (self.start(run_station, lab, shard={"index": index, "total": 2}) for index in range(2))
        eventually(lambda: first.refresher.ready and second.refresher.ready)
        eventually(lambda: first.events.named("config_unwatched_key"))
        view = first.inventory.snapshot.config
        assert view is not None
        assert [told.arn for told in view.unwatched or ()] == [key.arn]
        assert second.inventory.snapshot.config is None
        assert lab.world.counts.total(SELECT) == 1

    def test_a_reload_switches_it_on_and_off(self, lab: Lab, run_station: RunStation, eventually: Eventually) -> None:
        off = {"config_aggregator": ""}
        station = self.start(run_station, lab, changes=off)
        eventually(lambda: station.refresher.ready)
        assert station.inventory.snapshot.config is None
        station.refresher.reload(Settings.model_validate({"changes": {"config_aggregator": NAME}}))
        eventually(lambda: (view := station.inventory.snapshot.config) is not None and view.up)
        station.refresher.reload(Settings.model_validate({"changes": off}))
        eventually(lambda: station.inventory.snapshot.config is None)

    def test_by_default_nobody_asks(self, lab: Lab, run_station: RunStation, eventually: Eventually) -> None:
        station = self.start(run_station, lab, changes={})
        eventually(lambda: station.refresher.ready)
        assert lab.world.counts.total(SELECT) == 0
