"""KMS deletions, the pending keys: by whom, whether still used, whether meant."""

from collections.abc import Mapping
from typing import Final

from grafana.builder import panels
from grafana.builder.panels import Box, Column, Panel, Query, Steps, columns, number, rows
from grafana.builder.promql import (
    KEY,
    by_whom,
    described,
    in_state,
    key,
    labelled,
    last_use,
    or_zero,
    pending,
    seconds_left,
    with_console,
)

DAY: Final = 86400
SOON_DAYS: Final = 7
IMMINENT_DAYS: Final = 2
"""As the alerts `KmsKeyDeletionSoon` and `KmsKeyDeletionImminent` have them."""

IN_USE_DAYS: Final = 7
LONGEST_WAIT_DAYS: Final = 30
"""As the alert `KmsKeyPendingDeletionInUse` has them."""

FOREVER_DAYS: Final = 10_000
"""More than any waiting period: a primary that waits for its replicas has infinite days left, as in the rules."""

LEFT: Final[Steps] = ((None, "red"), (IMMINENT_DAYS, "orange"), (SOON_DAYS, "yellow"), (14, "blue"))
"""Colours of days left."""

UNKNOWN: Final[Mapping[str, object]] = {"noValue": "unknown", "custom.align": "left"}

COUNT: Final[Steps] = ((None, "green"), (1, "orange"))
ALARM: Final[Steps] = ((None, "green"), (1, "red"))
MISSED: Final[Steps] = ((None, "text"), (1, "red"))
"""Of denied uses in a row: "unknown" must not look calm."""
PLAIN: Final[Steps] = ((None, "text"),)


def build() -> tuple[Panel, ...]:
    """Build the panels."""
    return (*_answers(), _table(), _declared(), _denied())


def _answers() -> tuple[Panel, ...]:
    acknowledged = f"({key('kms_key_deletion_acknowledged')} == 1)"
    denied = key("kms_key_deletion_denied_uses")
    in_use = f"({_days_unused()} < {IN_USE_DAYS})"
    return (
        number(
            Box(
                "Not acknowledged",
                "Pending keys whose deletion nobody has declared intended, or no longer: their alerts warn, then page.",
                6,
                4,
            ),
            Query(or_zero(f"count({pending()} unless on ({KEY}) {acknowledged})")),
            steps=COUNT,
        ),
        number(
            Box(
                "Acknowledged",
                "Pending keys whose deletion is declared intended, by the configuration or by their tag. Their alerts"
                " inform, unless the key was in use or uses are denied.",
                6,
                4,
            ),
            Query(or_zero(f"count({acknowledged} and on ({KEY}) {pending()})")),
            steps=PLAIN,
        ),
        number(
            Box(
                "In use before",
                f"Pending keys that were used in the {IN_USE_DAYS} days before they were scheduled, or since;"
                " KmsKeyPendingDeletionInUse pages for each of them, acknowledged or not. Keys whose uses are not"
                " known do not count; no data: of no pending key a use is known.",
                6,
                4,
            ),
            Query(f"count({in_use}) or 0 * count({last_use()} and on ({KEY}) {pending()})"),
            steps=ALARM,
        ),
        number(
            Box(
                "Missed now",
                "Pending keys that somebody tried to use since they were scheduled; KmsKeyPendingDeletionDeniedUse"
                " pages for each of them, acknowledged or not. No data: of no pending key it is known.",
                6,
                4,
            ),
            Query(f"count({denied} > 0) or 0 * count({denied})"),
            steps=ALARM,
        ),
    )


def _days_unused() -> str:
    """Select the pending keys with a known use, with the days from it to their scheduling, as the alert does."""
    wait = LONGEST_WAIT_DAYS * DAY
    scheduled = (
        f"{key('kms_key_deletion_scheduled_timestamp_seconds')}"
        f" or on ({KEY}) {key('kms_key_deletion_timestamp_seconds')} - {wait}"
        f" or on ({KEY}) time() - {wait} * {pending()}"
    )
    return f"(({scheduled}) - on ({KEY}) {key('kms_key_last_used_timestamp_seconds')}) / {DAY}"


