"""Which shard watches a target: disjoint, complete, and few targets move when the number of shards changes."""

from dataclasses import dataclass
from hashlib import blake2b

from exporter.model import Target


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `total` processes that share the targets.

    Rendezvous hashing (Thaler and Ravishankar, 1998): a target belongs to the shard whose hash with it is the greatest.
    So all shards agree without talking to each other, and when a shard is added or taken away, only the targets that it
    wins or leaves behind move, one of `total` on average.
    """

    index: int = 0
    total: int = 1

    def owns(self, target: Target) -> bool:
        """Whether this shard watches `target`."""
        return self.total == 1 or self.index == max(range(self.total), key=lambda index: _weight(target, index))


def _weight(target: Target, index: int) -> tuple[bytes, int]:
    return blake2b(f"{target}#{index}".encode(), digest_size=8).digest(), index
