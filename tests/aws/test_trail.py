"""What CloudTrail says has changed, and what the refresh loop makes of it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Container
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest

from exporter.aws.calls import Access
from exporter.aws.cloudtrail import OVERLAP
from exporter.aws.connection import Connection
from exporter.aws.dossier import SOON
from exporter.aws.sweep import Sweeper
from exporter.aws.trail import OTHERS, OTHERS_EVERY, Look
from exporter.demo.vault import Vault
from exporter.demo.world import World
from exporter.errors import TargetError
from exporter.model import Events, Keys, Pass, PassKind, Target, Unreadable, asked_about, without
from exporter.settings import Settings
from tests.aws.harness import PATIENCE, Station, watching

if TYPE_CHECKING:
    from tests.aws.harness import Eventually, Lab, OpenLab, RunStation

HOME = "111122223333"
REGION = "eu-west-1"


@pytest.fixture
def vault(lab: "Lab") -> Vault:
    vault = lab.world.vault(HOME, REGION)
    for number in range(3):
        vault.create_key(alias=f"alias/key-{number}")
    return vault


@pytest.fixture
def connection(lab: "Lab") -> Connection:
    return lab.connect(watching())


def look(lab: "Lab", connection: Connection) -> Look:
    return lab.run(connection.trail.look(lab.home()))


def some_key(vault: Vault) -> str:
    return next(key.key_id for key in vault.keys.values() if not key.pending)


class TestLooks:
    def test_a_deletion_that_was_scheduled_names_its_key(
        self, lab: "Lab", vault: Vault, connection: Connection
    ) -> None:
        assert look(lab, connection) == Look()
        key_id = some_key(vault)
        vault.schedule_deletion(key_id)
        lab.world.agenda.advance(1)
        assert look(lab, connection).named == {key_id: frozenset({"ScheduleKeyDeletion"})}

    def test_an_event_names_it_once(self, lab: "Lab", vault: Vault, connection: Connection) -> None:
        vault.schedule_deletion(some_key(vault))
        lab.world.agenda.advance(1)
        assert look(lab, connection).named
        assert not look(lab, connection).named

    def test_an_event_that_comes_late_is_not_missed(self, lab: "Lab", vault: Vault, connection: Connection) -> None:
        lab.world.rules.event_lag = OVERLAP - 100
        key_id = some_key(vault)
        vault.schedule_deletion(key_id)
        lab.world.agenda.advance(60)
        assert not look(lab, connection).named
        lab.world.agenda.advance(OVERLAP - 100)
        assert look(lab, connection).named.keys() == {key_id}

    def test_what_was_before_the_first_look_is_for_the_full_pass_to_find(
        self, lab: "Lab", vault: Vault, connection: Connection
    ) -> None:
        vault.schedule_deletion(some_key(vault))
        lab.world.agenda.advance(OVERLAP + 60)
        assert not look(lab, connection).named

    def test_a_call_that_was_refused_changed_nothing(self, lab: "Lab", vault: Vault, connection: Connection) -> None:
        key_id = some_key(vault)
        vault.schedule_deletion(key_id)
        lab.world.agenda.advance(1)
        look(lab, connection)
        kms = boto3.session.Session().client("kms", region_name=REGION)
        with contextlib.closing(kms), pytest.raises(kms.exceptions.KMSInvalidStateException):
            kms.schedule_key_deletion(KeyId=key_id)
        lab.world.agenda.advance(1)
        assert not look(lab, connection).named

    def test_all_other_events_are_looked_for_in_turn(self, lab: "Lab", vault: Vault, connection: Connection) -> None:
        key_id = some_key(vault)
        vault.disable(key_id)
        lab.world.agenda.advance(1)
        named: dict[str, frozenset[str]] = {}
        for _ in (None, *OTHERS):  # in the first look it may not be the turn of any
            named |= look(lab, connection).named
            lab.monotonic.advance(OTHERS_EVERY)
        assert named == {key_id: frozenset({"DisableKey"})}

    def test_an_event_whose_turn_comes_again_names_its_key_once_too(
        self, lab: "Lab", vault: Vault, connection: Connection
    ) -> None:
        key_id = some_key(vault)
        vault.disable(key_id)
        named: list[str] = []
        for _ in range(2 * len(OTHERS) + 1):
            lab.world.agenda.advance(OTHERS_EVERY)
            lab.monotonic.advance(OTHERS_EVERY)
            named += look(lab, connection).named
        assert named == [key_id]

    def test_between_two_turns_a_look_costs_one_request(self, lab: "Lab", vault: Vault, connection: Connection) -> None:
        assert vault.keys
        look(lab, connection)
        lab.world.counts.clear()
        look(lab, connection)
        assert lab.world.counts.total() == lab.world.counts.total("LookupEvents") == 1


class TestFailures:
    def test_a_denial_is_told_and_not_tried_again_for_an_hour(
        self, lab: "Lab", vault: Vault, connection: Connection
    ) -> None:
        assert vault.keys
        denial = lab.faults.deny(operation="LookupEvents")
        first = look(lab, connection)
        assert (first.reason, len(first.errors)) == ("AccessDeniedException", 1)
        hits = denial.hits
        assert look(lab, connection) == Look(reason="AccessDeniedException")
        assert denial.hits == hits

    def test_what_happened_meanwhile_is_found_when_it_can_be_read_again(
        self, lab: "Lab", vault: Vault, connection: Connection
    ) -> None:
        look(lab, connection)
        denial = lab.faults.deny(operation="LookupEvents")
        look(lab, connection)
        key_id = some_key(vault)
        vault.schedule_deletion(key_id)
        lab.world.agenda.advance(3600)
        lab.monotonic.advance(3600)
        lab.faults.remove(denial)
        assert look(lab, connection).named.keys() == {key_id}

    def test_more_events_than_a_look_reads_are_not_taken_for_all(self, open_lab: "OpenLab") -> None:
        lab = open_lab(World(home_regions=[REGION]), hurry=10)
        connection = lab.connect(watching())
        vault = lab.world.vault(HOME, REGION)
        for _ in range(1001):
            vault.schedule_deletion(vault.create_key().key_id)
        lab.world.agenda.advance(1)
        first = look(lab, connection)
        assert (first.reason, len(first.named)) == ("too_many_events", 1000)
        lab.monotonic.advance(SOON)
        again = look(lab, connection)
        assert (again.reason, len(again.named)) == ("too_many_events", 0)

    def test_what_can_not_be_read_is_in_the_way_until_every_key_was_described(
        self, lab: "Lab", vault: Vault, connection: Connection
    ) -> None:
        def later(seconds: float) -> Look:
            lab.world.agenda.advance(seconds)
            lab.monotonic.advance(seconds)
            return look(lab, connection)

        assert look(lab, connection) == Look()
        vault.schedule_deletion(some_key(vault))
        lab.faults.change(without_records, operation="LookupEvents")
        assert later(SOON).reason == "invalid_response"
        assert later(2 * OVERLAP).reason == "invalid_response"
        connection.trail.described(lab.home().target, lab.monotonic())
        assert later(SOON) == Look()


def without_records(answer: Any) -> Any:
    return {**answer, "Events": [{**event, "CloudTrailEvent": "{"} for event in answer["Events"]]}


class HalfRead:
    """A CloudTrail that tells nothing, until it names a key and then fails; with a `reason` it always fails."""

    def __init__(self, reason: str = "") -> None:
        self.key_id = ""
        self._reason = reason

    async def look(self, access: Access) -> Look:
        assert access
        key_id, self.key_id = self.key_id, ""
        if key_id:
            return Look({key_id: frozenset({"ScheduleKeyDeletion"})}, "ThrottlingException")
        return Look(reason=self._reason)

    def described(self, target: Target, at: float) -> None:
        pass

    def forget(self, watched: Container[Target]) -> None:
        pass


class LateLooks:
    """A sweeper whose looks are held back: what they have read grows old."""

    def __init__(self, sweeper: Sweeper, meanwhile: Callable[[], object]) -> None:
        """Do something, which may take its time, once a look has read."""
        self._sweeper = sweeper
        self._meanwhile = meanwhile

    async def sweep(self, *what: Any, **how: Any) -> Pass:
        return await self._sweeper.sweep(*what, **how)

    async def look_at(self, *what: Any) -> Pass:
        read = await self._sweeper.look_at(*what)
        await asyncio.to_thread(self._meanwhile)
        return read


class SlowTrail(HalfRead):
    """A CloudTrail that answers nothing before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()

    async def look(self, access: Access) -> Look:
        await asyncio.to_thread(self.may_answer.wait, PATIENCE)
        return await super().look(access)


