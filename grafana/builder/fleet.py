"""KMS fleet: how many keys there are, of which kind, how old, and what they cost."""

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.builder import frame, panels, states, unused
from grafana.builder.frame import Section
from grafana.builder.panels import Box, Column, Panel, Query, Steps, bars, lines, number, rows
from grafana.builder.promql import (
    KEY,
    account_named,
    counted,
    described,
    key,
    or_zero,
    target,
    with_console,
)

DAY: Final = 86400
CUSTOMER: Final = 'key_manager="CUSTOMER"'
CHARGED: Final = f'{CUSTOMER}, state!="PendingDeletion"'
"""A dollar a month for every customer managed key, disabled ones included, but for those that are pending deletion
(https://aws.amazon.com/kms/pricing/)."""

OLDEST: Final = 200
"""Rows of the table of keys at most: a region may hold 100,000."""

COUNT: Final[Steps] = ((None, "green"), (1, "orange"))
PLAIN: Final[Steps] = ((None, "text"),)
EXPIRY: Final[Steps] = ((None, "red"), (7, "orange"), (30, "green"))
"""Days until imported key material expires, as the alerts `KmsKeyMaterialExpiring...` have them."""

_DETAIL = "Needs series of its own for each key: with keys.export at pending, only pending keys are here."


def build() -> model.Dashboard:
    """Build the dashboard."""
    return frame.dashboard(
        "kms-fleet",
        "How many AWS KMS keys there are, of which kind, how old, and what they cost.",
        (
            Section("", (*_numbers(), *_states(), *_places())),
            Section("Keys that nobody uses (where their uses are known for 90 days)", unused.build()),
            Section("Key by key (with keys.export at pending: the pending keys)", (*_kinds(), *_lists(), _keys())),
        ),
        time_from="now-7d",
        variables=(
            frame.account(),
            frame.region(),
            frame.alias("The panels under “Key by key” follow; those above count every key."),
        ),
        events=frame.deletion_events(),
    )


def _numbers() -> tuple[Panel, ...]:
    expiring = f"{key('kms_key_material_expires_timestamp_seconds')} - time() < {30 * DAY}"
    return (
        number(
            Box(
                "Customer managed keys",
                "Keys of the chosen accounts and regions, in every state, that the exporter could describe.",
                5,
                4,
            ),
            Query(counted("", CUSTOMER)),
            steps=PLAIN,
        ),
        number(
            Box("AWS managed keys", "Keys that AWS services made (alias/aws/...). They cannot be deleted.", 4, 4),
            Query(or_zero(counted("", 'key_manager="AWS"'))),
            steps=PLAIN,
        ),
        number(
            Box(
                "Cost a month",
                "A dollar a month for every customer managed key, prorated by the hour, disabled ones and replicas"
                " included, keys pending deletion not. Requests cost extra, and so do the first two rotations of each"
                " key.",
                4,
                4,
            ),
            Query(counted("", CHARGED)),
            unit="currencyUSD",
            decimals=0,
            steps=PLAIN,
        ),
        number(
            Box("Pending deletion", "Keys that AWS will destroy unless somebody cancels.", 4, 4),
            Query(counted("", f'{CUSTOMER}, state=~"PendingDeletion|PendingReplicaDeletion"')),
            steps=COUNT,
            link=("KMS deletions", "/d/kms-deletions?${account:queryparam}&${region:queryparam}"),
        ),
        number(
            Box(
                "Expiring material",
                "Keys whose imported key material expires within 30 days. What they encrypted cannot be read from then"
                " on, until the same material is imported again.",
                4,
                4,
            ),
            Query(or_zero(f"count({expiring})")),
            steps=COUNT,
        ),
        number(
            Box(
                "Unreadable",
                "Keys that are listed and could not be described: their state is unknown. The usual cause: a key policy"
                " that denies kms:DescribeKey.",
                3,
                4,
            ),
            Query(f"sum({target('kms_exporter_target_unreadable_keys')})"),
            steps=COUNT,
        ),
    )


def _states() -> tuple[Panel, ...]:
    return (
        lines(
            Box(
                "Customer managed keys by state",
                "Every key that could be described, stacked by its state. A step down that is no deletion below is a"
                " target that was dropped because it failed for longer than refresh.keep_failed.",
                24,
                8,
            ),
            [Query(counted("state", CUSTOMER), "{{state}}")],
            stacked=True,
            colors=states.colors(),
            names=states.names(),
            latest=True,
            decimals=0,
        ),
    )


def _places() -> tuple[Panel, ...]:
    by_account = account_named(counted("account_id", CUSTOMER))
    disabled = account_named(counted("account_id", f'{CUSTOMER}, state="Disabled"'))
    return (
        bars(
            Box("Keys by account", "Customer managed keys of the five accounts that have most.", 8, 7),
            [Query(f"sort_desc(topk(5, {by_account}))", "{{account}}")],
        ),
        bars(
            Box("Keys by region", "Customer managed keys of the five regions that have most.", 8, 7),
            [Query(f"sort_desc(topk(5, {counted('region', CUSTOMER)}))", "{{region}}")],
        ),
        bars(
            Box(
                "Disabled, and paid for",
                "A disabled key costs a dollar a month like any other: the five accounts that pay most for theirs.",
                8,
                7,
            ),
            [
                Query(
                    f"sort_desc(topk(5, {disabled}))",
                    "{{account}}",
                )
            ],
            unit="currencyUSD",
        ),
    )


