"""How long it takes until a target is read again once nothing stands in the way any more."""

from dataclasses import dataclass, field
from statistics import median

from exporter.model import Target
from tests.faults.look import Look
from tests.faults.truth import Trouble


@dataclass(slots=True)
class Recoveries:
    """The recoveries of a campaign.

    Attributes:
        seconds: how long each took, with the kind of fault that it was a recovery from.
    """

    seconds: list[tuple[float, str]] = field(default_factory=list)
    _awaited: dict[Target, Trouble] = field(default_factory=dict)

    def ended(self, trouble: Trouble) -> None:
        """Wait for the targets that nothing else stands in the way of."""
        self._awaited |= dict.fromkeys(trouble.targets, trouble)

    def see(self, look: Look) -> None:
        """Take note of what has been read since its trouble ended, and of what is in trouble again."""
        for target, trouble in list(self._awaited.items()):
            if any(other.since > trouble.since and other.over > look.began for other in look.troubles.about(target)):
                del self._awaited[target]
                continue
            shown = look.page.targets.get(target)
            told = shown.last_success if shown is not None and shown.up else None
            read = [moment for moment in look.moments(told) if moment > trouble.until]
            if read:
                self.seconds.append((min(read) - trouble.until, trouble.kind))
                del self._awaited[target]

    def __str__(self) -> str:
        if not self.seconds:
            return "none"
        longest, kind = max(self.seconds)
        middle = median(seconds for seconds, _ in self.seconds)
        return f"{len(self.seconds)}, half of them within {middle:.1f} s, the longest {longest:.1f} s, from {kind}"
