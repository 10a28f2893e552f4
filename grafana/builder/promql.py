"""The PromQL that the panels are put together from.

Two rules hold everywhere. Labels of the scrape (`job`, `instance`, `pod`) are aggregated away before anything is
counted, so a second replica changes nothing. A zero is shown only where something was read: without an exporter a
panel is empty, not calm.
"""

from typing import Final

KEY: Final = "account_id, region, key_id"
TARGET: Final = "account_id, region"
SELECTED: Final = 'account_id=~"$account", region=~"$region"'
PENDING_STATES: Final = ("PendingDeletion", "PendingReplicaDeletion")

NEVER: Final = 0
NOT_ON_RECORD: Final = 1
"""In the place of a last use, in milliseconds: AWS's record of uses has none, and begins with the key, or later."""

BRIDGE: Final = "6h"
"""A gap this long in what is known is taken for an outage of the exporter, not for something that happened to a key."""

# By shard.total, as in the alert `KmsShardMissing`: exporters that have nothing to do with each other may differ in it.
SHARDS_WANTED: Final = (
    "max by (total) (group by (job, instance, total) (kms_exporter_shard_info)"
    " * on (job, instance) group_left () max by (job, instance) (kms_exporter_shards))"
)
SHARDS_SCRAPED: Final = "count by (total) (group by (index, total) (kms_exporter_shard_info))"


def target(metric: str, matchers: str = "") -> str:
    """Select a metric of targets, once for each target, with more `matchers`."""
    return f"max by ({TARGET}) ({metric}{{{SELECTED}{f', {matchers}' if matchers else ''}}})"


def key(metric: str, matchers: str = "", over: str = "", offset: str = "") -> str:
    """Select a metric of keys, once for each key of the chosen accounts, regions and aliases.

    Args:
        metric: its name.
        matchers: more of them, such as `state="Enabled"`.
        over: a function over time with its range, such as `last_over_time[6h]` or `last_over_time[6h] @ end()`.
        offset: how far back to look, such as `$__interval`.
    """
    selector = f"{metric}{{{SELECTED}{f', {matchers}' if matchers else ''}}}"
    if over:
        function, _, span = over.partition("[")
        selector = f"{function}({selector}[{span}{f' offset {offset}' if offset else ''})"
    elif offset:
        selector += f" offset {offset}"
    return f"(max by ({KEY}) ({selector}) unless on ({KEY}) {_OTHER_ALIASES})"


# A key is left out when it is known to have other aliases, not kept when it is known to have this one: what is unknown
# stays in sight. With all aliases chosen nothing matches `!~".*"`, and the filter costs nothing.
_OTHER_ALIASES: Final = (
    f'(kms_key_info{{{SELECTED}, alias!~"$alias"}} unless on ({KEY}) kms_key_alias{{{SELECTED}, alias=~"$alias"}})'
)


def labelled(metric: str, labels: str) -> str:
    """Select a metric of keys with `labels` of its own; once for each key, also while replicas do not agree.

    A replica that knows the first of the labels is believed before one that does not yet.
    """
    by, known = f"{KEY}, {labels}", f'{labels.partition(",")[0]}!=""'
    either = f"2 * max by ({by}) ({metric}{{{SELECTED}, {known}}}) or max by ({by}) ({metric}{{{SELECTED}}})"
    return f"(topk by ({KEY}) (1, {either}) unless on ({KEY}) {_OTHER_ALIASES})"


def in_state(*states: str, over: str = "", offset: str = "") -> str:
    """Select the keys in one of `states`, with the value 1."""
    return key("kms_key_state", f'state=~"{"|".join(states)}"', over, offset)


def pending(over: str = "", offset: str = "") -> str:
    """Select the keys that are pending, with the value 1; the same keys in each mode of `keys.export`."""
    return in_state(*PENDING_STATES, over=over, offset=offset)


