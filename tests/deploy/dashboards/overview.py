"""Overview: is anything wrong, since when, and where?"""

from dataclasses import replace

from tests.deploy.dashboards import seeing
from tests.deploy.dashboards.frame import Board, Section, workspaces
from tests.deploy.dashboards.panels import (
    ANY,
    ANY_IS_ODD,
    About,
    Column,
    Limits,
    Line,
    Panel,
    Unit,
    bars,
    lines,
    number,
    rows,
    small,
)
from tests.deploy.dashboards.promql import (
    ACCOUNTS,
    BAD,
    LIST,
    RANGE,
    SUBJECT,
    WORKSPACE,
    WORKSPACES,
    growth,
    level,
    named,
)

_ENDED = ("workspace_executions_total", f"{WORKSPACE}, result")
_PLACE = "account, environment, workspace"
_FIRING = level("alerts_firing", "rule, severity")
_IN_A_ROW = level("consecutive_failures", SUBJECT, WORKSPACES)
_FAILING = f"{_IN_A_ROW} > 0"
_FAILURES = Limits(attention=1, alarm=3)
_GOOD = Limits(attention=0.99, alarm=0.94, below=True)
_ONE_SUBJECT = (
    "/d/tmcwatch-subject?var-datasource=${datasource}"
    + "".join(
        f"&var-{label}=${{__data.fields.{label}:percentencode}}"
        for label in ("account", "environment", "workspace", "kind", "id")
    )
    + "&${__url_time_range}"
)


def board() -> Board:
    return Board(
        uid="tmcwatch-overview",
        title="tmcwatch: overview",
        description="Is anything wrong in Talend Management Console, since when, and is all seen?",
        since="now-24h",
        variables=workspaces(),
        sections=[
            Section(
                title="Is anything wrong?",
                panels=[*_now(), *_within_the_time_shown(), *seeing.numbers()],
            ),
            Section(title="Since when?", panels=[*_since(), _failing()]),
            Section(title="Where?", panels=[_where()]),
            *seeing.sections(),
        ],
    )


def _ended(where: str, by: str = "") -> str:
    labels = f" by ({by})" if by else ""
    return f"sum{labels} ({growth(*_ENDED, where, over=RANGE)})"


def _now() -> list[Panel]:
    pressing = level("alerts_firing", "rule, severity", 'severity!="info"')
    running = level("executions_open", f"{LIST}, phase", ACCOUNTS)
    return [
        number(
            small("Alerts firing", "Open alerts of all accounts, but for information.", ANY),
            f"sum({pressing})",
        ),
        number(
            small("Failing now", "What failed and has not succeeded since.", ANY),
            f"sum({_IN_A_ROW} > bool 0)",
        ),
        number(
            small("Running or waiting", "Runs that have not ended, of all environments."),
            f"sum({running})",
        ),
    ]


def _within_the_time_shown() -> list[Panel]:
    bad = _ended(f"{WORKSPACES}, {BAD}")
    well = small("Ended well", "Share of all ends that were not bad.", _GOOD, Unit.SHARE)
    return [
        number(
            small(
                "Bad ends",
                "Runs that ended badly in the time shown; no stops by hand.",
                ANY_IS_ODD,
            ),
            bad,
        ),
        number(
            small("Ended", "Runs that ended in the time shown, however they did."),
            _ended(WORKSPACES),
        ),
        number(replace(well, empty="nothing ended"), f"1 - {bad} / ({_ended(WORKSPACES)} > 0)"),
    ]


def _since() -> list[Panel]:
    bad = growth(*_ENDED, f"{WORKSPACES}, {BAD}")
    return [
        lines(
            About("Alerts firing by rule", "How many were open, of all accounts.", empty="none"),
            Line(f"{_FIRING} > 0", "{{rule}} ({{severity}})"),
        ),
        bars(
            About(
                "Bad ends by workspace", "Runs that ended badly within each step.", empty="none"
            ),
            Line(f"sum by ({_PLACE}) ({bad}) > 0", "{{account}} {{environment}} {{workspace}}"),
        ),
    ]


def _failing() -> Panel:
    return rows(
        About(
            "Failing now",
            "What failed, and since when it has not succeeded; a click on id or name opens it. "
            "Without a last success there was none yet.",
            width=24,
        ),
        Column("failures in a row", named(_FAILING, WORKSPACES), limits=_FAILURES),
        _moment("last success", "last_success_timestamp_seconds"),
        _moment("last end", "last_completion_timestamp_seconds"),
        link=_ONE_SUBJECT,
    )


def _moment(title: str, metric: str) -> Column:
    of_failing = f"{level(metric, SUBJECT, WORKSPACES)} and on ({SUBJECT}) {_FAILING}"
    asks = named(f"1000 * ({of_failing})", WORKSPACES)
    return Column(title, asks, unit=Unit.MOMENT)


def _where() -> Panel:
    bad = _ended(f"{WORKSPACES}, {BAD}", _PLACE)
    ended = _ended(WORKSPACES, _PLACE)
    misfired = _ended(f'{WORKSPACES}, result="misfired"', _PLACE)
    well = f"1 - {bad} / ({ended} > 0)"
    return rows(
        About("By workspace", "What ended in the time shown.", width=24),
        Column("bad ends", bad, limits=ANY_IS_ODD),
        Column("ended", ended),
        Column("ended well", well, unit=Unit.SHARE, limits=_GOOD),
        Column("misfired", misfired, limits=ANY_IS_ODD),
    )
