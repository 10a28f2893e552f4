"""The inventory: last known good per target, its age, and what happens to keys between two passes."""

from collections.abc import Iterable
from dataclasses import FrozenInstanceError

import pytest

from exporter.errors import TargetError
from exporter.inventory import Inventory
from exporter.model import Deletion, Key, Keys, Pass, PassKind, Target, TransitionKind

DAY = 86_400.0
KEEP_FAILED = 1 * DAY
KEEP_TOMBSTONES = 7 * DAY
START = 1_790_000_000.0

HERE = Target("111122223333", "eu-west-1")
THERE = Target("222233334444", "us-east-1")

DUE = START + 10 * DAY


class Clocks:
    """The wall clock and the monotonic clock, which move together unless someone sets the wall clock."""

    def __init__(self) -> None:
        self.wall = START
        self.uptime = 1000.0

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.uptime += seconds


class Bench:
    """An inventory that watches `HERE`, with its clocks."""

    def __init__(self) -> None:
        self.clocks = Clocks()
        self.inventory = Inventory(
            keep_failed=KEEP_FAILED,
            keep_tombstones=KEEP_TOMBSTONES,
            now=lambda: self.clocks.wall,
            monotonic=lambda: self.clocks.uptime,
        )
        self.inventory.watch({HERE: "home"}, {}, None)

    def full(self, *keys: Key, **found: object) -> list[TransitionKind]:
        """Apply a full pass that reads `keys`; return the kinds of what it told."""
        return self.apply(PassKind.FULL, keys, **found)

    def changes(self, *keys: Key, **found: object) -> list[TransitionKind]:
        """Apply a changes pass that reads `keys`; return the kinds of what it told."""
        return self.apply(PassKind.CHANGES, keys, **found)

    def apply(self, kind: PassKind, keys: Iterable[Key], **found: object) -> list[TransitionKind]:
        result = Pass(kind, read={key.key_id: key for key in keys}, **found)  # type: ignore[arg-type]  # passed through
        return [transition.kind for transition in self.inventory.apply(HERE, result)]

    @property
    def keys(self) -> Keys:
        """What is known of the keys of `HERE`, which must be known."""
        state = self.inventory.state(HERE)
        assert state is not None
        assert state.keys is not None
        return state.keys

    @property
    def version(self) -> int:
        return self.inventory.snapshot.keys_version

    def after(self, seconds: float) -> "Bench":
        """Let time pass, and what is too old expire."""
        self.clocks.advance(seconds)
        self.inventory.expire()
        return self


@pytest.fixture
def bench() -> Bench:
    return Bench()


def enabled(key_id: str = "a", **facts: str) -> Key:
    return Key(key_id, f"arn:{key_id}", "Enabled", **facts)  # type: ignore[arg-type]  # strings only


def disabled(key_id: str = "a") -> Key:
    return Key(key_id, f"arn:{key_id}", "Disabled")


def pending(key_id: str = "a", at: float = DUE) -> Key:
    return Key(key_id, f"arn:{key_id}", "PendingDeletion", deletion=Deletion(at))


def waiting(key_id: str = "a") -> Key:
    return Key(key_id, f"arn:{key_id}", "PendingReplicaDeletion", deletion=Deletion(window=7 * DAY))


def error(reason: str = "timeout", operation: str = "ListKeys") -> TargetError:
    return TargetError(HERE, operation, reason)


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


