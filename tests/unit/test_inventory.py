"""The inventory: last known good per target, its age, and the snapshots that tell of it."""

from dataclasses import FrozenInstanceError

import pytest

from exporter.model import Key, Keys, Pass, PassKind, Target, TransitionKind
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


class TestFailures:
    def test_a_target_is_neither_up_nor_down_before_its_first_pass(self, bench: Bench) -> None:
        state = bench.state
        assert (state.up, state.keys, state.last_success, state.last_full) == (None, None, None, None)

    def test_a_failed_pass_leaves_what_is_known(self, bench: Bench) -> None:
        bench.full(pending())
        known = bench.keys
        bench.clocks.advance(60)
        bench.inventory.fail(HERE, error("timeout"))
        assert bench.state.keys is known
        assert (bench.state.up, bench.state.last_success) == (False, START)
        assert bench.state.last_error == "ListKeys in 111122223333/eu-west-1: timeout"

    def test_a_success_clears_the_error(self, bench: Bench) -> None:
        bench.inventory.fail(HERE, error())
        bench.full(enabled())
        assert (bench.state.up, bench.state.last_error) == (True, "")

    def test_a_pass_cut_short_failed_but_what_it_read_counts(self, bench: Bench) -> None:
        bench.full(enabled("a"), enabled("b"))
        bench.clocks.advance(60)
        assert bench.full(pending("a"), ended_by=error(operation="DescribeKey")) == [TransitionKind.SCHEDULED]
        assert (bench.state.up, bench.state.last_success, bench.state.last_full) == (False, START, START)
        assert bench.keys.by_id == {"a": pending("a"), "b": enabled("b")}

    def test_a_first_pass_that_read_no_key_leaves_them_unknown_rather_than_none(self, bench: Bench) -> None:
        bench.full(aws_managed=frozenset({"x"}), ended_by=error(operation="DescribeKey"))
        assert bench.state.keys is None

    def test_a_first_pass_that_found_no_keys_says_so(self, bench: Bench) -> None:
        bench.full()
        assert bench.keys == Keys()

    def test_only_a_full_pass_that_succeeded_was_full(self, bench: Bench) -> None:
        bench.full(enabled())
        bench.clocks.advance(60)
        bench.changes()
        assert (bench.state.last_success, bench.state.last_full) == (START + 60, START)

    def test_errors_are_counted_by_operation_and_reason(self, bench: Bench) -> None:
        bench.inventory.fail(HERE, error("timeout"))
        bench.inventory.fail(HERE, error("timeout"))
        denied = error("AccessDeniedException", "DescribeKey")
        bench.full(enabled(), errors=(denied, denied), unreadable={"b": denied.reason, "c": denied.reason})
        bench.full(errors=(denied,), ended_by=error("timeout", "DescribeKey"))
        assert bench.state.errors == {
            ("ListKeys", "timeout"): 2,
            ("DescribeKey", "AccessDeniedException"): 3,
            ("DescribeKey", "timeout"): 1,
        }

    def test_keys_are_dropped_once_the_last_success_is_too_old(self, bench: Bench) -> None:
        bench.full(pending())
        bench.clocks.advance(KEEP_FAILED)
        bench.inventory.fail(HERE, error())
        assert bench.inventory.expire() == ()
        bench.clocks.advance(1)
        assert bench.inventory.expire() == (HERE,)
        assert bench.state.keys is None
        assert bench.state.last_success == START, "when it was last known stays told"
        assert bench.inventory.expire() == (), "told once"

    def test_nothing_is_dropped_while_a_long_pass_is_under_way_that_has_not_failed(self, bench: Bench) -> None:
        bench.full(pending())
        bench.clocks.advance(2 * KEEP_FAILED)
        assert bench.inventory.expire() == ()
        assert bench.keys.by_id == {"a": pending()}
        bench.inventory.fail(HERE, error())
        assert bench.inventory.expire() == (HERE,)

    def test_what_a_target_that_never_succeeded_told_is_kept_as_long(self, bench: Bench) -> None:
        bench.full(pending(), ended_by=error())
        bench.after(KEEP_FAILED)
        assert bench.keys.by_id == {"a": pending()}
        bench.after(1)
        assert bench.state.keys is None

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
        assert bench.keys.by_id["a"] == pending("a")
        assert bench.state.up is True
        why = bench.state.unreadable["a"]
        assert (why.reason, why.since) == ("AccessDeniedException", START + 60)

    def test_since_when_and_the_newest_reason_are_told(self, bench: Bench) -> None:
        bench.full(unreadable={"a": "timeout"})
        bench.clocks.advance(60)
        bench.full(unreadable={"a": "AccessDeniedException"})
        why = bench.state.unreadable["a"]
        assert (why.reason, why.since) == ("AccessDeniedException", START)

    def test_it_stays_unreadable_in_a_pass_that_does_not_ask_for_it(self, bench: Bench) -> None:
        bench.full(unreadable={"a": "AccessDeniedException"})
        bench.changes()
        assert set(bench.state.unreadable) == {"a"}

    @pytest.mark.parametrize(
        "answer",
        [{"read": {"a": enabled("a")}}, {"gone": frozenset({"a"})}, {"aws_managed": frozenset({"a"})}],
        ids=["read", "gone", "aws_managed"],
    )
    def test_any_answer_about_it_ends_that(self, bench: Bench, answer: dict[str, object]) -> None:
        bench.full(unreadable={"a": "timeout"})
        bench.inventory.apply(HERE, Pass(PassKind.FULL, **answer))  # type: ignore[arg-type]  # see the parameters
        assert not bench.state.unreadable

    @pytest.mark.parametrize(
        ("key", "left"), [(enabled("a"), 0), (pending("a"), DUE - START), (waiting("a"), 30 * DAY)]
    )
    def test_its_last_answer_is_dropped_once_it_is_too_old_of_a_pending_key_counted_from_its_date(
        self, bench: Bench, key: Key, left: float
    ) -> None:
        bench.full(key, pending("b"))
        bench.full(pending("b"), unreadable={"a": "AccessDeniedException"})
        bench.after(left + KEEP_FAILED).full(pending("b"), unreadable={"a": "AccessDeniedException"})
        bench.inventory.expire()
        assert "a" in bench.keys.by_id
        bench.clocks.advance(1)
        assert bench.inventory.expire() == ()
        assert set(bench.keys.by_id) == {"b"}
        assert set(bench.state.unreadable) == {"a"}, "that it exists is still told"

    def test_a_key_that_was_readable_in_between_starts_anew(self, bench: Bench) -> None:
        bench.full(enabled("a"))
        for _ in range(3):
            bench.full(unreadable={"a": "timeout"})
            bench.after(KEEP_FAILED - 1)
            bench.full(enabled("a"))
        assert bench.keys.by_id == {"a": enabled("a")}