def _kinds() -> tuple[Panel, ...]:
    ages = {
        "under 30 days": f"{_age()} < {30 * DAY}",
        "30 days to 1 year": f"{30 * DAY} <= {_age()} < {365 * DAY}",
        "1 to 3 years": f"{365 * DAY} <= {_age()} < {3 * 365 * DAY}",
        "over 3 years": f"{_age()} >= {3 * 365 * DAY}",
    }
    return (
        bars(
            Box("Key specs", f"What the keys are made of (KeySpec). {_DETAIL}", 8, 7),
            [Query(f"sort_desc({_by('key_spec')})", "{{key_spec}}")],
        ),
        bars(
            Box(
                "Origins",
                "Where the key material comes from: KMS itself, imported (EXTERNAL), a CloudHSM cluster or an external"
                f" key store. {_DETAIL}",
                8,
                7,
            ),
            [Query(f"sort_desc({_by('origin')})", "{{origin}}")],
        ),
        bars(
            Box("Ages", f"Keys by the time since their creation. {_DETAIL}", 8, 7),
            [
                Query(or_zero(f"count({expr})"), name, ref)
                for ref, (name, expr) in zip("ABCD", ages.items(), strict=True)
            ],
        ),
    )


def _age() -> str:
    return f"(time() - {key('kms_key_created_timestamp_seconds')})"


def _by(label: str) -> str:
    """Count keys by a label of `kms_key_info`; a key whose label changed between two replicas counts once."""
    return f"count by ({label}) ({described(key('kms_key_state'), f'alias, {label}')})"


def _lists() -> tuple[Panel, ...]:
    expires = key("kms_key_material_expires_timestamp_seconds")
    return (
        rows(
            Box(
                "Imported key material that expires",
                "Keys with imported material and an expiry date, the first one first. Import the same material again"
                f" before the date. {_DETAIL}",
                14,
                6,
            ),
            [
                Query(described(f"(({expires} - time()) / {DAY})"), ref="A"),
                Query(described(f"(1000 * {expires})"), ref="B"),
            ],
            [
                Column(
                    "Value #A",
                    "Days left",
                    92,
                    {
                        "decimals": 1,
                        "thresholds": panels.thresholds(EXPIRY).build(),
                        "custom.cellOptions": {"type": "color-background", "mode": "basic"},
                    },
                ),
                Column("Value #B", "Expires on", 160, {"unit": "dateTimeAsIso"}),
                Column("name", "Key"),
                Column("account", "Account", 130),
                Column("region", "Region", 110),
            ],
            sort="Days left",
            dropped=("alias", "account_id", "account_name", "key_id"),
            no_value="No imported key material expires, or nothing was read.",
        ),
        rows(
            Box(
                "Unreadable keys by target",
                "Accounts and regions with keys that are listed and could not be described.",
                10,
                6,
            ),
            [Query(account_named(f"({target('kms_exporter_target_unreadable_keys')} > 0)"))],
            [
                Column("account", "Account"),
                Column("account_id", "Account id", 130),
                Column("region", "Region", 110),
                Column(
                    "Value",
                    "Keys",
                    70,
                    {"custom.cellOptions": {"type": "color-text"}, "thresholds": panels.thresholds(COUNT).build()},
                ),
            ],
            sort="Keys",
            descending=True,
            dropped=("account_name",),
            no_value="Every listed key could be described, or nothing was read.",
        ),
    )


def _keys() -> Panel:
    state = states.numbered()
    labels = "alias, key_spec, key_usage, origin"
    oldest = f"topk({OLDEST}, {_age()})"
    return rows(
        Box(
            f"Keys, the oldest {OLDEST}",
            f"Choose an account, a region or an alias above to find a key. {_DETAIL}",
            24,
            11,
        ),
        [
            Query(with_console(described(f"({oldest} / {DAY})", labels)), ref="A"),
            Query(with_console(described(f"(({state}) and on ({KEY}) {oldest})", labels)), ref="B"),
        ],
        [
            Column(
                "name",
                "Key",
                properties={"links": [panels.CONSOLE]},
            ),
            Column("account", "Account", 120),
            Column("region", "Region", 125),
            Column(
                "Value #B",
                "State",
                160,
                {
                    "mappings": [states.mapping()],
                    "custom.cellOptions": {"type": "color-text"},
                    "custom.align": "left",
                },
            ),
            Column("Value #A", "Age, days", 105, {"decimals": 0}),
            Column("key_spec", "Spec", 175),
            Column("key_usage", "Usage", 190),
            Column("origin", "Origin", 175),
        ],
        sort="Age, days",
        descending=True,
        dropped=("alias", "account_id", "account_name"),
        hidden=(Column("key_id", "key_id"), Column("console", "console")),
    )
