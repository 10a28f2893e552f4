"""The page against an independent one, made from the same snapshot with prometheus-client alone."""

import gzip
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.families import (
    COUNT_FAMILIES,
    KEY_FAMILIES,
    SNAPSHOT_FAMILIES,
    TARGET_FAMILIES,
    TOMBSTONE_FAMILIES,
)
from exporter.exposition.negotiation import Format
from exporter.exposition.renderer import Renderer
from exporter.model import (
    PENDING_STATES,
    Deletion,
    DeniedUses,
    Evidence,
    Grants,
    Key,
    Keys,
    Scheduling,
    Snapshot,
    Target,
    TargetState,
    Tombstone,
    Unreadable,
    Usage,
    UsageCase,
)

DAY = 86_400.0
NOW = 1_790_000_000.0
TAGS = {"team": "tag_team", "cost center": "tag_cost_center"}

Export = Literal["customer", "pending", "all"]
EXPORTS: tuple[Export, ...] = ("customer", "pending", "all")


class PlainCollector:
    """What the contract says, written once more, the slow way."""

    def __init__(self, snapshot: Snapshot, export: Export, now: float) -> None:
        self._snapshot = snapshot
        self._export = export
        self._now = now

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for name, labels, value in self._samples():
            readable_labels = {label: readable(text) for label, text in labels.items()}
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = families.setdefault(name, kind(name, "Help.", labels=tuple(readable_labels)))
            family.add_metric(tuple(readable_labels.values()), value)
        return iter(families.values())

    def _samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        for state in self._snapshot.targets:
            where = {"account_id": state.target.account_id, "region": state.target.region}
            for name, labels, value in self._of_target(state):
                yield name, where | labels, value
        for account_id, up in self._snapshot.accounts.items():
            yield "kms_exporter_account_up", {"account_id": account_id}, up
        if self._snapshot.organization is not None:
            yield "kms_exporter_organization_up", {}, self._snapshot.organization
        yield "kms_exporter_snapshot_timestamp_seconds", {}, self._snapshot.taken_at

    def _of_target(self, state: TargetState) -> Iterator[tuple[str, dict[str, str], float]]:
        if state.up is not None:
            yield "kms_exporter_target_up", {}, state.up
        if state.last_success is not None:
            yield "kms_exporter_target_last_success_timestamp_seconds", {}, state.last_success
        if state.last_full is not None:
            yield "kms_exporter_target_last_full_timestamp_seconds", {}, state.last_full
        if state.keys is not None or state.unreadable:
            yield "kms_exporter_target_unreadable_keys", {}, len(state.unreadable)
        for (operation, reason), count in state.errors.items():
            yield "kms_exporter_target_errors_total", {"operation": operation, "reason": reason}, count
        if state.keys is not None:
            yield from self._of_keys(state, state.keys)

    def _of_keys(self, state: TargetState, keys: Keys) -> Iterator[tuple[str, dict[str, str], float]]:
        for key in keys.by_id.values():
            chosen = {
                "all": True,
                "customer": key.key_manager == "CUSTOMER",
                "pending": key.state in PENDING_STATES
                or key.key_id in keys.cancelled_at
                or key.material_expires_at is not None,
            }
            if chosen[self._export]:
                for name, labels, value in self._of_key(state, keys, key):
                    yield name, {"key_id": key.key_id} | labels, value
        for key_id, tombstone in keys.tombstones.items():
            alias = min(tombstone.key.aliases, default="")
            yield "kms_key_deleted_timestamp_seconds", {"key_id": key_id, "alias": alias}, tombstone.deleted_at
        counts = Counter({("CUSTOMER", "PendingDeletion"): 0})
        counts.update((key.key_manager, key.state) for key in keys.by_id.values())
        counts.update(("AWS", "Enabled") for key_id in keys.aws_managed if key_id not in keys.by_id)
        for (manager, key_state), count in counts.items():
            yield "kms_keys", {"key_manager": manager, "state": key_state}, count

    def _of_key(self, state: TargetState, keys: Keys, key: Key) -> Iterator[tuple[str, dict[str, str], float]]:
        tags = dict(key.tags)
        info = {
            "arn": key.arn,
            "alias": min(key.aliases, default=""),
            "description": key.description[:256],
            "account_name": state.account_name,
            "key_manager": key.key_manager,
            "key_spec": key.key_spec,
            "key_usage": key.key_usage,
            "origin": key.origin,
            "multi_region": key.multi_region,
            "tag_team": tags.get("team", "")[:256],
            "tag_cost_center": tags.get("cost center", "")[:256],
        }
        yield "kms_key_info", info, 1
        for alias in key.aliases:
            yield "kms_key_alias", {"alias": alias}, 1
        yield "kms_key_state", {"state": key.state}, 1
        yield "kms_key_pending_deletion", {}, key.state in PENDING_STATES
        if key.created_at is not None:
            yield "kms_key_created_timestamp_seconds", {}, key.created_at
        if key.deletion is not None and key.deletion.at is not None:
            yield "kms_key_deletion_timestamp_seconds", {}, key.deletion.at
            yield "kms_key_deletion_days_left", {}, round((key.deletion.at - self._now) / DAY, 6)
        if key.deletion is not None and key.deletion.window is not None:
            yield "kms_key_deletion_window_seconds", {}, key.deletion.window
        yield from self._of_evidence(keys, key)
        if key.material_expires_at is not None:
            yield "kms_key_material_expires_timestamp_seconds", {}, key.material_expires_at

    def _of_evidence(self, keys: Keys, key: Key) -> Iterator[tuple[str, dict[str, str], float]]:
        evidence = keys.evidence.get(key.key_id, Evidence())
        scheduled_at = evidence.scheduling.at if evidence.scheduling else keys.scheduled_at.get(key.key_id)
        if scheduled_at is not None:
            yield "kms_key_deletion_scheduled_timestamp_seconds", {}, scheduled_at
        if key.state in PENDING_STATES:
            by = evidence.scheduling.by if evidence.scheduling else ""
            yield "kms_key_deletion_info", {"scheduled_by": by}, 1
            yield "kms_key_deletion_acknowledged", {}, 0
        if evidence.usage and evidence.usage.last_used_at is not None:
            yield "kms_key_last_used_timestamp_seconds", {}, evidence.usage.last_used_at
        if evidence.usage and evidence.usage.tracked_since is not None:
            yield "kms_key_usage_tracked_since_timestamp_seconds", {}, evidence.usage.tracked_since
        if evidence.grants:
            yield "kms_key_grants", {}, evidence.grants.count
        if evidence.denied_uses:
            yield "kms_key_deletion_denied_uses", {}, evidence.denied_uses.count


