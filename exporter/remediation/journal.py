"""What is written about a run, and in which words."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

import exporter
from exporter.model import Key, Scheduling
from exporter.remediation.plan import Plan, Step
from exporter.remediation.record import FORMAT
from exporter.remediation.results import Change, Outcome, Result


class Event(StrEnum):
    """What happened."""

    STARTED = "started"
    PLANNED = "planned"
    CANCELLING = "cancelling"
    """CancelKeyDeletion is about to be sent: should nothing follow, it may have been."""
    CANCELLED = "cancelled"
    ENABLED = "enabled"
    VERIFIED = "verified"
    """DescribeKey told the state that was wanted, more than once."""
    FAILED = "failed"
    FINISHED = "finished"


class Sink(Protocol):
    """Where entries go."""

    def append(self, entry: dict[str, Any]) -> None:
        """Take an entry in."""
        ...


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes the entries of one run: who, when, why, which key, before and after.

    Attributes:
        caller: the ARN of whoever runs it.
        ticket: `""` without one.
        now: Unix seconds.
        run: tells the entries of one run from those of others.
    """

    sink: Sink
    caller: str
    reason: str
    ticket: str
    now: Callable[[], float]
    run: str = field(default_factory=lambda: str(uuid.uuid4()))

    def started(self, plan: Plan) -> None:
        """Write what is about to be done, and what can't be for want of knowledge."""
        self._write(Event.STARTED, keys=len(plan.to_change), unchecked=list(plan.unchecked))
        for step in plan.to_change:
            self._of_step(Event.PLANNED, step)

    def cancelling(self, step: Step) -> None:
        """Write that the request is about to be sent."""
        self._of_step(Event.CANCELLING, step)

    def changed(self, step: Step, change: Change, detail: str = "") -> None:
        """Write that AWS accepted a change."""
        event = Event.CANCELLED if change.operation == "CancelKeyDeletion" else Event.ENABLED
        request = {"operation": change.operation, "request_id": change.request_id or None}
        self._of_step(event, step, request=request, detail=detail)

    def ended(self, result: Result) -> None:
        """Write what became of a key."""
        event = Event.VERIFIED if result.outcome.good else Event.FAILED
        after = None if result.after is None else _state(result.after)
        self._of_step(event, result.step, after=after, outcome=result.outcome.value, detail=result.detail)

    def finished(self, results: Iterable[Result]) -> None:
        """Write how many keys ended how."""
        counts = Counter(result.outcome for result in results)
        self._write(Event.FINISHED, outcomes={outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]})

    def _of_step(self, event: Event, step: Step, **more: Any) -> None:
        facts, key, target = step.facts, step.facts.key, step.facts.target
        self._write(
            event,
            key={
                "arn": key.arn,
                "account_id": target.account_id,
                "account_name": facts.account_name,
                "region": target.region,
                "key_id": key.key_id,
                "aliases": list(key.aliases),
            },
            through=step.through or None,
            action=step.action.value,
            before=_state(key),
            scheduling=_scheduling(facts.evidence.scheduling),
            **more,
        )

    def _write(self, event: Event, **more: Any) -> None:
        entry: dict[str, Any] = {
            "format": FORMAT,
            "at": rfc3339(self.now()),
            "run": self.run,
            "event": event.value,
            "by": self.caller,
            "reason": self.reason,
            "ticket": self.ticket or None,
            "exporter_version": exporter.__version__,
        }
        self.sink.append(entry | more)


def rfc3339(moment: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _state(key: Key) -> dict[str, Any]:
    at = key.deletion.at if key.deletion else None
    return {"state": key.state, "deletion_date": None if at is None else rfc3339(at)}


def _scheduling(scheduling: Scheduling | None) -> dict[str, Any] | None:
    if scheduling is None:
        return None
    return {
        "at": rfc3339(scheduling.at),
        "by": scheduling.by or None,
        "principal_arn": scheduling.principal_arn or None,
        "event_id": scheduling.event_id or None,
    }
