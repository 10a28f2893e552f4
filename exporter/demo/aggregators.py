"""AWS Config's aggregators: what was recorded of the keys that they collect, and when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exporter.demo.keys import Key


@dataclass(frozen=True, slots=True)
class Item:
    """The configuration of a key as it was recorded (AWS Config API, `ConfigurationItem`).

    Attributes:
        captured_at: when it had changed since it was recorded before, or was new.
    """

    account_id: str
    region: str
    key_id: str
    arn: str
    state: str
    manager: str
    description: str
    captured_at: float

    def same_as(self, key: Key) -> bool:
        """Whether nothing has changed."""
        return (self.state, self.description) == (key.state, key.description)


@dataclass(slots=True)
class Aggregator:
    """An aggregator of one account and region, and the recorders that it collects from.

    Attributes:
        age: how old, in seconds, what is recorded gets before it is recorded anew (real: minutes where changes are
            recorded as they happen, a day where Config is told to record daily).
        accounts: ids of the accounts that it collects from; None for all that there are.
    """

    name: str
    age: float = 0.0
    accounts: frozenset[str] | None = None
    _items: dict[str, Item] = field(default_factory=dict)
    _recorded_at: float | None = None

    def items(self, keys: Iterable[Key], now: float) -> Mapping[str, Item]:
        """Return what is recorded by now, by ARN; keys that were deleted are in it until they are looked at again."""
        if self._recorded_at is None or now - self._recorded_at >= self.age:
            self._recorded_at = now
            collected = (key for key in keys if self.accounts is None or key.account_id in self.accounts)
            self._items = {key.arn: self._recorded(key, now) for key in collected}
        return self._items

    def _recorded(self, key: Key, now: float) -> Item:
        known = self._items.get(key.arn)
        if known is not None and known.same_as(key):
            return known
        return Item(
            key.account_id, key.region, key.key_id, key.arn, key.state, key.manager, key.description, captured_at=now
        )
