"""Every metric that is read from a `Snapshot`, declared once: page and documentation are made from these tables.

To add a metric of keys, add an entry to `KEY_FAMILIES`: rendering, documentation and the strict parse in the tests
follow from it.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from exporter.acknowledgements import Acknowledgement
from exporter.exposition.text import MAX_LABEL_CHARS
from exporter.facts import DAY
from exporter.model import ConfigView, Evidence, Key, Keys, Snapshot, TargetState

TARGET_LABELS: Final = ("account_id", "region")
KEY_LABELS: Final = (*TARGET_LABELS, "key_id")

S = TypeVar("S")

Samples = Iterable[tuple[tuple[str, ...], float]]
"""The values of a family's own labels, in the order of their names, with the sample's value."""


@dataclass(frozen=True, slots=True)
class Family(Generic[S]):
    """One metric, read from subjects of type `S`.

    Attributes:
        name: as it stands on a sample, so with `_total` on a counter.
        help: neither quotes nor backslashes in it (see `exporter.exposition.text`).
        samples: the samples of one subject; none where the fact is unknown or does not apply.
        given: labels that name the subject: `TARGET_LABELS`, `KEY_LABELS` or none.
        own: labels that `samples` gives the values of.
        tags: whether labels of the exported tags follow.
        clock: makes the value from what `samples` gave and from the time of the scrape; None where it does not matter.
        decimals: of a value that `clock` makes. Six of a day are a tenth of a second, and cost half of what the
            shortest exact form does.
    """

    name: str
    help: str
    samples: Callable[[S], Samples]
    given: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"
    tags: bool = False
    clock: Callable[[float, float], float] | None = None
    decimals: int = 6
    stability: Literal["stable", "experimental"] = "stable"


class KeySubject(NamedTuple):
    """A key with what its target knows of it.

    Attributes:
        account_name: of the key's account, `""` without one.
        scheduled_at: when its deletion was first seen, for a key that was seen not pending before.
        deleted_at: when it was found gone, for a tombstone.
        evidence: what its deletion, or its use, is known to be about.
        acknowledgement: the declaration that its deletion is intended, which may have expired.
    """

    key: Key
    account_name: str = ""
    scheduled_at: float | None = None
    deleted_at: float | None = None
    evidence: Evidence = Evidence()
    acknowledgement: Acknowledgement | None = None


def days_left(deletion_at: float, now: float) -> float:
    """Return the days until `deletion_at`, negative once it has passed; both in Unix seconds."""
    return (deletion_at - now) / DAY


def _value(read: Callable[[S], float | None]) -> Callable[[S], Samples]:
    """Make the samples of a family that has no labels beyond its subject's."""

    def samples(subject: S) -> Samples:
        found = read(subject)
        return () if found is None else (((), found),)

    return samples


def _info(subject: KeySubject) -> Samples:
    key = subject.key
    labels = (
        key.arn,
        key.alias,
        key.description[:MAX_LABEL_CHARS],
        subject.account_name,
        key.key_manager,
        key.key_spec,
        key.key_usage,
        key.origin,
        key.multi_region,
    )
    return ((labels, 1),)


def _deletion_at(subject: KeySubject) -> float | None:
    deletion = subject.key.deletion
    return deletion.at if deletion else None


def _deletion_window(subject: KeySubject) -> float | None:
    deletion = subject.key.deletion
    return deletion.window if deletion else None


def _scheduled_at(subject: KeySubject) -> float | None:
    scheduling = subject.evidence.scheduling
    return scheduling.at if scheduling else subject.scheduled_at


def _deletion_info(subject: KeySubject) -> Samples:
    """Tell who is behind a deletion: an acknowledgement that has expired is told too, as what was declared once."""
    if not subject.key.pending:
        return ()
    scheduling, declared = subject.evidence.scheduling, subject.acknowledgement or Acknowledgement(reason="")
    labels = (scheduling.by if scheduling else "", declared.approved_by, declared.reason, declared.ticket)
    return ((tuple(text[:MAX_LABEL_CHARS] for text in labels), 1),)


