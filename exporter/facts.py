"""The four questions that a pending deletion raises, answered for one key at one moment.

Who did it, is it intended, is the key still needed, how is it stopped: the status page, the API and the commands tell
the same answers, from here. What is not known is None or `""`; why, `Facts.unknown` says.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from exporter.acknowledgements import Acknowledgement, Acknowledgements
from exporter.model import Evidence, Key, Snapshot, Source, Target, TargetState, Unreadable, UsageCase, frozen

DAY: Final = 86400.0
RECENT_USE: Final = 7 * DAY
"""A key that was used within so many seconds before its deletion was scheduled, or since, is still needed."""
_LONGEST_WINDOW: Final = 30 * DAY

_CONSOLES: Final = {
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
"""The host of the AWS console by partition, where it is not `console.aws.amazon.com`."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A key with everything that is known of its deletion.

    Attributes:
        seen_at: when this process saw the deletion being scheduled; None where the key was pending from the start.
        acknowledgement: the declaration about it, which may have expired or been contradicted.
        sources: what became of each source of evidence of the target.
        unreadable: why the key itself is as it was last read, and since when; None where it could be read.
        now: Unix seconds.
    """

    target: Target
    key: Key
    now: float
    account_name: str = ""
    evidence: Evidence = field(default_factory=Evidence)
    seen_at: float | None = None
    acknowledgement: Acknowledgement | None = None
    sources: Mapping[Source, str] = field(default_factory=frozen)
    unreadable: Unreadable | None = None

    @property
    def deletion_at(self) -> float | None:
        """The earliest moment at which AWS deletes the key; None while that clock has not started."""
        return self.key.deletion.at if self.key.deletion else None

    @property
    def days_left(self) -> float | None:
        """Days until then, negative while AWS is late."""
        return None if self.deletion_at is None else (self.deletion_at - self.now) / DAY

    @property
    def scheduled_at(self) -> float | None:
        """When the deletion was scheduled, as CloudTrail says, else when this process saw it."""
        return self.evidence.scheduling.at if self.evidence.scheduling else self.seen_at

    @property
    def scheduled_by(self) -> str:
        """Who scheduled it, `""` when unknown or hidden."""
        return self.evidence.scheduling.by if self.evidence.scheduling else ""

    @property
    def last_used_at(self) -> float | None:
        """The last use on record."""
        return self.evidence.usage.last_used_at if self.evidence.usage else None

    @property
    def used_lately(self) -> bool:
        """Whether the key was used in the days before its deletion was scheduled, or since.

        Where nobody knows when that was, the longest waiting period is taken, which errs towards an alarm.
        """
        if self.last_used_at is None:
            return False
        since = self.scheduled_at
        if since is None:
            since = (self.now if self.deletion_at is None else self.deletion_at) - _LONGEST_WINDOW
        return self.last_used_at >= since - RECENT_USE

    @property
    def denied_uses(self) -> int | None:
        """Failed attempts to use the key since it was scheduled; None when unknown."""
        return self.evidence.denied_uses.known if self.evidence.denied_uses else None

    @property
    def needed(self) -> bool:
        """Whether somebody uses, or tried to use, the key: reason to stop its deletion whatever was declared."""
        return self.key.pending and (self.used_lately or bool(self.denied_uses))

    @property
    def acknowledged(self) -> bool:
        """Whether the deletion is declared intended, and the declaration has not expired."""
        return self.key.pending and self.acknowledgement is not None and self.acknowledgement.holds(self.now)

    @property
    def calm(self) -> bool:
        """Whether nobody needs to act: acknowledged, and no use contradicts it."""
        return self.acknowledged and not self.needed

    @property
    def unknown(self) -> Mapping[Source, str]:
        """The sources that could not be asked, with what stood in the way."""
        return {source: error for source, error in self.sources.items() if error}

    @property
    def never_used(self) -> bool:
        """Whether the key was never used, which takes a record of uses that begins with the key."""
        return self.evidence.usage is not None and self.evidence.usage.case is UsageCase.NEVER

    @property
    def console_url(self) -> str:
        """The key in the AWS console."""
        host = _CONSOLES.get(self.key.partition, "console.aws.amazon.com")
        region = self.target.region
        return f"https://{region}.{host}/kms/home?region={region}#/kms/keys/{self.key.key_id}"

    @property
    def save_commands(self) -> tuple[str, ...]:
        """The commands that save the key, for a shell with credentials that may: the exporter's own, and AWS's."""
        key = f"--region {shlex.quote(self.target.region)} --key-id {shlex.quote(self.key.arn)}"
        return (
            f"kms-exporter cancel-deletion {shlex.quote(self.key.arn)} --reason 'WHY'",
            f"aws kms cancel-key-deletion {key} && aws kms enable-key {key}",
        )


def facts_of(state: TargetState, key: Key, acknowledgements: Acknowledgements, now: float) -> Facts:
    """Put together what is known of a key of `state`."""
    keys = state.keys
    evidence = keys.evidence.get(key.key_id) if keys else None
    return Facts(
        target=state.target,
        key=key,
        now=now,
        account_name=state.account_name,
        evidence=evidence or Evidence(),
        seen_at=keys.scheduled_at.get(key.key_id) if keys else None,
        acknowledgement=acknowledgements.of_key(state.target, key, evidence) if key.pending else None,
        sources=state.sources,
        unreadable=state.unreadable.get(key.key_id),
    )


def pending_facts(snapshot: Snapshot, acknowledgements: Acknowledgements, now: float) -> Iterator[Facts]:
    """Yield the facts of every pending key that is known, by target."""
    for state in snapshot.targets:
        if state.keys is not None:
            for key in state.keys.by_id.values():
                if key.pending:
                    yield facts_of(state, key, acknowledgements, now)
