"""What is known of every target, since when, and what happened to its keys between two passes.

The inventory is changed by one caller and read by anyone, as immutable snapshots.
"""

from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from threading import Lock
from typing import Final, TypeVar

from exporter.errors import TargetError
from exporter.model import (
    ConfigView,
    Events,
    Evidence,
    Key,
    Keys,
    Learned,
    Pass,
    PassKind,
    Snapshot,
    Target,
    TargetState,
    Tombstone,
    Transition,
    TransitionKind,
    Unreadable,
    frozen,
)

V = TypeVar("V")

KEPT_TRANSITIONS: Final = 200
"""How many of the latest transitions a snapshot tells."""

_LONGEST_WINDOW: Final = 30 * 86400.0
"""Seconds that AWS waits at the most, https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""

_ANOTHER_DELETION: Final = frozenset({TransitionKind.SCHEDULED, TransitionKind.RESCHEDULED})


@dataclass(slots=True)
class _Ages:
    """When, on the monotonic clock, things happened to one target: a wall clock that is set must not expire anything.

    Attributes:
        success: the end of the last pass that succeeded.
        read: key id to when the key was read since the last pass that succeeded.
        unreadable: key id to when its last answer began to grow old: when the key was first found unreadable, or when
            its deletion is due, if it is pending. That a date still holds is the best that is known of such a key.
        kept: key id to when the key was found deleted or cancelled.
    """

    success: float
    read: dict[str, float] = field(default_factory=dict)
    unreadable: dict[str, float] = field(default_factory=dict)
    kept: dict[str, float] = field(default_factory=dict)


class Inventory:
    """Last known good for each target, its age, and the transitions between passes.

    What AWS did not answer changes nothing but the target's own status: the keys stay as they were last known until the
    last success is `keep_failed` seconds old. A single key that can't be read stays as long, a pending one until its
    deletion is due and as long after it: it is there, since it is listed, and no alert must end for want of an answer.
    """

    def __init__(
        self, *, keep_failed: float, keep_tombstones: float, now: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        """Start empty; `now` gives Unix seconds for what is published, `monotonic` measures ages."""
        self.keep_failed = keep_failed
        self.keep_tombstones = keep_tombstones
        self._now = now
        self._monotonic = monotonic
        self._ages: dict[Target, _Ages] = {}
        self._states: dict[Target, TargetState] = {}
        self._transitions: deque[Transition] = deque(maxlen=KEPT_TRANSITIONS)
        self._lock = Lock()
        self._snapshot = Snapshot(taken_at=now())
        self._keys_version = 0
        self._changed_at: float | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot.

        It is put together when somebody asks: with thousands of targets there are a hundred changes a second, and each
        snapshot names every target.
        """
        with self._lock:
            if self._changed_at is not None:
                self._snapshot = replace(
                    self._snapshot,
                    taken_at=self._changed_at,
                    keys_version=self._keys_version,
                    targets=tuple(self._states.values()),
                    transitions=tuple(self._transitions),
                )
                self._changed_at = None
            return self._snapshot

    @property
    def keys_version(self) -> int:
        """`Snapshot.keys_version` of the newest snapshot."""
        return self._keys_version

    def state(self, target: Target) -> TargetState | None:
        """Return one target as it stands; None when it is not watched."""
        return self._states.get(target)

    def watch(
        self,
        targets: Mapping[Target, str],
        account_errors: Mapping[str, str],
        organization: bool | None,
    ) -> None:
        """Take `targets` (with the name of their account) for all there are: new ones appear, others leave.

        `account_errors` tells of each account why it could not be prepared, `""` where it could.
        """
        states: dict[Target, TargetState] = {}
        for target, name in sorted(targets.items()):
            state = self._states.get(target) or TargetState(target)
            states[target] = state if state.account_name == name else replace(state, account_name=name)
            self._ages.setdefault(target, _Ages(success=self._monotonic()))
        for target in self._ages.keys() - states.keys():
            del self._ages[target]
        keys_changed = [
            (target, state.account_name) for target, state in self._states.items() if state.keys is not None
        ] != [(target, state.account_name) for target, state in states.items() if state.keys is not None]
        with self._lock:
            self._states = states
            self._snapshot = replace(
                self._snapshot,
                accounts=frozen({account: not error for account, error in account_errors.items()}),
                account_errors=frozen({account: error for account, error in account_errors.items() if error}),
                organization=organization,
            )
            self._changed(keys=keys_changed)

    def apply(self, target: Target, result: Pass) -> tuple[Transition, ...]:
        """Take in what a pass found; return what happened to the keys since the pass before.

        A target that is no longer watched is not taken in.
        """
        state = self._states.get(target)
        if state is None:
            return ()
        now, ages = self._now(), self._ages[target]
        keys, transitions = _merged(state, result, now)
        for transition in transitions:
            self._note(target, transition)
        was_complete = state.keys is not None and state.keys.complete
        # Else a key that turns up need not be a new one.
        told = tuple(transition for transition in transitions if transition.before or was_complete)
        succeeded = result.ended_by is None
        if result.kind is PassKind.NAMED:
            self._apply_named(state, result, keys, told)
            return told
        if keys.complete is not (succeeded or was_complete):
            keys = replace(keys, complete=succeeded or was_complete)
        if succeeded:
            ages.success = self._monotonic()
            ages.read.clear()
        else:
            ages.read |= dict.fromkeys(result.read, self._monotonic())
        # Cut short before any key was read, a first pass leaves them unknown, which is not the same as none.
        unknown = state.keys is None and not succeeded and not result.read
        self._replace(
            replace(
                state,
                keys=None if unknown else keys,
                up=succeeded,
                last_success=now if succeeded else state.last_success,
                last_full=now if succeeded and result.kind is PassKind.FULL else state.last_full,
                unreadable=self._unreadable(target, state.unreadable, result, now),
                errors=_counted(state.errors, result.errors if succeeded else (*result.errors, result.ended_by)),
                last_error="" if succeeded else str(result.ended_by),
            ),
            told,
        )
        return told

    def _apply_named(self, state: TargetState, result: Pass, keys: Keys, told: Iterable[Transition]) -> None:
        """Take in what single keys are now, which tells nothing about the others, nor about the target as a whole."""
        self._ages[state.target].read |= dict.fromkeys(result.read, self._monotonic())
        self._replace(
            replace(
                state,
                keys=state.keys if state.keys is None else keys,
                unreadable=self._unreadable(state.target, state.unreadable, result, self._now()),
                errors=_counted(state.errors, (*result.errors, result.ended_by)),
            ),
            told,
        )

    def events(self, target: Target, events: Events) -> None:
        """Take note whether the changes of a target's keys can be read."""
        state = self._states.get(target)
        if state is not None and state.events != events:
            self._replace(replace(state, events=events))

    def cross_checked(self, view: ConfigView | None) -> None:
        """Take in what AWS Config knows; None where it is no longer asked."""
        with self._lock:
            self._snapshot = replace(self._snapshot, config=view)
            self._changed(keys=False)

    def count_errors(self, target: Target, errors: Iterable[TargetError]) -> None:
        """Count calls that failed and cost nothing else."""
        state = self._states.get(target)
        if state is not None:
            self._replace(replace(state, errors=_counted(state.errors, errors)))

    def fail(self, target: Target, error: TargetError) -> None:
        """Take note that a pass told nothing: what is known stays, and grows old."""
        state = self._states.get(target)
        if state is not None:
            self._replace(replace(state, up=False, errors=_counted(state.errors, (error,)), last_error=str(error)))

    def learn(self, target: Target, learned: Learned) -> None:
        """Take in what was found out about keys of a target.

        Evidence about a deletion that is no longer the one that was asked about is not taken in.
        """
        state = self._states.get(target)
        if state is None:
            return
        keys = state.keys
        if keys is not None:
            news = {
                key.key_id: evidence
                for key, evidence in learned.evidence
                if _is_about(key, keys.by_id.get(key.key_id)) and keys.evidence.get(key.key_id) != evidence
            }
            if news:
                keys = replace(keys, evidence=frozen({**keys.evidence, **news}))
        self._replace(
            replace(
                state,
                keys=keys,
                sources=state.sources if learned.sources == state.sources else frozen(learned.sources),
                errors=_counted(state.errors, learned.errors),
            )
        )

    def expire(self) -> tuple[Target, ...]:
        """Drop what is older than it may be; return the targets whose keys were dropped with their last success.

        While a target is up nothing of it is too old, however long its next pass takes: that pass has a deadline.
        """
        now, dropped = self._monotonic(), []
        for target, ages in self._ages.items():
            too_old = now - ages.success > self.keep_failed
            if not (too_old or ages.unreadable or ages.kept):
                continue  # nearly always, and there are thousands to look at in every second
            state = self._states[target]
            too_old = too_old and not state.up
            if state.keys is None:
                continue
            stale: set[str] = set()
            if too_old:
                stale = {key_id for key_id in state.keys.by_id if now - ages.read.get(key_id, -inf) > self.keep_failed}
                if len(stale) == len(state.keys.by_id):
                    ages.kept.clear()
                    self._replace(replace(state, keys=None))
                    dropped.append(target)
                    continue
            self._expire_keys(state, state.keys, stale)
        return tuple(dropped)

    def _expire_keys(self, state: TargetState, keys: Keys, stale: set[str]) -> None:
        now, ages = self._monotonic(), self._ages[state.target]
        old = stale | {key_id for key_id, at in ages.unreadable.items() if now - at > self.keep_failed}
        over = {key_id for key_id, at in ages.kept.items() if now - at > self.keep_tombstones}
        for key_id in over:
            del ages.kept[key_id]
        if not old & keys.by_id.keys() and not over & (keys.tombstones.keys() | keys.cancelled_at.keys()):
            return
        remaining = replace(
            keys,
            by_id=_without(keys.by_id, old),
            scheduled_at=_without(keys.scheduled_at, old),
            cancelled_at=_without(keys.cancelled_at, old | over),
            tombstones=_without(keys.tombstones, over),
            evidence=_without(keys.evidence, old),
            complete=keys.complete and not stale,
        )
        self._replace(replace(state, keys=remaining))

    def _note(self, target: Target, transition: Transition) -> None:
        """Remember on the monotonic clock what is kept for a while after the key itself is gone or saved."""
        if transition.kind in {TransitionKind.DELETED, TransitionKind.CANCELLED}:
            self._ages[target].kept[transition.key.key_id] = self._monotonic()

    def _unreadable(
        self, target: Target, before: Mapping[str, Unreadable], result: Pass, now: float
    ) -> Mapping[str, Unreadable]:
        ages = self._ages[target].unreadable
        answered = result.read.keys() | result.gone | (result.aws_managed or frozenset())
        after = {key_id: why for key_id, why in before.items() if key_id not in answered}
        for key_id, reason in result.unreadable.items():
            known = after.get(key_id)
            after[key_id] = Unreadable(reason, since=known.since if known else now)
        for key_id in ages.keys() - after.keys():
            del ages[key_id]
        for key_id in after.keys() - ages.keys():
            ages[key_id] = self._monotonic() + self._left(target, key_id)
        return before if after == before else frozen(after)

    def _left(self, target: Target, key_id: str) -> float:
        """Return how many seconds a pending key has left as far as is known, 0 for any other."""
        keys = self._states[target].keys
        key = keys.by_id.get(key_id) if keys else None
        if key is None or not key.pending:
            return 0.0
        due = key.deletion.at if key.deletion else None
        return _LONGEST_WINDOW if due is None else max(0.0, due - self._now())

    def _replace(self, state: TargetState, transitions: Iterable[Transition] = ()) -> None:
        with self._lock:
            before = self._states[state.target]
            self._states[state.target] = state
            self._transitions.extendleft(transitions)
            self._changed(keys=state.keys is not before.keys)

    def _changed(self, *, keys: bool) -> None:
        """Take note that the snapshot at hand is no longer the newest; the lock is held by the caller."""
        self._keys_version += keys
        self._changed_at = self._now()


