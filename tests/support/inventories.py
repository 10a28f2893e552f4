"""An inventory with clocks that stand still, and what passes may find."""

from collections.abc import Iterable
from typing import Any, Final

from exporter.errors import TargetError
from exporter.inventory import Inventory
from exporter.model import Deletion, Key, Keys, Pass, PassKind, Target, TargetState, TransitionKind
from tests.support.snapshots import DAY
from tests.support.snapshots import NOW as START

KEEP_FAILED: Final = 1 * DAY
KEEP_TOMBSTONES: Final = 7 * DAY

HERE: Final = Target("111122223333", "eu-west-1")
THERE: Final = Target("222233334444", "us-east-1")

DUE: Final = START + 10 * DAY


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

    def full(self, *keys: Key, **found: Any) -> list[TransitionKind]:
        """Apply a full pass that reads `keys`; return the kinds of what it told."""
        return self.apply(PassKind.FULL, keys, **found)

    def changes(self, *keys: Key, **found: Any) -> list[TransitionKind]:
        """Apply a changes pass that reads `keys`; return the kinds of what it told."""
        return self.apply(PassKind.CHANGES, keys, **found)

    def named(self, *keys: Key, **found: Any) -> list[TransitionKind]:
        """Apply a look at keys that an event named; return the kinds of what it told."""
        return self.apply(PassKind.NAMED, keys, **found)

    def apply(self, kind: PassKind, keys: Iterable[Key], **found: Any) -> list[TransitionKind]:
        result = Pass(kind, read={key.key_id: key for key in keys}, **found)
        return [transition.kind for transition in self.inventory.apply(HERE, result)]

    @property
    def state(self) -> TargetState:
        """How `HERE` stands."""
        state = self.inventory.state(HERE)
        assert state is not None
        return state

    @property
    def keys(self) -> Keys:
        """What is known of the keys of `HERE`, which must be known."""
        assert self.state.keys is not None
        return self.state.keys

    @property
    def version(self) -> int:
        return self.inventory.snapshot.keys_version

    def after(self, seconds: float) -> "Bench":
        """Let time pass, and what is too old expire."""
        self.clocks.advance(seconds)
        self.inventory.expire()
        return self


def enabled(key_id: str = "a", **facts: Any) -> Key:
    return Key(key_id, f"arn:{key_id}", "Enabled", **facts)


def disabled(key_id: str = "a") -> Key:
    return Key(key_id, f"arn:{key_id}", "Disabled")


def pending(key_id: str = "a", at: float = DUE) -> Key:
    return Key(key_id, f"arn:{key_id}", "PendingDeletion", deletion=Deletion(at))


def waiting(key_id: str = "a") -> Key:
    return Key(key_id, f"arn:{key_id}", "PendingReplicaDeletion", deletion=Deletion(window=7 * DAY))


def error(reason: str = "timeout", operation: str = "ListKeys") -> TargetError:
    return TargetError(HERE, operation, reason)
