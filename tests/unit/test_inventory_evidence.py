"""What is learned about keys stands with them as long as it is true of them."""

from dataclasses import replace

import pytest

from exporter.errors import TargetError
from exporter.inventory import KEPT_TRANSITIONS, Inventory
from exporter.model import (
    Deletion,
    DeniedUses,
    Evidence,
    Key,
    Learned,
    Pass,
    PassKind,
    Scheduling,
    Source,
    Target,
    TargetState,
    TransitionKind,
    Usage,
    UsageCase,
)

HERE = Target("111122223333", "eu-west-1")
NOW = 1_790_000_000.0
DAY = 86_400.0

ENABLED = Key("abc", "arn:abc", "Enabled")
PENDING = Key("abc", "arn:abc", "PendingDeletion", deletion=Deletion(at=NOW + 10 * DAY))
EVIDENCE = Evidence(
    scheduling=Scheduling(NOW, by="alice"),
    usage=Usage(UsageCase.USED, last_used_at=NOW - DAY),
    denied_uses=DeniedUses(2),
)


@pytest.fixture
def inventory() -> Inventory:
    inventory = Inventory(keep_failed=DAY, keep_tombstones=DAY, now=lambda: NOW, monotonic=lambda: 0.0)
    inventory.watch({HERE: ""}, {}, None)
    read(inventory, PENDING)
    return inventory


def read(inventory: Inventory, *keys: Key, gone: frozenset[str] = frozenset()) -> None:
    inventory.apply(HERE, Pass(PassKind.FULL, read={key.key_id: key for key in keys}, gone=gone))


def learn(inventory: Inventory, key: Key = PENDING, evidence: Evidence = EVIDENCE, **told) -> None:
    inventory.learn(HERE, Learned(((key, evidence),), **told))


def state(inventory: Inventory) -> TargetState:
    found = inventory.state(HERE)
    assert found is not None
    return found


def known(inventory: Inventory) -> Evidence | None:
    keys = state(inventory).keys
    assert keys is not None
    return keys.evidence.get("abc")


def test_what_is_learned_is_published(inventory: Inventory) -> None:
    version = inventory.snapshot.keys_version
    learn(inventory)
    assert known(inventory) == EVIDENCE
    assert inventory.snapshot.keys_version == version + 1


def test_what_was_known_already_renders_nothing_anew(inventory: Inventory) -> None:
    learn(inventory)
    version = inventory.snapshot.keys_version
    learn(inventory)
    assert inventory.snapshot.keys_version == version


def test_a_pass_that_finds_nothing_new_keeps_it(inventory: Inventory) -> None:
    learn(inventory)
    read(inventory, PENDING)
    assert known(inventory) == EVIDENCE


def test_of_a_deletion_scheduled_anew_only_the_last_use_stays(inventory: Inventory) -> None:
    learn(inventory)
    read(inventory, replace(PENDING, deletion=Deletion(at=NOW + 30 * DAY)))
    assert known(inventory) == Evidence(usage=EVIDENCE.usage)


def test_of_a_cancelled_deletion_nothing_stays(inventory: Inventory) -> None:
    learn(inventory)
    read(inventory, ENABLED)
    assert known(inventory) is None


def test_of_a_key_that_is_gone_nothing_stays(inventory: Inventory) -> None:
    learn(inventory)
    read(inventory, gone=frozenset({"abc"}))
    assert known(inventory) is None


@pytest.mark.parametrize("meanwhile", [ENABLED, replace(PENDING, deletion=Deletion(at=NOW + 30 * DAY))])
def test_what_was_asked_about_another_deletion_is_not_taken_in(inventory: Inventory, meanwhile: Key) -> None:
    read(inventory, meanwhile)
    learn(inventory, PENDING)
    assert known(inventory) is None


def test_a_target_that_left_learns_nothing(inventory: Inventory) -> None:
    inventory.watch({}, {}, None)
    learn(inventory)
    assert inventory.state(HERE) is None


def test_a_source_that_failed_is_told_and_counted_and_costs_no_pass(inventory: Inventory) -> None:
    error = TargetError(HERE, "ListGrants", "AccessDeniedException")
    learn(inventory, sources={Source.GRANTS: str(error), Source.LAST_USAGE: ""}, errors=(error,))
    assert state(inventory).sources == {Source.GRANTS: str(error), Source.LAST_USAGE: ""}
    assert state(inventory).errors == {("ListGrants", "AccessDeniedException"): 1}
    assert state(inventory).up


def test_sources_are_as_they_were_last_told(inventory: Inventory) -> None:
    learn(inventory, sources={Source.GRANTS: "denied"})
    learn(inventory, sources={Source.GRANTS: "", Source.LAST_USAGE: ""})
    assert state(inventory).sources == {Source.GRANTS: "", Source.LAST_USAGE: ""}
    learn(inventory)
    assert state(inventory).sources == {}, "there is nothing left to ask"


def test_a_pass_leaves_them_alone(inventory: Inventory) -> None:
    learn(inventory, sources={Source.GRANTS: "denied"})
    read(inventory, PENDING)
    assert state(inventory).sources == {Source.GRANTS: "denied"}


def test_the_latest_transitions_are_published_newest_first(inventory: Inventory) -> None:
    for _ in range(KEPT_TRANSITIONS):
        read(inventory, ENABLED)
        read(inventory, PENDING)
    kinds = [transition.kind for transition in inventory.snapshot.transitions]
    assert kinds[:2] == [TransitionKind.SCHEDULED, TransitionKind.CANCELLED]
    assert len(kinds) == KEPT_TRANSITIONS
