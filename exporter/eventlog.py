"""What the refresh loop found, as people read it in the log and as counters tell it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from exporter.aws.discovery import Watch
from exporter.log import Log
from exporter.model import ConfigView, Snapshot, Target, TargetState, Transition, TransitionKind

SWEEP: Final = "sweep"
"""The source of a change that was found by asking for keys, whatever made us ask."""
CLOUDTRAIL: Final = "cloudtrail"
QUEUE: Final = "sqs"
"""Sources of events, which only name keys."""

_ALARMING: Final = frozenset({TransitionKind.SCHEDULED, TransitionKind.RESCHEDULED, TransitionKind.DELETED})


class Counters(Protocol):
    """What is counted."""

    def change(self, source: str, event: str) -> None:
        """Count a change or an event."""
        ...


class EventLog:
    """Tells what is new, and only that: what stands as it stood is not repeated."""

    def __init__(self, log: Log, counters: Counters) -> None:
        self._log = log
        self._counters = counters

    def discovered(self, before: Snapshot, watch: Watch, targets: Iterable[Target]) -> None:
        """Tell which accounts and targets came, left, failed or recovered."""
        known = before.account_errors
        for account_id, error in watch.account_errors.items():
            if error and error != known.get(account_id):
                self._log.warning("account_failed", account_id=account_id, error=error)
            elif account_id in known and not error:
                self._log.info("account_recovered", account_id=account_id)
        if watch.organization_error and before.organization is not False:
            self._log.warning("organization_failed", error=watch.organization_error)
        watched, wanted = {state.target for state in before.targets}, set(targets)
        for target in sorted(wanted - watched):
            self._log.info("target_added", **_where(target))
        for target in sorted(watched - wanted):
            self._log.info("target_removed", **_where(target))

    def changed(self, transitions: Iterable[Transition]) -> None:
        """Tell and count what happened to keys."""
        for transition in transitions:
            self._counters.change(SWEEP, transition.kind)
            key, at = transition.key, transition.key.deletion.at if transition.key.deletion else None
            write = self._log.warning if transition.kind in _ALARMING else self._log.info
            write(
                transition.kind,
                **_where(transition.target),
                key_id=key.key_id,
                alias=key.alias or None,
                before=transition.before or None,
                state=key.state,
                deletion_date=None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
            )

    def passed(self, before: TargetState, after: TargetState) -> None:
        """Tell how a target stands after a pass."""
        where = _where(after.target)
        if before.up is None and after.up and after.keys is not None:
            keys = after.keys.by_id.values()
            self._log.info("target_read", **where, keys=len(keys), pending=sum(key.pending for key in keys))
        elif after.up and before.up is False:
            self._log.info("target_recovered", **where)
        elif after.up is False and after.last_error != before.last_error:
            self._log.warning("target_failed", **where, error=after.last_error)
        for key_id in after.unreadable.keys() - before.unreadable.keys():
            self._log.warning("key_unreadable", **where, key_id=key_id, reason=after.unreadable[key_id].reason)

    def learned(self, before: TargetState, after: TargetState) -> None:
        """Tell which sources of evidence failed or recovered."""
        where = _where(after.target)
        for source, error in after.sources.items():
            if error and error != before.sources.get(source):
                self._log.warning("source_failed", **where, source=source, error=error)
            elif not error and before.sources.get(source):
                self._log.info("source_recovered", **where, source=source)

    def events(self, before: TargetState, after: TargetState) -> None:
        """Tell from where changes of a target's keys are learned from now on."""
        if after.events is None or after.events == before.events:
            return
        lost = before.events is not None and bool(after.events.reason)
        write = self._log.warning if lost else self._log.info
        write(
            "events_lost" if lost else "events_unreadable" if after.events.reason else "events_readable",
            **_where(after.target),
            source=after.events.source,
            reason=after.events.reason or None,
            full_interval=after.events.full_interval,
        )

    def cross_checked(self, before: ConfigView, after: ConfigView) -> None:
        """Tell whether AWS Config failed or recovered, and which keys nobody watches that it reports as pending."""
        if after.error and after.error != before.error:
            self._log.warning("config_failed", error=after.error)
        elif after.up and before.up is False:
            self._log.info("config_recovered")
        told = {key.arn for key in before.unwatched or ()}
        for key in after.unwatched or ():
            if key.arn not in told:
                self._log.warning("config_unwatched_key", **_where(key.target), key_id=key.key_id, state=key.state)

    def named(self, source: str, names: Iterable[str]) -> None:
        """Count events that named keys."""
        for name in names:
            self._counters.change(source, name)


def _where(target: Target) -> Mapping[str, str]:
    return {"account_id": target.account_id, "region": target.region}
