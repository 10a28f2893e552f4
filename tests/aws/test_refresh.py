"""The refresh loop as a whole: what is swept when, what becomes of it, and how it takes on other settings."""

import gc
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from exporter.aws.calls import Access
from exporter.aws.connection import Connection
from exporter.aws.discovery import Discovery, Watch
from exporter.aws.investigation import Investigator
from exporter.aws.sweep import Sweeper
from exporter.demo.world import World
from exporter.model import Pass, TargetState
from exporter.refresh import DISCOVER_EVERY
from exporter.settings import Settings
from tests.aws.harness import Station, brisk, watching

if TYPE_CHECKING:
    from tests.aws.harness import Eventually, Lab, OpenLab, OpenStation

HOME, PAYMENTS = "111122223333", "222233334444"
IRELAND, VIRGINIA = "eu-west-1", "us-east-1"
DAY = 86_400.0


@pytest.fixture
def world() -> World:
    """A home account with two regions, and another account in the same organization."""
    world = World(home_regions=[IRELAND, VIRGINIA])
    world.add_account(PAYMENTS, "payments", [IRELAND])
    world.add_role(PAYMENTS, "KmsExporter")
    world.create_organization()
    return world


@pytest.fixture
def both(open_lab: "OpenLab", world: World) -> "Lab":
    return open_lab(world)


