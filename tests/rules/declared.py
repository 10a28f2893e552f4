"""What the exporter declares: each of its metrics with its labels."""

from typing import Any, Final

from prometheus_client import CollectorRegistry

from exporter.exposition.families import (
    COUNT_FAMILIES,
    KEY_FAMILIES,
    SNAPSHOT_FAMILIES,
    TARGET_FAMILIES,
    TOMBSTONE_FAMILIES,
    Family,
)
from exporter.telemetry import Telemetry

SCRAPE_LABELS: Final = frozenset({"job", "instance"})
"""What Prometheus adds to each series; what else it may add (pod, namespace) no rule may rely on."""


def declared_metrics() -> dict[str, frozenset[str]]:
    """Return the labels of every sample by its name."""
    telemetry = Telemetry(CollectorRegistry(), version="", revision="", loaded_at=0)
    families: tuple[Family[Any], ...] = (
        *KEY_FAMILIES,
        *TOMBSTONE_FAMILIES,
        *COUNT_FAMILIES,
        *TARGET_FAMILIES,
        *SNAPSHOT_FAMILIES,
    )
    return {
        **{name: frozenset(labels) for name, labels in telemetry.labels.items()},
        **{family.name: frozenset((*family.given, *family.own)) for family in families},
    }


def tagged_metrics() -> frozenset[str]:
    """Return the metrics that also bear the allow-listed tags, as `tag_*`."""
    return frozenset(family.name for family in KEY_FAMILIES if family.tags)
