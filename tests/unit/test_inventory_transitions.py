"""What happens to keys between two passes, and what is kept of their deletions."""

import pytest

from exporter.model import Key, Pass, PassKind, TransitionKind
from tests.support.inventories import (
    DUE,
    HERE,
    KEEP_FAILED,
    START,
    THERE,
    Bench,
    disabled,
    enabled,
    error,
    pending,
    waiting,
)
from tests.support.snapshots import DAY


@pytest.fixture
def bench() -> Bench:
    return Bench()


class TestTransitions:
    def test_none_is_told_at_the_first_look(self, bench: Bench) -> None:
        assert bench.full(enabled("a"), pending("b")) == []

    def test_a_new_key_is_told_as_created(self, bench: Bench) -> None:
        bench.full(enabled("a"))
        assert bench.changes(enabled("b")) == [TransitionKind.CREATED]

    def test_a_new_key_that_is_pending_already_is_told_as_scheduled(self, bench: Bench) -> None:
        bench.full(enabled("a"))
        assert bench.changes(pending("b")) == [TransitionKind.SCHEDULED]

    @pytest.mark.parametrize(
        ("before", "after", "told"),
        [
            (enabled(), pending(), TransitionKind.SCHEDULED),
            (enabled(), waiting(), TransitionKind.SCHEDULED),
            (disabled(), pending(), TransitionKind.SCHEDULED),
            (pending(), disabled(), TransitionKind.CANCELLED),
            (pending(), enabled(), TransitionKind.CANCELLED),
            (waiting(), disabled(), TransitionKind.CANCELLED),
            (pending(), pending(at=DUE + DAY), TransitionKind.RESCHEDULED),
            (waiting(), pending(), TransitionKind.STATE_CHANGED),
            (enabled(), disabled(), TransitionKind.STATE_CHANGED),
            (enabled(), Key("a", "arn:a", "StateOfTomorrow"), TransitionKind.STATE_CHANGED),
        ],
    )
    def test_a_change_is_told_for_what_it_is(self, bench: Bench, before: Key, after: Key, told: TransitionKind) -> None:
        bench.full(before)
        assert bench.full(after) == [told]

    def test_a_change_in_labels_only_is_none(self, bench: Bench) -> None:
        bench.full(enabled())
        assert bench.full(enabled(description="another")) == []
        assert bench.keys.by_id["a"].description == "another"

    def test_a_change_is_told_once(self, bench: Bench) -> None:
        bench.full(enabled())
        bench.full(pending())
        assert bench.full(pending()) == []

    def test_a_pending_key_that_is_gone_is_told_as_deleted(self, bench: Bench) -> None:
        bench.full(pending())
        assert bench.changes(gone=frozenset({"a"})) == [TransitionKind.DELETED]

    def test_another_key_that_is_gone_is_told_as_vanished(self, bench: Bench) -> None:
        bench.full(enabled())
        assert bench.changes(gone=frozenset({"a"})) == [TransitionKind.VANISHED]

    def test_a_key_that_was_never_read_goes_silently(self, bench: Bench) -> None:
        bench.full(unreadable={"a": "AccessDeniedException"})
        assert bench.changes(gone=frozenset({"a"})) == []

    def test_it_says_what_happened_to_which_key_and_when(self, bench: Bench) -> None:
        bench.full(enabled())
        bench.clocks.advance(60)
        (told,) = bench.inventory.apply(HERE, Pass(PassKind.CHANGES, read={"a": pending()}))
        assert (told.target, told.key, told.before, told.at) == (HERE, pending(), "Enabled", START + 60)

    def test_a_deleted_key_is_told_as_it_was_last_seen(self, bench: Bench) -> None:
        bench.full(pending())
        (told,) = bench.inventory.apply(HERE, Pass(PassKind.CHANGES, gone=frozenset({"a"})))
        assert (told.key, told.before) == (pending(), "PendingDeletion")

    def test_a_key_that_becomes_readable_is_no_new_key(self, bench: Bench) -> None:
        bench.full(unreadable={"a": "AccessDeniedException"})
        assert bench.full(enabled("a")) == []

    def test_a_key_that_becomes_readable_as_pending_is_told(self, bench: Bench) -> None:
        bench.full(unreadable={"a": "AccessDeniedException"})
        assert bench.full(pending("a")) == [TransitionKind.SCHEDULED]
        assert "a" not in bench.keys.scheduled_at, "it may have been scheduled long before"

    def test_keys_that_a_partial_first_pass_did_not_reach_are_not_new(self, bench: Bench) -> None:
        assert bench.full(enabled("a"), ended_by=error()) == []
        assert bench.full(enabled("a"), enabled("b"), pending("c")) == []

    def test_keys_are_complete_once_a_pass_went_through(self, bench: Bench) -> None:
        seen = []
        for found in ({"ended_by": error()}, {}, {"ended_by": error()}):
            bench.full(enabled("a"), **found)
            seen.append(bench.keys.complete)
        assert seen == [False, True, True]

    def test_a_look_at_single_keys_does_not_make_them_complete(self, bench: Bench) -> None:
        bench.full(enabled("a"), ended_by=error())
        bench.apply(PassKind.NAMED, [pending("a")])
        assert not bench.keys.complete

    def test_a_change_after_a_partial_first_pass_is_told(self, bench: Bench) -> None:
        bench.full(enabled("a"), ended_by=error())
        assert bench.full(pending("a"), enabled("b")) == [TransitionKind.SCHEDULED]

    def test_keys_are_not_new_after_a_changes_pass_that_came_first(self, bench: Bench) -> None:
        assert bench.changes(enabled("a"), pending("b")) == []
        assert bench.changes(enabled("c")) == [TransitionKind.CREATED]

    def test_keys_are_not_new_when_they_were_dropped_and_come_back(self, bench: Bench) -> None:
        bench.full(enabled("a"), pending("b"))
        bench.after(KEEP_FAILED + 1)
        assert bench.full(enabled("a"), ended_by=error()) == []
        assert bench.changes(pending("b")) == []

    def test_an_aws_managed_key_is_never_told(self, bench: Bench) -> None:
        bench.full(Key("a", "arn:a", "Enabled", key_manager="AWS"))
        assert bench.full(aws_managed=frozenset({"a", "b"})) == []
        assert not bench.keys.by_id

    def test_a_target_that_is_not_watched_tells_nothing(self, bench: Bench) -> None:
        assert bench.inventory.apply(THERE, Pass(PassKind.FULL, read={"a": pending()})) == ()
        bench.inventory.fail(THERE, error())
        assert bench.inventory.state(THERE) is None


