"""Overview: is anything wrong, since when, and does tmcwatch itself see everything?"""

from tests.deploy.dashboards.frame import Board, Section, workspaces
from tests.deploy.dashboards.panels import (
    ANY,
    ANY_IS_ODD,
    GREEN,
    RED,
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
    age,
    counted,
    growth,
    level,
    named,
)

_ENDED = ("workspace_executions_total", f"{WORKSPACE}, result")
_PLACE = "account, environment, workspace"
_FAILING = f"{level('consecutive_failures', SUBJECT, WORKSPACES)} > 0"
_GOOD_SHARE = Limits(attention=0.99, alarm=0.94, below=True)
_HEAD = Limits(attention=60, alarm=300)
_WATERMARK = Limits(attention=600, alarm=900)
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
            Section(title="Is anything wrong?", panels=[*_wrong(), *_itself()]),
            Section(title="Since when?", panels=_since()),
            Section(title="Where?", panels=_where()),
            Section(title="Does tmcwatch see everything?", panels=_seeing()),
            Section(title="Details of seeing", panels=_details(), is_collapsed=True),
            Section(title="The process", panels=_process(), is_collapsed=True),
        ],
    )


def _ended(where: str, by: str = "") -> str:
    labels = f" by ({by})" if by else ""
    return f"sum{labels} ({growth(*_ENDED, where, over=RANGE)})"


def _wrong() -> list[Panel]:
    bad = f"{WORKSPACES}, {BAD}"
    firing = level("alerts_firing", "rule, severity")
    return [
        number(
            small("Alerts firing", "Open alerts of all accounts and rules.", ANY),
            f"sum({firing})",
        ),
        number(
            small("Failing now", "Tasks, plans and promotions whose last end was bad.", ANY),
            f"sum({level('consecutive_failures', SUBJECT, WORKSPACES)} > bool 0)",
        ),
        number(
            small("Bad ends", "Runs that ended badly in the time shown; no stops by hand.", ANY),
            _ended(bad),
        ),
        number(
            small("Ended", "Runs that ended in the time shown, however they did.", Limits()),
            _ended(WORKSPACES),
        ),
        number(
            small("Ended well", "Share of all ends that were not bad.", _GOOD_SHARE, Unit.SHARE),
            f"1 - {_ended(bad)} / ({_ended(WORKSPACES)} > 0)",
        ),
        number(
            small(
                "Running or waiting", "Runs that have not ended, of all environments.", Limits()
            ),
            f"sum({level('executions_open', f'{LIST}, phase', ACCOUNTS)})",
        ),
    ]


def _itself() -> list[Panel]:
    missed = growth("audit_discrepancies_total", LIST, ACCOUNTS, over=RANGE)
    return [
        _yes(
            "Sees TMC",
            "Whether the last look at every list of every account succeeded.",
            f"min({level('up', 'account', ACCOUNTS)})",
            ("not all", "all"),
        ),
        number(
            small(
                "Newest look",
                "Age of the last look at the list looked at least.",
                _HEAD,
                Unit.SECONDS,
            ),
            f"max({age('head_timestamp_seconds', LIST, ACCOUNTS)})",
        ),
        number(
            small(
                "Proven complete",
                "Age of the moment up to which all runs are proven to be seen.",
                _WATERMARK,
                Unit.SECONDS,
            ),
            f"max({age('watermark_timestamp_seconds', LIST, ACCOUNTS)})",
        ),
        number(
            small(
                "Missed", "Runs or ends that only an audit found in the time shown; stays 0.", ANY
            ),
            f"sum({missed})",
        ),
        _yes(
            "Store",
            "Whether the store can be read and written.",
            "min(tmcwatch_store_up{})",
            ("down", "up"),
        ),
        _yes(
            "Configuration",
            "Whether the newest configuration is the one in use.",
            "min(tmcwatch_config_last_reload_successful{})",
            ("refused", "in use"),
        ),
    ]


def _yes(title: str, description: str, asks: str, said: tuple[str, str]) -> Panel:
    no, yes = said
    about = About(
        title,
        description,
        unit=Unit.YES_OR_NO,
        limits=Limits(alarm=0, attention=1, below=True),
        width=4,
        height=4,
        words={"0": (no, RED), "1": (yes, GREEN)},
    )
    return number(about, asks)


def _since() -> list[Panel]:
    bad = growth(*_ENDED, f"{WORKSPACES}, {BAD}")
    return [
        lines(
            About("Alerts firing by rule", "How many were open, of all accounts."),
            Line(f"{level('alerts_firing', 'rule, severity')} > 0", "{{rule}} ({{severity}})"),
        ),
        bars(
            About("Bad ends by workspace", "Runs that ended badly within each step."),
            Line(f"sum by ({_PLACE}) ({bad}) > 0", "{{account}} {{environment}} {{workspace}}"),
        ),
        rows(
            About(
                "Failing now",
                "What ended badly last, and since when it has not succeeded; a click "
                "on id or name opens it. Without a last success there was none yet.",
                width=24,
            ),
            Column(
                "failures in a row",
                named(_FAILING, WORKSPACES),
                limits=Limits(attention=1, alarm=3),
            ),
            _moment("last success", "last_success_timestamp_seconds"),
            _moment("last end", "last_completion_timestamp_seconds"),
            link=_ONE_SUBJECT,
        ),
    ]


def _moment(title: str, metric: str) -> Column:
    of_failing = f"{level(metric, SUBJECT, WORKSPACES)} and on ({SUBJECT}) {_FAILING}"
    asks = named(f"1000 * ({of_failing})", WORKSPACES)
    return Column(title, asks, unit=Unit.MOMENT)


