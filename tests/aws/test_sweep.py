"""A pass over a target: what it asks for, to the request, and what it concludes."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws.sweep import Sweeper
from exporter.demo.faults import merging
from exporter.demo.world import World
from exporter.errors import TargetError
from exporter.inventory import Inventory
from exporter.model import Deletion, Keys, Pass, PassKind, Target, TargetState, TransitionKind, Unreadable

if TYPE_CHECKING:
    from tests.aws.harness import Lab, OpenLab

HOME = "111122223333"
REGION = "eu-west-1"
HERE = Target(HOME, REGION)
DAY = 86_400.0


class Watched:
    """The home account's only region, swept pass by pass; what a pass found is known in the next."""

    def __init__(self, lab: "Lab", *tags: str, describe_aws_managed: bool = False) -> None:
        self.lab = lab
        self.vault = lab.world.vault(HOME, REGION)
        self._access = lab.home()
        self._sweeper = Sweeper(
            calls=lab.calls(),
            request_rate=1.0,
            tags=tags,
            describe_aws_managed=describe_aws_managed,
        )
        self._inventory = Inventory(
            keep_failed=DAY, keep_tombstones=DAY, now=lab.world.agenda.time, monotonic=lab.world.agenda.time
        )
        self._inventory.watch({HERE: ""}, {}, None)
        self.told: list[tuple[TransitionKind, str]] = []

    def full(self) -> Pass:
        return self.sweep(PassKind.FULL)

    def changes(self) -> Pass:
        return self.sweep(PassKind.CHANGES)

    def sweep(self, kind: PassKind) -> Pass:
        self.lab.world.counts.clear()
        known = self._state
        result = self.lab.run(self._sweeper.sweep(self._access, kind, known.keys, known.unreadable))
        told = self._inventory.apply(HERE, result)
        self.told = [(transition.kind, transition.key.key_id) for transition in told]
        return result

    @property
    def keys(self) -> Keys:
        assert self._state.keys is not None
        return self._state.keys

    @property
    def unreadable(self) -> dict[str, str]:
        return {key_id: why.reason for key_id, why in self._state.unreadable.items()}

    @property
    def asked(self) -> dict[str, int]:
        """How often each operation was asked for in the last pass."""
        return {kind.operation: count for kind, count in self.lab.world.counts.requests.items()}

    @property
    def _state(self) -> TargetState:
        state = self._inventory.state(HERE)
        assert state is not None
        return state


@pytest.fixture
def watched(lab: "Lab") -> Watched:
    return Watched(lab)


def errors(result: Pass) -> set[tuple[str, str]]:
    return {(error.operation, error.reason) for error in result.errors}