def _acknowledged_until(subject: KeySubject) -> float | None:
    """Return when the acknowledgement of a pending key stops to count; without one it always has."""
    if not subject.key.pending:
        return None
    return subject.acknowledgement.until if subject.acknowledgement else -inf


def _acknowledgement_end(subject: KeySubject) -> float | None:
    until = _acknowledged_until(subject)
    return until if until is not None and isfinite(until) else None


def _holds(until: float, now: float) -> float:
    """Return 1 while what ends at `until` has not ended, else 0."""
    return float(now < until)


def _last_used_at(subject: KeySubject) -> float | None:
    return subject.evidence.usage.last_used_at if subject.evidence.usage else None


def _tracked_since(subject: KeySubject) -> float | None:
    return subject.evidence.usage.tracked_since if subject.evidence.usage else None


def _denied_uses(subject: KeySubject) -> float | None:
    return subject.evidence.denied_uses.known if subject.evidence.denied_uses else None


def _grants(subject: KeySubject) -> float | None:
    return subject.evidence.grants.count if subject.evidence.grants else None


def _counts(keys: Keys) -> Samples:
    """Count by manager and state; zero keys pending deletion is a fact, so that an alert on it can resolve.

    It is none before a pass went through.
    """
    counts = Counter((key.key_manager, key.state) for key in keys.by_id.values())
    if keys.complete:
        counts["CUSTOMER", "PendingDeletion"] += 0
    undescribed = len(keys.aws_managed - keys.by_id.keys())
    if undescribed:
        counts["AWS", "Enabled"] += undescribed
    return sorted(counts.items())


def _unwatched(snapshot: Snapshot) -> Samples:
    unwatched = snapshot.config.unwatched if snapshot.config else None
    return [((key.target.account_id, key.target.region, key.key_id, key.arn), 1) for key in unwatched or ()]


def _oldest_capture(view: ConfigView) -> float | None:
    return min((key.captured_at for key in view.keys or () if key.captured_at is not None), default=None)


def _of_config(read: Callable[[ConfigView], float | None]) -> Callable[[Snapshot], Samples]:
    """Make the samples of a family that is about AWS Config; none where it is not asked."""
    return _value(lambda snapshot: None if snapshot.config is None else read(snapshot.config))


_READ = "Read from AWS on a schedule and served from memory."

