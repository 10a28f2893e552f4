"""What is known of KMS keys, free of how it was asked (boto3) and how it is told (Prometheus).

Times are Unix seconds, durations seconds. Everything here is immutable, so a reader in another thread needs no lock.
"""

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from exporter.errors import TargetError

PENDING_STATES: Final = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
"""The states that end in the key's destruction unless someone cancels (KMS API, `KeyState`)."""

HOME: Final = "home"
"""Stands for the id of the home account while AWS has not told it."""

_K = TypeVar("_K")
_V = TypeVar("_V")


def frozen(mapping: Mapping[_K, _V] | None = None) -> Mapping[_K, _V]:
    """Return a read-only mapping that owns its content."""
    return MappingProxyType(dict(mapping or {}))


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One account in one region: what is swept, fails and recovers as a whole."""

    account_id: str
    region: str

    def __str__(self) -> str:
        return f"{self.account_id}/{self.region}"


@dataclass(frozen=True, slots=True)
class Deletion:
    """How a pending key ends.

    Attributes:
        at: the earliest moment at which AWS deletes the key (`DeletionDate`); None while a multi-Region primary waits
            for its replicas, since that clock has not started.
        window: the waiting period that starts when the last replica is gone (`PendingDeletionWindowInDays`), in
            seconds; None when `at` is known.
    """

    at: float | None = None
    window: float | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One KMS key as DescribeKey, ListAliases and the Tagging API tell it.

    Strings that AWS may extend (state, spec, usage, origin) are passed through as they are.

    Attributes:
        key_manager: `CUSTOMER` or `AWS`.
        multi_region: `""`, `primary` or `replica`.
        aliases: alias names with their `alias/` prefix, sorted, none twice.
        tags: the exported tags, `(tag key, value)`, sorted.
        deletion: present while the key is pending, and in any state of tomorrow that has a `DeletionDate`.
        material_expires_at: `ValidTo` of imported key material.
    """

    key_id: str
    arn: str
    state: str
    key_manager: str = "CUSTOMER"
    description: str = ""
    key_spec: str = ""
    key_usage: str = ""
    origin: str = ""
    multi_region: str = ""
    aliases: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    created_at: float | None = None
    deletion: Deletion | None = None
    material_expires_at: float | None = None

    @property
    def pending(self) -> bool:
        """Whether the key is on its way to destruction."""
        return self.state in PENDING_STATES

    @property
    def partition(self) -> str:
        """The partition of AWS that the key is in, `aws` but for a few, as its ARN says."""
        return self.arn.removeprefix("arn:").partition(":")[0]

    @property
    def alias(self) -> str:
        """The first alias in sort order, `""` without one."""
        return self.aliases[0] if self.aliases else ""


@dataclass(frozen=True, slots=True)
class Scheduling:
    """The call that scheduled a deletion, as CloudTrail recorded it.

    Attributes:
        at: when it was made.
        by: the principal as people know it (`alice`, `Deploy/build-42`, `root`); `""` where principals are hidden.
        principal_arn: the same in full; `""` where it is hidden or CloudTrail tells none.
        event_id: CloudTrail's id of the event.
        window: the waiting period that was asked for, in seconds; None where the event does not tell.
    """

    at: float
    by: str = ""
    principal_arn: str = ""
    event_id: str = ""
    window: float | None = None


