"""A pass that takes long: over many keys, and what it tells before it is over."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws.sweep import Sweeper
from exporter.demo.faults import merging
from exporter.model import Pass, PassKind
from tests.aws.watched import Watched, errors

if TYPE_CHECKING:
    from tests.aws.harness import Lab


class TestManyKeys:
    @pytest.fixture
    def watched(self, lab: "Lab") -> Watched:
        return Watched(lab, many=2)

    def test_many_keys_are_described_while_their_aliases_are_listed(self, watched: Watched) -> None:
        own = {watched.vault.create_key(alias=f"alias/{number:03}").key_id for number in range(230)}
        managed = {watched.vault.create_key(manager="AWS", alias=f"alias/aws/{name}").key_id for name in ("ebs", "s3")}
        order: list[str] = []

        def note(what: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
            def noted(answer: dict[str, Any]) -> dict[str, Any]:
                order.append(what)
                return answer

            return noted

        watched.lab.faults.change(note("aliases"), operation="ListAliases")
        watched.lab.faults.change(note("key"), operation="DescribeKey")
        watched.full()
        assert "aliases" in order[order.index("key") :], "keys do not wait for the last page of aliases"
        assert watched.keys.by_id.keys() == own
        assert all(len(key.aliases) == 1 for key in watched.keys.by_id.values())
        assert watched.keys.aws_managed == managed
        assert watched.asked == {"ListKeys": 1, "ListAliases": 3, "DescribeKey": 232}

    def test_of_many_keys_those_that_aws_manages_are_never_unreadable(self, watched: Watched) -> None:
        own = watched.vault.create_key().key_id
        managed = watched.vault.create_key(manager="AWS", alias="alias/aws/ebs", denied={"DescribeKey"}).key_id
        for _ in range(2):
            result = watched.full()
            assert (result.unreadable, errors(result)) == ({}, set())
            assert watched.keys.by_id.keys() == {own}
            assert watched.keys.aws_managed == {managed}

    def test_without_aliases_many_keys_are_described_all_the_same(self, watched: Watched) -> None:
        own = watched.vault.create_key(alias="alias/own").key_id
        managed = watched.vault.create_key(manager="AWS", alias="alias/aws/ebs").key_id
        watched.full()
        watched.lab.faults.deny(operation="ListAliases")
        watched.vault.schedule_deletion(own)
        assert errors(watched.full()) == {("ListAliases", "AccessDeniedException")}
        assert watched.keys.by_id[own].pending
        assert watched.keys.by_id[own].aliases == ("alias/own",)
        assert watched.keys.aws_managed == {managed}


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
