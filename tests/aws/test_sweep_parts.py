"""A pass of which a part fails: what is lost with it, and what is not; and tags, which are such a part."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from exporter.aws.sweep import Sweeper
from exporter.demo.world import World
from exporter.errors import TargetError
from exporter.model import PassKind
from tests.aws.watched import REGION, Watched, errors

if TYPE_CHECKING:
    from tests.aws.harness import Lab, OpenLab


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