KEY_FAMILIES: Final[tuple[Family[KeySubject], ...]] = (
    Family(
        "kms_key_info",
        f"The key's attributes; always 1. {_READ}",
        _info,
        KEY_LABELS,
        (
            "arn",
            "alias",
            "description",
            "account_name",
            "key_manager",
            "key_spec",
            "key_usage",
            "origin",
            "multi_region",
        ),
        tags=True,
    ),
    Family(
        "kms_key_alias",
        f"1 for each alias of the key. {_READ}",
        lambda subject: [((alias,), 1) for alias in subject.key.aliases],
        KEY_LABELS,
        ("alias",),
    ),
    Family(
        "kms_key_state",
        f"1 for the state that the key is in. {_READ}",
        lambda subject: (((subject.key.state,), 1),),
        KEY_LABELS,
        ("state",),
    ),
    Family(
        "kms_key_created_timestamp_seconds",
        f"When the key was created. {_READ}",
        _value(lambda subject: subject.key.created_at),
        KEY_LABELS,
    ),
    Family(
        "kms_key_pending_deletion",
        f"1 while the key is on its way to deletion (PendingDeletion or PendingReplicaDeletion), else 0. {_READ}",
        _value(lambda subject: subject.key.pending),
        KEY_LABELS,
    ),
    Family(
        "kms_key_deletion_timestamp_seconds",
        "The earliest moment at which AWS deletes the key; absent in PendingReplicaDeletion, whose clock has not "
        f"started. {_READ}",
        _value(_deletion_at),
        KEY_LABELS,
    ),
    Family(
        "kms_key_deletion_days_left",
        "Days until AWS may delete the key, at the moment of the scrape; negative while AWS is late (up to 24 hours). "
        f"{_READ}",
        _value(_deletion_at),
        KEY_LABELS,
        clock=days_left,
    ),
    Family(
        "kms_key_deletion_window_seconds",
        "The waiting period that starts when the last replica of a multi-Region primary key is gone "
        f"(PendingReplicaDeletion only). {_READ}",
        _value(_deletion_window),
        KEY_LABELS,
    ),
    Family(
        "kms_key_deletion_scheduled_timestamp_seconds",
        "When the deletion was scheduled, as CloudTrail tells; else when this process first saw it, after the key was "
        f"seen not pending; absent where neither is known. {_READ}",
        _value(_scheduled_at),
        KEY_LABELS,
    ),
    Family(
        "kms_key_deletion_info",
        "Who scheduled the deletion of a pending key and, where it was ever declared intended, by whom, why and under "
        f"which ticket; always 1, with empty labels for what is not known. {_READ}",
        _deletion_info,
        KEY_LABELS,
        ("scheduled_by", "acknowledged_by", "reason", "ticket"),
    ),
    Family(
        "kms_key_deletion_acknowledged",
        "1 while the deletion of a pending key is declared intended and the declaration has not expired, else 0. "
        f"{_READ}",
        _value(_acknowledged_until),
        KEY_LABELS,
        clock=_holds,
        decimals=0,
    ),
    Family(
        "kms_key_deletion_acknowledged_until_timestamp_seconds",
        f"When the declaration that the deletion of a pending key is intended expires; absent without an end. {_READ}",
        _value(_acknowledgement_end),
        KEY_LABELS,
    ),
    Family(
        "kms_key_deletion_denied_uses",
        "Attempts to use a pending key since its deletion was scheduled, as CloudTrail tells them; at least so many; "
        f"absent while none was found in the part that was read. {_READ}",
        _value(_denied_uses),
        KEY_LABELS,
    ),
    Family(
        "kms_key_last_used_timestamp_seconds",
        "Last successful cryptographic use, told by AWS up to an hour late; absent when never used or unknown. "
        f"{_READ}",
        _value(_last_used_at),
        KEY_LABELS,
    ),
    Family(
        "kms_key_usage_tracked_since_timestamp_seconds",
        f"Start of the record of uses that AWS keeps of the key: absence of a use before it proves nothing. {_READ}",
        _value(_tracked_since),
        KEY_LABELS,
    ),
    Family(
        "kms_key_grants",
        f"Grants on a pending key. {_READ}",
        _value(_grants),
        KEY_LABELS,
    ),
    Family(
        "kms_key_material_expires_timestamp_seconds",
        f"When the imported key material expires. {_READ}",
        _value(lambda subject: subject.key.material_expires_at),
        KEY_LABELS,
    ),
)
"""Of keys that exist."""

TOMBSTONE_FAMILIES: Final[tuple[Family[KeySubject], ...]] = (
    Family(
        "kms_key_deleted_timestamp_seconds",
        f"When a key that was pending deletion was found gone. {_READ}",
        lambda subject: () if subject.deleted_at is None else (((subject.key.alias,), subject.deleted_at),),
        KEY_LABELS,
        ("alias",),
    ),
)
"""Of keys that were pending and are gone."""

COUNT_FAMILIES: Final[tuple[Family[Keys], ...]] = (
    Family(
        "kms_keys",
        "Keys by manager and state, in every export mode; keys that could not be described are counted in "
        f"kms_exporter_target_unreadable_keys instead. {_READ}",
        _counts,
        TARGET_LABELS,
        ("key_manager", "state"),
    ),
)
"""Of the keys of one target together."""

