"""A region that is swept pass by pass, and what came of it."""

from typing import TYPE_CHECKING

from exporter.aws.sweep import MANY, Sweeper
from exporter.inventory import Inventory
from exporter.model import Keys, Pass, PassKind, Target, TargetState, TransitionKind
from tests.support.snapshots import DAY

if TYPE_CHECKING:
    from tests.aws.harness import Lab

HOME = "111122223333"
REGION = "eu-west-1"
HERE = Target(HOME, REGION)


class Watched:
    """The home account's only region, swept pass by pass; what a pass found is known in the next."""

    def __init__(self, lab: "Lab", *tags: str, describe_aws_managed: bool = False, many: int = MANY) -> None:
        self.lab = lab
        self.vault = lab.world.vault(HOME, REGION)
        self._access = lab.home()
        self._sweeper = Sweeper(
            calls=lab.calls(),
            request_rate=1.0,
            tags=tags,
            describe_aws_managed=describe_aws_managed,
            many=many,
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


def errors(result: Pass) -> set[tuple[str, str]]:
    return {(error.operation, error.reason) for error in result.errors}
