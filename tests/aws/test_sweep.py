"""A pass over a target: what it asks for, to the request, and what it concludes."""

from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws.sweep import Sweeper
from exporter.demo.faults import merging
from exporter.demo.world import World
from exporter.errors import TargetError
from exporter.model import Deletion, Keys, PassKind, TransitionKind, Unreadable
from tests.aws.watched import HOME, REGION, Watched, errors
from tests.support.snapshots import DAY

if TYPE_CHECKING:
    from tests.aws.harness import Lab, OpenLab


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

    def test_a_changes_pass_with_nothing_known_is_a_full_one(self, watched: Watched) -> None:
        for number in range(25):
            watched.vault.create_key(alias=f"alias/{number}")
        assert watched.changes().kind is PassKind.FULL
        assert watched.asked == {"ListKeys": 1, "ListAliases": 1, "DescribeKey": 25}


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