def _merged(state: TargetState, result: Pass, now: float) -> tuple[Keys, tuple[Transition, ...]]:
    """Return what is known after a pass, the same object when nothing changed, and what happened in between."""
    before = state.keys or Keys()
    aws_managed = before.aws_managed if result.aws_managed is None else result.aws_managed
    changed = {
        key_id: key
        for key_id, key in result.read.items()
        if (old := before.by_id.get(key_id)) is not key and old != key
    }
    leaving = (result.gone | aws_managed) & before.by_id.keys()
    if not changed and not leaving and aws_managed == before.aws_managed:
        return before, ()

    transitions = [
        Transition(_how_it_left(key), state.target, key, before=key.state, at=now)
        for key in (before.by_id[key_id] for key_id in result.gone & before.by_id.keys())
    ]
    for key_id, key in changed.items():
        old = before.by_id.get(key_id)
        happened = _what_happened(old, key, listed_before=key_id in state.unreadable)
        if happened is not None:
            transitions.append(Transition(happened, state.target, key, before=old.state if old else "", at=now))

    scheduled_at, cancelled_at = dict(before.scheduled_at), dict(before.cancelled_at)
    tombstones = {key_id: stone for key_id, stone in before.tombstones.items() if key_id not in changed}
    for transition in transitions:
        key_id = transition.key.key_id
        match transition.kind:
            case TransitionKind.SCHEDULED | TransitionKind.RESCHEDULED:
                cancelled_at.pop(key_id, None)
                if transition.before:  # else it may have been scheduled long before it was first read
                    scheduled_at[key_id] = now
            case TransitionKind.CANCELLED:
                scheduled_at.pop(key_id, None)
                cancelled_at[key_id] = now
            case TransitionKind.DELETED:
                tombstones[key_id] = Tombstone(transition.key, deleted_at=now)
    keys = Keys(
        by_id=frozen({key_id: key for key_id, key in before.by_id.items() if key_id not in leaving} | changed),
        aws_managed=aws_managed,
        scheduled_at=_without(scheduled_at, leaving),
        cancelled_at=_without(cancelled_at, leaving),
        tombstones=frozen(tombstones),
        evidence=_still_true(before.evidence, transitions, leaving),
        complete=before.complete,
    )
    return keys, tuple(transitions)


