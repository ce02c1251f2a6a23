"""Panels as these dashboards want them: each with a title, a description, a unit and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders import common as look
from grafana_foundation_sdk.builders import (
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as asked

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
NO_DATA = "no data: is tmcwatch scraped?"
GREEN, ORANGE, RED = "green", "orange", "red"

Panel = stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel
_Any = TypeVar("_Any", stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)


class Unit(StrEnum):
    """Units by Grafana's names."""

    COUNT = "short"
    SECONDS = "s"
    SHARE = "percentunit"
    REQUESTS_PER_MINUTE = "reqpm"
    MOMENT = "dateTimeFromNow"
    """In milliseconds."""
    YES_OR_NO = "bool_yes_no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From which value on a panel asks for attention, and from which it alarms."""

    attention: float | None = None
    alarm: float | None = None
    below: bool = False
    """Whether too little is what is bad: then what reaches a limit is past it."""

    @property
    def steps(self) -> list[model.Threshold]:
        # The lowest colour has no value; each other one begins at its value.
        if self.below:
            colours = [(None, RED), (self.alarm, ORANGE), (self.attention, GREEN)]
        else:
            colours = [(None, GREEN), (self.attention, ORANGE), (self.alarm, RED)]
        first, *others = colours
        kept = [first, *(each for each in others if each[0] is not None)]
        return [model.Threshold(value=value, color=colour) for value, colour in kept]


NONE = Limits()
ANY = Limits(alarm=1)
ANY_IS_ODD = Limits(attention=1)


@dataclass(frozen=True, slots=True)
class Line:
    """A question, and what its answers are called."""

    asks: str
    legend: str
    _: KW_ONLY
    has_examples: bool = False
    """Whether single runs are shown as dots, where Prometheus keeps exemplars."""


@dataclass(frozen=True, slots=True)
class Column:
    """A question that fills a column of a table, a row for each combination of labels."""

    title: str
    asks: str
    _: KW_ONLY
    unit: Unit = Unit.COUNT
    limits: Limits = NONE


