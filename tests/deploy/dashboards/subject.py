"""Task or plan: how one of them went, and how its workspace did meanwhile."""

from dataclasses import replace

from grafana_foundation_sdk.builders import dashboard

from tests.deploy.dashboards.frame import Board, Section, kinds, one_of, workspaces
from tests.deploy.dashboards.panels import (
    ANY,
    About,
    Limits,
    Line,
    Panel,
    Unit,
    bars,
    lines,
    number,
    small,
)
from tests.deploy.dashboards.promql import (
    RANGE,
    SUBJECT,
    WORKSPACE,
    WORKSPACES,
    age,
    growth,
    level,
    quantile,
)

_CHOICE = f'{WORKSPACES}, kind=~"$kind"'
_ITSELF = f'{_CHOICE}, id=~"$id"'
_ITS_WORKSPACE = f"and on ({WORKSPACE}) {level('executions_total', WORKSPACE, _ITSELF)}"
_USUAL = "7d"
_FAILURES = Limits(attention=1, alarm=3)
_GOOD = Limits(attention=0.99, alarm=0.9, below=True)
_SAW = (
    "A saw whose teeth are as long as its timetable; a longer one is a success that did not come."
)


def board() -> Board:
    return Board(
        uid="tmcwatch-subject",
        title="tmcwatch: task or plan",
        description="How a task, plan or promotion went, and how its workspace did meanwhile.",
        since="now-7d",
        variables=[*workspaces(), kinds(), _subjects()],
        sections=[
            Section(title="How does it stand?", panels=_standing()),
            Section(title="How did it go?", panels=_history()),
            Section(title="How does its workspace do?", panels=[*_pace(), *_outcome()]),
            Section(title="Details of its workspace", panels=_details(), is_collapsed=True),
        ],
    )


def _subjects() -> dashboard.QueryVariable:
    """Let people choose by name what is then asked for by id."""
    infos = " or ".join(
        f"tmcwatch_{kind}_info{{{_CHOICE}}}" for kind in ("task", "plan", "promotion")
    )
    # Without names, when there are too many series, ids are offered.
    unnamed = f"max by (id) (tmcwatch_executions_total{{{_CHOICE}}})"
    values = f"query_result(max by (id, name) ({infos}) or on (id) {unnamed})"
    named = '/\\bname="(?<text>[^"]+)|\\bid="(?<value>[^"]+)/g'
    return one_of("id", "Task or plan", values).regex(named)


def _ended(result: str = "") -> str:
    where = f'{_ITSELF}, result="{result}"' if result else _ITSELF
    return f"sum({growth('executions_total', f'{SUBJECT}, result', where, over=RANGE)})"


def _standing() -> list[Panel]:
    failures = f"max({level('consecutive_failures', SUBJECT, _ITSELF)})"
    share = small("Succeeded", "Share of its ends that were a success.", _GOOD, Unit.SHARE)
    succeeded = f"{_ended('succeeded')} / ({_ended()} > 0)"
    return [
        number(small("Failures in a row", "0 after a success.", _FAILURES), failures),
        _moment("Last success", "When it last succeeded.", "last_success_timestamp_seconds"),
        _moment("Last end", "However it ended.", "last_completion_timestamp_seconds"),
        number(small("Ended", "Its runs that ended in the time shown."), _ended()),
        number(small("Failed", "Its runs that failed in the time shown.", ANY), _ended("failed")),
        number(replace(share, empty="nothing ended"), succeeded),
    ]


def _moment(title: str, description: str, metric: str) -> Panel:
    about = small(title, description, unit=Unit.MOMENT)
    return number(
        replace(about, empty="none yet"), f"1000 * max({level(metric, SUBJECT, _ITSELF)})"
    )