class LateFirstPass:
    """A sweeper whose first pass is held back: what it has read grows old."""

    def __init__(self, sweeper: Sweeper, meanwhile: Callable[[], object]) -> None:
        """Do something, which may take its time, once the pass has read."""
        self._sweeper = sweeper
        self._meanwhile: list[Callable[[], object]] = [meanwhile]

    async def sweep(self, *what: Any, **how: Any) -> Pass:
        read = await self._sweeper.sweep(*what, **how)
        if self._meanwhile:
            await asyncio.to_thread(self._meanwhile.pop())
        return read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sweeper, name)


def hourly(**changes: Any) -> Settings:
    """Return settings with which only events make the loop look at keys soon."""
    settings = watching()
    refresh = settings.refresh.model_copy(
        update={"interval": 0.05, "full_interval": 3600.0, "fallback_interval": 1800.0}
    )
    return settings.model_copy(update={"refresh": refresh, "changes": settings.changes.model_copy(update=changes)})


class TestTheRefreshLoop:
    def start(self, lab: "Lab", run_station: "RunStation", eventually: "Eventually", **changes: Any) -> Station:
        station = run_station(lab, hourly(**changes))
        eventually(lambda: station.refresher.ready)
        return station

    def test_a_deletion_is_found_by_its_event_alone(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        station = self.start(lab, run_station, eventually)
        described = lab.world.counts.total("DescribeKey")
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: station.pending() == {key.arn})
        assert lab.heard.passes["full"] == 1
        assert lab.heard.named["ScheduleKeyDeletion"] == 1
        assert lab.world.counts.total("DescribeKey") > described

    def test_so_is_one_whose_event_was_read_before_cloudtrail_failed(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        trail = HalfRead()
        station = run_station(lab, hourly(), lambda settings: replace(lab.connect(settings), trail=cast("Any", trail)))
        eventually(lambda: self.events(station) == Events("cloudtrail", "", 3600.0))
        eventually(lambda: lab.heard.passes["changes"])
        key = vault.schedule_deletion(some_key(vault))
        trail.key_id = key.key_id
        eventually(lambda: station.pending() == {key.arn})
        assert lab.heard.passes["full"] == 1

    def test_so_is_one_that_kms_did_not_answer_about_for_long(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        station = self.start(lab, run_station, eventually)
        eventually(lambda: self.events(station) == Events("cloudtrail", "", 3600.0))
        closed = lab.faults.close(service="kms")
        key = vault.schedule_deletion(some_key(vault))
        eventually(lambda: lab.heard.named["ScheduleKeyDeletion"])
        eventually(lambda: station.is_up(REGION) is False)
        lab.monotonic.advance(600)
        seen = station.passes()
        eventually(lambda: station.passes() > seen + 1)
        lab.faults.remove(closed)
        eventually(lambda: station.pending() == {key.arn})
        assert lab.heard.passes["full"] == 1

    def test_so_is_one_whose_event_was_read_while_the_first_pass_had_described_the_key_before(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        key_id, trail = some_key(vault), SlowTrail()

        def schedule() -> None:
            vault.schedule_deletion(key_id)
            trail.key_id = key_id
            trail.may_answer.set()
            eventually(lambda: lab.heard.named["ScheduleKeyDeletion"])

        def connect(settings: Settings) -> Connection:
            found = lab.connect(settings)
            late = LateFirstPass(found.sweeper, schedule)
            return replace(found, trail=cast("Any", trail), sweeper=cast("Any", late))

        station = run_station(lab, hourly(), connect)
        eventually(station.pending)
        assert lab.heard.passes["full"] == 1

    def test_a_look_that_takes_long_does_not_undo_what_a_pass_has_read_since(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        key_id = some_key(vault)
        trail = HalfRead("ThrottlingException")

        def schedule() -> None:
            vault.schedule_deletion(key_id)
            eventually(station.pending)

        def connect(settings: Settings) -> Connection:
            found = lab.connect(settings)
            late = LateLooks(found.sweeper, schedule)
            return replace(found, trail=cast("Any", trail), sweeper=cast("Any", late))

        station = run_station(lab, hourly(), connect)
        eventually(lambda: station.refresher.ready)
        trail.key_id = key_id
        eventually(lambda: lab.heard.passes["named"])
        seen = station.passes()
        eventually(lambda: station.passes() > seen + 2)
        assert len(station.pending()) == 1
        assert not station.events.named("deletion_cancelled")

    def test_without_the_event_only_the_next_full_pass_would(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        station = self.start(lab, run_station, eventually, cloudtrail=False)
        vault.schedule_deletion(some_key(vault))
        seen = lab.heard.passes["changes"]
        eventually(lambda: lab.heard.passes["changes"] > seen + 3)
        assert station.pending() == set()
        lab.monotonic.advance(1800)
        eventually(lambda: station.pending() != set())

    def test_full_passes_are_as_far_apart_as_events_allow(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        assert vault.keys
        station = self.start(lab, run_station, eventually)
        eventually(lambda: self.events(station) == Events("cloudtrail", "", 3600.0))
        lab.faults.deny(operation="LookupEvents")
        eventually(lambda: self.events(station) == Events("none", "AccessDeniedException", 1800.0))
        assert [event["reason"] for event in station.events.named("events_lost")] == ["AccessDeniedException"]
        assert station.is_up(REGION), "a denied CloudTrail costs no pass"

    def test_switched_off_it_asks_nothing(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        assert vault.keys
        station = self.start(lab, run_station, eventually, cloudtrail=False)
        assert self.events(station) == Events("none", "disabled", 1800.0)
        assert lab.world.counts.total("LookupEvents") == 0

    def test_a_cloudtrail_that_hangs_holds_up_no_pass(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        assert vault.keys
        hanging = lab.faults.hang(operation="LookupEvents")
        self.start(lab, run_station, eventually)
        eventually(lambda: lab.heard.passes["changes"] > 5)
        assert hanging.hits

    def test_one_that_hangs_while_it_is_relied_on_holds_up_no_look_at_a_pending_key(
        self, lab: "Lab", vault: Vault, run_station: "RunStation", eventually: "Eventually"
    ) -> None:
        key = vault.schedule_deletion(some_key(vault))
        station = self.start(lab, run_station, eventually)
        eventually(lambda: self.events(station) == Events("cloudtrail", "", 3600.0))
        hanging = lab.faults.hang(operation="LookupEvents")
        eventually(lambda: hanging.hits)
        vault.cancel_deletion(key.key_id)
        eventually(lambda: station.pending() == set())
        assert hanging.hits, "it hangs still"

    def events(self, station: Station) -> Events | None:
        state = station.state(REGION)
        return state.events if state else None


class TestKeysThatEventsName:
    @pytest.fixture
    def known(self, lab: "Lab", vault: Vault) -> Keys:
        assert vault.keys
        return Keys(by_id=lab.sweep(PassKind.FULL).read)

    def look_at(self, lab: "Lab", connection: Connection, known: Keys, *key_ids: str) -> Any:
        return lab.run(connection.sweeper.look_at(lab.home(), key_ids, known))

    def test_only_those_are_described(self, lab: "Lab", vault: Vault, connection: Connection, known: Keys) -> None:
        lab.world.counts.clear()
        key_id = some_key(vault)
        vault.schedule_deletion(key_id)
        result = self.look_at(lab, connection, known, key_id)
        assert {key_id: key.state for key_id, key in result.read.items()} == {key_id: "PendingDeletion"}
        assert result.read[key_id].aliases == known.by_id[key_id].aliases
        assert lab.world.counts.total() == 1

    def test_one_that_is_new_comes_with_its_aliases(
        self, lab: "Lab", vault: Vault, connection: Connection, known: Keys
    ) -> None:
        key = vault.create_key(alias="alias/new")
        assert self.look_at(lab, connection, known, key.key_id).read[key.key_id].aliases == ("alias/new",)

    def test_one_that_is_gone_is_gone(self, lab: "Lab", vault: Vault, connection: Connection, known: Keys) -> None:
        key_id = some_key(vault)
        vault.delete(key_id)
        assert self.look_at(lab, connection, known, key_id).gone == {key_id}

    def test_one_of_another_account_is_nothing(self, lab: "Lab", connection: Connection, known: Keys) -> None:
        result = self.look_at(lab, connection, known, "99999999-0000-0000-0000-000000000000")
        assert (result.read, result.gone, result.unreadable, result.errors) == ({}, frozenset(), {}, ())

    def test_one_that_may_not_be_described_is_unreadable(
        self, lab: "Lab", vault: Vault, connection: Connection, known: Keys
    ) -> None:
        key_id = some_key(vault)
        vault.keys[key_id].denied = frozenset({"DescribeKey"})
        assert self.look_at(lab, connection, known, key_id).unreadable == {key_id: "AccessDeniedException"}

    def test_so_is_a_new_one(self, lab: "Lab", vault: Vault, connection: Connection, known: Keys) -> None:
        key = vault.create_key(denied={"DescribeKey"})
        result = self.look_at(lab, connection, known, key.key_id)
        assert result.unreadable == {key.key_id: "AccessDeniedException"}

    def test_a_new_one_that_is_pending_is_known_though_its_aliases_are_denied(
        self, lab: "Lab", vault: Vault, connection: Connection, known: Keys
    ) -> None:
        key = vault.schedule_deletion(vault.create_key(alias="alias/new").key_id)
        lab.faults.deny(operation="ListAliases")
        result = self.look_at(lab, connection, known, key.key_id)
        assert result.read[key.key_id].pending
        assert [error.operation for error in result.errors] == ["ListAliases"]

    def test_one_that_was_never_read_and_does_not_exist_any_more_is_forgotten(
        self, lab: "Lab", vault: Vault, connection: Connection, known: Keys
    ) -> None:
        key = vault.create_key()
        vault.delete(key.key_id)
        unreadable = {key.key_id: Unreadable("KMSInternalException", since=0.0)}
        result = lab.run(connection.sweeper.changes_named(lab.home(), (), known, unreadable))
        assert (result.gone, result.unreadable) == ({key.key_id}, {})

    def test_a_suspect_is_described_in_the_next_passes_too(
        self, lab: "Lab", vault: Vault, connection: Connection, known: Keys
    ) -> None:
        key_id = some_key(vault)
        vault.schedule_deletion(key_id)
        swept = connection.sweeper.sweep(lab.home(), PassKind.CHANGES, known, {}, {key_id})
        assert lab.run(swept).read[key_id].state == "PendingDeletion"


def test_a_pass_that_was_cut_short_looked_at_what_it_told_of(open_lab: "OpenLab") -> None:
    lab = open_lab(World(home_regions=[REGION]))
    key_id = lab.world.vault(HOME, REGION).create_key().key_id
    whole = lab.sweep(PassKind.FULL)
    assert set(asked_about(whole, {key_id, "of another account"})) == {key_id, "of another account"}
    cut = replace(whole, ended_by=TargetError(Target(HOME, REGION), "DescribeKey", "timeout"))
    assert set(asked_about(cut, {key_id, "not reached"})) == {key_id}


def test_a_pass_does_not_undo_what_was_read_meanwhile(open_lab: "OpenLab") -> None:
    lab = open_lab(World(home_regions=[REGION]))
    key = lab.world.vault(HOME, REGION).create_key()
    older = lab.sweep(PassKind.FULL)
    assert without(older, {key.key_id}).read == {}
    assert without(older, {"another"}).read == older.read