def readable(text: str) -> str:
    return "".join(
        "\ufffd" if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") and char not in "\n\t" else char
        for char in text
    )


moments = st.floats(0, 4e9).map(lambda moment: round(moment, 3))
texts = st.text(st.characters(), max_size=20)
key_ids = st.uuids().map(str)
tags = st.dictionaries(st.sampled_from(["team", "cost center", "other"]), st.text(max_size=300), max_size=3)


@st.composite
def some_keys(draw: st.DrawFn, key_id: str) -> Key:
    state = draw(st.sampled_from(["Enabled", "Disabled", "PendingDeletion", "PendingReplicaDeletion", "Invented"]))
    deletions = {"PendingDeletion": Deletion(at=draw(moments)), "PendingReplicaDeletion": Deletion(window=7 * DAY)}
    return Key(
        key_id,
        f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}",
        state,
        key_manager=draw(st.sampled_from(["CUSTOMER", "AWS"])),
        description=draw(st.text(st.characters(), max_size=300)),
        key_spec=draw(st.sampled_from(["SYMMETRIC_DEFAULT", "RSA_2048"])),
        key_usage="ENCRYPT_DECRYPT",
        origin=draw(texts),
        multi_region=draw(st.sampled_from(["", "primary", "replica"])),
        aliases=tuple(sorted({f"alias/{readable(name)}" for name in draw(st.sets(texts, max_size=3))})),
        tags=tuple(sorted(draw(tags).items())),
        created_at=draw(st.none() | moments),
        deletion=deletions.get(state),
        material_expires_at=draw(st.none() | moments),
    )


evidence = st.builds(
    Evidence,
    scheduling=st.none() | st.builds(Scheduling, moments, by=texts.map(readable)),
    usage=st.none()
    | st.builds(Usage, st.sampled_from(UsageCase), tracked_since=st.none() | moments, last_used_at=st.none() | moments),
    grants=st.none() | st.builds(Grants, st.integers(0, 9)),
    denied_uses=st.none() | st.builds(DeniedUses, st.integers(0, 9)),
)


