"""KMS deletions: which keys are about to be destroyed, how soon, and what happened before."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.builder import frame, states
from grafana.builder import pending as pending_keys
from grafana.builder.frame import Section
from grafana.builder.panels import Box, Panel, Query, Steps, bars, columns, number, timeline
from grafana.builder.pending import IMMINENT_DAYS, LEFT, SOON_DAYS
from grafana.builder.promql import (
    BRIDGE,
    KEY,
    SELECTED,
    SHARDS_SCRAPED,
    SHARDS_WANTED,
    TARGET,
    account_named,
    deleted,
    described,
    in_state,
    key,
    or_zero,
    pending,
    seconds_left,
    target,
)

DAY: Final = 86400
COUNT: Final[Steps] = ((None, "green"), (1, "orange"))
ALARM: Final[Steps] = ((None, "green"), (1, "red"))


def build() -> model.Dashboard:
    """Build the dashboard."""
    return frame.dashboard(
        "kms-deletions",
        "Which AWS KMS keys are about to be destroyed, when, and what happened before.",
        (
            Section("", (*_numbers(), *pending_keys.build())),
            Section("What happened", (_timeline(), *_spread(), _history())),
        ),
        time_from="now-7d",
        variables=(
            frame.account(),
            frame.region(),
            frame.alias("Every panel follows, but for the count of what is not seen."),
        ),
        events=frame.deletion_events(),
    )


def _numbers() -> tuple[Panel, ...]:
    return (
        number(
            Box(
                "Pending deletion",
                "Keys that AWS will destroy unless somebody cancels: PendingDeletion, and PendingReplicaDeletion, which"
                " waits for its replicas. No data means that nothing was read, not that nothing is pending.",
                4,
                5,
            ),
            Query(or_zero(f"count({pending()})")),
            steps=COUNT,
        ),
        number(
            Box(
                "Next to go",
                "The key that is destroyed first, and the time until AWS may do it; AWS may take up to 24 hours more."
                " Only CancelKeyDeletion, then EnableKey, saves it.",
                7,
                5,
            ),
            Query(f"bottomk(1, {described(seconds_left())})", "{{name}} · {{account}} · {{region}}"),
            unit="dtdhms",
            steps=tuple((days and days * DAY, color) for days, color in LEFT),
            named=True,
        ),
        number(
            Box(
                f"< {SOON_DAYS} days",
                f"Keys with fewer than {SOON_DAYS} days left; KmsKeyDeletionSoon pages for each of them.",
                3,
                5,
            ),
            Query(or_zero(f"count({seconds_left()} < {SOON_DAYS * DAY})")),
            steps=COUNT,
        ),
        number(
            Box(
                f"< {IMMINENT_DAYS} days",
                f"Keys with fewer than {IMMINENT_DAYS} days left; KmsKeyDeletionImminent pages for each of them.",
                3,
                5,
            ),
            Query(or_zero(f"count({seconds_left()} < {IMMINENT_DAYS * DAY})")),
            steps=ALARM,
        ),
        number(
            Box(
                "Destroyed",
                "Keys that were pending and are gone, for a week, or longer where the exporter remembers them longer"
                " (deletions.keep_tombstones). What they encrypted cannot be read any more.",
                3,
                5,
            ),
            Query(or_zero(f"count({_destroyed()})")),
            steps=ALARM,
        ),
        number(
            Box(
                "Blind spots",
                "What hides from this dashboard: accounts that could not be entered, regions whose last pass failed or"
                " that were watched within a day and are not now, shards that are missing, keys that could not be"
                " described, any of which may be pending; keys that AWS Config reports as pending where nobody watches;"
                " and sources that could not be asked who scheduled a key, or who uses it. KMS exporter and the alerts"
                " tell which, and why.",
                4,
                5,
            ),
            Query(_not_seen()),
            steps=COUNT,
            link=("What is not seen, and why", "/d/kms-exporter?${account:queryparam}&${region:queryparam}"),
        ),
    )


def _not_seen() -> str:
    """Count what nobody sees of what should be seen; nothing at all where nothing was to be seen for a day.

    Targets that are gone count as in the alert `KmsTargetVanished`, all of them where there is no exporter any more.
    """
    unreadable = 'max by (account_id) (kms_exporter_account_up{account_id=~"$account"}) == 0'
    watched = f"last_over_time(kms_exporter_target_up{{{SELECTED}}}[1d])"
    parts = {
        "account": f"count({unreadable})",
        "target": f"count({target('kms_exporter_target_up')} == 0)",
        "gone": f"count(max by ({TARGET}) ({watched}) unless on ({TARGET}) kms_exporter_target_up{{{SELECTED}}})",
        "shard": f"sum({SHARDS_WANTED} - on (total) {SHARDS_SCRAPED} > 0)",
        "key": f"sum({target('kms_exporter_target_unreadable_keys')})",
        "beyond": f"count(max by ({KEY}) (kms_config_unwatched_pending_deletion{{{SELECTED}}}))",
        "source": f"count(max by ({TARGET}, source) (kms_exporter_target_source_up{{{SELECTED}}}) == 0)",
    }
    counts = " + ".join(f"({part} or vector(0))" for part in parts.values())
    return f"{counts} and on () ({watched} or {unreadable})"


def _destroyed() -> str:
    """Select the keys that were found gone within a week, or that an exporter remembers, and that none tells now.

    As in the rules, who answers is believed: a replica that does not may still tell a key that is gone.
    """
    week = 7 * DAY
    lately = f"{deleted('last_over_time[7d]')} > time() - {week}"
    told = f"kms_key_state{{{SELECTED}}} and on (job, instance, {TARGET}) kms_exporter_target_up{{{SELECTED}}} == 1"
    return f"(({deleted()} or on ({KEY}) {lately}) unless on ({KEY}) ({told}))"


def _timeline() -> Panel:
    # The keys on the next 30 bands are chosen once, at the end of the time range, and not anew at each step.
    chosen = f"topk(30, {pending('last_over_time[$__range] @ end()')})"
    gone = f"{states.DELETED[0]} * {deleted()} ^ 0"
    return timeline(
        Box(
            "States of the keys that were pending in this time",
            "One band for each key: when it was scheduled, whether it was saved (a saved key is disabled until somebody"
            " enables it), when it was gone. A gap is a time in which nothing was read. At most 30 keys.",
            24,
            12,
        ),
        Query(
            described(f"(({states.numbered()} or {gone}) and on ({KEY}) {chosen})"),
            "{{name}} · {{account}} · {{region}}",
        ),
        states.mapping(deleted=True),
    )


def _spread() -> tuple[Panel, ...]:
    buckets = {
        f"under {IMMINENT_DAYS} days": f"{seconds_left()} < {IMMINENT_DAYS * DAY}",
        f"{IMMINENT_DAYS} to {SOON_DAYS} days": f"{IMMINENT_DAYS * DAY} <= {seconds_left()} < {SOON_DAYS * DAY}",
        f"{SOON_DAYS} to 14 days": f"{SOON_DAYS * DAY} <= {seconds_left()} < {14 * DAY}",
        "later": f"{seconds_left()} >= {14 * DAY}",
        "waits for replicas": in_state("PendingReplicaDeletion"),
    }
    return (
        bars(
            Box("When they go", "Pending keys by the time that is left to save them.", 8, 7),
            [
                Query(or_zero(f"count({expr})"), name, ref)
                for ref, (name, expr) in zip("ABCDE", buckets.items(), strict=True)
            ],
            colors=dict(zip(buckets, ("red", "orange", "yellow", "blue", "purple"), strict=True)),
        ),
        bars(
            Box(
                "Pending by account",
                "Pending keys of the five accounts that have most: many in one account at once is the pattern of an"
                " attack, or of a clean-up gone wrong.",
                8,
                7,
            ),
            [Query(f"sort_desc(topk(5, {account_named(f'count by (account_id) ({pending()})')}))", "{{account}}")],
            steps=((None, "orange"),),
        ),
        bars(
            Box("Pending by region", "Pending keys of the five regions that have most.", 8, 7),
            [Query(f"sort_desc(topk(5, count by (region) ({pending()})))", "{{region}}")],
            steps=((None, "orange"),),
        ),
    )


def _history() -> Panel:
    was_pending = pending(f"present_over_time[{BRIDGE}]", "$__interval")
    was_watched = f"max by ({TARGET}) (present_over_time(kms_keys{{{SELECTED}}}[{BRIDGE}] offset $__interval))"
    saved, was_saved = (f"{key('kms_key_pending_deletion', offset=offset)} == 0" for offset in ("", "$__interval"))
    deleted_at = deleted("last_over_time[$__interval]")
    return columns(
        Box(
            "Scheduled, cancelled, deleted",
            "Keys that were scheduled for deletion, saved and destroyed in each interval, from the keys' own series:"
            " replicas and restarts of the exporter change nothing, nor do outages of up to six hours.",
            24,
            7,
        ),
        [
            Query(
                or_zero(f"count({pending()} unless on ({KEY}) {was_pending} and on ({TARGET}) {was_watched})"),
                "scheduled",
                "A",
            ),
            Query(
                or_zero(f"count({saved} and on ({KEY}) {was_pending} unless on ({KEY}) ({was_saved}))"),
                "cancelled",
                "B",
            ),
            Query(or_zero(f"count({deleted_at} > time() - $__interval_ms / 1000)"), "deleted", "C"),
        ],
        colors={"scheduled": "orange", "cancelled": "green", "deleted": "red"},
        interval="5m",
    )
