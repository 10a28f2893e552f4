"""A scrape, read as strictly as Prometheus' own client library can."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.model import Target

ACCEPT = {"Accept": "application/openmetrics-text; version=1.0.0"}


@dataclass(slots=True)
class Shown:
    """What a page tells of a key."""

    states: list[str] = field(default_factory=list)
    pending: bool | None = None
    deletion_at: float | None = None
    days_left: float | None = None
    scheduled_at: float | None = None
    deleted_at: float | None = None


@dataclass(slots=True)
class ShownTarget:
    """What a page tells of a target; None where it tells nothing."""

    up: bool | None = None
    last_success: float | None = None
    last_full: float | None = None
    unreadable: int = 0
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    keys: dict[str, Shown] = field(default_factory=lambda: defaultdict(Shown))
    tombstones: dict[str, Shown] = field(default_factory=lambda: defaultdict(Shown))


@dataclass(slots=True)
class Page:
    """A page, by target."""

    targets: dict[Target, ShownTarget] = field(default_factory=lambda: defaultdict(ShownTarget))
    snapshot_at: float | None = None


def parse(text: str) -> Page:
    """Read a page.

    Raises:
        ValueError: it is not valid OpenMetrics, or it tells something twice.
    """
    page = Page()
    # The parser drops a sample that comes again without a word.
    lines = Counter(line.rpartition(" ")[0] for line in text.split("\n") if line and not line.startswith("#"))
    if twice := [series for series, count in lines.items() if count > 1]:
        raise ValueError(f"told more than once: {twice}")
    for name, labels, value in _samples(text):
        if "key_id" in labels:
            _take_key(page, name, labels, value)
        elif "region" in labels and "account_id" in labels:
            _take_target(page.targets[_target(labels)], name, labels, value)
        elif name == "kms_exporter_snapshot_timestamp_seconds":
            page.snapshot_at = value
    return page


def _samples(text: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _target(labels: Mapping[str, str]) -> Target:
    return Target(labels["account_id"], labels["region"])


def _take_key(page: Page, name: str, labels: Mapping[str, str], value: float) -> None:
    target, key_id = page.targets[_target(labels)], labels["key_id"]
    if name == "kms_key_deleted_timestamp_seconds":
        target.tombstones[key_id].deleted_at = value
        return
    key = target.keys[key_id]
    match name:
        case "kms_key_state":
            key.states.append(labels["state"])
        case "kms_key_pending_deletion":
            key.pending = bool(value)
        case "kms_key_deletion_timestamp_seconds":
            key.deletion_at = value
        case "kms_key_deletion_scheduled_timestamp_seconds":
            key.scheduled_at = value
        case "kms_key_deletion_days_left":
            key.days_left = value


def _take_target(target: ShownTarget, name: str, labels: Mapping[str, str], value: float) -> None:
    match name:
        case "kms_exporter_target_up":
            target.up = bool(value)
        case "kms_exporter_target_last_success_timestamp_seconds":
            target.last_success = value
        case "kms_exporter_target_last_full_timestamp_seconds":
            target.last_full = value
        case "kms_exporter_target_unreadable_keys":
            target.unreadable = int(value)
        case "kms_keys":
            target.counts[labels["key_manager"], labels["state"]] = int(value)
