"""The kinds of panel that the dashboards are made of, each with the settings that all panels of its kind share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.builder.promql import NEVER, NOT_ON_RECORD

DATASOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = stat.Panel | bargauge.Panel | table.Panel | timeseries.Panel | statetimeline.Panel

Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on which colour holds; the first one's value is None."""

CONSOLE: Final = {
    "title": "Open in the AWS console",
    "url": "https://${__data.fields.console}/kms/home?region=${__data.fields.Region}#/kms/keys/${__data.fields.key_id}",
    "targetBlank": True,
}
"""A link to the key of a row that has `console`, `key_id` and, for its title, `Region`."""

CALM: Final[Steps] = ((None, "green"),)


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL, with the dashboard's variables.
        legend: the name of its series, such as `{{region}}`.
        ref: what transformations and overrides call it.
    """

    expr: str
    legend: str = ""
    ref: str = "A"

    def target(self, kind: Literal["instant", "range", "table"]) -> prometheus.Dataquery:
        """Build the query: its value now, over time, or now as rows of a table."""
        query = (
            prometheus.Dataquery()
            .expr(self.expr)
            .ref_id(self.ref)
            .datasource(DATASOURCE)
            .editor_mode(QueryEditorMode.CODE)
            .legend_format(self.legend or "__auto")
            .format(PromQueryFormat.TABLE if kind == "table" else PromQueryFormat.TIME_SERIES)
        )
        return query.range() if kind == "range" else query.instant()


@dataclass(frozen=True, slots=True)
class Box:
    """What every panel has.

    Attributes:
        description: what is shown, from which series, and what to do about it.
        width: in 24ths of the dashboard.
        height: in units of the grid, about 38 pixels each.
    """

    title: str
    description: str
    width: int
    height: int


def thresholds(steps: Steps) -> build.ThresholdsConfig:
    """Build absolute thresholds."""
    return (
        build.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=color) for value, color in steps])
    )


def value_map(results: Mapping[str, tuple[str, str]]) -> model.ValueMap:
    """Show values as other texts: value to text and colour."""
    return model.ValueMap(
        {
            value: model.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(results.items())
        }
    )


def range_map(start: float, text: str, color: str) -> model.RangeMap:
    """Show every value from `start` on as `text`."""
    return model.RangeMap(
        model.DashboardRangeMapOptions(
            from_val=start, to=None, result=model.ValueMappingResult(text=text, color=color, index=0)
        )
    )


def last_used(width: int) -> "Column":
    """Build the column of `promql.last_use` as query G."""
    words = {str(NEVER): ("never", "text"), str(NOT_ON_RECORD): ("not on record", "text")}
    return Column(
        "Value #G",
        "Last used",
        width,
        {"unit": "dateTimeFromNow", "mappings": [value_map(words)], "noValue": "unknown", "custom.align": "left"},
    )


def number(
    box: Box,
    query: Query,
    *,
    steps: Steps = CALM,
    unit: str = "short",
    decimals: int | None = None,
    named: bool = False,
    link: tuple[str, str] | None = None,
    mappings: Sequence[model.ValueMapping] = (),
) -> stat.Panel:
    """Build one big number, which is that of now: of a number that is no more the last one would stay.

    Args:
        box: title, description and size.
        query: its result is one series.
        steps: thresholds, which colour the number.
        unit: Grafana's name of the unit.
        decimals: of the number; Grafana chooses without.
        named: show the name of the series above the number.
        link: title and address of what a click opens.
        mappings: texts for values.
    """
    panel = (
        stat.Panel()
        .title(box.title)
        .description(box.description)
        .span(box.width)
        .height(box.height)
        .datasource(DATASOURCE)
        .with_target(query.target("instant"))
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .color_mode(options.BigValueColorMode.VALUE)
        .graph_mode(options.BigValueGraphMode.NONE)
        .text_mode(options.BigValueTextMode.VALUE_AND_NAME if named else options.BigValueTextMode.VALUE)
        .justify_mode(options.BigValueJustifyMode.CENTER)
        .wide_layout(wide_layout=False)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("no data")
        .mappings(list(mappings))
    )
    if decimals is not None:
        panel.decimals(decimals)
    if link:
        title, url = link
        panel.links([build.DashboardLink(title).url(url).type(model.DashboardLinkType.LINK)])
    return panel


def bars(
    box: Box,
    queries: Sequence[Query],
    *,
    unit: str = "short",
    steps: Steps = ((None, "blue"),),
    colors: Mapping[str, str] | None = None,
) -> bargauge.Panel:
    """Build horizontal bars, one for each series now, all in the colours of `steps` or each in its own of `colors`."""
    panel = (
        bargauge.Panel()
        .title(box.title)
        .description(box.description)
        .span(box.width)
        .height(box.height)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .thresholds(thresholds(steps))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .value_mode(options.BarGaugeValueMode.COLOR)
        .name_placement(options.BarGaugeNamePlacement.TOP)
        .orientation(options.VizOrientation.HORIZONTAL)
        .show_unfilled(show_unfilled=True)
        .sizing(options.BarGaugeSizing.MANUAL)
        .min_viz_height(32)
        .max_viz_height(40)
        .text(common.VizTextDisplayOptions().title_size(13).value_size(15))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("no data")
    )
    for query in queries:
        panel.with_target(query.target("instant"))
    _paint(panel, colors or {}, {})
    return panel


def lines(
    box: Box,
    queries: Sequence[Query],
    *,
    unit: str = "short",
    stacked: bool = False,
    colors: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    latest: bool = False,
    decimals: int | None = None,
) -> timeseries.Panel:
    """Build curves over time.

    Args:
        box: title, description and size.
        queries: one or more, whose legends name the curves.
        unit: Grafana's name of the unit.
        stacked: whether the curves stand on each other.
        colors: of the curves, by the names that the queries give them.
        names: other names for curves that have a colour.
        latest: whether a legend beside the curves tells their latest values.
        decimals: of values; Grafana chooses without.
    """
    panel = _over_time(box, queries, unit)
    _paint(panel, colors or {}, names or {})
    panel.line_width(1 if stacked else 2).fill_opacity(35 if stacked else 8).show_points(options.VisibilityMode.NEVER)
    panel.line_interpolation(options.LineInterpolation.STEP_AFTER if stacked else options.LineInterpolation.LINEAR)
    if stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    if latest:
        panel.legend(
            common.VizLegendOptions()
            .display_mode(options.LegendDisplayMode.TABLE)
            .placement(options.LegendPlacement.RIGHT)
            .calcs(["lastNotNull"])
            .sort_by("Last *")
            .sort_desc(sort_desc=True)
            .show_legend(show_legend=True)
        )
    if decimals is not None:
        panel.decimals(decimals)
    return panel


def columns(
    box: Box, queries: Sequence[Query], *, colors: Mapping[str, str] | None = None, interval: str = ""
) -> timeseries.Panel:
    """Build columns over time, stacked: how much happened in each interval, which is `interval` or longer."""
    panel = _over_time(box, queries, "short")
    _paint(panel, colors or {}, {})
    if interval:
        panel.interval(interval)
    return (
        panel.draw_style(options.GraphDrawStyle.BARS)
        .line_width(0)
        .fill_opacity(80)
        .bar_alignment(options.BarAlignment.BEFORE)
        .bar_width_factor(0.8)
        .show_points(options.VisibilityMode.NEVER)
        .stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
        .max_data_points(96)
        .decimals(0)
    )


def _over_time(box: Box, queries: Sequence[Query], unit: str) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(box.title)
        .description(box.description)
        .span(box.width)
        .height(box.height)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
        .thresholds(thresholds(CALM))
        .legend(
            common.VizLegendOptions()
            .display_mode(options.LegendDisplayMode.LIST)
            .placement(options.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI).sort(options.SortOrder.DESCENDING))
        .no_value("no data")
    )
    for query in queries:
        panel.with_target(query.target("range"))
    return panel


def _paint(panel: bargauge.Panel | timeseries.Panel, colors: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Give series their colours and other names, by the names that their queries give them."""
    for name, color in colors.items():
        properties = [model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})]
        if name in names:
            properties.append(model.DynamicConfigValue(id_val="displayName", value=names[name]))
        panel.override_by_name(name, properties)


