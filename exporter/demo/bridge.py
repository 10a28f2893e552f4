"""EventBridge: rules that send what happens to keys into queues (EventBridge Reference, "AWS KMS events")."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from exporter.demo.agenda import Agenda
from exporter.demo.queues import Queue
from exporter.demo.services.cloudtrail_events import record
from exporter.demo.trail import Event

API_CALL: Final = "AWS API Call via CloudTrail"
SERVICE_EVENT: Final = "AWS Service Event via CloudTrail"

_OF_KMS: Final = {
    "DeleteKey": "KMS CMK Deletion",
    "DeleteExpiredKeyMaterial": "KMS Imported Key Material Expiration",
}
"""What KMS sends itself when it does these things (KMS Developer Guide, "Monitor KMS keys with Amazon EventBridge")."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes into which queue; None is any.

    Attributes:
        names: of the requests that CloudTrail tells of; what KMS sends itself goes through all the same.
    """

    queue: Queue
    accounts: frozenset[str] | None = None
    regions: frozenset[str] | None = None
    names: frozenset[str] | None = None

    def takes(self, account_id: str, region: str) -> bool:
        """Whether it is about events of an account and region."""
        in_account = self.accounts is None or account_id in self.accounts
        return in_account and (self.regions is None or region in self.regions)


class EventBridge:
    """The buses of all accounts and regions at once.

    Attributes:
        lag: how long an event takes to arrive, in seconds of the world.
    """

    def __init__(self, agenda: Agenda) -> None:
        self.lag = 0.0
        self._agenda = agenda
        self._rules: list[Rule] = []

    def add_rule(
        self,
        queue: Queue,
        *,
        accounts: Iterable[str] | None = None,
        regions: Iterable[str] | None = None,
        names: Iterable[str] | None = None,
    ) -> None:
        """Send events into a queue from now on; see `Rule`."""
        limits = (None if each is None else frozenset(each) for each in (accounts, regions, names))
        self._rules.append(Rule(queue, *limits))

    def witness(self, event: Event, account_id: str, region: str) -> None:
        """Send what CloudTrail has put on record wherever a rule wants it, but for what only reads.

        EventBridge User Guide, "Receiving read-only management events": a rule must ask for those.
        """
        rules = [rule for rule in self._rules if rule.takes(account_id, region)]
        if not rules or event.deed.reads:
            return
        told = [_via_cloudtrail(event, account_id, region)]
        if event.deed.name in _OF_KMS:
            told.append(_by_kms(event, account_id, region))
        for rule in rules:
            for envelope in told:
                name = envelope["detail"].get("eventName")
                if name is None or rule.names is None or name in rule.names:
                    self._deliver(rule.queue, json.dumps(envelope), account_id)

    def _deliver(self, queue: Queue, body: str, group: str) -> None:
        def send() -> None:
            queue.send(body, group=group)

        if self.lag:
            self._agenda.plan(self._agenda.time() + self.lag, send)
        else:
            send()


def _via_cloudtrail(event: Event, account_id: str, region: str) -> dict[str, Any]:
    kind = SERVICE_EVENT if event.deed.by is None else API_CALL
    return {
        **_envelope(event, account_id, region, kind),
        "resources": [],
        "detail": record(event, account_id, region),
    }


def _by_kms(event: Event, account_id: str, region: str) -> dict[str, Any]:
    key_arn = event.deed.key_arn
    return {
        **_envelope(event, account_id, region, _OF_KMS[event.deed.name]),
        "resources": [key_arn],
        "detail": {"key-id": key_arn.rpartition("/")[2]},
    }


def _envelope(event: Event, account_id: str, region: str, kind: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid5(NAMESPACE_URL, f"{kind}/{event.event_id}")),
        "detail-type": kind,
        "source": "aws.kms",
        "account": account_id,
        "time": datetime.fromtimestamp(event.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
    }