@dataclass(frozen=True, slots=True)
class About:
    """What a panel says of itself, and how large it is."""

    title: str
    description: str
    _: KW_ONLY
    unit: Unit = Unit.COUNT
    limits: Limits = NONE
    width: int = 12
    height: int = 8
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Text and colour for values that are better read as words."""
    empty: str = NO_DATA
    """What is said where there is no answer."""


def small(title: str, description: str, limits: Limits = NONE, unit: Unit = Unit.COUNT) -> About:
    """Describe one of six numbers in a row."""
    return About(title, description, unit=unit, limits=limits, width=4, height=4)


def third(title: str, description: str, limits: Limits = NONE, unit: Unit = Unit.COUNT) -> About:
    """Describe one of three graphs or tables in a row."""
    return About(title, description, unit=unit, limits=limits, width=8)


def number(about: About, asks: str) -> stat.Panel:
    """Show what holds now, or what the whole time shown comes to."""
    values = look.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    panel = (
        stat.Panel()
        .reduce_options(values)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .color_scheme(_coloured(model.FieldColorModeId.THRESHOLDS))
        .no_value(about.empty)
        .with_target(_target(0, asks, about.title).instant())
    )
    return _introduced(panel, about)


def lines(about: About, *shown: Line) -> timeseries.Panel:
    """Show levels over time."""
    panel = (
        _over_time(about, shown)
        .fill_opacity(10)
        .line_interpolation(common.LineInterpolation.STEP_AFTER)
    )
    if about.limits != NONE:
        dashed = look.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED)
        panel = panel.thresholds_style(dashed)
    return panel


def bars(about: About, *shown: Line, every: str = "5m") -> timeseries.Panel:
    """Show what happened within each step, steps being no shorter than a few scrapes."""
    stacked = look.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    return (
        _over_time(about, shown)
        .interval(every)
        .draw_style(common.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .stacking(stacked)
    )


def states(about: About, *shown: Line) -> statetimeline.Panel:
    """Show what was on and when."""
    panel = (
        statetimeline.Panel()
        .color_scheme(_coloured(model.FieldColorModeId.THRESHOLDS))
        .no_value(about.empty)
    )
    for place, line in enumerate(shown):
        panel = panel.with_target(_target(place, line.asks, line.legend).range())
    return _introduced(panel, about)


def rows(about: About, *columns: Column, link: str | None = None) -> table.Panel:
    """Show a table, worst first by its first column; `link` opens what a row is about."""
    panel = (
        table.Panel()
        .show_header(show_header=True)
        .color_scheme(_coloured(model.FieldColorModeId.THRESHOLDS))
    )
    for place, column in enumerate(columns):
        target = _target(place, column.asks, column.title).instant()
        panel = panel.with_target(target.format(asked.PromQueryFormat.TABLE))
        panel = panel.override_by_name(column.title, _cells(column))
    if link is not None:
        opened = [{"title": "Look at ${__data.fields.id}", "url": link}]
        panel = panel.override_by_regexp(
            "^(id|name)$", [model.DynamicConfigValue("links", opened)]
        )
    for step in _arranged(columns):
        panel = panel.with_transformation(step)
    return _introduced(panel.no_value("none"), about)


def _cells(column: Column) -> list[model.DynamicConfigValue]:
    coloured = {"type": "color-text" if column.limits != NONE else "auto"}
    limits = _thresholds(column.limits).build()
    return [
        model.DynamicConfigValue("unit", column.unit),
        model.DynamicConfigValue("thresholds", limits),
        model.DynamicConfigValue("custom.cellOptions", coloured),
    ]


def _arranged(columns: Sequence[Column]) -> list[model.DataTransformerConfig]:
    # Grafana tells the values of several questions apart by the letters of the questions.
    letters = [f"Value #{letter}" for letter in ascii_uppercase[: len(columns)]]
    titles = [column.title for column in columns]
    values = letters if len(columns) > 1 else ["Value"]
    organised = {
        "excludeByName": {"Time": True},
        "renameByName": dict(zip(values, titles, strict=True)),
    }
    worst_first = {"fields": {}, "sort": [{"field": titles[0], "desc": True}]}
    return [
        model.DataTransformerConfig(id_val="merge", options={}),
        model.DataTransformerConfig(id_val="organize", options=organised),
        model.DataTransformerConfig(id_val="sortBy", options=worst_first),
        model.DataTransformerConfig(id_val="limit", options={"limitField": 200}),
    ]


def _over_time(about: About, shown: Sequence[Line]) -> timeseries.Panel:
    legend = (
        look.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
    )
    every = look.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    panel = (
        timeseries.Panel()
        .legend(legend)
        .tooltip(every)
        .axis_soft_min(0)
        .color_scheme(_coloured(model.FieldColorModeId.PALETTE_CLASSIC))
    )
    for place, line in enumerate(shown):
        target = _target(place, line.asks, line.legend).range()
        if line.has_examples:
            target = target.exemplar(exemplar=True)
        panel = panel.with_target(target)
    if about.empty != NO_DATA:
        panel = panel.no_value(about.empty)
    return _introduced(panel, about)


def _introduced(panel: _Any, about: About) -> _Any:
    panel = (
        panel.title(about.title)
        .description(about.description)
        .datasource(SOURCE)
        .unit(about.unit)
        .span(about.width)
        .height(about.height)
        .thresholds(_thresholds(about.limits))
    )
    if not about.words:
        return panel
    words = {
        value: model.ValueMappingResult(text=text, color=colour)
        for value, (text, colour) in about.words.items()
    }
    return panel.mappings([model.ValueMap(options=words)])


def _thresholds(limits: Limits) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(limits.steps)


def _coloured(mode: model.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def _target(place: int, expression: str, legend: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .expr(expression)
        .legend_format(legend)
        .ref_id(ascii_uppercase[place])
        .datasource(SOURCE)
    )
