"""What every report tells: which keys are pending, what could not be checked, what was, when and by whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from exporter.aws.caller import Caller
from exporter.facts import DAY, Facts
from exporter.model import Source, Target, frozen
from exporter.oneshot import Scope


class Status(IntEnum):
    """The exit status."""

    CLEAR = 0
    """Everything was checked, and no deletion is pending that fails."""
    PENDING = 1
    UNCHECKED = 2
    """Something could not be checked, whatever was found elsewhere."""


class Verdict(StrEnum):
    """What a pending deletion means."""

    FAILS = "fails"
    """Nobody declared it intended, or a use of the key contradicts who did; it is due within the time that counts."""
    LATER = "later"
    """The same, but it is due later than the time that counts."""
    ACKNOWLEDGED = "acknowledged"
    """It is declared intended, and nothing contradicts that."""


class GapKind(StrEnum):
    """What could not be checked."""

    IDENTITY = "identity"
    """Whose credentials these are."""
    SELECTION = "selection"
    """An account or region that was asked for is not watched, or nothing is watched at all."""
    ORGANIZATION = "organization"
    ACCOUNT = "account"
    TARGET = "target"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be checked.

    Attributes:
        account_id: `""` where it is not about one account, or its id is not known.
        region: `""` where it is not about one region.
        key_id: `""` where it is not about one key.
    """

    kind: GapKind
    reason: str
    account_id: str = ""
    region: str = ""
    key_id: str = ""

    @property
    def subject(self) -> str:
        """What it is about, in words."""
        where = "/".join(part for part in (self.account_id, self.region, self.key_id) if part)
        kind = str(self.kind)
        if self.kind is GapKind.SELECTION:
            kind = "account" if self.account_id else "region" if self.region else "anything"
        return f"{kind} {where}" if where else kind


@dataclass(frozen=True, slots=True)
class Finding:
    """A key that is pending deletion.

    Attributes:
        missing: what is not known, and what stood in the way.
    """

    facts: Facts
    verdict: Verdict
    missing: Mapping[Source, str] = field(default_factory=frozen)

    @property
    def urgency(self) -> tuple[bool, float, str]:
        """Sort key: what fails first, then what is due first."""
        return self.facts.calm, due_at(self.facts), self.facts.key.arn


@dataclass(frozen=True, slots=True)
class CheckedAccount:
    """An account that was to be checked.

    Attributes:
        role_arn: the role by which it was entered; `""` for the caller's own credentials, None where nothing was.
        error: why it could not be entered or its regions not be listed; `""` where they could.
    """

    account_id: str
    name: str
    role_arn: str | None
    error: str


@dataclass(frozen=True, slots=True)
class CheckedTarget:
    """An account in a region that was to be checked.

    Attributes:
        complete: whether every key was read.
        checked_at: when the keys were read, Unix seconds; None where they could not be.
        keys: customer managed keys that were read; None where they could not be listed.
        aws_managed: keys that AWS manages, which nobody can delete; None as above.
        pending: those of `keys` that are pending deletion; None as above.
        unreadable: keys that are listed and could not be read.
    """

    target: Target
    account_name: str
    complete: bool
    checked_at: float | None
    keys: int | None
    aws_managed: int | None
    pending: int | None
    unreadable: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report tells.

    Attributes:
        version: of this program.
        started: Unix seconds, as `ended`.
        fail_within: seconds within which a deletion must be due to fail; infinity for any.
        principals: whether people may be named.
        gaps: what could not be checked, the widest first.
        findings: pending keys, the most urgent first.
        unmatched: acknowledgements of the configuration that are about no key; None where too little was looked at to
            tell.
    """

    caller: Caller | None
    version: str
    started: float
    ended: float
    scope: Scope
    fail_within: float
    principals: bool
    accounts: tuple[CheckedAccount, ...]
    targets: tuple[CheckedTarget, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[Finding, ...]
    unmatched: tuple[str, ...] | None

    @property
    def status(self) -> Status:
        """The exit status: what could not be checked is never outweighed by what was found."""
        if self.gaps:
            return Status.UNCHECKED
        return Status.PENDING if self.count(Verdict.FAILS) else Status.CLEAR

    def count(self, verdict: Verdict) -> int:
        """Return how many findings have a verdict."""
        return sum(finding.verdict is verdict for finding in self.findings)

    @property
    def contradicted(self) -> int:
        """Return how many deletions are declared intended, though the key is used."""
        return sum(finding.facts.acknowledged and finding.facts.needed for finding in self.findings)

    @property
    def complete_targets(self) -> int:
        """How many targets were read to the last key."""
        return sum(checked.complete for checked in self.targets)

    @property
    def keys(self) -> int:
        """How many customer managed keys were read."""
        return sum(checked.keys or 0 for checked in self.targets)


def due_at(facts: Facts) -> float:
    """Return the earliest moment at which the key can be deleted, Unix seconds.

    The clock of a multi-Region primary starts when its last replica is gone, which may be now. Where AWS tells neither
    date nor window, it can be any time.
    """
    deletion = facts.key.deletion
    if deletion is None:
        return facts.now
    return facts.now + (deletion.window or 0) if deletion.at is None else deletion.at


def days(seconds: float | None) -> float | None:
    """Return seconds as days; None for what is not known."""
    return None if seconds is None else seconds / DAY