class TestReadiness:
    """The settings leave a minute between passes: what makes it ready are the first ones."""

    def test_it_comes_when_every_target_was_read(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        station = open_station(both, slow=True)
        eventually(lambda: station.refresher.ready)
        assert (station.is_up(IRELAND), station.is_up(VIRGINIA)) == (True, True)
        assert both.heard.passes == {"full": 2}
        assert both.heard.target_count == 2

    def test_it_waits_for_every_target_to_be_tried(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        hanging = both.faults.hang(operation="ListKeys", region=VIRGINIA)
        station = open_station(both, slow=True, read_timeout=20)
        eventually(lambda: station.is_up(IRELAND) and hanging.hits)
        assert not station.refresher.ready

    def test_a_target_that_fails_last_does_not_stand_in_its_way(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        both.faults.hang(operation="ListKeys", region=VIRGINIA)
        station = open_station(both, slow=True, read_timeout=0.3)
        eventually(lambda: station.is_up(VIRGINIA) is False)
        eventually(lambda: station.refresher.ready)
        assert both.heard.passes == {"full": 2}

    def test_an_account_that_is_found_down_last_does_not_either(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        hanging = both.faults.hang(operation="AssumeRole", times=1)
        both.world.add_role(PAYMENTS, "KmsExporter", assumable=False)
        station = open_station(both, slow=True, read_timeout=60, organization={"enabled": True})
        eventually(lambda: station.is_up(IRELAND) and station.is_up(VIRGINIA) and hanging.hits)
        assert not station.refresher.ready, "there may be more targets than those"
        both.emulator.stop()  # cuts the request that hangs
        both.emulator.start()
        eventually(lambda: station.refresher.ready)
        assert station.inventory.snapshot.accounts == {HOME: True, PAYMENTS: False}

    def test_without_a_single_success_it_never_comes(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        both.faults.deny(operation="ListKeys")
        station = open_station(both)
        eventually(lambda: station.passes() >= 6)
        assert not station.refresher.ready

    def test_until_it_comes_passes_that_fail_leave_nothing_to_the_collector(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        both.faults.deny(operation="ListKeys")
        station = open_station(both)
        eventually(lambda: station.passes() >= 6)
        frozen = gc.get_freeze_count()
        for _ in range(5):
            seen = station.passes()
            both.monotonic.advance(2)
            eventually(lambda seen=seen: station.passes() > seen + 2)
        assert gc.get_freeze_count() == frozen

    def test_without_a_target_it_never_comes(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        both.faults.deny(service="sts")
        station = open_station(both)
        eventually(lambda: station.events.named("account_failed"))
        assert not station.refresher.ready

    def test_it_stays(self, both: "Lab", open_station: "OpenStation", eventually: "Eventually") -> None:
        station = open_station(both)
        eventually(lambda: station.refresher.ready)
        both.emulator.stop()
        eventually(lambda: station.is_up(IRELAND) is False and station.is_up(VIRGINIA) is False)
        assert station.refresher.ready


class TestTransitions:
    def test_a_scheduled_deletion_is_told_before_a_slow_pass_is_over(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        vault = both.world.vault(HOME, IRELAND)
        ids = [vault.create_key().key_id for _ in range(150)]
        station = open_station(both, concurrency=1)
        eventually(lambda: station.refresher.ready)
        slow = both.faults.latency(0.1, operation="DescribeKey")
        eventually(lambda: slow.hits > 8)
        published = station.publications
        both.monotonic.advance(DISCOVER_EVERY)
        eventually(lambda: station.publications > published)  # accounts were looked for, in the middle of the pass
        before = station.state(IRELAND).last_success
        for key_id in ids:
            vault.schedule_deletion(key_id)
        eventually(station.pending)
        assert station.state(IRELAND).last_success == before
        both.faults.remove(slow)
        eventually(lambda: len(station.pending()) == len(ids))
        assert len(station.events.named("deletion_scheduled")) == len(ids), "each once"

    def test_a_scheduled_deletion_is_found_logged_and_counted_once(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        vault = both.world.vault(HOME, IRELAND)
        key = vault.create_key(alias="alias/ledger")
        station = open_station(both)
        eventually(lambda: station.refresher.ready)
        vault.schedule_deletion(key.key_id, days=7)
        eventually(lambda: station.pending() == {key.arn})
        seen = station.passes()
        eventually(lambda: station.passes() >= seen + 8)
        (event,) = station.events.named("deletion_scheduled")
        assert event["deletion_date"].startswith("20")
        assert {name: value for name, value in event.items() if name != "deletion_date"} == {
            "account_id": HOME,
            "region": IRELAND,
            "key_id": key.key_id,
            "alias": "alias/ledger",
            "before": "Enabled",
            "state": "PendingDeletion",
        }
        assert both.heard.changes == {"deletion_scheduled": 1}

    def test_so_are_its_cancellation_and_the_end_of_a_key(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        vault = both.world.vault(HOME, IRELAND)
        saved, lost = vault.create_key(), vault.create_key()
        for key in (saved, lost):
            vault.schedule_deletion(key.key_id, days=7)
        station = open_station(both)
        eventually(lambda: station.pending() == {saved.arn, lost.arn})
        vault.cancel_deletion(saved.key_id)
        vault.delete(lost.key_id)
        eventually(lambda: station.pending() == set())
        eventually(lambda: both.heard.changes == {"deletion_cancelled": 1, "deleted": 1})
        assert [event["key_id"] for event in station.events.named("deletion_cancelled")] == [saved.key_id]
        assert [event["key_id"] for event in station.events.named("deleted")] == [lost.key_id]

    def test_nothing_is_told_of_what_was_there_before(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        vault = both.world.vault(HOME, IRELAND)
        vault.schedule_deletion(vault.create_key().key_id)
        station = open_station(both)
        eventually(lambda: station.passes() >= 8)
        assert not both.heard.changes
        assert {"region": IRELAND, "account_id": HOME, "keys": 1, "pending": 1} in station.events.named("target_read")


class TestHealth:
    def test_a_failure_is_told_once_and_so_is_the_recovery(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        station = open_station(both)
        eventually(lambda: station.refresher.ready)
        fault = both.faults.deny(operation="ListKeys", region=IRELAND)
        eventually(lambda: _errors(station, IRELAND) >= 3)
        both.faults.remove(fault)
        eventually(lambda: station.is_up(IRELAND))
        seen = station.passes()
        eventually(lambda: station.passes() >= seen + 4)
        (failed,) = station.events.named("target_failed")
        assert failed["region"] == IRELAND
        assert "AccessDeniedException" in failed["error"]
        assert station.events.named("target_recovered") == [{"account_id": HOME, "region": IRELAND}]

    def test_each_key_that_becomes_unreadable_is_told_once(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        vault = both.world.vault(HOME, IRELAND)
        first, second = vault.create_key(denied={"DescribeKey"}), vault.create_key()
        station = open_station(both)
        eventually(lambda: station.refresher.ready)
        first.denied, second.denied = frozenset(), frozenset({"DescribeKey"})  # one recovers as the other is lost
        eventually(lambda: len(station.events.named("key_unreadable")) == 2)
        seen = station.passes()
        eventually(lambda: station.passes() >= seen + 8)
        told = [event["key_id"] for event in station.events.named("key_unreadable")]
        assert told == [first.key_id, second.key_id]

    def test_keys_that_are_known_too_long_are_dropped(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        vault = both.world.vault(HOME, IRELAND)
        vault.schedule_deletion(vault.create_key().key_id)
        station = open_station(both)
        eventually(station.pending)
        both.faults.deny(operation="ListKeys", region=IRELAND)
        eventually(lambda: station.is_up(IRELAND) is False)
        before = station.publications
        both.monotonic.advance(DAY + 1)
        eventually(lambda: not station.pending())
        assert {"account_id": HOME, "region": IRELAND} in station.events.named("target_dropped")
        assert station.publications > before

    def test_accounts_that_fail_and_recover_are_told(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        both.world.add_role(PAYMENTS, "KmsExporter", assumable=False)
        both.faults.deny(operation="ListAccounts", times=1)
        station = open_station(both, organization={"enabled": True}, accounts=[_role(PAYMENTS)])
        eventually(lambda: station.events.named("account_failed"))
        eventually(lambda: station.events.named("organization_failed"))
        eventually(lambda: station.inventory.snapshot.organization is False)
        both.world.add_role(PAYMENTS, "KmsExporter")

        def recovers() -> bool | None:
            both.monotonic.advance(1)  # again and again: accounts are looked for 30 s after a look has *ended*
            return station.is_up(IRELAND, PAYMENTS)

        eventually(recovers)
        assert station.events.named("account_recovered") == [{"account_id": PAYMENTS}]
        eventually(lambda: station.inventory.snapshot.organization is True)
        assert len(station.events.named("account_failed")) == 1


class TestDiscovery:
    def test_an_account_that_appears_is_watched(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        both.world.accounts[PAYMENTS].member = False
        vault = both.world.vault(PAYMENTS, IRELAND)
        key = vault.create_key()
        vault.schedule_deletion(key.key_id)
        station = open_station(both, organization={"enabled": True})
        eventually(lambda: station.refresher.ready)
        assert station.state(IRELAND, PAYMENTS) is None
        both.world.accounts[PAYMENTS].member = True
        both.monotonic.advance(300)
        eventually(lambda: station.pending() == {key.arn})
        assert {"account_id": PAYMENTS, "region": IRELAND} in station.events.named("target_added")

    def test_an_account_that_leaves_is_watched_no_more_not_even_by_a_pass_under_way(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        under_way = both.faults.latency(2.0, operation="ListKeys", account_id=PAYMENTS)
        station = open_station(both, slow=True, organization={"enabled": True})
        eventually(lambda: station.is_up(IRELAND) and station.is_up(VIRGINIA) and under_way.hits)
        both.world.accounts[PAYMENTS].member = False
        both.monotonic.advance(300)
        eventually(lambda: station.events.named("target_removed"))
        assert station.state(IRELAND, PAYMENTS) is None
        eventually(lambda: station.passes() == 5)  # twice over each region of the home account, and that one
        assert station.state(IRELAND, PAYMENTS) is None
        assert not station.events.named("task_crashed")

    def test_what_goes_wrong_in_it_is_tried_again_soon(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        station = open_station(both, connect=lambda settings: _with_a_crash_in_discovery(both, settings))
        eventually(lambda: station.events.named("task_crashed"))
        assert not station.inventory.snapshot.targets
        both.monotonic.advance(30)
        eventually(lambda: station.refresher.ready)


class TestReload:
    def test_other_intervals_hold_from_now_on(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        station = open_station(both, slow=True)
        eventually(lambda: station.refresher.ready)
        station.refresher.reload(brisk(watching()))
        eventually(lambda: station.passes() >= 10)

    def test_other_regions_are_watched_and_the_others_stay_as_they_are(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        both.world.vault(HOME, VIRGINIA).create_key()
        station = open_station(both, slow=True)
        eventually(lambda: station.refresher.ready)
        known = station.state(VIRGINIA)
        station.refresher.reload(watching(regions=[VIRGINIA, "us-west-2"]))
        eventually(lambda: station.state("us-west-2"))
        assert station.state(IRELAND) is None
        assert known is not None
        now = station.state(VIRGINIA)
        assert now is not None
        assert now.keys is known.keys

    def test_what_is_known_stays_while_aws_is_away(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        vault = both.world.vault(PAYMENTS, IRELAND)
        key = vault.create_key()
        vault.schedule_deletion(key.key_id)
        station = open_station(both, organization={"enabled": True})
        eventually(lambda: station.refresher.ready)
        both.emulator.stop()
        station.refresher.reload(brisk(watching(organization={"enabled": True})))
        eventually(lambda: station.inventory.snapshot.organization is False)
        eventually(lambda: station.is_up(IRELAND, PAYMENTS) is False)
        assert station.pending() == {key.arn}
        assert len(station.inventory.snapshot.targets) == 3
        both.emulator.start()
        both.monotonic.advance(30)
        eventually(lambda: station.is_up(IRELAND, PAYMENTS))
        assert station.pending() == {key.arn}

    def test_it_gives_up_passes_under_way(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        hanging = both.faults.hang(operation="ListKeys")
        station = open_station(both, slow=True, read_timeout=20)
        eventually(lambda: hanging.hits == 2)
        both.faults.remove(hanging)
        station.refresher.reload(watching())
        eventually(lambda: station.refresher.ready)
        eventually(lambda: station.passes() == 4)
        assert not station.events.named("task_crashed")

    def test_it_lets_the_threads_of_the_former_connection_go(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        opened: list[Connection] = []

        def connect(settings: Settings) -> Connection:
            opened.append(both.connect(settings))
            return opened[-1]

        station = open_station(both, connect=connect)
        eventually(lambda: station.refresher.ready)
        station.refresher.reload(brisk(watching()))
        eventually(lambda: len(opened) == 2)
        eventually(lambda: not any(thread.is_alive() for thread in opened[0].workers._threads))
        assert all(thread.is_alive() for thread in opened[1].workers._threads)

    def test_no_pass_asks_through_the_former_connection(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        station = open_station(both)
        eventually(lambda: station.refresher.ready)
        both.faults.hang(service="sts")
        both.monotonic.advance(60)  # so that credentials are looked for anew, which nobody would answer there
        station.refresher.reload(brisk(watching(read_timeout=20)))
        seen = station.passes()
        eventually(lambda: station.passes() >= seen + 8)
        assert station.is_up(IRELAND)
        assert station.is_up(VIRGINIA)

    def test_how_long_things_are_kept_changes_too(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        station = open_station(both)
        eventually(lambda: station.refresher.ready)
        settings = brisk(watching())
        refresh = settings.refresh.model_copy(update={"keep_failed": 11.0})
        deletions = settings.deletions.model_copy(update={"keep_tombstones": 22.0})
        station.refresher.reload(settings.model_copy(update={"refresh": refresh, "deletions": deletions}))
        eventually(lambda: (station.inventory.keep_failed, station.inventory.keep_tombstones) == (11.0, 22.0))

    def test_where_it_is_impossible_everything_goes_on_as_before(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        opened: list[Connection] = []

        def connect_once(settings: Settings) -> Connection:
            if opened:
                raise ValueError("not with these settings")
            opened.append(both.connect(settings))
            return opened[0]

        station = open_station(both, connect=connect_once)
        eventually(lambda: station.refresher.ready)
        station.refresher.reload(brisk(watching()))
        eventually(lambda: station.events.named("reload_failed"))
        eventually(lambda: both.heard.failed_reloads == 1)
        seen = station.passes()
        eventually(lambda: station.passes() >= seen + 4)
        assert station.is_up(IRELAND)

    def test_one_before_the_start_counts(self, both: "Lab", eventually: "Eventually") -> None:
        station = Station(both, watching(regions=[IRELAND]))
        station.refresher.reload(watching(regions=[VIRGINIA]))
        station.start()
        eventually(lambda: station.refresher.ready)
        assert station.state(IRELAND) is None
        station.stop()


class TestCrashes:
    def test_one_costs_only_the_pass_it_happens_in(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        station = open_station(both, connect=lambda settings: _with_a_crash_in_a_pass(both, settings))
        eventually(lambda: station.events.named("pass_crashed"))
        eventually(lambda: station.is_up(IRELAND) and station.is_up(VIRGINIA))
        (crash,) = station.events.named("pass_crashed")
        assert (crash["account_id"], crash["region"]) == (HOME, IRELAND)
        state = station.state(IRELAND)
        assert state is not None
        assert state.errors == {("pass", "RuntimeError"): 1}

    def test_one_in_an_inquiry_costs_no_pass(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        vault = both.world.vault(HOME, IRELAND)
        key = vault.create_key()
        station = open_station(both, connect=lambda settings: _with_inquiries_that_crash(both, settings))
        eventually(lambda: station.state(IRELAND) and station.state(IRELAND).keys)
        vault.schedule_deletion(key.key_id)  # a pass tells of it, which is why it is asked about, before the pass ends
        eventually(station.pending)
        seen = station.passes()
        eventually(lambda: station.events.named("task_crashed") and station.passes() > seen + 4)
        assert not station.events.named("pass_crashed")
        assert station.refresher.ready
        assert station.state(IRELAND).errors == {}


class TestStop:
    def test_it_is_prompt_in_the_middle_of_a_sweep(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        hanging = both.faults.hang(service="kms")
        station = open_station(both, read_timeout=60)
        eventually(lambda: hanging.hits == 2)
        station.stop()

    def test_it_is_prompt_in_the_middle_of_a_discovery(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        hanging = both.faults.hang(service="sts")
        station = open_station(both, read_timeout=60)
        eventually(lambda: hanging.hits)
        station.stop()

    def test_one_that_comes_before_the_start_holds(self, both: "Lab") -> None:
        station = Station(both, watching())
        station.refresher.stop()
        station.start()
        station.stop()
        assert not both.world.counts.total()

    def test_stopping_twice_is_once(self, both: "Lab", open_station: "OpenStation", eventually: "Eventually") -> None:
        station = open_station(both)
        eventually(lambda: station.refresher.ready)
        station.stop()
        station.stop()

    def test_while_everything_hangs_it_shows_that_it_is_alive(
        self, both: "Lab", open_station: "OpenStation", eventually: "Eventually"
    ) -> None:
        hanging = both.faults.hang()
        station = open_station(both, read_timeout=60)
        eventually(lambda: hanging.hits)
        before = station.refresher.alive_at
        eventually(lambda: station.refresher.alive_at > before)


def _role(account_id: str) -> dict[str, str]:
    return {"role_arn": f"arn:aws:iam::{account_id}:role/KmsExporter"}


def _errors(station: Station, region: str) -> int:
    state = station.state(region)
    return 0 if state is None else sum(state.errors.values())


class CrashingSweeper:
    """Fails like a bug would, in the first pass over `IRELAND`."""

    def __init__(self, sweeper: Sweeper) -> None:
        self._sweeper = sweeper
        self._crashed = False

    async def sweep(self, access: Access, *how: Any, **else_: Any) -> Pass:
        if access.target.region == IRELAND and not self._crashed:
            self._crashed = True
            raise RuntimeError("a bug")
        return await self._sweeper.sweep(access, *how, **else_)


class CrashingDiscovery:
    """Fails like a bug would, at the first look."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._crashed = False

    async def look(self) -> AsyncGenerator[Watch, None]:
        if not self._crashed:
            self._crashed = True
            raise RuntimeError("a bug")
        async for watch in self._discovery.look():
            yield watch


class CrashingInvestigator:
    """Fails like a bug would, whenever it is asked what is due."""

    def __init__(self, investigator: Investigator) -> None:
        self._investigator = investigator

    def due(self, _: TargetState) -> bool:
        raise RuntimeError("a bug")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._investigator, name)


def _with_a_crash_in_a_pass(lab: "Lab", settings: Settings) -> Connection:
    connection = lab.connect(settings)
    return replace(connection, sweeper=cast("Any", CrashingSweeper(connection.sweeper)))


def _with_inquiries_that_crash(lab: "Lab", settings: Settings) -> Connection:
    connection = lab.connect(settings)
    return replace(connection, investigator=cast("Any", CrashingInvestigator(connection.investigator)))


def _with_a_crash_in_discovery(lab: "Lab", settings: Settings) -> Connection:
    connection = lab.connect(settings)
    return replace(connection, discovery=cast("Any", CrashingDiscovery(connection.discovery)))
