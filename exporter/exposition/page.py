"""The part of the page that stays the same between two changes of keys: rendered and compressed once, sent often."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exporter.exposition.chunks import Chunk
from exporter.exposition.families import COUNT_FAMILIES, KEY_FAMILIES, TOMBSTONE_FAMILIES, Family
from exporter.exposition.gzip_stream import OpenMember, open_member
from exporter.exposition.lines import Clocked
from exporter.exposition.text import header
from exporter.model import Snapshot

PART_BYTES: Final = 1 << 20
"""Lines of small targets are joined to parts of this size; what is larger is sent as it is, without a copy.

With uvicorn on uvloop, a page sent in parts of 64 KiB costs three times as much, and parts of 4 MiB gain nothing.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """The key series of one snapshot.

    All key metrics are gauges, hence the bytes are the same in text 0.0.4 and OpenMetrics 1.0.

    Attributes:
        snapshot: what the page was rendered from; a newer one may be served with it while `keys_version` is the same.
        parts: the plain bytes.
        length: of all parts together.
        member: the same, compressed.
        clocked: family name to the samples whose values are made at the scrape.
    """

    snapshot: Snapshot
    parts: tuple[bytes, ...]
    length: int
    member: OpenMember
    clocked: Mapping[str, Sequence[Clocked]]

    @property
    def clocked_samples(self) -> int:
        """How many samples are made at the scrape."""
        return sum(map(len, self.clocked.values()))


def assemble(snapshot: Snapshot, chunks: Sequence[Chunk]) -> Page:
    """Make the page of `snapshot` from the chunks of all its targets, family by family as both formats demand."""
    parts = tuple(_joined(_static(chunks)))
    return Page(
        snapshot=snapshot,
        parts=parts,
        length=sum(map(len, parts)),
        member=open_member(parts),
        clocked={
            family.name: [sample for chunk in chunks for sample in chunk.clocked.get(family.name, ())]
            for family in KEY_FAMILIES
            if family.clock
        },
    )


def _static(chunks: Sequence[Chunk]) -> Iterator[bytes]:
    families: tuple[Family[Any], ...] = (*KEY_FAMILIES, *TOMBSTONE_FAMILIES, *COUNT_FAMILIES)
    for family in families:
        if family.clock is None:
            yield header(family.name, family.help, family.kind, openmetrics=False).encode()
            yield from (chunk.static[family.name] for chunk in chunks if family.name in chunk.static)


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join neighbours until they are worth a message of their own."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        if size and size + len(piece) > PART_BYTES:
            yield b"".join(small)
            small, size = [], 0
        if len(piece) > PART_BYTES:
            yield piece
        else:
            small.append(piece)
            size += len(piece)
    if small:
        yield b"".join(small)
