"""When the page is rendered anew, and which snapshot a scrape gets."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from exporter.exposition.chunks import CHUNK_KEYS
from exporter.exposition.negotiation import Format
from exporter.exposition.page import PART_BYTES
from exporter.exposition.renderer import Renderer
from exporter.model import Deletion, Key, Keys, Snapshot, Target, TargetState

NOW = 1_790_000_000.0
IRELAND, LONDON = Target("111122223333", "eu-west-1"), Target("111122223333", "eu-west-2")


def keys(*ids: str, state: str = "Enabled") -> Keys:
    deletion = Deletion(at=NOW) if state == "PendingDeletion" else None
    return Keys({key_id: Key(key_id, f"arn:{key_id}", state, deletion=deletion) for key_id in ids})


def snapshot(version: int, *states: TargetState, taken_at: float = NOW) -> Snapshot:
    return Snapshot(taken_at, version, states)


def scraped(renderer: Renderer, served: Snapshot) -> str:
    return b"".join(renderer.scrape(served, Format.TEXT, gzip=False, now=NOW).parts).decode()


def new_renderer() -> Renderer:
    return Renderer(CollectorRegistry(), export="customer", tags={})


def test_before_anything_is_rendered_nothing_is_told() -> None:
    text = scraped(new_renderer(), snapshot(1, TargetState(IRELAND, keys=keys("a"), up=True)))
    assert not [line for line in text.splitlines() if not line.startswith("#")]


def test_a_snapshot_with_the_same_keys_is_served_at_once() -> None:
    renderer = new_renderer()
    first = snapshot(1, TargetState(IRELAND, keys=keys("a"), up=True), taken_at=NOW)
    renderer.update(first)
    newer = replace(first, taken_at=NOW + 60, targets=(replace(first.targets[0], up=False),))
    text = scraped(renderer, newer)
    assert 'kms_key_pending_deletion{account_id="111122223333",region="eu-west-1",key_id="a"} 0' in text
    assert 'kms_exporter_target_up{account_id="111122223333",region="eu-west-1"} 0' in text
    assert "kms_exporter_snapshot_timestamp_seconds 1790000060" in text


def test_until_new_keys_are_rendered_the_page_is_served_with_its_own_snapshot() -> None:
    renderer = new_renderer()
    first = snapshot(1, TargetState(IRELAND, keys=keys("a"), up=True), taken_at=NOW)
    renderer.update(first)
    second = snapshot(
        2,
        TargetState(IRELAND, keys=keys("b", state="PendingDeletion"), up=False),
        TargetState(LONDON, keys=keys("c"), up=True),
        taken_at=NOW + 60,
    )
    assert scraped(renderer, second) == scraped(renderer, first)
    renderer.update(second)
    text = scraped(renderer, second)
    assert 'key_id="a"' not in text
    assert 'kms_key_deletion_days_left{account_id="111122223333",region="eu-west-1",key_id="b"} 0' in text
    assert 'kms_exporter_target_up{account_id="111122223333",region="eu-west-2"} 1' in text
    assert "kms_exporter_snapshot_timestamp_seconds 1790000060" in text


@pytest.mark.parametrize("learn", ["scrape", "update"])
def test_until_new_keys_are_rendered_targets_are_told_as_they_were_last_and_not_as_old_as_the_page(learn: str) -> None:
    renderer = new_renderer()
    first = snapshot(1, TargetState(IRELAND, keys=keys("a"), up=True, last_success=NOW), taken_at=NOW)
    renderer.update(first)
    failing = replace(first, taken_at=NOW + 3600, targets=(replace(first.targets[0], up=False),))
    if learn == "scrape":
        scraped(renderer, failing)
    else:
        renderer.update(failing)
    second = snapshot(2, TargetState(IRELAND, keys=keys("b"), up=True), taken_at=NOW + 3601)
    assert scraped(renderer, second) == scraped(renderer, failing)


def test_the_same_keys_are_not_rendered_twice() -> None:
    renderer = new_renderer()
    first = snapshot(1, TargetState(IRELAND, keys=keys("a")))
    renderer.update(first)
    page = renderer.page
    renderer.update(replace(first, taken_at=NOW + 60))
    assert renderer.page is page


def test_lines_of_a_large_target_that_stayed_are_taken_over_without_a_copy() -> None:
    ids = [f"{number:04}" for number in range(CHUNK_KEYS)]
    large = Keys({key_id: Key(key_id, f"arn:{key_id}", "Enabled", description="x" * 256) for key_id in ids})
    renderer = new_renderer()
    renderer.update(snapshot(1, TargetState(IRELAND, keys=large), TargetState(LONDON, keys=keys("b"))))
    before = [part for part in renderer.page.parts if len(part) > PART_BYTES]
    renderer.update(snapshot(2, TargetState(IRELAND, keys=large, up=True), TargetState(LONDON, keys=keys("c"))))
    after = [part for part in renderer.page.parts if len(part) > PART_BYTES]
    assert before
    assert all(old is new for old, new in zip(before, after, strict=True))
    assert 'key_id="c"' in scraped(renderer, renderer.page.snapshot)


def test_an_account_that_got_a_name_is_rendered_anew() -> None:
    renderer = new_renderer()
    state = TargetState(IRELAND, keys=keys("a"))
    renderer.update(snapshot(1, state))
    renderer.update(snapshot(2, replace(state, account_name="payments")))
    assert 'account_name="payments"' in scraped(renderer, renderer.page.snapshot)


def test_a_target_that_is_no_longer_watched_leaves() -> None:
    renderer = new_renderer()
    renderer.update(snapshot(1, TargetState(IRELAND, keys=keys("a")), TargetState(LONDON, keys=keys("b"))))
    renderer.update(snapshot(2, TargetState(LONDON, keys=keys("b"))))
    text = scraped(renderer, renderer.page.snapshot)
    assert "eu-west-1" not in text
    assert 'key_id="b"' in text


def test_keys_of_several_chunks_are_all_told_once() -> None:
    ids = [f"{number:05}" for number in range(2 * CHUNK_KEYS + 1)]
    renderer = new_renderer()
    renderer.update(snapshot(1, TargetState(IRELAND, keys=keys(*ids))))
    lines = scraped(renderer, renderer.page.snapshot).splitlines()
    told = [line for line in lines if line.startswith("kms_key_state{")]
    assert told == [
        f'kms_key_state{{account_id="111122223333",region="eu-west-1",key_id="{key_id}",state="Enabled"}} 1'
        for key_id in ids
    ]


def test_the_lines_of_many_small_targets_are_sent_in_few_parts() -> None:
    states = [TargetState(Target("111122223333", f"region-{number:04}"), keys=keys("a")) for number in range(2000)]
    renderer = new_renderer()
    renderer.update(snapshot(1, *states))
    page = renderer.page
    assert page.length == sum(map(len, page.parts))
    assert len(page.parts) <= 2 * page.length / PART_BYTES + 1
    assert max(map(len, page.parts)) <= PART_BYTES


def test_lines_of_targets_follow_the_newest_snapshot_whatever_was_served_before() -> None:
    renderer = new_renderer()
    up, down = TargetState(IRELAND, up=True), TargetState(IRELAND, up=False)
    told = [
        'kms_exporter_target_up{account_id="111122223333",region="eu-west-1"} 1'
        in scraped(renderer, snapshot(0, state))
        for state in (up, down, up, TargetState(IRELAND, up=True))
    ]
    assert told == [True, False, True, True]
