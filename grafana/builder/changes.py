"""KMS exporter, how changes are learned: events, the queue, shards, and what it saves."""

from typing import Final

from exporter.prices import PRICES
from grafana.builder import panels
from grafana.builder.panels import Box, Column, Panel, Query, Steps, columns, lines, number, rows
from grafana.builder.promql import SELECTED, SHARDS_SCRAPED, SHARDS_WANTED, TARGET

DAY: Final = 86400
ALL_THERE: Final[Steps] = ((None, "red"), (1, "green"))
WAITING: Final[Steps] = ((None, "green"), (10, "orange"), (100, "red"))
"""Messages that wait; the alert `KmsQueueNotDrained` warns after a quarter of an hour above the last step."""

PAID: Final = tuple(service for service, price in PRICES.items() if price.dollars)
"""The services whose requests cost something."""

MODES: Final = {"full": "blue", "changes": "green", "named": "orange"}
NAIVE: Final = "describing every key"
TAKEN: Final = "taken"
COLORS: Final = {NAIVE: "red", TAKEN: "green"}

# A pass of the most naive kind: each customer managed key described in each interval. Counted over all accounts, since
# requests are.
_NAIVE_REQUESTS: Final = (
    f'sum(max by ({TARGET}, key_manager, state) (kms_keys{{key_manager="CUSTOMER"}}))'
    " / scalar(max(kms_exporter_refresh_interval_seconds))"
)
_OF_SHARD: Final = "on (job, instance) group_left (index, total) kms_exporter_shard_info"

_SHARDS_THERE: Final = f"{SHARDS_SCRAPED} / on (total) {SHARDS_WANTED}"


def passes() -> Panel:
    """Build the panel of how deeply is looked."""
    return columns(
        Box(
            "Passes by mode",
            "Passes over targets in each interval, of all instances. A full pass describes every key; one for changes"
            " looks at pending keys and at what events named; a named one describes what a queue or CloudTrail named,"
            " at once.",
            12,
            8,
        ),
        [
            Query(
                "sum by (mode) (increase(kms_exporter_target_refresh_duration_seconds_count[$__rate_interval]))",
                "{{mode}}",
            )
        ],
        colors=MODES,
    )


def seen() -> Panel:
    """Build the panel of what tells of changes."""
    return columns(
        Box(
            "Changes by source",
            "What was noticed in each interval: transitions of keys (sweep, whatever made the exporter look), and"
            " events that named keys (cloudtrail, sqs). An event tells nothing by itself: the key is described.",
            12,
            8,
        ),
        [Query("sum by (source) (increase(kms_exporter_change_events_total[$__rate_interval]))", "{{source}}")],
        colors={"sweep": "blue", "cloudtrail": "green", "sqs": "orange"},
    )


def saved() -> tuple[Panel, ...]:
    """Build the panels of what watching takes against what it would take."""
    return (
        lines(
            Box(
                "KMS requests against describing every key",
                "Requests a second to KMS, of all instances and targets, against describing every customer managed key"
                " in every refresh.interval, which would see a change as soon.",
                12,
                8,
            ),
            [
                Query(_NAIVE_REQUESTS, NAIVE, "A"),
                Query('sum(rate(kms_exporter_aws_requests_total{service="kms"}[$__rate_interval]))', TAKEN, "B"),
            ],
            unit="reqps",
            colors=COLORS,
        ),
        lines(
            Box(
                "US dollars a day",
                f"What the requests cost at list prices (KMS {_price('kms')}, SQS {_price('sqs')} for 10,000; free tier"
                " left out; CloudTrail's are free), against describing every key in every refresh.interval.",
                12,
                8,
            ),
            [
                Query(f"{DAY * PRICES['kms'].dollars:g} * {_NAIVE_REQUESTS}", NAIVE, "A"),
                Query(_dollars(), TAKEN, "B"),
            ],
            unit="currencyUSD",
            colors=COLORS,
        ),
    )


def _price(service: str) -> str:
    return f"{10_000 * PRICES[service].dollars:g} USD"


def _dollars() -> str:
    """Return what is paid a day at the present rate."""
    parts = (
        f'({DAY * PRICES[service].dollars:g} * sum(rate(kms_exporter_aws_requests_total{{service="{service}"}}'
        "[$__rate_interval])) or 0 * count(kms_exporter_targets))"
        for service in PAID
    )
    return " + ".join(parts)


