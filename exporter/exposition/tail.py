"""The part of the page that is made at each scrape: what depends on the clock, targets, and the exporter itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from exporter.exposition.families import KEY_FAMILIES, SNAPSHOT_FAMILIES, TARGET_FAMILIES, TARGET_LABELS, Family
from exporter.exposition.lines import Lines
from exporter.exposition.page import Page
from exporter.exposition.registry import RegistryLines
from exporter.exposition.text import header, label_pairs
from exporter.model import Snapshot, TargetState


class Tail:
    """Renders tails, and keeps the lines of targets that are the same at the next scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = RegistryLines(registry)
        # By identity, which costs less than equality; that the state is held keeps its id from being given to another.
        self._targets: dict[int, tuple[TargetState, Mapping[str, bytes]]] = {}

    def render(self, page: Page, snapshot: Snapshot, *, now: float, openmetrics: bool) -> bytes:
        """Return all that follows the page's static part.

        Args:
            page: whose keys the clock matters to.
            snapshot: whose targets are told; its keys are those of the page.
            now: Unix seconds.
            openmetrics: whether counters are named, and the page ends, as OpenMetrics wants it.
        """
        parts = [
            "".join(_clocked(page, now)).encode(),
            *self._target_families(snapshot, openmetrics=openmetrics),
            *_snapshot_families(snapshot, openmetrics=openmetrics),
            self._registry.render(openmetrics=openmetrics).encode(),
        ]
        if openmetrics:
            parts.append(b"# EOF\n")
        return b"".join(parts)

    def _target_families(self, snapshot: Snapshot, *, openmetrics: bool) -> Iterator[bytes]:
        known = self._targets
        rows = {id(state): known.get(id(state)) or (state, _target_lines(state)) for state in snapshot.targets}
        self._targets = rows
        for family in TARGET_FAMILIES:
            yield _header(family, openmetrics=openmetrics)
            yield from [lines.get(family.name, b"") for _, lines in rows.values()]


def _target_lines(state: TargetState) -> Mapping[str, bytes]:
    lines = Lines()
    lines.add(TARGET_FAMILIES, state, label_pairs(TARGET_LABELS, (state.target.account_id, state.target.region)))
    return lines.static()


def _clocked(page: Page, now: float) -> Iterator[str]:
    for family in KEY_FAMILIES:
        if clock := family.clock:
            yield header(family.name, family.help, family.kind, openmetrics=False)
            form = f".{family.decimals}f"
            yield "".join([f"{start}{clock(value, now):{form}}\n" for start, value in page.clocked[family.name]])


def _snapshot_families(snapshot: Snapshot, *, openmetrics: bool) -> Iterator[bytes]:
    lines = Lines()
    lines.add(SNAPSHOT_FAMILIES, snapshot)
    static = lines.static()
    for family in SNAPSHOT_FAMILIES:
        yield _header(family, openmetrics=openmetrics)
        yield static.get(family.name, b"")


def _header(family: Family[Any], *, openmetrics: bool) -> bytes:
    return header(family.name, family.help, family.kind, openmetrics=openmetrics).encode()
