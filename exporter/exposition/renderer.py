"""The page in its two halves: rendered when keys change, completed when scraped."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from exporter.acknowledgements import Acknowledgements
from exporter.exposition.chunks import Chunk, ChunkWriter, Export
from exporter.exposition.negotiation import Format
from exporter.exposition.page import Page, assemble
from exporter.exposition.tail import Tail
from exporter.model import Snapshot, Target, TargetState


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a scrape's response.

    Attributes:
        parts: to be sent one after the other; large ones are shared between scrapes, so nobody joins them.
        length: of all parts together, in bytes.
    """

    parts: tuple[bytes, ...]
    length: int


class Renderer:
    """Renders snapshots.

    `update` belongs to one thread at a time; `scrape` may be called from any thread, also during an update. They meet
    in one assignment, so a scrape sees a whole page, the earlier or the later one.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        export: Export,
        tags: Mapping[str, str],
        acknowledgements: Acknowledgements | None = None,
    ) -> None:
        """Start with a page without keys.

        Args:
            registry: the exporter's own metrics, `Telemetry.registry`.
            export: `keys.export`.
            tags: each of `keys.tags` with the label that carries it; no label twice.
            acknowledgements: the deletions that are declared intended.
        """
        self._writer = ChunkWriter(export, tags, acknowledgements or Acknowledgements())
        self._tail = Tail(registry)
        self._chunks: dict[Target, tuple[TargetState, tuple[Chunk, ...]]] = {}
        self._page = assemble(Snapshot(), ())
        self._latest = self._page.snapshot

    @property
    def page(self) -> Page:
        """What was rendered last."""
        return self._page

    def update(self, snapshot: Snapshot) -> None:
        """Render the key series of `snapshot`, unless those at hand are the same; only targets that changed cost."""
        if self._page.snapshot.keys_version == snapshot.keys_version:
            self._latest = snapshot
            return
        self._chunks = {state.target: (state, self._chunks_of(state)) for state in snapshot.targets}
        self._page = assemble(snapshot, [chunk for _, chunks in self._chunks.values() for chunk in chunks])

    def scrape(self, snapshot: Snapshot, form: Format, *, gzip: bool, now: float) -> Body:
        """Return what a scrape at `now` (Unix seconds) gets.

        As long as the keys of `snapshot` are not rendered, the page is served with the latest snapshot that has the
        keys of the page: an answer never mixes two, and what it tells of targets is not as old as their keys may be.
        """
        page = self._page
        if snapshot.keys_version == page.snapshot.keys_version:
            self._latest = snapshot
        else:
            latest = self._latest
            snapshot = latest if latest.keys_version == page.snapshot.keys_version else page.snapshot
        tail = self._tail.render(page, snapshot, now=now, openmetrics=form.openmetrics)
        if gzip:
            parts: tuple[bytes, ...] = (page.member.start, page.member.closed(tail))
            return Body(parts, sum(map(len, parts)))
        return Body((*page.parts, tail), page.length + len(tail))

    def _chunks_of(self, state: TargetState) -> tuple[Chunk, ...]:
        last = self._chunks.get(state.target)
        if last and last[0].keys is state.keys and last[0].account_name == state.account_name:
            return last[1]
        return tuple(self._writer.chunks(state))