TARGET_FAMILIES: Final[tuple[Family[TargetState], ...]] = (
    Family(
        "kms_exporter_target_up",
        "1 if the last pass over the target (one account in one region) succeeded, else 0.",
        _value(lambda state: state.up),
        TARGET_LABELS,
    ),
    Family(
        "kms_exporter_target_last_success_timestamp_seconds",
        "End of the last pass that succeeded.",
        _value(lambda state: state.last_success),
        TARGET_LABELS,
    ),
    Family(
        "kms_exporter_target_last_full_timestamp_seconds",
        "End of the last pass in which every key was described.",
        _value(lambda state: state.last_full),
        TARGET_LABELS,
    ),
    Family(
        "kms_exporter_target_unreadable_keys",
        "Keys, listed or named by an event, that could not be described; absent while the target's keys are unknown.",
        _value(lambda state: None if state.keys is None and not state.unreadable else len(state.unreadable)),
        TARGET_LABELS,
    ),
    Family(
        "kms_exporter_target_errors_total",
        "Passes and calls that failed, by AWS operation and reason (an AWS error code, timeout, connection, "
        "credentials or invalid_response).",
        lambda state: sorted(state.errors.items()),
        TARGET_LABELS,
        ("operation", "reason"),
        kind="counter",
    ),
    Family(
        "kms_exporter_target_full_interval_seconds",
        "Time between two full passes over the target: refresh.full_interval while changes can be read from the source "
        "in the label events, else refresh.fallback_interval, with the reason.",
        lambda state: (
            [((state.events.source, state.events.reason), state.events.full_interval)] if state.events else ()
        ),
        TARGET_LABELS,
        ("events", "reason"),
    ),
    Family(
        "kms_exporter_target_source_up",
        "1 if a source of facts about pending keys (scheduled_by, denied_uses, last_usage, grants, "
        "acknowledgement_tag) answered when it was last asked, else 0; absent while there is nothing to ask.",
        lambda state: [((source,), not error) for source, error in sorted(state.sources.items())],
        TARGET_LABELS,
        ("source",),
    ),
)
"""Of one account in one region."""

SNAPSHOT_FAMILIES: Final[tuple[Family[Snapshot], ...]] = (
    Family(
        "kms_exporter_account_up",
        "1 if the account could be entered and its regions listed, else 0; account_id is home while the id of the "
        "exporter's own account is not known.",
        lambda snapshot: [((account_id,), up) for account_id, up in snapshot.accounts.items()],
        own=("account_id",),
    ),
    Family(
        "kms_exporter_organization_up",
        "1 if the accounts of the organization could be listed, else 0; absent where none is asked.",
        _value(lambda snapshot: snapshot.organization),
    ),
    Family(
        "kms_config_unwatched_pending_deletion",
        "1 for each key that AWS Config reports as pending deletion in an account and region that no exporter watches. "
        "What Config reports may be a day old.",
        _unwatched,
        own=(*KEY_LABELS, "arn"),
    ),
    Family(
        "kms_config_pending_keys",
        "Keys that AWS Config reports as pending deletion, watched or not; absent while that is unknown.",
        _of_config(lambda view: None if view.keys is None else len(view.keys)),
    ),
    Family(
        "kms_config_unreadable_results",
        "Results of the last answer of AWS Config that could not be read, each of which may have been such a key.",
        _of_config(lambda view: None if view.asked_at is None else view.unreadable),
    ),
    Family(
        "kms_config_up",
        "1 if AWS Config answered in full when it was last asked, else 0; absent where it is not asked.",
        _of_config(lambda view: view.up),
    ),
    Family(
        "kms_config_last_success_timestamp_seconds",
        "When AWS Config last answered in full.",
        _of_config(lambda view: view.last_success),
    ),
    Family(
        "kms_config_data_timestamp_seconds",
        "When AWS Config captured the oldest of the configurations by which it reports keys as pending deletion.",
        _of_config(_oldest_capture),
    ),
    Family(
        "kms_exporter_snapshot_timestamp_seconds",
        "When what is served was put together.",
        _value(lambda snapshot: snapshot.taken_at or None),
    ),
)
"""Of everything that is watched."""
