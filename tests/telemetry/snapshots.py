"""Snapshots for tests, told in few words."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tmcwatch.domain.execution import AccountName, Kind, Phase, Subject, SubjectId
from tmcwatch.domain.snapshot import (
    CounterState,
    ListState,
    OutboxState,
    Snapshot,
    SubjectState,
)
from tmcwatch.domain.usual import RunTimes

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROD = AccountName("prod")


def snapshot(**parts):
    nothing: dict[str, Any] = {
        "lists": (),
        "subjects": (),
        "counters": (),
        "alerts_firing": {},
        "outbox": (),
    }
    return Snapshot(at=NOON, **(nothing | parts))


def listed(kind=Kind.TASK, *, watermark=0, head=0, **changes):
    """One list of the account, its watermark and head so many seconds old."""
    known: dict[str, Any] = {
        "history_from": None,
        "history_to": None,
        "open": {},
        "oldest_open": {},
    } | changes
    return ListState(
        account=PROD,
        kind=kind,
        watermark=NOON - timedelta(seconds=watermark),
        head_at=NOON - timedelta(seconds=head),
        **known,
    )


def task(id_="t1", *, kind=Kind.TASK, name="load", workspace="FIN", **changes):
    never: dict[str, Any] = {
        "last_success_at": None,
        "last_completion_at": None,
        "last_phase": None,
    }
    zero: dict[str, Any] = {"failing_since": None, "consecutive_failures": 0}
    zero |= {"succeeded": 0, "failed": 0, "other": 0}
    names: dict[str, Any] = {"workspace_id": "w", "workspace": workspace, "environment_id": "e"}
    subject = Subject(kind=kind, id=SubjectId(id_), name=name, environment="PROD", **names)
    return SubjectState(account=PROD, subject=subject, **(never | zero | changes))


def counted(metric, label, value, *, environment="PROD", workspace="FIN"):
    return CounterState(
        metric=metric,
        account=PROD,
        environment=environment,
        workspace=workspace,
        kind=Kind.TASK,
        label=label,
        value=value,
    )


def owed(receiver="oncall", *, pending=0, oldest_at=None, dead=0):
    return OutboxState(receiver=receiver, pending=pending, oldest_at=oldest_at, dead=dead)


def busy():
    """A snapshot in which every metric has something to say."""
    hour = timedelta(hours=1)
    an_hour = RunTimes(usual=hour, longest_usual=hour, last=hour)
    an_hour_ago = NOON - timedelta(hours=1)
    return snapshot(
        lists=(
            listed(
                history_from=NOON - timedelta(days=2),
                history_to=NOON - timedelta(days=1),
                open={Phase.RUNNING: 2},
                oldest_open={Phase.RUNNING: an_hour_ago},
                settle=timedelta(seconds=12),
                checked_to=an_hour_ago,
            ),
        ),
        subjects=(
            task(last_success_at=an_hour_ago, last_completion_at=NOON, succeeded=7, failed=2),
            task("p1", kind=Kind.PLAN, name="nightly"),
            task("x1", kind=Kind.PROMOTION, name="TEST to PROD", workspace=""),
        ),
        counters=(
            counted("executions_total", "failed", 2),
            counted("misfires_total", "PLAN_PAUSED", 1),
            counted("execution_duration_seconds", "5", 3),
            counted("execution_duration_seconds", "+Inf", 1),
            counted("execution_duration_seconds", "sum", 90010),
            counted("rows_processed_total", "", 1000),
            counted("unrecognised_statuses_total", "frozen", 4, environment="", workspace=""),
            counted("quarantined_rows_total", "", 5, environment="", workspace=""),
        ),
        alerts_firing={("failed", "critical"): 2},
        outbox=(owed(pending=1, oldest_at=an_hour_ago, dead=3),),
        run_times={task("p1", kind=Kind.PLAN).place: an_hour},
    )
