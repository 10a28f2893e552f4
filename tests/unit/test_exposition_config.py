"""What is told of AWS Config: absent where it is not asked or not known, never 0 for lack of an answer."""

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.model import ConfigKey, ConfigView, Snapshot, Target

NOW = 1_790_000_000.0
WATCHED = ConfigKey(
    Target("111122223333", "eu-west-1"),
    "a",
    "arn:aws:kms:eu-west-1:111122223333:key/a",
    "PendingDeletion",
    NOW - 86_400,
)
STRANGE = ConfigKey(
    Target("444455556666", "us-east-1"), "b", "arn:aws:kms:us-east-1:444455556666:key/b", "PendingDeletion", NOW - 60
)
TIMELESS = ConfigKey(
    Target("444455556666", "us-east-1"), "c", "arn:aws:kms:us-east-1:444455556666:key/c", "PendingReplicaDeletion"
)

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def told(view: ConfigView | None) -> Series:
    """Return every sample about Config that a strict parser finds on the page."""
    renderer = Renderer(CollectorRegistry(), export="customer", tags={})
    body = renderer.scrape(Snapshot(config=view), Format.OPENMETRICS_1_0_0, gzip=False, now=NOW)
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(b"".join(body.parts).decode())
        for sample in family.samples
        if sample.name.startswith("kms_config_")
    }


def plain(**values: float) -> Series:
    return {(f"kms_config_{name}", ()): value for name, value in values.items()}


def test_where_it_is_not_asked_nothing_is_told() -> None:
    assert told(None) == {}


def test_before_it_was_asked_nothing_is_told() -> None:
    assert told(ConfigView()) == {}


def test_that_there_are_none_is_told_as_such() -> None:
    view = ConfigView(asked_at=NOW, last_success=NOW, keys=(), unwatched=())
    assert told(view) == plain(pending_keys=0, unreadable_results=0, up=1, last_success_timestamp_seconds=NOW)


def test_each_key_that_nobody_watches_is_told_beside_the_number_of_all_and_the_oldest_of_their_times() -> None:
    view = ConfigView(asked_at=NOW, last_success=NOW, keys=(WATCHED, STRANGE, TIMELESS), unwatched=(STRANGE, TIMELESS))
    unwatched = {
        (
            "kms_config_unwatched_pending_deletion",
            (
                ("account_id", "444455556666"),
                ("region", "us-east-1"),
                ("key_id", key.key_id),
                ("arn", key.arn),
            ),
        ): 1.0
        for key in (STRANGE, TIMELESS)
    }
    assert told(view) == unwatched | plain(
        pending_keys=3,
        unreadable_results=0,
        up=1,
        last_success_timestamp_seconds=NOW,
        data_timestamp_seconds=NOW - 86_400,
    )


def test_a_failure_that_leaves_nothing_known_tells_no_number_of_keys() -> None:
    assert told(ConfigView(asked_at=NOW, error="AccessDenied")) == plain(unreadable_results=0, up=0)


def test_what_was_known_before_a_failure_is_told_with_it() -> None:
    view = ConfigView(
        asked_at=NOW, last_success=NOW - 900, error="2 could not be read", unreadable=2, keys=(WATCHED,), unwatched=()
    )
    assert told(view) == plain(
        pending_keys=1,
        unreadable_results=2,
        up=0,
        last_success_timestamp_seconds=NOW - 900,
        data_timestamp_seconds=NOW - 86_400,
    )


def test_while_it_is_not_known_what_is_watched_no_key_is_told_to_be_unwatched() -> None:
    view = ConfigView(asked_at=NOW, last_success=NOW, keys=(TIMELESS,))
    assert told(view) == plain(pending_keys=1, unreadable_results=0, up=1, last_success_timestamp_seconds=NOW)
