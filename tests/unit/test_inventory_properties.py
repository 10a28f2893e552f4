"""Any sequence of passes, failures and pauses against a model that is too simple to be wrong in the same way."""

from dataclasses import dataclass, field
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exporter.errors import TargetError
from exporter.inventory import Inventory
from exporter.model import Deletion, Key, Pass, PassKind, Snapshot, Target, TargetState, TransitionKind

KEEP_FAILED: Final = 100.0
KEEP_TOMBSTONES: Final = 250.0
TARGETS: Final = (Target("111122223333", "eu-west-1"), Target("222233334444", "us-east-1"))
KEY_IDS: Final = ("a", "b", "c")

STATES: Final = (
    ("Enabled", None),
    ("Disabled", None),
    ("PendingDeletion", Deletion(at=1e9)),
    ("PendingDeletion", Deletion(at=2e9)),
    ("PendingReplicaDeletion", Deletion(window=7 * 86_400.0)),
)

AN_ANSWER: Final = st.one_of(
    st.sampled_from(STATES), st.sampled_from(["AccessDeniedException", "timeout", "gone", "aws_managed"])
)
"""What a pass may tell of a key: its state, why it was unreadable, that it is gone, that it is AWS managed."""
ANSWERS: Final = st.dictionaries(st.sampled_from(KEY_IDS), AN_ANSWER)

A_TARGET: Final = st.sampled_from(TARGETS)
A_KIND: Final = st.sampled_from([PassKind.FULL, PassKind.CHANGES])


@dataclass
class Known:
    """What must be known of a key.

    Attributes:
        fresh_at: when the key itself was read, or a whole pass over its target succeeded.
    """

    key: Key
    fresh_at: float


@dataclass
class Expectation:
    """What must be known of a target; times are on the monotonic clock."""

    success: float
    up: bool = False
    is_known: bool = False
    complete: bool = False
    keys: dict[str, Known] = field(default_factory=dict)
    unreadable: dict[str, float] = field(default_factory=dict)
    stones: dict[str, float] = field(default_factory=dict)
    saved: dict[str, float] = field(default_factory=dict)
    aws_managed: set[str] = field(default_factory=set)

    def read(self, key_id: str, key: Key, now: float) -> tuple[TransitionKind, str] | None:
        """Take in that a key was read; return what has to be told."""
        before = self.keys.get(key_id)
        was_listed = self.unreadable.pop(key_id, None) is not None
        self.keys[key_id] = Known(key, fresh_at=now)
        self.stones.pop(key_id, None)
        told = _difference(before.key, key) if before else _turning_up(key, was_listed=was_listed)
        if told is TransitionKind.CANCELLED:
            self.saved[key_id] = now
        elif key.pending:
            self.saved.pop(key_id, None)
        return (told, key_id) if told and (before or self.complete) else None

    def lose(self, key_id: str, now: float) -> tuple[TransitionKind, str] | None:
        """Take in that a key is gone; return what has to be told."""
        self.unreadable.pop(key_id, None)
        self.saved.pop(key_id, None)
        before = self.keys.pop(key_id, None)
        if before is None:
            return None
        if before.key.pending:
            self.stones[key_id] = now
            return TransitionKind.DELETED, key_id
        return TransitionKind.VANISHED, key_id

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        if not self.is_known:
            return
        stale = {key_id for key_id, known in self.keys.items() if now - known.fresh_at > KEEP_FAILED and not self.up}
        self.complete = self.complete and not stale
        for key_id in list(self.keys):
            unreadable_since = self.unreadable.get(key_id, now)
            if key_id in stale or now - unreadable_since > KEEP_FAILED:
                del self.keys[key_id]
                self.saved.pop(key_id, None)
        for kept in (self.stones, self.saved):
            for key_id in [key_id for key_id, at in kept.items() if now - at > KEEP_TOMBSTONES]:
                del kept[key_id]
        none_is_fresh = not any(now - known.fresh_at <= KEEP_FAILED for known in self.keys.values())
        if not self.up and none_is_fresh and now - self.success > KEEP_FAILED:
            self.is_known = self.complete = False
            self.stones.clear()
            self.saved.clear()