class TestFullPass:
    def test_it_lists_keys_and_aliases_and_describes_every_customer_managed_key(self, watched: Watched) -> None:
        ids = {watched.vault.create_key(alias=f"alias/{number}").key_id for number in range(25)}
        watched.full()
        assert watched.keys.by_id.keys() == ids
        assert watched.asked == {"ListKeys": 1, "ListAliases": 1, "DescribeKey": 25}

    def test_its_requests_grow_with_the_pages(self, watched: Watched) -> None:
        for number in range(1000):
            watched.vault.create_key(manager="AWS", alias=f"alias/aws/{number:04}")
        watched.vault.create_key(alias="alias/own")
        watched.full()
        assert watched.asked == {"ListKeys": 2, "ListAliases": 11, "DescribeKey": 1}

    def test_an_empty_region_costs_two_requests(self, watched: Watched) -> None:
        watched.full()
        assert watched.keys == Keys()
        assert watched.asked == {"ListKeys": 1, "ListAliases": 1}

    def test_aws_managed_keys_are_known_by_their_alias_and_not_described(self, watched: Watched) -> None:
        managed = {watched.vault.create_key(manager="AWS", alias=f"alias/aws/{name}").key_id for name in ("ebs", "s3")}
        own = watched.vault.create_key(alias="alias/awsome").key_id
        watched.full()
        assert watched.keys.aws_managed == managed
        assert watched.keys.by_id.keys() == {own}
        assert watched.asked["DescribeKey"] == 1

    def test_they_are_described_where_somebody_wants_to_see_them(self, lab: "Lab") -> None:
        with_all = Watched(lab, describe_aws_managed=True)
        managed = with_all.vault.create_key(manager="AWS", alias="alias/aws/ebs").key_id
        with_all.full()
        later = with_all.vault.create_key(manager="AWS", alias="alias/aws/s3").key_id
        with_all.changes()
        assert {key.key_id: key.key_manager for key in with_all.keys.by_id.values()} == {managed: "AWS", later: "AWS"}
        assert with_all.keys.aws_managed == set()

    def test_a_predefined_alias_without_a_key_is_not_brought_to_life(self, watched: Watched) -> None:
        watched.vault.add_alias("alias/aws/ebs", None)
        watched.full()
        assert not watched.vault.keys
        assert watched.keys.aws_managed == set()

    def test_aliases_follow_their_keys(self, watched: Watched) -> None:
        key = watched.vault.create_key(alias=["alias/b", "alias/a"])
        watched.full()
        assert watched.keys.by_id[key.key_id].aliases == ("alias/a", "alias/b")
        watched.vault.aliases.clear()
        watched.vault.add_alias("alias/c", key.key_id)
        watched.full()
        assert watched.keys.by_id[key.key_id].aliases == ("alias/c",)

    def test_a_key_loses_its_last_alias(self, watched: Watched) -> None:
        key, other = watched.vault.create_key(alias="alias/a"), watched.vault.create_key(alias="alias/b")
        watched.full()
        watched.vault.add_alias("alias/a", other.key_id)
        watched.full()
        assert watched.keys.by_id[key.key_id].aliases == ()

    def test_pending_keys_come_first_and_new_ones_next(self, watched: Watched) -> None:
        old = [watched.vault.create_key().key_id for _ in range(30)]
        watched.vault.schedule_deletion(old[20])
        watched.full()
        new = watched.vault.create_key().key_id
        order: list[str] = []

        def note(answer: dict[str, Any]) -> dict[str, Any]:
            order.append(answer["KeyMetadata"]["KeyId"])
            return answer

        watched.lab.faults.change(note, operation="DescribeKey")
        sweeper = Sweeper(calls=watched.lab.calls(concurrency=1), request_rate=1.0, tags=())
        watched.lab.run(sweeper.sweep(watched.lab.home(), PassKind.FULL, watched.keys, {}))
        assert order[:2] == [old[20], new]

    def test_many_keys_are_described_while_their_aliases_are_listed(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("exporter.aws.sweep.MANY", 25)
        own = {watched.vault.create_key(alias=f"alias/{number:03}").key_id for number in range(230)}
        managed = {watched.vault.create_key(manager="AWS", alias=f"alias/aws/{name}").key_id for name in ("ebs", "s3")}
        order: list[str] = []

        def note(what: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
            return lambda answer: order.append(what) or answer  # type: ignore[func-returns-value]

        watched.lab.faults.change(note("aliases"), operation="ListAliases")
        watched.lab.faults.change(note("key"), operation="DescribeKey")
        watched.full()
        assert order.index("key") < len(order) - 1 - order[::-1].index("aliases"), (
            "no page waits for the last of the other"
        )
        assert watched.keys.by_id.keys() == own
        assert all(len(key.aliases) == 1 for key in watched.keys.by_id.values())
        assert watched.keys.aws_managed == managed
        assert watched.asked == {"ListKeys": 1, "ListAliases": 3, "DescribeKey": 232}

    def test_of_many_keys_those_that_aws_manages_are_never_unreadable(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("exporter.aws.sweep.MANY", 2)
        own = watched.vault.create_key().key_id
        managed = watched.vault.create_key(manager="AWS", alias="alias/aws/ebs", denied={"DescribeKey"}).key_id
        for _ in range(2):
            result = watched.full()
            assert (result.unreadable, errors(result)) == ({}, set())
            assert watched.keys.by_id.keys() == {own}
            assert watched.keys.aws_managed == {managed}

    def test_without_aliases_many_keys_are_described_all_the_same(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("exporter.aws.sweep.MANY", 2)
        own = watched.vault.create_key(alias="alias/own").key_id
        managed = watched.vault.create_key(manager="AWS", alias="alias/aws/ebs").key_id
        watched.full()
        watched.lab.faults.deny(operation="ListAliases")
        watched.vault.schedule_deletion(own)
        assert errors(watched.full()) == {("ListAliases", "AccessDeniedException")}
        assert watched.keys.by_id[own].pending
        assert watched.keys.by_id[own].aliases == ("alias/own",)
        assert watched.keys.aws_managed == {managed}

    def test_a_changes_pass_with_nothing_known_is_a_full_one(self, watched: Watched) -> None:
        for number in range(25):
            watched.vault.create_key(alias=f"alias/{number}")
        assert watched.changes().kind is PassKind.FULL
        assert watched.asked == {"ListKeys": 1, "ListAliases": 1, "DescribeKey": 25}


class TestNotices:
    """What a pass tells of known keys before it is over."""

    @pytest.mark.parametrize("kind", [PassKind.FULL, PassKind.CHANGES])
    def test_deletions_are_noticed_before_every_key_was_described(self, watched: Watched, kind: PassKind) -> None:
        ids = [watched.vault.create_key().key_id for _ in range(40)]
        for key_id in ids[:20]:
            watched.vault.schedule_deletion(key_id)
        watched.full()
        for key_id in ids[:20]:
            watched.vault.cancel_deletion(key_id)
        for key_id in ids[20:]:
            watched.vault.schedule_deletion(key_id)
        notices: list[tuple[Pass, int]] = []
        result = self._swept(watched, kind, notices)
        first, answered = notices[0]
        assert first.kind is PassKind.NAMED
        assert first.read
        assert first.read.items() <= result.read.items()
        assert answered < len(result.read)

    def test_nothing_that_was_answered_waits_for_tags(self, lab: "Lab") -> None:
        watched = Watched(lab)
        ids = {watched.vault.create_key().key_id for _ in range(40)}
        watched.full()
        for key_id in ids:
            watched.vault.schedule_deletion(key_id)
        told: set[str] = set()
        asked: list[int] = []
        sweeper = Sweeper(calls=lab.calls(concurrency=1), request_rate=1.0, tags=("owner",))

        def noticed(found: Pass) -> None:
            told.update(found.read)
            asked.append(lab.world.counts.total("GetResources"))

        lab.run(sweeper.sweep(lab.home(), PassKind.FULL, watched.keys, {}, noticed=noticed))
        assert told == ids
        assert not any(asked)

    def test_what_is_no_deletion_can_wait_for_the_end(self, watched: Watched) -> None:
        old = [watched.vault.create_key().key_id for _ in range(10)]
        watched.vault.schedule_deletion(old[0])
        watched.full()
        watched.vault.disable(old[1])
        watched.vault.create_key()
        notices: list[tuple[Pass, int]] = []
        assert len(self._swept(watched, PassKind.FULL, notices).read) == 11
        assert notices == []

    @staticmethod
    def _swept(watched: Watched, kind: PassKind, notices: list[tuple[Pass, int]]) -> Pass:
        """Make a pass, one request after the other; note what was noticed with the answers that there were by then."""
        described = watched.lab.faults.change(merging({}), operation="DescribeKey")
        sweeper = Sweeper(calls=watched.lab.calls(concurrency=1), request_rate=1.0, tags=())
        return watched.lab.run(
            sweeper.sweep(
                watched.lab.home(),
                kind,
                watched.keys,
                {},
                noticed=lambda found: notices.append((found, described.hits)),
            )
        )


class TestChangesPass:
    def test_where_nothing_is_pending_it_costs_one_request(self, watched: Watched) -> None:
        for _ in range(25):
            watched.vault.create_key()
        watched.full()
        watched.changes()
        assert watched.asked == {"ListKeys": 1}

    def test_it_describes_every_pending_key(self, watched: Watched) -> None:
        ids = [watched.vault.create_key(alias=f"alias/{number}").key_id for number in range(10)]
        for key_id in ids[:3]:
            watched.vault.schedule_deletion(key_id)
        watched.full()
        watched.vault.cancel_deletion(ids[0])
        watched.changes()
        assert watched.asked == {"ListKeys": 1, "DescribeKey": 3}
        assert watched.told == [(TransitionKind.CANCELLED, ids[0])]
        assert watched.keys.by_id[ids[0]].aliases == ("alias/0",), "labels stay as they were"
        watched.changes()
        assert watched.asked == {"ListKeys": 1, "DescribeKey": 2}

    def test_it_describes_new_keys_with_their_aliases(self, watched: Watched) -> None:
        watched.vault.create_key()
        watched.full()
        new = watched.vault.create_key(alias="alias/new").key_id
        watched.changes()
        assert watched.asked == {"ListKeys": 1, "ListAliases": 1, "DescribeKey": 1}
        assert watched.told == [(TransitionKind.CREATED, new)]
        assert watched.keys.by_id[new].aliases == ("alias/new",)

    def test_a_new_aws_managed_key_is_not_described(self, watched: Watched) -> None:
        old = watched.vault.create_key(manager="AWS", alias="alias/aws/s3").key_id
        watched.full()
        new = watched.vault.create_key(manager="AWS", alias="alias/aws/ebs").key_id
        watched.changes()
        assert watched.asked == {"ListKeys": 1, "ListAliases": 1}
        assert watched.keys.aws_managed == {old, new}
        watched.changes()
        assert watched.asked == {"ListKeys": 1}

    def test_a_scheduled_deletion_of_an_old_key_waits_for_the_full_pass(self, watched: Watched) -> None:
        key = watched.vault.create_key()
        watched.full()
        watched.vault.schedule_deletion(key.key_id)
        watched.changes()
        assert watched.told == []
        watched.full()
        assert watched.told == [(TransitionKind.SCHEDULED, key.key_id)]

    def test_a_new_key_whose_aliases_are_denied_is_described_all_the_same(self, watched: Watched) -> None:
        watched.full()
        new = watched.vault.create_key(alias="alias/new").key_id
        watched.lab.faults.deny(operation="ListAliases")
        result = watched.changes()
        assert watched.keys.by_id[new].aliases == ()
        assert errors(result) == {("ListAliases", "AccessDeniedException")}
        assert result.ended_by is None

    def test_a_primary_that_waits_for_its_replicas_is_followed(self, open_lab: "OpenLab") -> None:
        world = World(home_regions=[REGION, "us-east-1"])
        watched = Watched(open_lab(world))
        primary = watched.vault.create_key(multi_region=True)
        replica = world.replicate(primary, "us-east-1")
        watched.vault.schedule_deletion(primary.key_id, days=7)
        watched.full()
        assert watched.keys.by_id[primary.key_id].deletion == Deletion(at=None, window=7 * DAY)
        world.vault(HOME, "us-east-1").delete(replica.key_id)
        watched.changes()
        assert watched.told == [(TransitionKind.STATE_CHANGED, primary.key_id)]
        deletion = watched.keys.by_id[primary.key_id].deletion
        assert deletion is not None
        assert deletion.at == pytest.approx(primary.deletion_at, abs=0.01)


class TestVanishedKeys:
    def test_a_pending_key_that_is_gone_is_deleted(self, watched: Watched) -> None:
        key = watched.vault.create_key()
        watched.vault.schedule_deletion(key.key_id, days=7)
        watched.full()
        watched.lab.world.agenda.advance(7 * DAY)
        watched.changes()
        assert watched.told == [(TransitionKind.DELETED, key.key_id)]
        assert watched.keys.tombstones.keys() == {key.key_id}
        assert watched.asked == {"ListKeys": 1, "DescribeKey": 1}, "absence from the list alone is no proof"

    @pytest.mark.parametrize("kind", [PassKind.FULL, PassKind.CHANGES])
    def test_a_key_that_is_missing_in_the_list_but_answers_is_not_gone(self, watched: Watched, kind: PassKind) -> None:
        key = watched.vault.create_key()
        watched.vault.schedule_deletion(key.key_id)
        watched.full()
        watched.lab.faults.change(merging({"Keys": []}), operation="ListKeys")
        result = watched.sweep(kind)
        assert not result.gone
        assert not watched.told
        assert watched.keys.by_id[key.key_id].pending

    def test_a_key_that_is_missing_in_the_list_and_denied_is_unreadable_not_gone(self, watched: Watched) -> None:
        key = watched.vault.create_key()
        watched.vault.schedule_deletion(key.key_id)
        watched.full()
        watched.lab.faults.change(merging({"Keys": []}), operation="ListKeys")
        watched.lab.faults.deny(operation="DescribeKey")
        watched.changes()
        assert watched.told == []
        assert watched.unreadable == {key.key_id: "AccessDeniedException"}
        assert watched.keys.by_id[key.key_id].pending

    def test_a_key_that_is_listed_but_not_found_is_unreadable_not_gone(self, watched: Watched) -> None:
        key = watched.vault.create_key()
        watched.vault.schedule_deletion(key.key_id)
        watched.full()
        watched.vault.delete(key.key_id, listed=True)
        watched.changes()
        assert watched.told == []
        assert watched.unreadable == {key.key_id: "NotFoundException"}
        assert key.key_id in watched.keys.by_id
        watched.lab.faults.change(merging({"Keys": []}), operation="ListKeys")
        watched.changes()
        assert watched.told == [(TransitionKind.DELETED, key.key_id)]
        assert watched.unreadable == {}

    def test_a_key_that_was_never_read_and_is_listed_no_more_is_forgotten(self, watched: Watched) -> None:
        key = watched.vault.create_key(denied={"DescribeKey"})
        watched.full()
        assert watched.unreadable == {key.key_id: "AccessDeniedException"}
        watched.vault.delete(key.key_id)
        watched.changes()
        assert (watched.unreadable, watched.told) == ({}, [])
        assert watched.asked == {"ListKeys": 1}


class TestUnreadableKeys:
    def test_one_denied_key_never_costs_the_others(self, watched: Watched) -> None:
        ids = {watched.vault.create_key().key_id for _ in range(20)}
        denied = {watched.vault.create_key(denied={"DescribeKey"}).key_id for _ in range(3)}
        result = watched.full()
        assert watched.keys.by_id.keys() == ids
        assert watched.unreadable == dict.fromkeys(denied, "AccessDeniedException")
        assert result.ended_by is None
        assert [error.reason for error in result.errors] == ["AccessDeniedException"] * 3

    def test_a_denied_key_is_asked_for_again_in_full_passes_only(self, watched: Watched) -> None:
        watched.vault.create_key(denied={"DescribeKey"})
        watched.full()
        watched.changes()
        assert watched.asked == {"ListKeys": 1}
        watched.full()
        assert watched.asked["DescribeKey"] == 1

    def test_one_that_was_known_before_is_no_exception_unless_it_is_pending(self, watched: Watched) -> None:
        usual, pending = watched.vault.create_key(), watched.vault.create_key()
        watched.vault.schedule_deletion(pending.key_id)
        watched.full()
        usual.denied = pending.denied = frozenset({"DescribeKey"})
        watched.full()
        assert watched.unreadable.keys() == {usual.key_id, pending.key_id}
        watched.changes()
        assert watched.asked == {"ListKeys": 1, "DescribeKey": 1}

    def test_one_that_may_answer_the_next_time_is_asked_for_in_every_pass(self, watched: Watched) -> None:
        key = watched.vault.create_key()
        watched.full()
        fault = watched.lab.faults.garble(operation="DescribeKey")
        watched.full()
        assert watched.unreadable == {key.key_id: "invalid_response"}
        watched.changes()
        assert watched.asked == {"ListKeys": 1, "DescribeKey": 3}
        watched.lab.faults.remove(fault)
        watched.changes()
        assert watched.unreadable == {}
        assert watched.asked == {"ListKeys": 1, "DescribeKey": 1}

    def test_a_new_one_gets_its_aliases_when_it_is_read_at_last(self, watched: Watched) -> None:
        watched.full()
        new = watched.vault.create_key(alias="alias/new").key_id
        managed = watched.vault.create_key(manager="AWS", alias="alias/aws/ebs").key_id
        fault = watched.lab.faults.garble(service="kms", region=REGION, times=9)
        with pytest.raises(TargetError):
            watched.changes()
        watched.lab.faults.remove(fault)
        watched.lab.faults.garble(operation="DescribeKey", times=3)
        watched.changes()
        assert watched.unreadable == {new: "invalid_response"}
        watched.changes()
        assert watched.keys.by_id[new].aliases == ("alias/new",)
        assert watched.keys.aws_managed == {managed}

    def test_a_pending_key_that_becomes_denied_stays_pending(self, watched: Watched) -> None:
        key = watched.vault.create_key()
        watched.vault.schedule_deletion(key.key_id)
        watched.full()
        watched.lab.faults.deny(operation="DescribeKey")
        watched.changes()
        assert watched.keys.by_id[key.key_id].pending
        assert watched.told == []


class TestPartsThatFail:
    def test_without_the_list_of_keys_nothing_is_known(self, watched: Watched) -> None:
        watched.lab.faults.deny(operation="ListKeys")
        with pytest.raises(TargetError) as raised:
            watched.full()
        assert (raised.value.operation, raised.value.reason) == ("ListKeys", "AccessDeniedException")
        assert watched.asked == {"ListKeys": 1}

    def test_without_aliases_keys_are_read_and_keep_those_they_had(self, watched: Watched) -> None:
        key = watched.vault.create_key(alias="alias/a")
        managed = watched.vault.create_key(manager="AWS", alias="alias/aws/ebs").key_id
        watched.full()
        watched.lab.faults.deny(operation="ListAliases")
        watched.vault.disable(key.key_id)
        result = watched.full()
        assert (watched.keys.by_id[key.key_id].state, watched.keys.by_id[key.key_id].alias) == ("Disabled", "alias/a")
        assert watched.keys.aws_managed == {managed}
        assert watched.asked["DescribeKey"] == 1, "what was AWS managed still is"
        assert errors(result) == {("ListAliases", "AccessDeniedException")}
        assert result.ended_by is None

    def test_without_aliases_at_the_first_look_aws_managed_keys_are_described(self, watched: Watched) -> None:
        managed = watched.vault.create_key(manager="AWS", alias="alias/aws/ebs").key_id
        fault = watched.lab.faults.deny(operation="ListAliases")
        watched.full()
        assert watched.keys.by_id[managed].key_manager == "AWS"
        watched.lab.faults.remove(fault)
        watched.full()
        assert watched.keys.by_id == {}
        assert watched.keys.aws_managed == {managed}
        assert not watched.told

    def test_aliases_that_are_throttled_for_good_leave_time_for_the_keys(self, open_lab: "OpenLab") -> None:
        watched = Watched(open_lab(World(home_regions=[REGION]), hurry=100))
        watched.full()
        ids = {watched.vault.create_key().key_id for _ in range(30)}
        watched.lab.faults.throttle(operation="ListAliases")
        result = watched.changes()
        assert result.ended_by is None
        assert watched.keys.by_id.keys() == ids
        assert ("ListAliases", "timeout") in errors(result), "it would have taken longer than the pass may"

    def test_a_pass_cut_short_keeps_what_it_read(self, watched: Watched) -> None:
        ids = [watched.vault.create_key().key_id for _ in range(40)]
        watched.lab.faults.hang(operation="DescribeKey")
        calls = watched.lab.calls(read_timeout=0.2)
        result = watched.lab.sweep(PassKind.FULL, calls=calls)
        assert result.ended_by is not None
        assert (result.ended_by.operation, result.ended_by.reason) == ("DescribeKey", "timeout")
        assert result.unreadable == {}, "keys that were not asked for are not unreadable"
        watched.lab.faults.clear()
        assert watched.lab.sweep(PassKind.FULL, calls=calls).read.keys() == set(ids)

    def test_its_deadline_grows_with_the_keys_and_is_never_short(self, lab: "Lab") -> None:
        sweeper = Sweeper(calls=lab.calls(), request_rate=0.2, tags=())

        async def deadlines() -> list[float]:
            now = asyncio.get_running_loop().time()
            return [sweeper._deadline(keys) - now for keys in (0, 10_000, 100_000)]

        none, some, many = lab.run(deadlines())
        assert none == pytest.approx(120, abs=1)
        assert some == pytest.approx(120, abs=1), "25 s of budget"
        assert many == pytest.approx(750, abs=1), "250 s of budget"


class TestTags:
    @pytest.fixture
    def tagged(self, lab: "Lab") -> Watched:
        return Watched(lab, "team")

    def test_they_are_asked_for_only_where_they_are_wanted(self, watched: Watched) -> None:
        watched.vault.create_key(tags={"team": "core"})
        watched.full()
        assert "GetResources" not in watched.asked

    def test_a_full_pass_reads_them_all(self, tagged: Watched) -> None:
        key = tagged.vault.create_key(tags={"team": "core"})
        bare = tagged.vault.create_key()
        tagged.full()
        assert tagged.keys.by_id[key.key_id].tags == (("team", "core"),)
        assert tagged.keys.by_id[bare.key_id].tags == ()
        assert tagged.asked["GetResources"] == 1

    def test_a_tag_that_was_taken_away_is_gone_with_the_next_full_pass(self, tagged: Watched) -> None:
        key = tagged.vault.create_key(tags={"team": "core"})
        tagged.full()
        key.tags = {}
        tagged.full()
        assert tagged.keys.by_id[key.key_id].tags == ()

    def test_a_changes_pass_reads_those_of_new_keys(self, tagged: Watched) -> None:
        old = tagged.vault.create_key(tags={"team": "core"})
        tagged.vault.schedule_deletion(old.key_id)
        tagged.full()
        tagged.changes()
        assert "GetResources" not in tagged.asked
        assert tagged.keys.by_id[old.key_id].tags == (("team", "core"),), "they stay as they were"
        new = tagged.vault.create_key(tags={"team": "edge"})
        tagged.changes()
        assert tagged.asked["GetResources"] == 1
        assert tagged.keys.by_id[new.key_id].tags == (("team", "edge"),)

    @pytest.mark.parametrize("kind", [PassKind.FULL, PassKind.CHANGES])
    def test_where_they_are_denied_keys_keep_those_they_had(self, tagged: Watched, kind: PassKind) -> None:
        key = tagged.vault.create_key(tags={"team": "core"})
        tagged.full()
        new = tagged.vault.create_key(tags={"team": "edge"})
        tagged.lab.faults.deny(operation="GetResources")
        result = tagged.sweep(kind)
        assert errors(result) == {("GetResources", "AccessDeniedException")}
        assert result.ended_by is None
        assert tagged.keys.by_id[key.key_id].tags == (("team", "core"),)
        assert tagged.keys.by_id[new.key_id].tags == ()


def test_what_is_unreadable_is_told_to_a_pass_by_its_reason(lab: "Lab") -> None:
    """A pass goes by what it is given, not by what it remembers."""
    vault = lab.world.vault(HOME, REGION)
    denied, broken = vault.create_key().key_id, vault.create_key().key_id
    before = {
        denied: Unreadable("AccessDeniedException", since=0),
        broken: Unreadable("KMSInternalException", since=0),
    }
    result = lab.sweep(PassKind.CHANGES, Keys(), before)
    assert result.read.keys() == {broken}