class UsageCase(StrEnum):
    """What GetKeyLastUsage proves (https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html)."""

    USED = "used"
    NEVER = "never used"
    """No use on record, and the record begins with the key."""
    UNKNOWN = "unknown"
    """No use on record, but the key is older than the record."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The last successful cryptographic use of a key; AWS tells it up to an hour late.

    Attributes:
        tracked_since: start of AWS's record: absence of a use before it proves nothing.
        last_used_at: None where no use is on record.
        operation: what was last done with the key, such as `Decrypt`; `""` without a use.
        event_id: CloudTrail's id of that use; `""` without one.
    """

    case: UsageCase
    tracked_since: float | None = None
    last_used_at: float | None = None
    operation: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class Grants:
    """The grants on a key: who was handed its use, most often an AWS service that keeps something encrypted under it.

    Attributes:
        count: of all of them.
        grantees: the grantee principals, services before other principals, each once, sorted.
    """

    count: int
    grantees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeniedUses:
    """Attempts to use a key that failed because it is pending deletion, since it was scheduled.

    Attributes:
        count: each event once.
        complete: whether all events were read, as far as AWS has them; else there are at least so many.
        last_at: the newest; None without any.
        last_by: whose attempt that was, as `Scheduling.by`.
        last_operation: what was attempted.
    """

    count: int
    last_at: float | None = None
    last_by: str = ""
    last_operation: str = ""
    complete: bool = True

    @property
    def known(self) -> int | None:
        """The count; None while nothing was found in the part that was read: there may be some in the rest."""
        return self.count if self.count or self.complete else None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a key beyond the key itself; each fact is None until its source has answered.

    Attributes:
        scheduling: who scheduled the deletion, and when.
        scheduling_looked_up: whether CloudTrail's 90 days were searched: then None above means that it was earlier.
        approval: the value of the acknowledgement tag, which stood on the key before it was scheduled.
        approval_tag: the name of that tag, if it was read: then None above means that there is none.
    """

    scheduling: Scheduling | None = None
    scheduling_looked_up: bool = False
    usage: Usage | None = None
    grants: Grants | None = None
    denied_uses: DeniedUses | None = None
    approval: str | None = None
    approval_tag: str = ""


class Source(StrEnum):
    """Where evidence comes from: each may be denied or fail for itself, and degrades its own fact alone."""

    SCHEDULED_BY = "scheduled_by"
    DENIED_USES = "denied_uses"
    LAST_USAGE = "last_usage"
    GRANTS = "grants"
    ACKNOWLEDGEMENT_TAG = "acknowledgement_tag"


@dataclass(frozen=True, slots=True)
class Learned:
    """What an inquiry into keys of one target found out.

    Attributes:
        evidence: each key as it was when it was asked about, with everything that is known now.
        sources: how every source stands that there is something to ask of: `""`, or what stood in the way.
        errors: calls that failed.
    """

    evidence: tuple[tuple[Key, Evidence], ...] = ()
    sources: Mapping[Source, str] = field(default_factory=frozen)
    errors: tuple["TargetError", ...] = ()


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A key that was pending and is gone.

    Attributes:
        key: as it was last seen.
        deleted_at: when it was first found gone.
    """

    key: Key
    deleted_at: float


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A key that is listed, or that an event named, but could not be described.

    Attributes:
        reason: AWS error code, `timeout`, `connection` or `invalid_response`.
        since: when it was first found unreadable without a success since.
    """

    reason: str
    since: float


@dataclass(frozen=True, slots=True)
class Keys:
    """What is known of one target's keys; a pass that finds nothing new keeps the same object.

    Attributes:
        by_id: last known good of every described key, AWS managed ones included where they had to be described.
        aws_managed: ids recognised through their `alias/aws/...` aliases and therefore never described.
        scheduled_at: key id to when its deletion was first seen, for pending keys that were seen not pending before.
        cancelled_at: key id to when its cancelled deletion was seen; kept as long as a tombstone.
        tombstones: key id to the tombstone.
        evidence: key id to what its deletion, or its use, is known to be about; only of keys in `by_id`.
        complete: whether a pass went through to its end since the last time that a key was dropped unanswered for: only
            then is a key that is not here known not to exist.
    """

    by_id: Mapping[str, Key] = field(default_factory=frozen)
    aws_managed: frozenset[str] = frozenset()
    scheduled_at: Mapping[str, float] = field(default_factory=frozen)
    cancelled_at: Mapping[str, float] = field(default_factory=frozen)
    tombstones: Mapping[str, Tombstone] = field(default_factory=frozen)
    evidence: Mapping[str, Evidence] = field(default_factory=frozen)
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Events:
    """Whether changes of a target's keys can be read, and how often all keys are described for that reason.

    Attributes:
        source: `cloudtrail`, or `none`.
        reason: why there is none: `disabled`, an AWS error code, or as for `Unreadable`; `""` while there is one.
        full_interval: time between two full passes.
    """

    source: str
    reason: str
    full_interval: float


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target as it stands.

    Attributes:
        keys: None until a pass succeeded or at least read one, and again once what was last answered is older than
            `refresh.keep_failed`.
        up: whether the last pass succeeded; None before the first one ended.
        last_success: end of the last pass that succeeded.
        last_full: end of the last pass in which every key was asked for.
        unreadable: key id to why it could not be described.
        errors: `(operation, reason)` to the count of failed passes and calls since the process started.
        last_error: the text of the last failed pass; `""` while `up`.
        sources: what became of each source of evidence when it was last asked: `""`, or what stood in the way.
        events: None until it has turned out.
        account_name: from the configuration or the organization, `""` without one.
    """

    target: Target
    account_name: str = ""
    keys: Keys | None = None
    up: bool | None = None
    last_success: float | None = None
    last_full: float | None = None
    unreadable: Mapping[str, Unreadable] = field(default_factory=frozen)
    errors: Mapping[tuple[str, str], int] = field(default_factory=frozen)
    last_error: str = ""
    sources: Mapping[Source, str] = field(default_factory=frozen)
    events: Events | None = None


