"""KMS exporter: whether what the other dashboards show can be trusted, and what it takes from AWS."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.builder import changes, frame, panels, sources
from grafana.builder.frame import Section
from grafana.builder.panels import Box, Column, Panel, Query, Steps, columns, lines, number, rows
from grafana.builder.promql import SELECTED, TARGET, account_named, target

BAD_ANY: Final[Steps] = ((None, "green"), (1, "red"))
WARN_ANY: Final[Steps] = ((None, "green"), (1, "orange"))
PLAIN: Final[Steps] = ((None, "text"),)

STALE_SECONDS: Final = 900
"""A target without success for a quarter of an hour has missed several passes at any sensible refresh.interval."""

AGE: Final[Steps] = ((None, "green"), (STALE_SECONDS, "orange"), (3600, "red"))
"""Colours of the seconds since the last success; the alert `KmsTargetBlind` pages after an hour."""

QUOTAS: Final = {
    ("kms", "ListKeys"): 500,
    ("kms", "ListAliases"): 500,
    ("kms", "DescribeKey"): 2000,
    ("kms", "ListGrants"): 100,
    ("kms", "GetKeyLastUsage"): 5,
    ("cloudtrail", "LookupEvents"): 2,
}
"""Requests a second that AWS allows an account in a region by default
(https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html,
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html)."""

BUILD: Final = "on (job, instance) group_left () (kms_exporter_build_info ^ 0)"
"""Finds the exporters among everything that Prometheus scrapes."""

UP_DOWN: Final = {"0": ("failing", "red"), "1": ("up", "green")}


def build() -> model.Dashboard:
    """Build the dashboard."""
    return frame.dashboard(
        "kms-exporter",
        "Whether every account and region is read in time, what fails and why, and what it takes from AWS.",
        (
            Section("", (*_numbers(), _targets())),
            Section("What is asked about pending keys", sources.build()),
            Section("Events and shards", changes.events_and_shards()),
            Section("The queue (where changes.sqs_queue_url names one)", changes.queue()),
            Section("Passes and errors", (changes.passes(), changes.seen(), *_passes())),
            Section("Requests to AWS", (*changes.saved(), *_requests())),
            Section("The process", (*_process(),)),
        ),
        time_from="now-6h",
        variables=(frame.account(), frame.region()),
        events=(),
    )


def _numbers() -> tuple[Panel, ...]:
    up = target("kms_exporter_target_up")
    since = f"(time() - {target('kms_exporter_target_last_success_timestamp_seconds')})"
    return (
        number(
            Box(
                "Targets up",
                "Share of the targets (one account in one region each) whose last pass succeeded. What is known of the"
                " others is kept for refresh.keep_failed.",
                3,
                4,
            ),
            Query(f"avg({up})"),
            unit="percentunit",
            decimals=0,
            steps=((None, "red"), (0.9, "orange"), (1, "green")),
        ),
        number(
            Box("Targets", "Accounts in regions that are watched; shards add up, replicas do not.", 3, 4),
            Query(f"count({up})"),
            steps=PLAIN,
        ),
        number(
            Box(
                "Failing",
                "Targets whose last pass failed. The table below tells which, and since when.",
                3,
                4,
            ),
            Query(f"count({up} == 0) or 0 * count({up})"),
            steps=WARN_ANY,
        ),
        number(
            Box(
                "Stale",
                "Targets without a success for 15 minutes, or since the start: a deletion in them shows late.",
                3,
                4,
            ),
            Query(
                f"count({up} unless on ({TARGET}) ({since} < {STALE_SECONDS})) or 0 * count({up})",
            ),
            steps=BAD_ANY,
        ),
        number(
            Box(
                "Accounts unreadable",
                "Accounts whose role could not be assumed or whose regions could not be listed: none of their keys is"
                " seen. An organization that could not be listed counts too.",
                5,
                4,
            ),
            Query(
                '(count(max by (account_id) (kms_exporter_account_up{account_id=~"$account"}) == 0)'
                ' or 0 * count(kms_exporter_account_up{account_id=~"$account"}))'
                " + on () (count(max(kms_exporter_organization_up) == 0) or 0 * count(kms_exporter_targets))"
            ),
            steps=BAD_ANY,
        ),
        number(
            Box(
                "Throttled, last hour",
                "Requests that AWS refused in the last hour because of their rate. Lower aws.request_rate if workloads"
                " suffer; raise the quota if passes take too long.",
                4,
                4,
            ),
            Query("sum(increase(kms_exporter_aws_throttles_total[1h])) or 0 * count(kms_exporter_targets)"),
            decimals=0,
            steps=((None, "green"), (10, "orange"), (100, "red")),
        ),
        number(
            Box(
                "Config",
                "Whether the configuration and the web configuration that were read last are in force on every"
                " instance. A bad file leaves the older one in force.",
                3,
                4,
            ),
            Query("min(kms_exporter_config_last_reload_successful)"),
            steps=((None, "red"), (1, "green")),
            mappings=[panels.value_map({"0": ("refused", "red"), "1": ("in force", "green")})],
        ),
    )


def _targets() -> Panel:
    ages = {
        "B": target("kms_exporter_target_last_success_timestamp_seconds"),
        "C": target("kms_exporter_target_last_full_timestamp_seconds"),
    }
    errors = (
        f"max by ({TARGET}, operation, reason) (increase(kms_exporter_target_errors_total{{{SELECTED}}}[$__range]))"
    )
    queries = {
        "A": target("kms_exporter_target_up"),
        **{ref: f"(time() - {stamp})" for ref, stamp in ages.items()},
        "D": target("kms_exporter_target_unreadable_keys"),
        "E": f"(sum by ({TARGET}) ({errors}) or 0 * {target('kms_exporter_target_up')})",
    }
    age = {
        "unit": "s",
        "decimals": 0,
        "thresholds": panels.thresholds(AGE).build(),
        "custom.cellOptions": {"type": "color-text"},
    }
    return rows(
        Box(
            "Targets",
            "Every account in every region, the one that was read longest ago first. A full pass describes every key;"
            " passes between look at new, vanished and pending keys only. Empty ages: never since the start.",
            24,
            13,
        ),
        [Query(account_named(expr), ref=ref) for ref, expr in queries.items()],
        [
            Column("account", "Account"),
            Column("account_id", "Account id", 150),
            Column("region", "Region", 140),
            Column(
                "Value #A",
                "Last pass",
                110,
                {
                    "mappings": [panels.value_map(UP_DOWN)],
                    "custom.cellOptions": {"type": "color-text"},
                    "custom.align": "left",
                },
            ),
            Column("Value #B", "Last success", 140, age),
            Column("Value #C", "Last full pass", 140, {"unit": "s", "decimals": 0}),
            Column(
                "Value #D",
                "Unreadable keys",
                140,
                {
                    "thresholds": panels.thresholds(WARN_ANY).build(),
                    "custom.cellOptions": {"type": "color-text"},
                },
            ),
            Column("Value #E", "Errors in this time", 150, {"decimals": 0}),
        ],
        sort="Last success",
        descending=True,
        dropped=("account_name",),
    )


def _passes() -> tuple[Panel, ...]:
    buckets = "sum by (mode, le) (rate(kms_exporter_target_refresh_duration_seconds_bucket[$__rate_interval]))"
    sums, counts = (
        f"sum by (mode) (rate(kms_exporter_target_refresh_duration_seconds_{part}[$__rate_interval]))"
        for part in ("sum", "count")
    )
    errors = (
        f"max by ({TARGET}, operation, reason)"
        f" (increase(kms_exporter_target_errors_total{{{SELECTED}}}[$__rate_interval]))"
    )
    return (
        lines(
            Box(
                "Pass duration",
                "How long one pass over one target took: the mean, and what 95 of 100 stayed under (as fine as the"
                " histogram's buckets). A full pass grows with the keys; aws.request_rate bounds it.",
                12,
                8,
            ),
            [
                Query(f"histogram_quantile(0.95, {buckets})", "{{mode}}, 95 of 100", "A"),
                Query(f"{sums} / {counts}", "{{mode}}, mean", "B"),
            ],
            unit="s",
        ),
        columns(
            Box(
                "Errors by reason",
                "Failed calls and passes in the chosen accounts and regions, by operation and AWS's error code, or"
                " timeout, connection, credentials. Replicas that meet the same error count once.",
                12,
                8,
            ),
            [Query(f"sum by (operation, reason) ({errors}) > 0", "{{operation}} {{reason}}")],
        ),
    )


def _requests() -> tuple[Panel, ...]:
    asked = "sum by (service, operation) (increase(kms_exporter_aws_requests_total[$__range] @ end())) > 0"
    rate = (
        "sum by (service, operation) (rate(kms_exporter_aws_requests_total[$__rate_interval]))"
        f" and on (service, operation) ({asked})"
    )
    watched = f"scalar(count(group by ({TARGET}) (kms_exporter_target_up)))"
    share = " or ".join(
        "sum by (operation)"
        f' (rate(kms_exporter_aws_requests_total{{service="{service}", operation="{operation}"}}[$__rate_interval]))'
        f" / ({quota} * {watched})"
        for (service, operation), quota in QUOTAS.items()
    )
    latency = (
        "histogram_quantile(0.95, sum by (operation, le)"
        " (rate(kms_exporter_aws_request_duration_seconds_bucket[$__rate_interval])))"
    )
    throttles = "sum by (service, operation) (increase(kms_exporter_aws_throttles_total[$__rate_interval]))"
    return (
        lines(
            Box(
                "Requests",
                "Requests a second to AWS by operation, retries included, of all instances together: each replica asks"
                " for itself. Operations that were not called in this time are not here.",
                24,
                8,
            ),
            [Query(rate, "{{service}} {{operation}}")],
            unit="reqps",
        ),
        lines(
            Box(
                "Share of the quotas",
                "Requests by operation against its quota for an account in a region (AWS's defaults: ListKeys and"
                " ListAliases 500 a second, DescribeKey 2000, LookupEvents 2), on average over all targets."
                " aws.request_rate bounds it for each target, 20% unless set; the quota is shared with the account's"
                " workloads.",
                12,
                8,
            ),
            [Query(share, "{{operation}}")],
            unit="percentunit",
        ),
        columns(
            Box(
                "Throttled requests",
                "Requests that AWS refused because of their rate; they are repeated after a pause.",
                12,
                8,
            ),
            [Query(throttles, "{{service}} {{operation}}")],
        ),
        lines(
            Box(
                "Request duration, 95 of 100",
                "The time that AWS took to answer, by operation; as fine as the histogram's buckets.",
                24,
                8,
            ),
            [Query(latency, "{{operation}}")],
            unit="s",
        ),
    )


def _process() -> tuple[Panel, ...]:
    return (
        lines(
            Box(
                "Scrape duration",
                "The time that Prometheus took to get the page, by instance; it does not depend on AWS. Keep it well"
                " under the scrape timeout.",
                8,
                7,
            ),
            [Query(f"scrape_duration_seconds * {BUILD}", "{{instance}}")],
            unit="s",
        ),
        lines(
            Box("Memory", "Resident memory by instance.", 8, 7),
            [Query(f"process_resident_memory_bytes * {BUILD}", "{{instance}}")],
            unit="bytes",
        ),
        lines(
            Box("CPU", "Cores in use by instance.", 8, 7),
            [Query(f"rate(process_cpu_seconds_total[$__rate_interval]) * {BUILD}", "{{instance}}")],
            unit="short",
        ),
        rows(
            Box(
                "Instances",
                "What runs, since when, and how old the snapshot is that its scrapes are served from.",
                24,
                5,
            ),
            [
                Query("max by (instance, version, revision, python_version) (kms_exporter_build_info)", ref="A"),
                Query(_instance("1000 * process_start_time_seconds"), ref="B"),
                Query(_instance("(time() - kms_exporter_snapshot_timestamp_seconds)"), ref="C"),
                Query(_instance("kms_exporter_targets"), ref="D"),
                Query(_instance("1000 * kms_exporter_config_last_reload_success_timestamp_seconds"), ref="E"),
            ],
            [
                Column("instance", "Instance"),
                Column("version", "Version", 110),
                Column("revision", "Revision", 130),
                Column("python_version", "Python", 100),
                Column("Value #B", "Running since", 180, {"unit": "dateTimeAsIso"}),
                Column("Value #E", "Configured", 180, {"unit": "dateTimeAsIso"}),
                Column("Value #D", "Targets", 90),
                Column("Value #C", "Snapshot age", 120, {"unit": "s", "decimals": 0}),
            ],
            sort="Instance",
            dropped=("Value #A",),
        ),
    )


def _instance(series: str) -> str:
    """Add the labels of the build to a series of each instance."""
    labels = "version, revision, python_version"
    return f"max by (instance, {labels}) ({series} * on (job, instance) group_left ({labels}) kms_exporter_build_info)"