def last_use() -> str:
    """Select the keys whose uses are known: the last use in milliseconds, `NEVER`, or `NOT_ON_RECORD`."""
    tracked = key("kms_key_usage_tracked_since_timestamp_seconds")
    never = f"({key('kms_key_created_timestamp_seconds')} >= on ({KEY}) {tracked}) ^ 0 * {NEVER}"
    return (
        f"(1000 * {key('kms_key_last_used_timestamp_seconds')} or on ({KEY}) {never}"
        f" or on ({KEY}) {tracked} ^ 0 * {NOT_ON_RECORD})"
    )


def seconds_left() -> str:
    """Select the keys whose deletion has a date, with the seconds until then."""
    return f"({key('kms_key_deletion_timestamp_seconds')} - time())"


def deleted(over: str = "") -> str:
    """Select the keys that were pending and are gone, with the time at which that was found."""
    # Their attributes are gone with them, but for the alias, which the tombstone bears itself.
    return key("kms_key_deleted_timestamp_seconds", 'alias=~"$alias"', over)


def described(keys: str, labels: str = "alias") -> str:
    """Add `labels` of `kms_key_info` to each key, and `name` and `account`, which are never empty.

    `name` is the alias without its prefix, else the beginning of the key id; `account` as in `account_named`. A key
    keeps its place when its attributes are missing, and attributes that differ between two replicas for a moment do not
    fail the query.
    """
    # Whichever of the three a key has, it is 1.
    info = (
        f"topk by ({KEY}) (1, kms_key_info{{{SELECTED}}}"
        f" or on ({KEY}) kms_key_deleted_timestamp_seconds{{{SELECTED}}} ^ 0"
        f" or on ({KEY}) kms_key_state{{{SELECTED}}})"
    )
    joined = f"{keys} * on ({KEY}) group_left ({labels}) {info}"
    short = f'label_replace({joined}, "name", "$1…", "key_id", "(.{{8}}).*")'
    return account_named(f'label_replace({short}, "name", "$1", "alias", "alias/(.+)")')


def account_named(series: str) -> str:
    """Add `account` to series that have an `account_id`: the account's name where one is known, else its id."""
    info = (
        'topk by (account_id) (1, kms_key_info{account_id=~"$account"}'
        ' or on (account_id) kms_exporter_target_up{account_id=~"$account"} ^ 0)'
    )
    joined = f"({series}) * on (account_id) group_left (account_name) {info}"
    joined = f'label_replace({joined}, "account", "$1", "account_id", "(.*)")'
    return f'label_replace({joined}, "account", "$1", "account_name", "(.+)")'


def or_zero(count: str) -> str:
    """Let a count that finds nothing be 0, if any key of the chosen accounts and regions was read at all."""
    return f"{count} or 0 * count(kms_keys{{{SELECTED}}})"


def counted(by: str, matchers: str = "") -> str:
    """Sum `kms_keys`, which counts every key in each mode of `keys.export`, by the labels `by`."""
    selector = f"kms_keys{{{SELECTED}{f', {matchers}' if matchers else ''}}}"
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (max by ({TARGET}, key_manager, state) ({selector}))"


def by_whom(series: str) -> str:
    """Shorten `scheduled_by` of people who came through IAM Identity Center to their own name, the session's."""
    return f'label_replace({series}, "scheduled_by", "$1", "scheduled_by", "AWSReservedSSO_.+/(.+)")'


def with_console(series: str) -> str:
    """Add `console`, the host of the AWS console for the series' `region`, which knows its partition.

    The isolated partitions have no public console; what they get does not resolve.
    """
    hosts = {
        "(.+)": "console.aws.amazon.com",
        "(cn-.+)": "console.amazonaws.cn",
        "(us-gov-.+)": "console.amazonaws-us-gov.com",
        "(eusc-.+)": "console.amazonaws-eusc.eu",
    }
    for region, host in hosts.items():
        series = f'label_replace({series}, "console", "$1.{host}", "region", "{region}")'
    return series
