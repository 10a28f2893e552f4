"""One target whose keys are read and looked into, as the refresh loop does it, at the test's own pace."""

from collections.abc import Mapping
from typing import Any

from exporter.aws.investigation import Investigator
from exporter.demo.keys import Key
from exporter.demo.vault import Vault
from exporter.inventory import Inventory
from exporter.model import Evidence, Learned, PassKind, Source, Target, TargetState
from exporter.settings import Settings
from tests.aws.harness import Lab

QUIET: Mapping[str, Any] = {
    "changes": {"cloudtrail": False},
    "deletions": {"acknowledgement_tag": "", "last_usage": False, "grants": False},
}
"""Settings that ask nothing."""


class Desk:
    """A lab's home account in one region, and what is known of its keys.

    Attributes:
        told: everything that was found out, in order.
    """

    def __init__(self, lab: Lab, settings: Mapping[str, Any] | None = None, *, request_rate: float = 1.0) -> None:
        self.lab = lab
        self.access = lab.home()
        self.told: list[Learned] = []
        self.inventory = Inventory(
            keep_failed=86_400, keep_tombstones=86_400, now=lab.world.agenda.time, monotonic=lab.monotonic
        )
        self.inventory.watch({self.target: ""}, {}, None)
        self._calls = lab.calls(request_rate=request_rate)
        self.open(settings or {})

    def open(self, settings: Mapping[str, Any]) -> None:
        """Start with a new investigator that knows nothing, as after a reload."""
        self.investigator = Investigator(
            calls=self._calls,
            settings=Settings.model_validate(settings),
            now=self.lab.world.agenda.time,
            monotonic=self.lab.monotonic,
        )

    @property
    def target(self) -> Target:
        return self.access.target

    @property
    def vault(self) -> Vault:
        return self.lab.world.vault(self.target.account_id, self.target.region)

    @property
    def state(self) -> TargetState:
        state = self.inventory.state(self.target)
        assert state is not None
        return state

    @property
    def due(self) -> bool:
        return self.investigator.due(self.state)

    @property
    def sources(self) -> Mapping[Source, str]:
        return self.state.sources

    def evidence(self, key: Key) -> Evidence:
        assert self.state.keys is not None
        return self.state.keys.evidence.get(key.key_id, Evidence())

    def requests(self, operation: str) -> int:
        return self.lab.world.counts.total(operation)

    def pending(self, *, days: int = 30, **attributes: Any) -> Key:
        """Create a key whose deletion is scheduled."""
        return self.vault.schedule_deletion(self.vault.create_key(**attributes).key_id, days)

    def sweep(self) -> None:
        """Read the keys."""
        state = self.state
        result = self.lab.sweep(PassKind.FULL, state.keys, state.unreadable, calls=self._calls)
        self.inventory.apply(self.target, result)

    def ask(self) -> list[Learned]:
        """Look into the keys once; return what was told."""
        return self.lab.run(self._investigate())

    def look(self) -> list[Learned]:
        """Read the keys, and look into them if there is something to."""
        self.sweep()
        return self.ask() if self.due else []

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.lab.world.agenda.advance(seconds)
        self.lab.monotonic.advance(seconds)

    async def _investigate(self) -> list[Learned]:
        told = []
        async for learned in self.investigator.investigate(self.access, self.state):
            self.inventory.learn(self.target, learned)
            told.append(learned)
        self.told += told
        return told