def _history() -> list[Panel]:
    ended = growth("executions_total", f"{SUBJECT}, result", _ITSELF)
    one = "{{kind}} {{id}}"
    return [
        bars(
            About(
                "Ends by result",
                "Its runs that ended within each step. A dot is a run, and names it.",
                width=24,
            ),
            Line(f"sum by (result) ({ended})", "{{result}}", has_examples=True),
        ),
        lines(
            About(
                "Failures in a row",
                "How often it failed with no success in between.",
                limits=_FAILURES,
            ),
            Line(level("consecutive_failures", SUBJECT, _ITSELF), one),
        ),
        lines(
            About("Time since the last success", _SAW, unit=Unit.SECONDS, empty="none yet"),
            Line(age("last_success_timestamp_seconds", SUBJECT, _ITSELF), one),
        ),
        _run_time(),
    ]


def _run_time() -> Panel:
    usual = level("expected_duration_median_seconds", SUBJECT, _ITSELF)
    longest_usual = level("expected_duration_p95_seconds", SUBJECT, _ITSELF)
    return lines(
        About(
            "Run time",
            "Of its newest run, and of its last 20 successes; only where `metrics.detail` of the "
            "configuration chooses it.",
            unit=Unit.SECONDS,
            width=24,
            empty="not chosen by metrics.detail",
        ),
        Line(level("last_duration_seconds", SUBJECT, _ITSELF), "newest run"),
        Line(usual, "usual"),
        Line(longest_usual, "19 of 20 within"),
    )


def _took(share: float, metric: str, *, over: str, at: str = "") -> str:
    labels = f"{WORKSPACE}, le"
    grown = growth(f"{metric}_bucket", labels, _CHOICE, over=over, at=at)
    return quantile(share, f"sum by (le) ({grown} {_ITS_WORKSPACE})")


def _against_usual(title: str, description: str, metric: str) -> Panel:
    # The usual is worked out once, at the end of the time shown, and so costs little.
    return lines(
        About(title, description, unit=Unit.SECONDS),
        Line(_took(0.5, metric, over="1h"), "half of the hour's"),
        Line(_took(0.95, metric, over="1h"), "95 % of the hour's"),
        Line(_took(0.5, metric, over=_USUAL, at=" @ end()"), "usual: half"),
        Line(_took(0.95, metric, over=_USUAL, at=" @ end()"), "usual: 95 %"),
    )


def _pace() -> list[Panel]:
    return [
        _against_usual(
            "Duration in its workspace",
            "How long all runs of its kind in its workspace took, against the last 7 days; "
            "read between the bounds of coarse buckets.",
            "execution_duration_seconds",
        ),
        _against_usual(
            "Start delay in its workspace",
            "How long all runs of its kind in its workspace waited between trigger and start, "
            "against the last 7 days.",
            "execution_start_delay_seconds",
        ),
    ]


def _outcome() -> list[Panel]:
    rows = [Line(_of_workspace(f"rows_{what}_total"), what) for what in ("processed", "rejected")]
    return [
        bars(
            About("Rows in its workspace", "Rows that runs of its kind processed and rejected."),
            *rows,
        ),
        bars(
            About(
                "Misfires in its workspace",
                "Runs that TMC could not start, by its reason.",
                empty="none",
            ),
            Line(f"{_of_workspace('misfires_total', 'reason')} > 0", "{{reason}}"),
        ),
    ]


def _of_workspace(metric: str, label: str = "") -> str:
    by = f"{WORKSPACE}, {label}" if label else WORKSPACE
    labels = f" by ({label})" if label else ""
    return f"sum{labels} ({growth(metric, by, _CHOICE)} {_ITS_WORKSPACE})"


def _details() -> list[Panel]:
    return [
        bars(
            About(
                "Ends in its workspace by result",
                "Runs of its kind that ended, by every result.",
                empty="none",
            ),
            Line(f"{_of_workspace('workspace_executions_total', 'result')} > 0", "{{result}}"),
        ),
        bars(
            About(
                "Seen long after their end in its workspace",
                "Ends seen more than ten minutes late, which are counted nowhere "
                "else: not for this task either.",
            ),
            Line(_of_workspace("backfilled_executions_total"), "backfilled"),
        ),
    ]
