"""The lines of one target's keys, in chunks: what is rendered once and served until the target's keys change."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from exporter.acknowledgements import Acknowledgements
from exporter.exposition.families import COUNT_FAMILIES, KEY_FAMILIES, TARGET_LABELS, TOMBSTONE_FAMILIES, KeySubject
from exporter.exposition.lines import Clocked, Lines
from exporter.exposition.text import MAX_LABEL_CHARS, escaped, label_pairs
from exporter.model import Evidence, Key, Keys, TargetState

Export = Literal["customer", "pending", "all"]
"""Which keys have series of their own (`keys.export`)."""

CHUNK_KEYS: Final = 5_000
"""Keys in a chunk at most: joining and encoding its lines keeps other threads waiting for a few milliseconds."""

_NOTHING: Final = Evidence()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines of some keys of one target.

    Attributes:
        static: family name to finished lines.
        clocked: family name to the samples that depend on the time of the scrape.
    """

    static: Mapping[str, bytes]
    clocked: Mapping[str, tuple[Clocked, ...]]


class ChunkWriter:
    """Renders the keys of targets as `keys.export`, `keys.tags` and `deletions.acknowledgements` want it."""

    def __init__(self, export: Export, tags: Mapping[str, str], acknowledgements: Acknowledgements) -> None:
        """Render the series of the keys that `export` chooses, with `tags`: tag key to the label that carries it."""
        self._export = export
        self._acknowledgements = acknowledgements
        self._tag_keys = tuple(tags)
        self._tag_labels = tuple(tags.values())

    def chunks(self, state: TargetState) -> Iterator[Chunk]:
        """Yield the chunks of a target; none while nothing is known of its keys."""
        keys = state.keys
        if keys is None:
            return
        given = label_pairs(TARGET_LABELS, (state.target.account_id, state.target.region))
        exported = iter(self._exported(keys))
        while some := tuple(islice(exported, CHUNK_KEYS)):
            lines = Lines()
            for key in some:
                subject = self._subject(state, keys, key)
                lines.add(KEY_FAMILIES, subject, _key_labels(given, key), self._tags(key))
            yield Chunk(lines.static(), lines.clocked())
        yield self._summary(keys, given)

    def _subject(self, state: TargetState, keys: Keys, key: Key) -> KeySubject:
        evidence = keys.evidence.get(key.key_id, _NOTHING)
        return KeySubject(
            key,
            account_name=state.account_name,
            scheduled_at=keys.scheduled_at.get(key.key_id),
            evidence=evidence,
            acknowledgement=self._acknowledgements.of_key(state.target, key, evidence) if key.pending else None,
        )

    def _exported(self, keys: Keys) -> Iterable[Key]:
        """Choose the keys that have series of their own; those of a manager that AWS may add one day do.

        `pending` has those that an alert may be about, so that alerts are the same in each mode.
        """
        match self._export:
            case "all":
                return keys.by_id.values()
            case "customer":
                return (key for key in keys.by_id.values() if key.key_manager != "AWS")
            case "pending":
                return (
                    key
                    for key in keys.by_id.values()
                    if key.pending or key.key_id in keys.cancelled_at or key.material_expires_at is not None
                )

    def _tags(self, key: Key) -> str:
        """Render the exported tags; one that the key does not have is empty, which Prometheus takes for absent."""
        if not self._tag_keys:
            return ""
        values = dict(key.tags)
        return label_pairs(self._tag_labels, (values.get(tag_key, "")[:MAX_LABEL_CHARS] for tag_key in self._tag_keys))

    def _summary(self, keys: Keys, given: str) -> Chunk:
        """Render the keys that are gone, and the counts."""
        lines = Lines()
        for tombstone in keys.tombstones.values():
            subject = KeySubject(tombstone.key, deleted_at=tombstone.deleted_at)
            lines.add(TOMBSTONE_FAMILIES, subject, _key_labels(given, tombstone.key))
        lines.add(COUNT_FAMILIES, keys, given)
        return Chunk(lines.static(), lines.clocked())


def _key_labels(given: str, key: Key) -> str:
    return f'{given},key_id="{escaped(key.key_id)}"'
