"""What all dashboards have in common: rows, variables, and the way from one to another."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from tests.deploy.dashboards.panels import SOURCE, Panel
from tests.deploy.dashboards.promql import ACCOUNTS, WORKSPACES

TAG = "tmcwatch"
_EXECUTIONS = "tmcwatch_workspace_executions_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A row and the panels under it."""

    title: str
    panels: Sequence[Panel]
    is_collapsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard before it is one of Grafana's."""

    uid: str
    title: str
    description: str
    since: str
    """How far back it looks at first, as Grafana says it."""
    variables: Sequence[dashboard.QueryVariable]
    sections: Sequence[Section]


def built(board: Board) -> model.Dashboard:
    found = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .time(board.since, "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(_others())
        .variables([_source(), *board.variables])
    )
    identity = 1
    for section in board.sections:
        identity = _add(found, section, identity)
    return found.build()


def _add(found: dashboard.Dashboard, section: Section, identity: int) -> int:
    """Add a row and its panels, which take the next free identities; answer with the one after."""
    row = dashboard.Row(section.title).id(identity)
    panels = [panel.id(identity + place) for place, panel in enumerate(section.panels, start=1)]
    if section.is_collapsed:
        # Grafana keeps panels inside of a folded row, but after an open one.
        for panel in panels:
            row = row.with_panel(panel)
        found.with_row(row)
    else:
        found.with_row(row)
        for panel in panels:
            found.with_panel(panel)
    return identity + 1 + len(panels)


def _others() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("tmcwatch")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=False)
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )


def _source() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def any_of(name: str, label: str, values: str) -> dashboard.QueryVariable:
    """Let people choose one, several or all."""
    everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        one_of(name, label, values)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(everything)
    )


def one_of(name: str, label: str, values: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": values, "refId": name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )


def accounts() -> dashboard.QueryVariable:
    return any_of("account", "Account", "label_values(tmcwatch_up, account)")


def workspaces() -> list[dashboard.QueryVariable]:
    """Let people choose accounts, of these environments, and of these workspaces."""
    environment = f"label_values({_EXECUTIONS}{{{ACCOUNTS}}}, environment)"
    within = f'{ACCOUNTS}, environment=~"$environment"'
    workspace = f"label_values({_EXECUTIONS}{{{within}}}, workspace)"
    return [
        accounts(),
        any_of("environment", "Environment", environment),
        any_of("workspace", "Workspace", workspace),
    ]


def kinds() -> dashboard.QueryVariable:
    return any_of("kind", "Kind", f"label_values({_EXECUTIONS}{{{WORKSPACES}}}, kind)")
