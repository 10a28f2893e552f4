"""What the three dashboards share: variables, links to each other, and the marks of what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from grafana.builder.panels import DATASOURCE, Panel
from grafana.builder.promql import KEY, deleted, described, key, pending

RUNBOOKS: Final = "https://runbooks.example.org/kms-exporter"
"""Where the runbooks are served; the alert rules begin their links with the same address, to be replaced in both."""

DASHBOARDS: Final = {
    "kms-deletions": "KMS deletions",
    "kms-fleet": "KMS fleet",
    "kms-exporter": "KMS exporter",
}
"""The stable uids with their titles; links of alerts name the uids too."""


@dataclass(frozen=True, slots=True)
class Section:
    """Panels under a heading; without a title, the panels at the top."""

    title: str
    panels: Sequence[Panel]


class Event(model.AnnotationQuery, Builder[model.AnnotationQuery]):
    """A mark on the time axis for each result of a Prometheus query.

    Grafana keeps the settings of the data source beside the common ones, and the SDK knows the common ones only (see
    `processAnnotationResponse` of Grafana's Prometheus data source).
    """

    def __init__(self, name: str, expr: str, text: str, color: str, *, value_is_time: bool) -> None:
        """Mark each series of `expr`.

        Args:
            name: of the switch above the dashboard, and title of each mark.
            expr: PromQL.
            text: of a mark, with labels as `{{label}}`.
            color: of the marks.
            value_is_time: whether the values, in milliseconds, are the moments to mark; else every step with a value.
        """
        super().__init__(name=name, datasource=DATASOURCE, enable=True, hide=False, icon_color=color, expr=expr)
        self._text = text
        self._value_is_time = value_is_time

    def build(self) -> "Event":
        """Return itself: the dashboard's builder takes builders only."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return the annotation as Grafana stores it."""
        return super().to_json() | {
            "titleFormat": self.name,
            "textFormat": self._text,
            "tagKeys": "account,region",
            "step": "60s",
            "useValueForTime": self._value_is_time,
        }


def dashboard(
    uid: str,
    description: str,
    sections: Sequence[Section],
    *,
    time_from: str,
    variables: Sequence[build.QueryVariable],
    events: Sequence[Event],
) -> model.Dashboard:
    """Put a dashboard together."""
    builder = (
        build.Dashboard(DASHBOARDS[uid])
        .uid(uid)
        .description(description)
        .tags(["kms", "kms-exporter"])
        .timezone("browser")
        .time(time_from, "now")
        .refresh("1m")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(_datasource())
        .annotations(list(events))
        .links([_link(other) for other in DASHBOARDS if other != uid])
    )
    for variable in variables:
        builder.with_variable(variable)
    builder.with_variable(_runbooks())
    for section in sections:
        if section.title:
            builder.with_row(build.Row(section.title))
        for panel in section.panels:
            builder.with_panel(panel)
    return _numbered(builder.build())


def _numbered(built: model.Dashboard) -> model.Dashboard:
    """Give every panel its number, which Grafana would do at the first save."""
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    return built


def _datasource() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def account() -> build.QueryVariable:
    """Choose accounts, by name where one is known."""
    # The list is made of targets, so that an account without pending keys is there in each mode of `keys.export`.
    names = (
        "group by (account_id, account_name) (kms_key_info)"
        " or on (account_id) group by (account_id) (kms_exporter_target_up)"
        " or on (account_id) group by (account_id) (kms_exporter_account_up)"
    )
    return (
        _choice("account", "Account", f"query_result({names})")
        .regex('/account_id="(?<value>[^"]+)"(?:, ?account_name="(?<text>[^"]+)")?/')
        .description("AWS accounts, by the name that the configuration or the organization gives them.")
    )


def region() -> build.QueryVariable:
    """Choose regions of the chosen accounts."""
    return _choice(
        "region", "Region", 'label_values(kms_exporter_target_up{account_id=~"$account"}, region)'
    ).description("AWS regions that the exporter watches in the chosen accounts.")


def alias(reach: str) -> build.QueryVariable:
    """Choose keys by any of their aliases; `reach` tells which panels follow."""
    return _choice(
        "alias", "Alias", 'label_values(kms_key_alias{account_id=~"$account", region=~"$region"}, alias)'
    ).description(f"Every alias of the keys that have series of their own. {reach}")


def _choice(name: str, label: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _runbooks() -> build.ConstantVariable:
    return build.ConstantVariable("runbooks").value(RUNBOOKS)


def _link(uid: str) -> build.DashboardLink:
    return (
        build.DashboardLink(DASHBOARDS[uid])
        .type(model.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .icon("dashboard")
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )


def deletion_events() -> tuple[Event, ...]:
    """Mark what happened to keys, from their own series: the same marks whichever replica saw it."""
    scheduled = described(key("kms_key_deletion_scheduled_timestamp_seconds"))
    saved, was_saved = (f"({key('kms_key_pending_deletion', offset=offset)} == 0)" for offset in ("", "$__interval"))
    # Zero would be no mark, so one is added; the second condition keeps a key from being marked at the next step too.
    cancelled = described(
        f"((1 + {saved}) and on ({KEY}) {pending(offset='$__interval')} unless on ({KEY}) {was_saved})"
    )
    return (
        Event("Deletion scheduled", f"1000 * {scheduled}", "{{name}} in {{account}}", "orange", value_is_time=True),
        Event("Deletion cancelled", cancelled, "{{name}} in {{account}}", "green", value_is_time=False),
        Event(
            "Key deleted",
            f"1000 * {described(deleted())}",
            "{{name}} in {{account}}",
            "red",
            value_is_time=True,
        ),
    )