class TestDeletions:
    def test_when_a_deletion_was_first_seen_is_remembered(self, bench: Bench) -> None:
        bench.full(enabled())
        bench.clocks.advance(60)
        bench.changes(pending())
        assert bench.keys.scheduled_at == {"a": START + 60}

    def test_a_key_that_was_pending_at_the_first_look_was_scheduled_who_knows_when(self, bench: Bench) -> None:
        bench.full(pending())
        assert bench.keys.scheduled_at == {}

    def test_the_clock_of_a_primary_starting_leaves_when_it_was_scheduled(self, bench: Bench) -> None:
        bench.full(enabled())
        bench.changes(waiting())
        bench.clocks.advance(DAY)
        bench.changes(pending())
        assert bench.keys.scheduled_at == {"a": START}

    def test_another_date_is_another_scheduling(self, bench: Bench) -> None:
        bench.full(enabled())
        bench.changes(pending())
        bench.clocks.advance(DAY)
        bench.changes(pending(at=DUE + DAY))
        assert bench.keys.scheduled_at == {"a": START + DAY}

    def test_a_cancelled_deletion_is_remembered(self, bench: Bench) -> None:
        bench.full(pending())
        bench.clocks.advance(60)
        bench.changes(disabled())
        assert bench.keys.cancelled_at == {"a": START + 60}
        assert bench.keys.scheduled_at == {}

    def test_enabling_a_saved_key_leaves_when_it_was_saved(self, bench: Bench) -> None:
        bench.full(pending())
        bench.changes(disabled())
        bench.clocks.advance(60)
        assert bench.full(enabled()) == [TransitionKind.STATE_CHANGED]
        assert bench.keys.cancelled_at == {"a": START}

    def test_scheduling_a_saved_key_again_forgets_that_it_was_saved(self, bench: Bench) -> None:
        bench.full(pending())
        bench.changes(disabled())
        bench.changes(pending(at=DUE + DAY))
        assert bench.keys.cancelled_at == {}

    def test_a_cancellation_is_kept_as_long_as_a_tombstone(self, bench: Bench) -> None:
        bench.full(pending())
        bench.changes(disabled())
        for _ in range(7):
            bench.after(DAY).full(disabled())
        assert bench.keys.cancelled_at == {"a": START}
        bench.after(1)
        assert bench.keys.cancelled_at == {}
        assert bench.keys.by_id == {"a": disabled()}

    def test_a_pending_key_that_is_gone_leaves_a_tombstone(self, bench: Bench) -> None:
        bench.full(pending())
        bench.clocks.advance(60)
        bench.changes(gone=frozenset({"a"}))
        stone = bench.keys.tombstones["a"]
        assert (stone.key, stone.deleted_at) == (pending(), START + 60)
        assert "a" not in bench.keys.by_id
        assert "a" not in bench.keys.scheduled_at

    def test_a_key_that_was_not_pending_leaves_none(self, bench: Bench) -> None:
        bench.full(enabled())
        bench.changes(gone=frozenset({"a"}))
        assert bench.keys.tombstones == {}

    def test_a_tombstone_is_kept_for_its_time(self, bench: Bench) -> None:
        bench.full(pending("a"), enabled("b"))
        bench.changes(gone=frozenset({"a"}))
        for _ in range(7):
            bench.after(DAY).full(enabled("b"))
        assert "a" in bench.keys.tombstones
        bench.after(1)
        assert bench.keys.tombstones == {}
        assert "b" in bench.keys.by_id

    def test_a_key_that_comes_back_takes_its_tombstone_away(self, bench: Bench) -> None:
        bench.full(pending())
        bench.changes(gone=frozenset({"a"}))
        bench.changes(pending())
        assert bench.keys.tombstones == {}
        before = bench.version
        for _ in range(8):
            bench.after(DAY).full(pending())
        assert bench.version == before, "nothing is left to be taken away later"
        assert bench.keys.by_id == {"a": pending()}

    def test_a_second_cancellation_is_kept_for_its_own_time(self, bench: Bench) -> None:
        bench.full(pending())
        bench.changes(disabled())
        for _ in range(4):
            bench.after(DAY).full(disabled())
        bench.changes(pending(at=DUE + DAY))
        bench.changes(disabled())
        for _ in range(7):
            bench.after(DAY).full(disabled())
        assert bench.keys.cancelled_at == {"a": START + 4 * DAY}