def timeline(box: Box, query: Query, states: model.ValueMap) -> statetimeline.Panel:
    """Build one band for each series, whose colour follows its value."""
    return (
        statetimeline.Panel()
        .title(box.title)
        .description(box.description)
        .span(box.width)
        .height(box.height)
        .datasource(DATASOURCE)
        .with_target(query.target("range"))
        .mappings([states])
        .thresholds(thresholds(CALM))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .show_value(options.VisibilityMode.NEVER)
        .merge_values(merge_values=True)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(85)
        .legend(
            common.VizLegendOptions()
            .display_mode(options.LegendDisplayMode.LIST)
            .placement(options.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.SINGLE).sort(options.SortOrder.NONE))
        .max_data_points(400)
        .no_value("no data")
    )


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        field: a label, or `Value #A` for the value of query A.
        title: what stands above it.
        width: in pixels; 0 takes what is left.
        properties: Grafana's settings of the field, by their ids, such as `unit`.
    """

    field: str
    title: str
    width: int = 0
    properties: Mapping[str, object] | None = None


def rows(
    box: Box,
    queries: Sequence[Query],
    shown: Sequence[Column],
    *,
    sort: str,
    descending: bool = False,
    dropped: Sequence[str] = (),
    hidden: Sequence[Column] = (),
    no_value: str = "no data",
) -> table.Panel:
    """Build a table: one row for each set of labels, one value for each query.

    Args:
        box: title, description and size.
        queries: all with the same labels, which join them.
        shown: the columns, from left to right.
        sort: title of the column that orders the rows.
        descending: whether the largest comes first.
        dropped: labels that nobody has to see.
        hidden: labels that nobody has to see and that links need.
        no_value: what an empty table says.
    """
    panel = (
        table.Panel()
        .title(box.title)
        .description(box.description)
        .span(box.width)
        .height(box.height)
        .datasource(DATASOURCE)
        .thresholds(thresholds(CALM))
        .cell_height(options.TableCellHeight.SM)
        .show_header(show_header=True)
        .align(options.FieldTextAlignment.AUTO)
        .no_value(no_value)
        .with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": dict.fromkeys(("Time", *dropped), True),
                    "indexByName": {column.field: index for index, column in enumerate((*shown, *hidden))},
                    "renameByName": {column.field: column.title for column in (*shown, *hidden)},
                },
            )
        )
        .sort_by([common.TableSortByFieldState().display_name(sort).desc(desc=descending)])
    )
    for query in queries:
        panel.with_target(query.target("table"))
    for column in shown:
        properties = {"noValue": "-", **(column.properties or {})}
        if column.width:
            properties["custom.width"] = column.width
        panel.override_by_name(
            column.title,
            [model.DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()],
        )
    for column in hidden:
        panel.override_by_name(column.title, [model.DynamicConfigValue(id_val="custom.hidden", value=True)])
    return panel
