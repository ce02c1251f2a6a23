"""The lower half of the overview: does tmcwatch itself see everything?"""

from dataclasses import replace

from tests.deploy.dashboards.frame import Section
from tests.deploy.dashboards.panels import (
    ANY,
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
    states,
    third,
)
from tests.deploy.dashboards.promql import (
    ACCOUNTS,
    LIST,
    RANGE,
    WORKSPACE,
    WORKSPACES,
    age,
    counted,
    growth,
    level,
)

_HEAD = Limits(attention=60, alarm=300)
_WATERMARK = Limits(attention=600, alarm=900)
_HEAD_AGE = age("head_timestamp_seconds", LIST, ACCOUNTS)
_WATERMARK_AGE = age("watermark_timestamp_seconds", LIST, ACCOUNTS)
_BY_LIST = "{{account}} {{kind}}"


def sections() -> list[Section]:
    details = [*_learned(), *_found(), *_odd()]
    return [
        Section(title="Does tmcwatch see everything?", panels=[_seen(), *_ages(), *_open()]),
        Section(title="Details of seeing", panels=details, is_collapsed=True),
        Section(title="The process", panels=[*_troubles(), *_runs()], is_collapsed=True),
    ]


def numbers() -> list[Panel]:
    """Tell in a row of numbers what makes all others worth believing."""
    return [*_freshness(), *_health()]


def _freshness() -> list[Panel]:
    missed = growth("audit_discrepancies_total", LIST, ACCOUNTS, over=RANGE)
    return [
        number(
            small("Newest look", "Age, of the list looked at least.", _HEAD, Unit.SECONDS),
            f"max({_HEAD_AGE})",
        ),
        number(
            small("Proven complete", "How far back at most.", _WATERMARK, Unit.SECONDS),
            f"max({_WATERMARK_AGE})",
        ),
        number(
            small("Missed", "Runs or ends that only an audit found in the time shown.", ANY),
            f"sum({missed})",
        ),
    ]


def _health() -> list[Panel]:
    seen = f"min({level('up', 'account', ACCOUNTS)})"
    store = "min(tmcwatch_store_up{})"
    config = "min(tmcwatch_config_last_reload_successful{})"
    return [
        _is("Sees TMC", "Whether the last look at each list succeeded.", seen, ("no", "yes")),
        _is("Store", "Whether it can be read and written.", store, ("down", "up")),
        _is("Configuration", "Whether the newest one is in use.", config, ("refused", "in use")),
    ]


def _is(title: str, description: str, asks: str, said: tuple[str, str]) -> Panel:
    no, yes = said
    about = About(
        title,
        description,
        unit=Unit.YES_OR_NO,
        limits=Limits(attention=1, below=True),
        width=4,
        height=4,
        words={"0": (no, RED), "1": (yes, GREEN)},
    )
    return number(about, asks)


def _seen() -> Panel:
    return states(
        About(
            "Sees TMC",
            "Whether the last look at each of its lists succeeded; /-/fresh says why not.",
            unit=Unit.YES_OR_NO,
            limits=Limits(attention=1, below=True),
            width=24,
            height=5,
            words={"0": ("no", RED), "1": ("yes", GREEN)},
        ),
        Line(level("up", "account", ACCOUNTS), "{{account}}"),
    )


def _ages() -> list[Panel]:
    return [
        lines(
            About(
                "Age of the newest look",
                "How long ago the newest runs of each list were read.",
                unit=Unit.SECONDS,
                limits=_HEAD,
            ),
            Line(_HEAD_AGE, _BY_LIST),
        ),
        lines(
            About(
                "Age of what is proven complete",
                "How far back all is proven to be read; it lags while TMC may still show runs.",
                unit=Unit.SECONDS,
                limits=_WATERMARK,
            ),
            Line(_WATERMARK_AGE, _BY_LIST),
        ),
    ]