class InventoryMachine(RuleBasedStateMachine):
    """Does to the inventory what can happen, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.uptime = 1000.0
        self.wall = 1_790_000_000.0
        self.inventory = Inventory(
            keep_failed=KEEP_FAILED,
            keep_tombstones=KEEP_TOMBSTONES,
            now=lambda: self.wall,
            monotonic=lambda: self.uptime,
        )
        self.expected: dict[Target, Expectation] = {}
        self.last: Snapshot = self.inventory.snapshot
        self.watch(set(TARGETS))

    @rule(places=st.sets(A_TARGET))
    def watch(self, places: set[Target]) -> None:
        self.inventory.watch(dict.fromkeys(places, ""), {}, None)
        self.expected = {place: self.expected.get(place) or Expectation(success=self.uptime) for place in places}

    @rule(place=A_TARGET, kind=A_KIND, answers=ANSWERS, cut_short=st.booleans())
    def make_a_pass(self, place: Target, kind: PassKind, answers: dict[str, object], cut_short: bool) -> None:
        expected = self.expected.get(place, Expectation(self.uptime))
        # Once a key is known to be managed by AWS, a sweep asks for it no more.
        answers = {key_id: answer for key_id, answer in answers.items() if key_id not in expected.aws_managed}
        managed = expected.aws_managed | {key_id for key_id, answer in answers.items() if answer == "aws_managed"}
        told = self.inventory.apply(place, _pass(place, kind, answers, managed, cut_short=cut_short))
        if place not in self.expected:
            assert told == ()
            return
        happened = [self._take_in(expected, key_id, answer) for key_id, answer in answers.items()]
        assert sorted((each.kind, each.key.key_id) for each in told) == sorted(filter(None, happened))
        assert all(each.target == place and each.at == self.wall for each in told)
        was_read = any(isinstance(answer, tuple) for answer in answers.values())
        expected.is_known = expected.is_known or was_read or not cut_short
        expected.up = not cut_short
        if not cut_short:
            expected.success = self.uptime
            expected.complete = True
            for known in expected.keys.values():
                known.fresh_at = self.uptime

    @precondition(lambda self: any(expected.is_known for expected in self.expected.values()))
    @rule(data=st.data(), answers=ANSWERS, cut_short=st.booleans())
    def look_at_keys_that_events_name(self, data: st.DataObject, answers: dict[str, object], cut_short: bool) -> None:
        """Done only where keys are known already."""
        known = sorted(place for place, expected in self.expected.items() if expected.is_known)
        place = data.draw(st.sampled_from(known))
        expected = self.expected[place]
        answers = {
            key_id: answer
            for key_id, answer in answers.items()
            if key_id not in expected.aws_managed and answer != "aws_managed"
        }
        told = self.inventory.apply(place, _pass(place, PassKind.NAMED, answers, set(), cut_short=cut_short))
        happened = [self._take_in(expected, key_id, answer) for key_id, answer in answers.items()]
        assert sorted((each.kind, each.key.key_id) for each in told) == sorted(filter(None, happened))

    @rule(place=A_TARGET)
    def fail_a_pass(self, place: Target) -> None:
        self.inventory.fail(place, TargetError(place, "ListKeys", "timeout"))
        self.expected.get(place, Expectation(self.uptime)).up = False

    @rule(seconds=st.sampled_from([1.0, 40.0, KEEP_FAILED, KEEP_FAILED + 1, KEEP_TOMBSTONES + 1]))
    def let_time_pass(self, seconds: float) -> None:
        self.uptime += seconds
        self.wall += seconds
        self._expire()

    @rule(seconds=st.sampled_from([-1e7, -60.0, 3600.0, 1e7]))
    def set_the_wall_clock(self, seconds: float) -> None:
        self._expire()
        before = self.inventory.snapshot
        self.wall += seconds
        self.inventory.expire()
        assert self.inventory.snapshot == before

    @precondition(lambda self: any(state.keys for state in self.inventory.snapshot.targets))
    @rule()
    def repeat_what_is_known(self) -> None:
        """A pass that finds everything as it was keeps the very same objects."""
        for state in self.inventory.snapshot.targets:
            if state.keys is None:
                continue
            readable = {key_id: key for key_id, key in state.keys.by_id.items() if key_id not in state.unreadable}
            assert self.inventory.apply(state.target, Pass(PassKind.CHANGES, read=readable)) == ()
            after = self.inventory.state(state.target)
            assert after is not None
            assert after.keys is state.keys or not state.keys.complete
            expected = self.expected[state.target]
            expected.success, expected.complete, expected.up = self.uptime, True, True
            for known in expected.keys.values():
                known.fresh_at = self.uptime

    @invariant()
    def knows_what_it_must(self) -> None:
        states = {state.target: state for state in self.inventory.snapshot.targets}
        assert list(states) == sorted(self.expected)
        for target, expected in self.expected.items():
            state = states[target]
            assert (state.keys is not None) == expected.is_known
            assert set(state.unreadable) == set(expected.unreadable)
            if state.keys is None:
                continue
            assert state.keys.by_id == {key_id: known.key for key_id, known in expected.keys.items()}
            assert set(state.keys.tombstones) == set(expected.stones)
            assert set(state.keys.cancelled_at) == set(expected.saved)
            assert state.keys.complete == expected.complete

    @invariant()
    def loses_no_pending_key(self) -> None:
        for target, expected in self.expected.items():
            if self.uptime - expected.success > KEEP_FAILED and not expected.up:
                continue
            for key_id, known in expected.keys.items():
                if known.key.pending and self.uptime - expected.unreadable.get(key_id, self.uptime) <= KEEP_FAILED:
                    assert _keys(self.inventory.state(target))[key_id].pending

    @invariant()
    def tells_no_key_twice(self) -> None:
        for state in self.inventory.snapshot.targets:
            if state.keys is not None:
                alive = state.keys.by_id.keys()
                assert not alive & state.keys.tombstones.keys()
                assert not alive & state.keys.aws_managed
                assert state.keys.scheduled_at.keys() <= {k for k in alive if state.keys.by_id[k].pending}
                assert state.keys.cancelled_at.keys() <= {k for k in alive if not state.keys.by_id[k].pending}

    @invariant()
    def the_version_tells_whether_keys_changed(self) -> None:
        def objects(snapshot: Snapshot) -> list[tuple[Target, int]]:
            return [(state.target, id(state.keys)) for state in snapshot.targets if state.keys is not None]

        now = self.inventory.snapshot
        assert now.keys_version >= self.last.keys_version
        if now.keys_version == self.last.keys_version:
            assert objects(now) == objects(self.last)
        self.last = now

    def _expire(self) -> None:
        """Let both forget what is too old, which the inventory does when it is told to."""
        self.inventory.expire()
        for expected in self.expected.values():
            expected.expire(self.uptime)

    def _take_in(self, expected: Expectation, key_id: str, answer: object) -> tuple[TransitionKind, str] | None:
        match answer:
            case tuple():
                return expected.read(key_id, _key(key_id, answer), self.uptime)
            case "gone":
                return expected.lose(key_id, self.uptime)
            case "aws_managed":
                expected.aws_managed.add(key_id)
                expected.keys.pop(key_id, None)
                expected.unreadable.pop(key_id, None)
                expected.saved.pop(key_id, None)
            case _:
                known = expected.keys.get(key_id)
                expected.unreadable.setdefault(key_id, self.uptime + (_left(known.key, self.wall) if known else 0))
        return None


def _left(key: Key, now: float) -> float:
    if not key.pending or key.deletion is None:
        return 0.0
    return max(0.0, key.deletion.at - now) if key.deletion.at is not None else 30 * 86400.0


def _turning_up(key: Key, *, was_listed: bool) -> TransitionKind | None:
    if key.pending:
        return TransitionKind.SCHEDULED
    return None if was_listed else TransitionKind.CREATED


def _difference(before: Key, after: Key) -> TransitionKind | None:
    if before.pending != after.pending:
        return TransitionKind.SCHEDULED if after.pending else TransitionKind.CANCELLED
    if before.state != after.state:
        return TransitionKind.STATE_CHANGED
    return TransitionKind.RESCHEDULED if before.deletion != after.deletion else None


def _pass(target: Target, kind: PassKind, answers: dict[str, object], managed: set[str], *, cut_short: bool) -> Pass:
    failures = {"AccessDeniedException", "timeout"}
    unreadable = {key_id: str(answer) for key_id, answer in answers.items() if answer in failures}
    return Pass(
        kind,
        read={key_id: _key(key_id, answer) for key_id, answer in answers.items() if isinstance(answer, tuple)},
        unreadable=unreadable,
        gone=frozenset(key_id for key_id, answer in answers.items() if answer == "gone"),
        aws_managed=frozenset(managed) or None,
        errors=tuple(TargetError(target, "DescribeKey", reason) for reason in unreadable.values()),
        ended_by=TargetError(target, "DescribeKey", "timeout") if cut_short else None,
    )


def _key(key_id: str, answer: tuple[str, Deletion | None]) -> Key:
    state, deletion = answer
    return Key(key_id, f"arn:{key_id}", state, deletion=deletion)


def _keys(state: TargetState | None) -> dict[str, Key]:
    assert state is not None
    assert state.keys is not None
    return dict(state.keys.by_id)


TestInventory = InventoryMachine.TestCase
TestInventory.settings = settings(max_examples=200, stateful_step_count=30)
