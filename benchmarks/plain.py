"""The same key series through prometheus-client alone, as most exporters are written: a custom collector."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.model import Snapshot

_K = ("account_id", "region", "key_id")
_INFO = (
    *_K,
    "arn",
    "alias",
    "description",
    "account_name",
    "key_manager",
    "key_spec",
    "key_usage",
    "origin",
    "multi_region",
)


class PlainCollector(Collector):
    """Makes every family anew at each scrape."""

    def __init__(self, snapshot: Snapshot, now: Callable[[], float]) -> None:
        self._snapshot = snapshot
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        info = GaugeMetricFamily("kms_key_info", "The key's attributes; always 1.", labels=_INFO)
        alias = GaugeMetricFamily("kms_key_alias", "1 for each alias of the key.", labels=(*_K, "alias"))
        state = GaugeMetricFamily("kms_key_state", "1 for the state that the key is in.", labels=(*_K, "state"))
        created = GaugeMetricFamily("kms_key_created_timestamp_seconds", "When the key was created.", labels=_K)
        pending = GaugeMetricFamily("kms_key_pending_deletion", "1 while the key is pending deletion.", labels=_K)
        deletion = GaugeMetricFamily("kms_key_deletion_timestamp_seconds", "When AWS deletes the key.", labels=_K)
        left = GaugeMetricFamily("kms_key_deletion_days_left", "Days until AWS deletes the key.", labels=_K)
        counts = GaugeMetricFamily("kms_keys", "Keys.", labels=("account_id", "region", "key_manager", "state"))
        now = self._now()
        for known in self._snapshot.targets:
            if known.keys is None:
                continue
            where = (known.target.account_id, known.target.region)
            for key in known.keys.by_id.values():
                identity = (*where, key.key_id)
                info.add_metric(
                    (
                        *identity,
                        key.arn,
                        key.alias,
                        key.description,
                        known.account_name,
                        key.key_manager,
                        key.key_spec,
                        key.key_usage,
                        key.origin,
                        key.multi_region,
                    ),
                    1,
                )
                for name in key.aliases:
                    alias.add_metric((*identity, name), 1)
                state.add_metric((*identity, key.state), 1)
                if key.created_at is not None:
                    created.add_metric(identity, key.created_at)
                pending.add_metric(identity, key.pending)
                if key.deletion is not None and key.deletion.at is not None:
                    deletion.add_metric(identity, key.deletion.at)
                    left.add_metric(identity, (key.deletion.at - now) / 86400)
            states = Counter((key.key_manager, key.state) for key in known.keys.by_id.values())
            states["CUSTOMER", "PendingDeletion"] += 0
            for manager_and_state, count in states.items():
                counts.add_metric((*where, *manager_and_state), count)
        yield from (info, alias, state, created, pending, deletion, left, counts)