class TestFailures:
    def test_a_target_is_neither_up_nor_down_before_its_first_pass(self, bench: Bench) -> None:
        state = bench.inventory.state(HERE)
        assert state is not None
        assert (state.up, state.keys, state.last_success, state.last_full) == (None, None, None, None)

    def test_a_failed_pass_leaves_what_is_known(self, bench: Bench) -> None:
        bench.full(pending())
        known = bench.keys
        bench.clocks.advance(60)
        bench.inventory.fail(HERE, error("timeout"))
        state = bench.inventory.state(HERE)
        assert state is not None
        assert state.keys is known
        assert (state.up, state.last_success) == (False, START)
        assert state.last_error == "ListKeys in 111122223333/eu-west-1: timeout"

    def test_a_success_clears_the_error(self, bench: Bench) -> None:
        bench.inventory.fail(HERE, error())
        bench.full(enabled())
        state = bench.inventory.state(HERE)
        assert state is not None
        assert (state.up, state.last_error) == (True, "")

    def test_a_pass_cut_short_failed_but_what_it_read_counts(self, bench: Bench) -> None:
        bench.full(enabled("a"), enabled("b"))
        bench.clocks.advance(60)
        assert bench.full(pending("a"), ended_by=error(operation="DescribeKey")) == [TransitionKind.SCHEDULED]
        state = bench.inventory.state(HERE)
        assert state is not None
        assert (state.up, state.last_success, state.last_full) == (False, START, START)
        assert bench.keys.by_id == {"a": pending("a"), "b": enabled("b")}

    def test_a_first_pass_that_read_no_key_leaves_them_unknown_rather_than_none(self, bench: Bench) -> None:
        bench.full(aws_managed=frozenset({"x"}), ended_by=error(operation="DescribeKey"))
        state = bench.inventory.state(HERE)
        assert state is not None
        assert state.keys is None

    def test_a_first_pass_that_found_no_keys_says_so(self, bench: Bench) -> None:
        bench.full()
        assert bench.keys == Keys()

    def test_only_a_full_pass_that_succeeded_was_full(self, bench: Bench) -> None:
        bench.full(enabled())
        bench.clocks.advance(60)
        bench.changes()
        state = bench.inventory.state(HERE)
        assert state is not None
        assert (state.last_success, state.last_full) == (START + 60, START)

    def test_errors_are_counted_by_operation_and_reason(self, bench: Bench) -> None:
        bench.inventory.fail(HERE, error("timeout"))
        bench.inventory.fail(HERE, error("timeout"))
        denied = error("AccessDeniedException", "DescribeKey")
        bench.full(enabled(), errors=(denied, denied), unreadable={"b": denied.reason, "c": denied.reason})
        bench.full(errors=(denied,), ended_by=error("timeout", "DescribeKey"))
        state = bench.inventory.state(HERE)
        assert state is not None
        assert state.errors == {
            ("ListKeys", "timeout"): 2,
            ("DescribeKey", "AccessDeniedException"): 3,
            ("DescribeKey", "timeout"): 1,
        }

    def test_keys_are_dropped_once_the_last_success_is_too_old(self, bench: Bench) -> None:
        bench.full(pending())
        bench.clocks.advance(KEEP_FAILED)
        assert bench.inventory.expire() == ()
        bench.clocks.advance(1)
        assert bench.inventory.expire() == (HERE,)
        state = bench.inventory.state(HERE)
        assert state is not None
        assert state.keys is None
        assert state.last_success == START, "when it was last known stays told"
        assert bench.inventory.expire() == (), "told once"

    def test_a_failing_target_that_never_succeeded_is_measured_from_when_it_was_first_watched(
        self, bench: Bench
    ) -> None:
        bench.full(pending(), ended_by=error())
        bench.after(KEEP_FAILED)
        assert bench.keys.by_id == {"a": pending()}

    def test_passes_that_are_always_cut_short_keep_the_keys_that_they_read(self, bench: Bench) -> None:
        bench.full(pending("a"), enabled("b"))
        for _ in range(30):
            bench.clocks.advance(3600)
            bench.full(pending("a"), ended_by=error())
            assert bench.inventory.expire() == ()
        assert bench.keys.by_id == {"a": pending("a")}, "the other has not been answered for since a day"
        assert not bench.keys.complete
        bench.clocks.advance(KEEP_FAILED + 1)
        assert bench.inventory.expire() == (HERE,)

    def test_setting_the_wall_clock_expires_nothing(self, bench: Bench) -> None:
        bench.full(pending("a"), pending("b"), enabled("c"))
        bench.changes(gone=frozenset({"a"}), unreadable={"c": "AccessDeniedException"})
        bench.changes(disabled("b"))
        known = bench.keys
        for jump in (1000 * DAY, -2000 * DAY):
            bench.clocks.wall += jump
            assert bench.inventory.expire() == ()
            assert bench.keys is known


