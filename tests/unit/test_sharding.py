"""Targets are shared between shards."""

from collections import Counter

import pytest

from exporter.model import Target
from exporter.sharding import Shard

TARGETS = [
    Target(f"{account:012d}", region)
    for account in range(300)
    for region in ("eu-west-1", "us-east-1", "eu-central-1", "ap-southeast-2")
]


def owners(total: int) -> dict[Target, list[int]]:
    return {target: [index for index in range(total) if Shard(index, total).owns(target)] for target in TARGETS}


@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_each_target_has_exactly_one_owner(total: int) -> None:
    assert all(len(found) == 1 for found in owners(total).values())


def test_shards_are_about_as_large() -> None:
    sizes = Counter(found[0] for found in owners(4).values())
    assert min(sizes.values()) > 0.8 * len(TARGETS) / 4
    assert max(sizes.values()) < 1.2 * len(TARGETS) / 4


def test_one_more_shard_moves_only_the_targets_that_it_takes() -> None:
    before, after = owners(4), owners(5)
    moved = {target for target in TARGETS if before[target] != after[target]}
    assert all(after[target] == [4] for target in moved)
    assert len(moved) < 1.3 * len(TARGETS) / 5


def test_the_assignment_is_the_same_in_every_version() -> None:
    # Replicas of two versions run side by side during an update: were this to change, a target could be nobody's.
    assert [found[0] for found in owners(3).values()][:12] == [0, 2, 1, 0, 0, 2, 1, 0, 0, 1, 0, 0]
