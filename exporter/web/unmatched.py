"""Which acknowledgements are about no key, remembered for as long as nothing changes that bears on it."""

from exporter.acknowledgements import Acknowledgements, Rule
from exporter.model import Snapshot, Target

_About = tuple[Acknowledgements, int, tuple[tuple[Target, bool], ...], frozenset[str], bool | None]


class Unmatched:
    """Looks again only once keys, targets, what hides targets or keys, or declarations changed.

    To find nothing, every key is compared.
    """

    def __init__(self) -> None:
        self._latest: tuple[_About, tuple[Rule, ...]] | None = None

    def of(self, snapshot: Snapshot, acknowledgements: Acknowledgements) -> tuple[Rule, ...]:
        """Return the acknowledgements that are about no key of `snapshot`; called from any thread."""
        about = (
            acknowledgements,
            snapshot.keys_version,
            tuple((state.target, bool(state.unreadable)) for state in snapshot.targets),
            frozenset(snapshot.account_errors),
            snapshot.organization,
        )
        latest = self._latest
        if latest is None or latest[0] != about:
            latest = self._latest = (about, acknowledgements.unmatched(snapshot))
        return latest[1]