def _open() -> list[Panel]:
    by = f"{LIST}, phase"
    oldest = age("oldest_open_start_timestamp_seconds", by, ACCOUNTS)
    return [
        lines(
            About("Running or waiting", "Runs that have not ended, of all environments."),
            Line(level("executions_open", by, ACCOUNTS), "{{account}} {{kind}} {{phase}}"),
        ),
        lines(
            About(
                "Longest open run",
                "Age of the open run that was triggered first; nothing where none is open.",
                unit=Unit.SECONDS,
                empty="none is open",
            ),
            Line(oldest, "{{account}} {{kind}} {{phase}}"),
        ),
    ]


def _learned() -> list[Panel]:
    return [
        _seconds(
            "Settle lag",
            "How long after its trigger a run may still appear in TMC's list.",
            level("settle_lag_seconds", LIST, ACCOUNTS),
        ),
        _seconds(
            "Left to read",
            "Stretches of history and of an outage that are still to be read.",
            level("backfill_remaining_seconds", LIST, ACCOUNTS),
        ),
        _seconds(
            "Age of the second proof",
            "How far back all was proven a second time; it lags by an hour.",
            age("second_pass_timestamp_seconds", LIST, ACCOUNTS),
        ),
    ]


def _seconds(title: str, description: str, asks: str) -> Panel:
    return lines(third(title, description, unit=Unit.SECONDS), Line(asks, _BY_LIST))


def _found() -> list[Panel]:
    return [
        _grown(
            "Found late",
            "Runs or ends that TMC showed too late for the first reading.",
            "late_rows_total",
        ),
        _grown(
            "Missed",
            "Runs or ends that only an audit found; there must be none.",
            "audit_discrepancies_total",
        ),
        _grown(
            "Not understood",
            "Rows that could not be read, kept for a person to look at.",
            "quarantined_rows_total",
        ),
    ]


def _grown(title: str, description: str, metric: str) -> Panel:
    return bars(third(title, description, ANY), Line(growth(metric, LIST, ACCOUNTS), _BY_LIST))


def _odd() -> list[Panel]:
    backfilled = growth("backfilled_executions_total", WORKSPACE, WORKSPACES)
    unknown = level("unrecognised_statuses_total", f"{LIST}, status", ACCOUNTS)
    skew = Limits(attention=30, alarm=60)
    statuses = third("Unknown statuses", "Runs ever seen with a status that is not known.", ANY)
    return [
        bars(
            third("Seen long after their end", "Ends that are counted nowhere else."),
            Line(f"sum by ({LIST}) ({backfilled})", _BY_LIST),
        ),
        lines(
            replace(statuses, empty="none"),
            Line(unknown, "{{account}} {{kind}} {{status}}"),
        ),
        lines(
            third("Clock skew", "How far TMC's clock is ahead of ours.", skew, Unit.SECONDS),
            Line(level("clock_skew_seconds", "account", ACCOUNTS), "{{account}}"),
        ),
    ]


def _troubles() -> list[Panel]:
    logged = counted("log_messages_total", "level", 'level!="debug"')
    return [
        bars(
            third("Messages logged", "By level; what is an error needs somebody."),
            Line(logged, "{{level}}"),
        ),
        rows(
            third("Restarts of parts", "Crashes since the process started, each one a bug."),
            Column("restarts", "sum by (loop) (tmcwatch_restarts_total{})", limits=ANY),
        ),
        rows(
            third("Series left out", "They would be too many: panels of tasks miss them."),
            Column("left out", level("series_dropped", "metric"), limits=ANY),
        ),
    ]


def _runs() -> list[Panel]:
    loaded = "time() - max(tmcwatch_config_last_reload_success_timestamp_seconds{})"
    return [
        rows(
            About("What runs", "Versions that are scraped.", height=5),
            Column("processes", "sum by (version, python) (tmcwatch_build_info{})"),
        ),
        lines(
            About(
                "Age of the configuration",
                "Time since the one in use was loaded.",
                unit=Unit.SECONDS,
                height=5,
            ),
            Line(loaded, "loaded"),
        ),
    ]