class TestUnreadableKeys:
    def test_a_key_that_can_not_be_read_stays_as_it_was(self, bench: Bench) -> None:
        bench.full(pending("a"), enabled("b"))
        bench.clocks.advance(60)
        assert bench.full(enabled("b"), unreadable={"a": "AccessDeniedException"}) == []
        state = bench.inventory.state(HERE)
        assert state is not None
        assert bench.keys.by_id["a"] == pending("a")
        assert state.up is True
        assert (state.unreadable["a"].reason, state.unreadable["a"].since) == ("AccessDeniedException", START + 60)

    def test_since_when_and_the_newest_reason_are_told(self, bench: Bench) -> None:
        bench.full(unreadable={"a": "timeout"})
        bench.clocks.advance(60)
        bench.full(unreadable={"a": "AccessDeniedException"})
        state = bench.inventory.state(HERE)
        assert state is not None
        assert (state.unreadable["a"].reason, state.unreadable["a"].since) == ("AccessDeniedException", START)

    def test_it_stays_unreadable_in_a_pass_that_does_not_ask_for_it(self, bench: Bench) -> None:
        bench.full(unreadable={"a": "AccessDeniedException"})
        bench.changes()
        state = bench.inventory.state(HERE)
        assert state is not None
        assert set(state.unreadable) == {"a"}

    @pytest.mark.parametrize(
        "answer",
        [{"read": {"a": enabled("a")}}, {"gone": frozenset({"a"})}, {"aws_managed": frozenset({"a"})}],
        ids=["read", "gone", "aws_managed"],
    )
    def test_any_answer_about_it_ends_that(self, bench: Bench, answer: dict[str, object]) -> None:
        bench.full(unreadable={"a": "timeout"})
        bench.inventory.apply(HERE, Pass(PassKind.FULL, **answer))  # type: ignore[arg-type]  # see the parameters
        state = bench.inventory.state(HERE)
        assert state is not None
        assert not state.unreadable

    def test_its_last_answer_is_dropped_once_it_is_too_old(self, bench: Bench) -> None:
        bench.full(pending("a"), pending("b"))
        bench.full(pending("b"), unreadable={"a": "AccessDeniedException"})
        bench.after(KEEP_FAILED).full(pending("b"), unreadable={"a": "AccessDeniedException"})
        bench.inventory.expire()
        assert "a" in bench.keys.by_id
        bench.clocks.advance(1)
        assert bench.inventory.expire() == ()
        state = bench.inventory.state(HERE)
        assert state is not None
        assert set(bench.keys.by_id) == {"b"}
        assert set(state.unreadable) == {"a"}, "that it exists is still told"

    def test_a_key_that_was_readable_in_between_starts_anew(self, bench: Bench) -> None:
        bench.full(enabled("a"))
        for _ in range(3):
            bench.full(unreadable={"a": "timeout"})
            bench.after(KEEP_FAILED - 1)
            bench.full(enabled("a"))
        assert bench.keys.by_id == {"a": enabled("a")}


