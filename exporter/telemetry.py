"""What the exporter tells about itself: its AWS requests, its passes, its configuration, its process."""

import platform
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from exporter.model import PassKind

# A KMS request takes 5-50 ms, a throttled one with its retries seconds. Few buckets: every scrape tells all of them.
_REQUEST_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

# From a changes pass of an empty region (two requests) to a full pass of 100,000 keys within the request budget.
_PASS_SECONDS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)

_Family = TypeVar("_Family", Counter, Gauge)


class Durations(Collector):
    """Histograms of durations in seconds, one for each set of label values.

    `prometheus_client.Histogram` has a lock for each bucket and takes each of them twice when collected. With a dozen
    kinds of AWS requests that was half of what the exporter's own metrics cost a scrape.
    """

    def __init__(self, name: str, help_text: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> None:
        """Start without any series; `bounds` are the upper bounds of the buckets, ascending, without infinity."""
        self._name = name
        self._help = help_text
        self._labels = labels
        self._bounds = bounds
        self._bound_texts = (*map(str, bounds), "+Inf")
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def add(self, *labels: str) -> None:
        """Show a series before anything was observed."""
        with self._lock:
            self._counts.setdefault(labels, [0] * len(self._bound_texts))
            self._sums.setdefault(labels, 0.0)

    def observe(self, seconds: float, *labels: str) -> None:
        """Count a duration."""
        if labels not in self._sums:
            self.add(*labels)
        bucket = bisect_left(self._bounds, seconds)
        with self._lock:
            self._counts[labels][bucket] += 1
            self._sums[labels] += seconds

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Tell the registry the name (prometheus-client's protocol for collectors)."""
        yield HistogramMetricFamily(self._name, self._help, labels=self._labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Tell the registry what was observed."""
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        with self._lock:
            series = [(labels, tuple(counts), self._sums[labels]) for labels, counts in self._counts.items()]
        for labels, counts, total in series:
            family.add_metric(labels, list(zip(self._bound_texts, accumulate(counts), strict=True)), total)
        yield family


class Fact(Collector):
    """A gauge without labels that has no value before there is one to tell; `prometheus_client.Gauge` begins at 0."""

    def __init__(self, name: str, help_text: str) -> None:
        """Start without a value."""
        self._name = name
        self._help = help_text
        self._value: float | None = None

    def set(self, value: float | None) -> None:
        """Tell a value from now on, or none."""
        self._value = value

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Tell the registry the name (prometheus-client's protocol for collectors)."""
        yield GaugeMetricFamily(self._name, self._help)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Tell the registry the value."""
        yield GaugeMetricFamily(self._name, self._help, value=self._value)


class Telemetry:
    """The exporter's own metrics, on a registry of their own.

    Every method may be called from any thread, `request` about a thousand times a second: finding a counter by its
    labels costs more than incrementing it, so counters are kept. Two threads that meet a new label pair at once get the
    same counter from prometheus-client, hence no lock here.

    Attributes:
        registry: where every family is registered.
        labels: the labels of each of the exporter's own families, by its name: a registry does not tell them.
    """

    def __init__(self, registry: CollectorRegistry, *, version: str, revision: str, loaded_at: float) -> None:
        """Register every family.

        Args:
            registry: a fresh one, shared with nobody: `process_*` and `python_*` are registered on it too.
            version: the exporter's version.
            revision: the commit that it was built from, `""` when unknown.
            loaded_at: when the configuration was first loaded, Unix seconds.
        """
        self.registry = registry
        self.labels: dict[str, tuple[str, ...]] = {}
        PlatformCollector(registry=registry)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

        self._add(
            Gauge,
            "kms_exporter_build_info",
            "What is running; always 1.",
            ("version", "revision", "python_version"),
        ).labels(version, revision, platform.python_version()).set(1)
        of_request = ("service", "operation")
        self._requests = self._add(
            Counter, "kms_exporter_aws_requests_total", "Requests sent to AWS, whatever the answer.", of_request
        )
        self._request_seconds = self._add_durations(
            "kms_exporter_aws_request_duration_seconds",
            "Time until AWS answered a request.",
            of_request,
            _REQUEST_SECONDS,
        )
        self._throttles = self._add(
            Counter, "kms_exporter_aws_throttles_total", "Requests that AWS refused because of their rate.", of_request
        )
        self._pass_seconds = self._add_durations(
            "kms_exporter_target_refresh_duration_seconds",
            "Duration of a pass over a target (one account in one region).",
            ("mode",),
            _PASS_SECONDS,
        )
        for mode in PassKind:
            self._pass_seconds.add(mode)
        self._changes = self._add(
            Counter,
            "kms_exporter_change_events_total",
            "Changes of keys that were found by asking for keys (source sweep), and events that named keys (sources "
            "cloudtrail and sqs), by what happened: one change may be counted by each source.",
            ("source", "event"),
        )
        self._targets = self._add(
            Gauge, "kms_exporter_targets", "Targets (one account in one region each) that are watched."
        )
        self._shard = self._add(
            Gauge,
            "kms_exporter_shard_info",
            "Which part of the targets this process watches; always 1.",
            ("index", "total"),
        )
        self._shards = self._add(
            Gauge, "kms_exporter_shards", "How many shards there are, as this process is configured."
        )
        self._unmatched = self._add(
            Gauge,
            "kms_exporter_acknowledgements_unmatched",
            "Acknowledgements of the configuration that are about no known key; 0 in a shard, which can't tell.",
        )
        self._interval = self._add(
            Gauge, "kms_exporter_refresh_interval_seconds", "Time between two passes over a target, as configured."
        )
        self._reload_ok = self._add(
            Gauge,
            "kms_exporter_config_last_reload_successful",
            "1 if the configuration and the web configuration that were read last are in force, 0 if one of them was "
            "refused and an earlier one is.",
        )
        self._reload_at = self._add(
            Gauge,
            "kms_exporter_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was read.",
        )
        self._queue_up = self._add_fact(
            "kms_exporter_queue_up", "1 if the queue of changes.sqs_queue_url is received from, emptied and measured."
        )
        self._queue_answered_at = self._add_fact(
            "kms_exporter_queue_last_success_timestamp_seconds",
            "When the queue last answered whether there are messages.",
        )
        self._queue_waiting = self._add_fact(
            "kms_exporter_queue_messages", "Messages that wait in the queue, about; asked once a minute."
        )
        self._queue_oldest_age = self._add_fact(
            "kms_exporter_queue_oldest_message_age_seconds",
            "Age of the oldest message that came within a minute, when it came; 0 where none did.",
        )
        self._queue_messages = self._add(
            Counter,
            "kms_exporter_queue_received_messages_total",
            "Messages received, by what became of them; one that comes again counts again.",
            ("outcome",),
        )
        self._request_counters: dict[tuple[str, str], Counter] = {}
        self._config_ok = self._web_config_ok = True
        self.reloaded(loaded_at)

    def request(self, service: str, operation: str, seconds: float) -> None:
        """Count a request to AWS (`kms`, `DescribeKey`) that took `seconds`, whatever its answer."""
        counter = self._request_counters.get((service, operation))
        if counter is None:
            counter = self._request_counters[service, operation] = self._requests.labels(service, operation)
        counter.inc()
        self._request_seconds.observe(seconds, service, operation)

    def throttled(self, service: str, operation: str) -> None:
        """Count a request that AWS refused because of its rate."""
        self._throttles.labels(service, operation).inc()

    def pass_ended(self, mode: str, seconds: float) -> None:
        """Count a pass over a target, of a `PassKind`, that took `seconds`, whether it succeeded or not."""
        self._pass_seconds.observe(seconds, mode)

    def expect_changes(self, source: str, events: Iterable[str]) -> None:
        """Show these changes at 0: without that, `increase` does not see the first of each."""
        for event in events:
            self._changes.labels(source, event)

    def change(self, source: str, event: str) -> None:
        """Count a change of a key, or an event that named one."""
        self._changes.labels(source, event).inc()

    def reloaded(self, at: float) -> None:
        """Tell that a configuration was put in force at `at`, in Unix seconds."""
        self._config_ok = True
        self._show_configurations()
        self._reload_at.set(at)

    def reload_failed(self) -> None:
        """Tell that a configuration could not be put in force."""
        self._config_ok = False
        self._show_configurations()

    def web_config_read(self, usable: bool) -> None:
        """Tell whether the web configuration could be put in force when it was read last."""
        self._web_config_ok = usable
        self._show_configurations()

    def shard(self, index: int, total: int) -> None:
        """Show which of `total` shards this is."""
        self._shard.clear()
        self._shard.labels(str(index), str(total)).set(1)
        self._shards.set(total)

    def acknowledgements_unmatched(self, count: int) -> None:
        """Show how many acknowledgements are about no key."""
        self._unmatched.set(count)

    def targets(self, count: int) -> None:
        """Tell how many targets are watched."""
        self._targets.set(count)

    def refresh_interval(self, seconds: float) -> None:
        """Tell how long a target waits between two passes, as configured."""
        self._interval.set(seconds)

    def queue_reading(self, outcomes: Iterable[str]) -> None:
        """Show that a queue is read, and what may become of its messages at 0."""
        for outcome in outcomes:
            self._queue_messages.labels(outcome)

    def queue_message(self, outcome: str) -> None:
        """Count a message that was received."""
        self._queue_messages.labels(outcome).inc()

    def queue_up(self, up: bool) -> None:
        """Show whether the queue works."""
        self._queue_up.set(int(up))

    def queue_answered(self, at: float) -> None:
        """Show when (Unix seconds) the queue was read last."""
        self._queue_answered_at.set(at)

    def queue_level(self, waiting: int | None, oldest_age: float | None) -> None:
        """Show how many messages wait, and how old (in seconds) the oldest was that came lately; None is unknown."""
        self._queue_waiting.set(waiting)
        self._queue_oldest_age.set(oldest_age)

    def queue_gone(self) -> None:
        """Show nothing of a queue any more."""
        for fact in (self._queue_up, self._queue_answered_at, self._queue_waiting, self._queue_oldest_age):
            fact.set(None)
        self._queue_messages.clear()

    def _show_configurations(self) -> None:
        self._reload_ok.set(int(self._config_ok and self._web_config_ok))

    def _add(self, kind: type[_Family], name: str, help_text: str, labels: tuple[str, ...] = ()) -> _Family:
        self.labels[name] = labels
        return kind(name, help_text, labels, registry=self.registry)

    def _add_fact(self, name: str, help_text: str) -> Fact:
        self.labels[name] = ()
        fact = Fact(name, help_text)
        self.registry.register(fact)
        return fact

    def _add_durations(
        self, name: str, help_text: str, labels: tuple[str, ...], bounds: tuple[float, ...]
    ) -> Durations:
        self.labels[name] = labels
        durations = Durations(name, help_text, labels, bounds)
        self.registry.register(durations)
        return durations