def events_and_shards() -> tuple[Panel, ...]:
    """Build the panels of where changes are learned from, and of who watches what."""
    interval = f"max by ({TARGET}, events, reason) (kms_exporter_target_full_interval_seconds{{{SELECTED}}})"
    return (
        number(
            Box(
                "Events readable",
                "Share of the targets whose changes CloudTrail tells. In the others every key is described each"
                " refresh.fallback_interval: a deletion is seen all the same, and costs more. KmsEventsLost warns"
                " after an hour.",
                4,
                7,
            ),
            Query(
                f'count(count by ({TARGET}) (kms_exporter_target_full_interval_seconds{{{SELECTED}, events!="none"}}))'
                f" / count(count by ({TARGET}) (kms_exporter_target_full_interval_seconds{{{SELECTED}}}))"
                f" or 0 * count(kms_exporter_target_full_interval_seconds{{{SELECTED}}})"
            ),
            unit="percentunit",
            decimals=0,
            steps=((None, "orange"), (1, "green")),
        ),
        rows(
            Box(
                "Where changes are learned from",
                "Targets by the source of events, by the reason where there is none, and by how often every key is"
                " described for that reason. “disabled”: changes.cloudtrail is false.",
                9,
                7,
            ),
            [
                Query(f"count by (events, reason) ({interval})", ref="A"),
                Query(f"max by (events, reason) ({interval})", ref="B"),
            ],
            [
                Column("events", "Events", 100),
                Column("reason", "Reason"),
                Column("Value #A", "Targets", 80),
                Column("Value #B", "Every key each", 126, {"unit": "s"}),
            ],
            sort="Targets",
            descending=True,
            no_value="Nothing has been asked yet.",
        ),
        number(
            Box(
                "Shards there",
                "Share of the shards (shard.total) that are scraped, the least where processes differ in shard.total."
                " What belongs to a missing one is watched by nobody: KmsShardMissing pages after 10 minutes. One"
                " process alone is one shard of one.",
                4,
                7,
            ),
            Query(f"min({_SHARDS_THERE})"),
            unit="percentunit",
            decimals=0,
            steps=ALL_THERE,
        ),
        rows(
            Box(
                "Shards",
                "Each shard with its share of the targets. More than one process of a shard are its replicas; more than"
                " one total is a rollout, or a mistake.",
                7,
                7,
            ),
            [
                Query("count by (index, total) (kms_exporter_shard_info)", ref="A"),
                Query(f"max by (index, total) (kms_exporter_targets * {_OF_SHARD})", ref="B"),
            ],
            [
                Column("index", "Shard"),
                Column("total", "Of", 60),
                Column("Value #A", "Processes", 95),
                Column("Value #B", "Targets", 80),
            ],
            sort="Shard",
        ),
    )


def queue() -> tuple[Panel, ...]:
    """Build the panels of the queue, which are empty where none is configured."""
    return (
        number(
            Box(
                "Queue",
                "Whether every instance can receive from its queue (changes.sqs_queue_url), empty and measure it. No"
                " data: no queue is configured.",
                4,
                8,
            ),
            Query("min(kms_exporter_queue_up)"),
            steps=ALL_THERE,
            mappings=[panels.value_map({"0": ("failing", "red"), "1": ("up", "green")})],
        ),
        number(
            Box(
                "Waiting",
                "Messages that wait in the fullest queue, about. KmsQueueNotDrained warns when more than 100 do for a"
                " quarter of an hour.",
                4,
                8,
            ),
            Query("max(kms_exporter_queue_messages)"),
            steps=WAITING,
        ),
        columns(
            Box(
                "Messages by outcome",
                "What became of messages: handled (its keys were described), ignored (about nothing that is watched"
                " here, or nothing that changes a key), failed (comes again), poison (no event).",
                8,
                8,
            ),
            [
                Query(
                    "sum by (outcome) (increase(kms_exporter_queue_received_messages_total[$__rate_interval]))",
                    "{{outcome}}",
                )
            ],
            colors={"handled": "green", "ignored": "blue", "failed": "orange", "poison": "red"},
        ),
        lines(
            Box(
                "Age of events",
                "Age of the oldest message of each minute when it was received: how late EventBridge and the queue"
                " are.",
                8,
                8,
            ),
            [Query("max(kms_exporter_queue_oldest_message_age_seconds)", "oldest")],
            unit="s",
        ),
    )