class TestTargets:
    def test_a_target_that_leaves_is_forgotten(self, bench: Bench) -> None:
        bench.full(pending())
        bench.inventory.watch({THERE: ""}, {}, None)
        assert bench.inventory.state(HERE) is None
        bench.inventory.watch({HERE: ""}, {}, None)
        state = bench.inventory.state(HERE)
        assert state is not None
        assert state.keys is None
        assert bench.full(pending()) == []

    def test_a_target_that_stays_keeps_what_is_known(self, bench: Bench) -> None:
        bench.full(pending())
        known = bench.keys
        bench.inventory.watch({HERE: "home", THERE: ""}, {}, None)
        assert bench.keys is known

    def test_the_name_of_its_account_may_change(self, bench: Bench) -> None:
        bench.full(pending())
        before = bench.version
        bench.inventory.watch({HERE: "renamed"}, {}, None)
        state = bench.inventory.state(HERE)
        assert state is not None
        assert state.account_name == "renamed"
        assert bench.version > before, "the name is a label of key series"

    def test_targets_are_sorted_by_account_and_region(self, bench: Bench) -> None:
        wanted = [Target("2", "a"), Target("1", "b"), Target("1", "a"), Target("10", "a")]
        bench.inventory.watch(dict.fromkeys(wanted, ""), {}, None)
        assert [state.target for state in bench.inventory.snapshot.targets] == sorted(wanted)

    def test_accounts_are_up_unless_something_stands_in_the_way(self, bench: Bench) -> None:
        bench.inventory.watch({}, {"111122223333": "", "222233334444": "AssumeRole: denied"}, organization=False)
        snapshot = bench.inventory.snapshot
        assert snapshot.accounts == {"111122223333": True, "222233334444": False}
        assert snapshot.account_errors == {"222233334444": "AssumeRole: denied"}
        assert snapshot.organization is False


class TestSnapshots:
    def test_every_change_is_a_new_snapshot(self, bench: Bench) -> None:
        before = bench.inventory.snapshot
        bench.clocks.advance(60)
        bench.full(enabled())
        after = bench.inventory.snapshot
        assert (before.targets[0].keys, before.taken_at) == (None, START)
        assert after.targets[0].keys is not None
        assert after.taken_at == START + 60

    def test_it_can_not_be_changed(self, bench: Bench) -> None:
        bench.full(pending(), unreadable={"b": "timeout"}, errors=(error(),))
        snapshot = bench.inventory.snapshot
        with pytest.raises(FrozenInstanceError):
            snapshot.keys_version = 0  # type: ignore[misc]  # the point
        state = snapshot.targets[0]
        assert state.keys is not None
        for mapping in (state.keys.by_id, state.keys.tombstones, state.unreadable, state.errors, snapshot.accounts):
            with pytest.raises(TypeError):
                mapping["x"] = None  # type: ignore[index]  # the point

    def test_a_pass_that_finds_nothing_new_keeps_the_same_keys_object_and_version(self, bench: Bench) -> None:
        bench.full(pending("a"), enabled("b"), aws_managed=frozenset({"x"}))
        known, version = bench.keys, bench.version
        bench.full(pending("a"), enabled("b"), aws_managed=frozenset({"x"}))
        bench.changes(pending("a"))
        bench.inventory.fail(HERE, error())
        bench.inventory.expire()
        assert bench.keys is known
        assert bench.version == version

    def test_the_version_grows_with_each_change_of_keys(self, bench: Bench) -> None:
        seen = [bench.version]
        for step in (
            lambda: bench.full(pending("a"), enabled("b")),
            lambda: bench.full(enabled("b", description="new")),
            lambda: bench.changes(aws_managed=frozenset({"x"})),
            lambda: bench.changes(gone=frozenset({"a"})),
            lambda: bench.after(KEEP_FAILED + 1),
            lambda: bench.full(enabled("b")),
            lambda: bench.inventory.watch({}, {}, None),
        ):
            step()
            seen.append(bench.version)
        assert seen == sorted(set(seen))

    def test_the_version_is_deaf_to_targets_without_keys(self, bench: Bench) -> None:
        bench.full(pending())
        version = bench.version
        bench.inventory.watch({HERE: "home", THERE: "new"}, {"111122223333": ""}, organization=True)
        bench.inventory.watch({HERE: "home"}, {}, None)
        assert bench.version == version

    def test_other_bounds_take_effect_at_once(self, bench: Bench) -> None:
        bench.full(pending())
        bench.clocks.advance(60)
        bench.inventory.keep_failed = 59
        assert bench.inventory.expire() == (HERE,)
