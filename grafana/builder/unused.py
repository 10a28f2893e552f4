"""KMS fleet, the keys that nobody uses, and what they cost."""

from typing import Final

from grafana.builder import panels, states
from grafana.builder.panels import Box, Column, Panel, Query, Steps, bars, number, rows
from grafana.builder.promql import (
    KEY,
    NEVER,
    account_named,
    counted,
    described,
    key,
    last_use,
    pending,
    with_console,
)

DAY: Final = 86400
UNUSED_DAYS: Final = 90
LONGEST: Final = 200
"""Rows of the table at most: a region may hold 100,000 keys."""

CUSTOMER: Final = 'key_manager="CUSTOMER"'

PLAIN: Final[Steps] = ((None, "text"),)

_RECORD: Final = (
    "Known where AWS's record of uses reaches back 90 days and the exporter asks for it (keys.last_usage for all keys,"
    " else pending keys alone)."
)
_COST: Final = (
    "A dollar a month for each, prorated by the hour. A replica of a multi-Region key costs as much as its primary,"
    " the first and the second rotation of a key a dollar a month more each; a key pending deletion costs nothing."
)


def _on_record() -> str:
    """Select the keys, older than `UNUSED_DAYS`, of whose uses there is a record of as long, with its beginning."""
    before = f"time() - {UNUSED_DAYS * DAY}"
    return (
        f"({key('kms_key_usage_tracked_since_timestamp_seconds')} < {before}"
        f" and on ({KEY}) {key('kms_key_created_timestamp_seconds')} < {before})"
    )


def _idle() -> str:
    """Select the keys of which it is known that nobody used them for `UNUSED_DAYS`."""
    used = f"{key('kms_key_last_used_timestamp_seconds')} >= time() - {UNUSED_DAYS * DAY}"
    return f"({_on_record()} unless on ({KEY}) {used})"


def build() -> tuple[Panel, ...]:
    """Build the panels."""
    return (*_numbers(), *_lists())


def _numbers() -> tuple[Panel, ...]:
    known = f"0 * count({_on_record()})"
    never = f"{last_use()} == {NEVER} and on ({KEY}) {_idle()}"
    return (
        number(
            Box("Unused for 90 days", f"Keys that nobody used for {UNUSED_DAYS} days or longer. {_RECORD}", 6, 4),
            Query(f"count({_idle()}) or {known}"),
            steps=PLAIN,
        ),
        number(
            Box(
                "Never used",
                "Those of them that were never used at all: AWS's record begins with the key and has no use.",
                6,
                4,
            ),
            Query(f"count({never}) or {known}"),
            steps=PLAIN,
        ),
        number(
            Box("They cost a month", f"What the keys that nobody used for {UNUSED_DAYS} days cost. {_COST}", 6, 4),
            Query(f"count({_idle()} unless on ({KEY}) {pending()}) or {known}"),
            unit="currencyUSD",
            decimals=0,
            steps=PLAIN,
        ),
        number(
            Box(
                "Uses known",
                "Share of the customer managed keys of whose uses there is a record of 90 days: of the others nothing"
                " is said here. A young key, one that was not asked about yet, or keys.last_usage is off.",
                6,
                4,
            ),
            Query(f"count({_on_record()}) / {counted('', CUSTOMER)}"),
            unit="percentunit",
            decimals=0,
            steps=PLAIN,
        ),
    )


def _lists() -> tuple[Panel, ...]:
    idle, used = _idle(), key("kms_key_last_used_timestamp_seconds")
    days = f"((time() - ({used} or on ({KEY}) {_since()})) / {DAY} and on ({KEY}) {idle})"
    longest = f"topk({LONGEST}, {days})"
    paid = f"(({idle} ^ 0 unless on ({KEY}) {pending()}) or on ({KEY}) 0 * {idle})"
    keys = {
        "A": longest,
        "B": f"(({states.numbered()}) and on ({KEY}) {longest})",
        "C": f"({paid} and on ({KEY}) {longest})",
        "G": f"({last_use()} and on ({KEY}) {longest})",
    }
    return (
        rows(
            Box(
                f"Unused keys, the longest {LONGEST} first",
                "Candidates for a clean-up, not proof: an attached volume uses its key once, an archive perhaps in"
                f" years. Disable first, for a month, then schedule. {_RECORD} {_COST}",
                16,
                9,
            ),
            [Query(with_console(described(expr)), ref=ref) for ref, expr in keys.items()],
            [
                Column(
                    "name",
                    "Key",
                    properties={"links": [panels.CONSOLE]},
                ),
                Column("account", "Account", 110),
                Column("region", "Region", 130),
                Column(
                    "Value #B",
                    "State",
                    150,
                    {
                        "mappings": [states.mapping()],
                        "custom.cellOptions": {"type": "color-text"},
                        "custom.align": "left",
                    },
                ),
                panels.last_used(120),
                Column("Value #A", "Days unused", 126, {"decimals": 0}),
                Column("Value #C", "A month", 90, {"unit": "currencyUSD", "decimals": 0}),
            ],
            sort="Days unused",
            descending=True,
            dropped=("alias", "account_id", "account_name"),
            hidden=(Column("key_id", "key_id"), Column("console", "console")),
            no_value="Every key whose uses are known was used within 90 days, or none is known.",
        ),
        bars(
            Box(
                "Unused keys by account",
                f"The five accounts with the most keys that nobody used for {UNUSED_DAYS} days. {_RECORD}",
                8,
                9,
            ),
            [Query(f"sort_desc(topk(5, {account_named(f'count by (account_id) ({idle})')}))", "{{account}}")],
        ),
    )


def _since() -> str:
    """Select the keys whose uses are known, with the moment since when: the record's beginning or their own."""
    created, tracked = (
        key("kms_key_created_timestamp_seconds"),
        key("kms_key_usage_tracked_since_timestamp_seconds"),
    )
    return f"({created} >= on ({KEY}) {tracked} or on ({KEY}) {tracked})"