class TestNamedKeys:
    """A look at keys that an event named, which tells nothing about the others, nor about the target as a whole."""

    def test_what_happened_to_them_is_told(self, bench: Bench) -> None:
        bench.full(enabled("a"), enabled("b"))
        assert bench.named(pending("a"), enabled("c")) == [TransitionKind.SCHEDULED, TransitionKind.CREATED]
        assert bench.keys.by_id == {"a": pending("a"), "b": enabled("b"), "c": enabled("c")}

    def test_the_target_is_as_up_and_as_fresh_as_before(self, bench: Bench) -> None:
        bench.full(enabled("a"))
        bench.inventory.fail(HERE, error())
        bench.clocks.advance(60)
        bench.named(pending("a"))
        assert (bench.state.up, bench.state.last_success, bench.state.last_full) == (False, START, START)
        assert bench.state.last_error

    def test_before_the_first_pass_they_leave_the_keys_unknown(self, bench: Bench) -> None:
        assert bench.named(pending("a")) == []
        assert (bench.state.keys, bench.state.up) == (None, None)

    def test_one_that_fails_is_unreadable_and_counted_and_costs_nothing_else(self, bench: Bench) -> None:
        bench.full(pending("a"))
        denied = error("AccessDeniedException", "DescribeKey")
        assert bench.named(unreadable={"a": denied.reason}, errors=(denied,)) == []
        assert bench.keys.by_id == {"a": pending("a")}
        assert bench.state.unreadable["a"].reason == "AccessDeniedException"
        assert bench.state.errors == {("DescribeKey", "AccessDeniedException"): 1}
        assert bench.state.up is True

    def test_a_key_that_was_read_outlives_what_the_last_pass_told(self, bench: Bench) -> None:
        bench.full(pending("a"), pending("b"))
        bench.clocks.advance(60)
        bench.named(pending("a"))
        bench.inventory.fail(HERE, error())
        bench.after(KEEP_FAILED - 59)
        assert bench.keys.by_id == {"a": pending("a")}


class TestTargets:
    def test_a_target_that_leaves_is_forgotten(self, bench: Bench) -> None:
        bench.full(pending())
        bench.inventory.watch({THERE: ""}, {}, None)
        assert bench.inventory.state(HERE) is None
        bench.inventory.watch({HERE: ""}, {}, None)
        assert bench.state.keys is None
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
        assert bench.state.account_name == "renamed"
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
            lambda: (bench.inventory.fail(HERE, error()), bench.after(KEEP_FAILED + 1)),
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
        bench.inventory.fail(HERE, error())
        bench.clocks.advance(60)
        bench.inventory.keep_failed = 59
        assert bench.inventory.expire() == (HERE,)