class PassKind(StrEnum):
    """How deeply a pass looks."""

    FULL = "full"
    """Every customer managed key is described."""
    CHANGES = "changes"
    """Only new keys, pending keys and keys that could not be read are; a vanished key is noticed in either."""
    NAMED = "named"
    """Only keys that an event named are; whether there are others is not asked."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a target found. A key that is in none of its sets stands as it was known before.

    Attributes:
        read: every key described in this pass, by id.
        unreadable: id of each key that could not be described to the reason.
        gone: keys no longer listed that AWS says do not exist, or that were never read.
        aws_managed: ids recognised as AWS managed by their aliases; None when this pass did not ask.
        errors: calls that failed and cost only a part: one key, the aliases, the tags.
        ended_by: what cut the pass short. What was read before counts, yet the pass failed.
    """

    kind: PassKind
    read: Mapping[str, Key] = field(default_factory=frozen)
    unreadable: Mapping[str, str] = field(default_factory=frozen)
    gone: frozenset[str] = frozenset()
    aws_managed: frozenset[str] | None = None
    errors: tuple["TargetError", ...] = ()
    ended_by: "TargetError | None" = None


def asked_about(result: Pass, key_ids: Collection[str]) -> Collection[str]:
    """Return those of `key_ids`, which a pass was to look at, that it did look at, with whatever result."""
    return key_ids if result.ended_by is None else result.read.keys() | result.gone | result.unreadable.keys()


def without(result: Pass, key_ids: Container[str]) -> Pass:
    """Return a pass as if it had not looked at `key_ids`: somebody has meanwhile."""
    return replace(
        result,
        read=frozen({key_id: key for key_id, key in result.read.items() if key_id not in key_ids}),
        unreadable=frozen({key_id: why for key_id, why in result.unreadable.items() if key_id not in key_ids}),
        gone=frozenset(key_id for key_id in result.gone if key_id not in key_ids),
    )


class TransitionKind(StrEnum):
    """What can happen to a key between two passes."""

    CREATED = "created"
    SCHEDULED = "deletion_scheduled"
    CANCELLED = "deletion_cancelled"
    RESCHEDULED = "deletion_rescheduled"
    DELETED = "deleted"
    STATE_CHANGED = "state_changed"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True)
class Transition:
    """One change found between two passes, told once.

    Attributes:
        key: as it is now; as it last was when it is gone.
        before: the earlier state, `""` for a new key.
        at: when the pass that found it ended.
    """

    kind: TransitionKind
    target: Target
    key: Key
    before: str
    at: float


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """A key that AWS Config has recorded as pending deletion, which may no longer be so.

    Attributes:
        captured_at: when the configuration was captured that says so; None where Config does not tell.
    """

    target: Target
    key_id: str
    arn: str
    state: str
    captured_at: float | None = None


@dataclass(frozen=True, slots=True)
class ConfigView:
    """What AWS Config knows of pending keys, wherever its aggregator reaches.

    Attributes:
        asked_at: when it was last asked, with whatever result; None before the first time.
        last_success: when it last answered in full.
        error: what stood in the way when it was last asked, `""` for nothing.
        unreadable: results of the last answer that could not be read: each may have been a key.
        keys: by account, region and id; those of a partial answer are added to what was known before. None before any
            were told, and again once what was told is older than `refresh.keep_failed`.
        unwatched: those of `keys` whose account and region no exporter watches, of whatever shard; None while either
            is not known.
    """

    asked_at: float | None = None
    last_success: float | None = None
    error: str = ""
    unreadable: int = 0
    keys: tuple[ConfigKey, ...] | None = None
    unwatched: tuple[ConfigKey, ...] | None = None

    @property
    def up(self) -> bool | None:
        """Whether it answered in full when it was last asked; None before the first time."""
        return None if self.asked_at is None else not self.error


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is known at one moment; what a scrape serves.

    Attributes:
        taken_at: when it was published.
        keys_version: grows whenever what is known of keys changed in any target: two snapshots with the same number
            have the same key series.
        targets: sorted by account and region.
        accounts: account id to whether its role and regions could be had.
        account_errors: account id to why it is down; accounts that are up are absent.
        transitions: the latest changes, newest first.
        organization: whether the organization's accounts could be listed; None where it is not asked.
        config: what AWS Config knows; None where it is not asked.
    """

    taken_at: float = 0.0
    keys_version: int = 0
    targets: tuple[TargetState, ...] = ()
    accounts: Mapping[str, bool] = field(default_factory=frozen)
    account_errors: Mapping[str, str] = field(default_factory=frozen)
    transitions: tuple[Transition, ...] = ()
    organization: bool | None = None
    config: ConfigView | None = None
