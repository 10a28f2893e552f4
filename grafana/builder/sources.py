"""KMS exporter, the sources of what is told about pending keys: each may be denied or fail for itself."""

from typing import Final

from grafana.builder import panels
from grafana.builder.panels import Box, Column, Panel, Query, Steps, lines, number, rows
from grafana.builder.promql import SELECTED, TARGET, account_named, target

WARN_ANY: Final[Steps] = ((None, "green"), (1, "orange"))
PLAIN: Final[Steps] = ((None, "text"),)
ANSWERS: Final = {"0": ("failing", "red"), "1": ("up", "green")}

SOURCES: Final = {
    "scheduled_by": "Who",
    "denied_uses": "Denied uses",
    "last_usage": "Last use",
    "grants": "Grants",
    "acknowledgement_tag": "Tag",
}
"""The sources of what is told about pending keys, with the titles of their columns."""

EVIDENCE: Final = "LookupEvents|GetKeyLastUsage|ListGrants|GetResources"
"""What these sources are asked with."""


def build() -> tuple[Panel, ...]:
    """Build the panels."""
    source = f"max by ({TARGET}, source) (kms_exporter_target_source_up{{{SELECTED}}})"
    matchers = f'{SELECTED}, operation=~"{EVIDENCE}"'
    errors = f"max by ({TARGET}, operation, reason) (increase(kms_exporter_target_errors_total{{{matchers}}}[1h]))"
    rate = (
        "sum by (service, operation)"
        f' (rate(kms_exporter_aws_requests_total{{operation=~"{EVIDENCE}"}}[$__rate_interval]))'
    )
    return (
        number(
            Box(
                "Sources failing",
                "Sources of an account and region that did not answer when they were last asked who scheduled a key,"
                " when it was used, who holds grants: that one fact is unknown there. KmsEvidenceUnavailable warns"
                " after six hours.",
                8,
                4,
            ),
            Query(f"count({source} == 0) or 0 * count({source})"),
            steps=WARN_ANY,
        ),
        number(
            Box(
                "Their errors, last hour",
                f"Failed requests ({EVIDENCE.replace('|', ', ')}) in the chosen accounts and regions.",
                8,
                4,
            ),
            Query(f"sum({errors}) or 0 * count({target('kms_exporter_target_up')})"),
            decimals=0,
            steps=WARN_ANY,
        ),
        number(
            Box(
                "Acknowledgements of no key",
                "Entries of deletions.acknowledgements that match no key that is known: typing errors, or keys that"
                " are gone. The log names them.",
                8,
                4,
            ),
            Query("min(kms_exporter_acknowledgements_unmatched)"),
            steps=WARN_ANY,
        ),
        rows(
            Box(
                "Sources",
                "What became of each source when it was last asked. A source fails for itself: deletions are seen all"
                " the same. “not asked”: no key is pending there, or it is switched off.",
                14,
                11,
            ),
            [
                Query(account_named(target("kms_exporter_target_source_up", f'source="{name}"')), ref=ref)
                for ref, name in zip("ABCDE", SOURCES, strict=True)
            ],
            [
                Column("account", "Account"),
                Column("region", "Region", 126),
                *(
                    Column(
                        f"Value #{ref}",
                        title,
                        104,
                        {
                            "mappings": [panels.value_map(ANSWERS)],
                            "thresholds": panels.thresholds(PLAIN).build(),
                            "custom.cellOptions": {"type": "color-text"},
                            "custom.align": "left",
                            "noValue": "not asked",
                        },
                    )
                    for ref, title in zip("ABCDE", SOURCES.values(), strict=True)
                ),
            ],
            sort="Account",
            dropped=("account_id", "account_name"),
            no_value="No key is pending, or nothing was read.",
        ),
        lines(
            Box(
                "Requests for it",
                "Requests a second of all instances together. LookupEvents also tells which keys changed; AWS takes 2"
                " a second of it and 5 of GetKeyLastUsage, for everybody in an account and region.",
                10,
                11,
            ),
            [Query(rate, "{{operation}}")],
            unit="reqps",
        ),
    )