def _table() -> Panel:
    keys = {
        "A": f"({seconds_left()} / {DAY} or on ({KEY}) {in_state('PendingReplicaDeletion')} / 0)",
        "B": f"1000 * {key('kms_key_deletion_timestamp_seconds')}",
        "D": pending(),
        "E": by_whom(labelled("kms_key_deletion_info", "scheduled_by")),
        "F": f"1000 * {key('kms_key_deletion_scheduled_timestamp_seconds')}",
        "G": f"({last_use()} and on ({KEY}) {pending()})",
        "H": key("kms_key_grants"),
        "I": key("kms_key_deletion_denied_uses"),
        "J": key("kms_key_deletion_acknowledged"),
    }
    return rows(
        Box(
            "Keys pending deletion",
            "Every key on its way to destruction, the next one first: by whom, whether it is still used, whether it is"
            " meant. A click on a key opens it in the AWS console (sign in to its account before); the runbook tells"
            " how to find out more, and how to save it: cancel the deletion and enable the key again. A multi-Region"
            " primary that waits for its replicas has no date yet. “unknown”: its source could not tell, or was not"
            " asked.",
            24,
            14,
        ),
        [Query(with_console(described(expr)), ref=ref) for ref, expr in keys.items()],
        [
            Column(
                "Value #A",
                "Days left",
                92,
                {
                    "decimals": 1,
                    "mappings": [panels.range_map(FOREVER_DAYS, "no date", "purple")],
                    "thresholds": panels.thresholds(LEFT).build(),
                    "custom.cellOptions": {"type": "color-background", "mode": "basic"},
                    "custom.align": "right",
                },
            ),
            Column("Value #B", "Deleted on", 134, {"unit": "time:YYYY-MM-DD HH:mm"}),
            Column("name", "Key", properties={"links": [panels.CONSOLE]}),
            Column("account", "Account", 90),
            Column("region", "Region", 120),
            Column("scheduled_by", "Scheduled by", 230, {"noValue": "unknown"}),
            Column("Value #F", "Scheduled", 100, {"unit": "dateTimeFromNow", **UNKNOWN}),
            panels.last_used(108),
            Column("Value #H", "Grants", 68, {"custom.align": "right", "noValue": "unknown"}),
            Column(
                "Value #I",
                "Denied uses",
                98,
                {
                    "thresholds": panels.thresholds(MISSED).build(),
                    "custom.cellOptions": {"type": "color-text"},
                    "custom.align": "right",
                    "noValue": "unknown",
                },
            ),
            Column(
                "Value #J",
                "Acknowledged",
                118,
                {
                    "mappings": [panels.value_map({"0": ("no", "orange"), "1": ("yes", "green")})],
                    "thresholds": panels.thresholds(PLAIN).build(),
                    "custom.cellOptions": {"type": "color-text"},
                    **UNKNOWN,
                },
            ),
            Column(
                "Value #D",
                "What to do",
                88,
                {
                    "mappings": [panels.value_map({"1": ("Runbook", "text")})],
                    "custom.align": "left",
                    "links": [
                        {
                            "title": "Runbook",
                            "url": "${runbooks}/KmsKeyDeletionScheduled.md",
                            "targetBlank": True,
                        }
                    ],
                },
            ),
        ],
        sort="Days left",
        dropped=("alias", "account_id", "account_name", "Value #E"),
        hidden=(Column("console", "console"), Column("key_id", "key_id")),
        no_value="No key is pending, or nothing was read: the count above tells.",
    )


def _declared() -> Panel:
    declared = (
        f"({key('kms_key_deletion_acknowledged')} == 1"
        f" or on ({KEY}) {key('kms_key_deletion_acknowledged_until_timestamp_seconds')})"
    )
    facts = labelled("kms_key_deletion_info", "reason, ticket, acknowledged_by")
    keys = {
        "A": f"({facts} and on ({KEY}) {declared})",
        "B": f"({key('kms_key_deletion_acknowledged')} and on ({KEY}) {declared})",
        "C": f"1000 * {key('kms_key_deletion_acknowledged_until_timestamp_seconds')}",
    }
    return rows(
        Box(
            "Declared intended",
            "The pending keys that the configuration (deletions.acknowledgements) or a tag of the key declares to be"
            " meant for deletion, with what was declared. It calms alerts until it expires, and not where the key is"
            " in use.",
            24,
            6,
        ),
        [Query(described(expr), ref=ref) for ref, expr in keys.items()],
        [
            Column("name", "Key", 180),
            Column("account", "Account", 110),
            Column("region", "Region", 130),
            Column(
                "Value #B",
                "Counts",
                90,
                {
                    "mappings": [panels.value_map({"0": ("expired", "orange"), "1": ("yes", "green")})],
                    "custom.cellOptions": {"type": "color-text"},
                    "custom.align": "left",
                },
            ),
            Column("Value #C", "Until", 144, {"unit": "time:YYYY-MM-DD HH:mm", "noValue": "no end"}),
            Column("reason", "Reason"),
            Column("ticket", "Ticket", 110),
            Column("acknowledged_by", "Approved by", 170),
        ],
        sort="Key",
        dropped=("alias", "account_id", "account_name", "key_id", "Value #A"),
        no_value="No pending deletion is declared intended, or nothing was read.",
    )


def _denied() -> Panel:
    counts = "kms_key_deletion_denied_uses"
    now, before = (key(counts, over="max_over_time[$__interval]", offset=offset) for offset in ("", "$__interval"))
    return columns(
        Box(
            "Denied uses of pending keys",
            "Attempts to use a key that failed because it is pending deletion, in each interval, by CloudTrail's events"
            " (about five minutes late): something is broken for want of it. Keys whose events cannot be read are not"
            " here.",
            24,
            7,
        ),
        [Query(described(f"({now} - on ({KEY}) {before} > 0)"), "{{name}} · {{account}} · {{region}}")],
        interval="5m",
    )