@st.composite
def keys_of_a_target(draw: st.DrawFn) -> Keys:
    ids = draw(st.lists(key_ids, unique=True, max_size=6))
    gone = draw(st.lists(key_ids, unique=True, max_size=2))
    return Keys(
        by_id={key_id: draw(some_keys(key_id)) for key_id in ids},
        aws_managed=frozenset(draw(st.sets(key_ids, max_size=2))),
        scheduled_at={key_id: draw(moments) for key_id in ids[:1]},
        cancelled_at={key_id: draw(moments) for key_id in ids[1:2]},
        tombstones={key_id: Tombstone(draw(some_keys(key_id)), draw(moments)) for key_id in gone},
        evidence={key_id: draw(evidence) for key_id in ids[:3]},
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    targets = draw(
        st.lists(
            st.builds(Target, st.sampled_from(["111122223333", "444455556666"]), st.sampled_from(["eu-west-1", "x"])),
            unique=True,
            max_size=3,
        )
    )
    states = [
        TargetState(
            target,
            account_name=draw(texts),
            keys=draw(st.none() | keys_of_a_target()),
            up=draw(st.none() | st.booleans()),
            last_success=draw(st.none() | moments),
            last_full=draw(st.none() | moments),
            unreadable={"a": Unreadable("AccessDeniedException", NOW)} if draw(st.booleans()) else {},
            errors=draw(st.dictionaries(st.tuples(st.just("ListKeys"), st.sampled_from("ab")), st.integers(1, 9))),
        )
        for target in sorted(targets)
    ]
    accounts = draw(st.dictionaries(st.sampled_from(["111122223333", "444455556666"]), st.booleans()))
    return Snapshot(NOW - 5, 1, tuple(states), accounts, organization=draw(st.none() | st.booleans()))


def rendered(
    snapshot: Snapshot,
    *,
    export: Export = "customer",
    form: Format = Format.TEXT,
    now: float = NOW,
    zipped: bool = False,
) -> bytes:
    renderer = Renderer(CollectorRegistry(), export=export, tags=TAGS)
    renderer.update(snapshot)
    body = renderer.scrape(snapshot, form, gzip=zipped, now=now)
    whole = b"".join(body.parts)
    assert len(whole) == body.length
    return whole


Sample = tuple[str, tuple[tuple[str, str], ...]]


def samples(families: Iterator[Metric]) -> dict[Sample, float]:
    found: dict[Sample, float] = {}
    for family in families:
        for sample in family.samples:
            # An empty label is an absent one to Prometheus.
            series = (sample.name, tuple(sorted((name, value) for name, value in sample.labels.items() if value)))
            assert series not in found
            found[series] = sample.value
    return found


@given(snapshots(), st.sampled_from(EXPORTS))
def test_both_formats_tell_what_prometheus_client_would(snapshot: Snapshot, export: Export) -> None:
    plain = CollectorRegistry()
    plain.register(PlainCollector(snapshot, export, NOW))
    text = rendered(snapshot, export=export).decode()
    assert samples(parse_text(text)) == samples(parse_text(generate_latest(plain).decode()))
    openmetrics = rendered(snapshot, export=export, form=Format.OPENMETRICS_1_0_0).decode()
    assert samples(parse_openmetrics(openmetrics)) == samples(parse_openmetrics(generate_openmetrics(plain).decode()))


@given(snapshots(), st.sampled_from(list(Format)))
def test_the_compressed_page_is_one_gzip_member_with_the_same_bytes(snapshot: Snapshot, form: Format) -> None:
    zipped = rendered(snapshot, form=form, zipped=True)
    decoder = zlib.decompressobj(wbits=31)
    assert decoder.decompress(zipped) == rendered(snapshot, form=form) == gzip.decompress(zipped)
    assert decoder.eof
    assert decoder.unused_data == b""


def test_every_family_is_described_once_and_strictly() -> None:
    declared = [*KEY_FAMILIES, *TOMBSTONE_FAMILIES, *COUNT_FAMILIES, *TARGET_FAMILIES, *SNAPSHOT_FAMILIES]
    names = [family.name for family in declared]
    page = rendered(Snapshot(), form=Format.OPENMETRICS_1_0_0).decode()
    described = {family.name: family for family in parse_openmetrics(page)}
    assert sorted(described) == sorted(name.removesuffix("_total") for name in names)
    for family in declared:
        assert described[family.name.removesuffix("_total")].documentation == family.help
        assert described[family.name.removesuffix("_total")].type == family.kind


@pytest.mark.parametrize(
    "family", [*KEY_FAMILIES, *TOMBSTONE_FAMILIES, *COUNT_FAMILIES], ids=lambda family: family.name
)
def test_key_metrics_are_gauges_that_say_how_fresh_they_are(family) -> None:
    assert family.kind == "gauge"
    assert "Read from AWS on a schedule and served from memory." in family.help
    assert not set('"\\\n') & set(family.help)