def _still_true(
    evidence: Mapping[str, Evidence], transitions: Iterable[Transition], leaving: Container[str]
) -> Mapping[str, Evidence]:
    """Drop what is known of deletions that were cancelled or scheduled anew, and of keys that left."""
    after = {key_id: known for key_id, known in evidence.items() if key_id not in leaving}
    for transition in transitions:
        key_id = transition.key.key_id
        if transition.kind is TransitionKind.CANCELLED:
            after.pop(key_id, None)
        elif transition.kind in _ANOTHER_DELETION and key_id in after:
            after[key_id] = Evidence(usage=after[key_id].usage)  # a last use is about the key, whatever becomes of it
    return evidence if after == evidence else frozen(after)


def _is_about(asked: Key, now: Key | None) -> bool:
    return now is not None and asked.pending is now.pending and asked.deletion == now.deletion


def _how_it_left(key: Key) -> TransitionKind:
    return TransitionKind.DELETED if key.pending else TransitionKind.VANISHED


def _what_happened(old: Key | None, new: Key, *, listed_before: bool) -> TransitionKind | None:
    """Name the change that people care about; None for one in labels only, and for a first look at an old key."""
    if new.pending and (old is None or not old.pending):
        return TransitionKind.SCHEDULED
    if old is None:
        return None if listed_before else TransitionKind.CREATED
    if old.pending and not new.pending:
        return TransitionKind.CANCELLED
    if old.state != new.state:
        return TransitionKind.STATE_CHANGED
    return TransitionKind.RESCHEDULED if old.deletion != new.deletion else None


def _counted(
    before: Mapping[tuple[str, str], int], errors: Iterable[TargetError | None]
) -> Mapping[tuple[str, str], int]:
    failed = [error for error in errors if error is not None]
    if not failed:
        return before
    after = dict(before)
    for error in failed:
        after[error.operation, error.reason] = after.get((error.operation, error.reason), 0) + 1
    return frozen(after)


def _without(mapping: Mapping[str, V], keys: Container[str]) -> Mapping[str, V]:
    return frozen({key: value for key, value in mapping.items() if key not in keys})