def _where() -> list[Panel]:
    bad = _ended(f"{WORKSPACES}, {BAD}", _PLACE)
    ended = _ended(WORKSPACES, _PLACE)
    return [
        rows(
            About("By workspace", "What ended in the time shown.", width=24),
            Column("bad ends", bad, limits=ANY),
            Column("ended", ended),
            Column(
                "ended well", f"1 - {bad} / ({ended} > 0)", unit=Unit.SHARE, limits=_GOOD_SHARE
            ),
            Column(
                "misfired", _ended(f'{WORKSPACES}, result="misfired"', _PLACE), limits=ANY_IS_ODD
            ),
        ),
    ]


def _seeing() -> list[Panel]:
    open_by = f"{LIST}, phase"
    return [
        lines(
            About(
                "Age of the newest look",
                "How long ago the newest runs of each list were read.",
                unit=Unit.SECONDS,
                limits=_HEAD,
            ),
            Line(age("head_timestamp_seconds", LIST, ACCOUNTS), "{{account}} {{kind}}"),
        ),
        lines(
            About(
                "Age of what is proven complete",
                "How far back everything is proven to have been read; it lags by the "
                "time that TMC takes to show runs.",
                unit=Unit.SECONDS,
                limits=_WATERMARK,
            ),
            Line(age("watermark_timestamp_seconds", LIST, ACCOUNTS), "{{account}} {{kind}}"),
        ),
        lines(
            About(
                "Running or waiting",
                "Runs that have not ended, of all environments of the accounts.",
            ),
            Line(level("executions_open", open_by, ACCOUNTS), "{{account}} {{kind}} {{phase}}"),
        ),
        lines(
            About(
                "Longest open run",
                "Age of the run that was triggered first and has not ended; nothing "
                "where none is open.",
                unit=Unit.SECONDS,
            ),
            Line(
                age("oldest_open_start_timestamp_seconds", open_by, ACCOUNTS),
                "{{account}} {{kind}} {{phase}}",
            ),
        ),
    ]


def _details() -> list[Panel]:
    name = "{{account}} {{kind}}"
    return [
        _third(
            "Settle lag",
            "How long after its trigger a run may still appear in TMC's list.",
            Line(level("settle_lag_seconds", LIST, ACCOUNTS), name),
            Unit.SECONDS,
        ),
        _third(
            "Left to read",
            "Stretches of history and of an outage that are still to be read.",
            Line(level("backfill_remaining_seconds", LIST, ACCOUNTS), name),
            Unit.SECONDS,
        ),
        _third(
            "Age of the second proof",
            "How far back everything was proven a second time; it lags by an hour.",
            Line(age("second_pass_timestamp_seconds", LIST, ACCOUNTS), name),
            Unit.SECONDS,
        ),
        _third(
            "Clock skew",
            "How far TMC's clock is ahead of ours.",
            Line(level("clock_skew_seconds", "account", ACCOUNTS), "{{account}}"),
            Unit.SECONDS,
        ),
        _grown(
            "Found late",
            "late_rows_total",
            "Runs or ends that TMC showed too late for the first reading, found an hour later.",
        ),
        _grown(
            "Missed",
            "audit_discrepancies_total",
            "Runs or ends that only an audit found; there must be none.",
        ),
        _grown(
            "Not understood",
            "quarantined_rows_total",
            "Rows that could not be read, kept for a person to look at.",
        ),
        _third(
            "Unknown statuses",
            "Runs ever seen with a status that is not known, by TMC's word.",
            Line(
                level("unrecognised_statuses_total", f"{LIST}, status", ACCOUNTS),
                "{{account}} {{kind}} {{status}}",
            ),
            Unit.COUNT,
        ),
        bars(
            _wide(
                "Seen long after their end",
                "Ends seen more than ten minutes late, which are counted nowhere else.",
            ),
            Line(
                f"sum by (account, kind) "
                f"({growth('backfilled_executions_total', WORKSPACE, WORKSPACES)})",
                name,
            ),
        ),
    ]


def _wide(title: str, description: str, unit: Unit = Unit.COUNT) -> About:
    return About(title, description, unit=unit, width=8, height=7)


def _third(title: str, description: str, line: Line, unit: Unit) -> Panel:
    return lines(_wide(title, description, unit), line)


def _grown(title: str, metric: str, description: str) -> Panel:
    line = Line(growth(metric, LIST, ACCOUNTS), "{{account}} {{kind}}")
    return bars(_wide(title, description), line)


def _process() -> list[Panel]:
    return [
        bars(
            _wide("Messages logged", "By level; what is an error needs somebody."),
            Line(counted("log_messages_total", "level", 'level!="debug"'), "{{level}}"),
        ),
        rows(
            _wide(
                "Restarts of parts",
                "Crashes of each part since the process started; each is a "
                "bug, and is logged with its trace.",
            ),
            Column("restarts", "sum by (loop) (tmcwatch_restarts_total{})", limits=ANY),
        ),
        rows(
            _wide(
                "Series left out",
                "Series of each metric that would be too many: rules and "
                "panels about single tasks do not see them.",
            ),
            Column("left out", f"{level('series_dropped', 'metric')} > 0", limits=ANY),
        ),
        rows(
            About("What runs", "Versions that are scraped.", height=5),
            Column("processes", "sum by (version, python) (tmcwatch_build_info{})"),
        ),
        lines(
            About(
                "Age of the configuration",
                "Time since the configuration in use was loaded.",
                unit=Unit.SECONDS,
                height=5,
            ),
            Line(
                "time() - max(tmcwatch_config_last_reload_success_timestamp_seconds{})", "loaded"
            ),
        ),
    ]
