"""What the domain's tests tell their stories with: rows, transitions, alerts and times."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tmcwatch.domain.alert import Alert, AlertId, Severity
from tmcwatch.domain.execution import (
    AccountName,
    ExecutionId,
    Kind,
    Phase,
    Row,
    Subject,
    SubjectId,
    Transition,
    Trigger,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROD = AccountName("prod")
LOAD = Subject(
    kind=Kind.TASK,
    id=SubjectId("t1"),
    name="load",
    workspace_id="w",
    workspace="finance",
    environment_id="e",
    environment="PROD",
)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def row(phase: Phase, **changes) -> Row:
    facts: dict[str, Any] = {
        "kind": Kind.TASK,
        "id": ExecutionId("r1"),
        "subject": SubjectId("t1"),
    }
    facts |= {"phase": phase, "status": phase.value, "trigger": Trigger.SCHEDULED}
    return Row(**(facts | {"triggered_at": at(0)} | changes))


def ended(phase: Phase, minute: float, *, execution: str = "r1", **changes) -> Transition:
    facts: dict[str, Any] = {
        "account": PROD,
        "kind": Kind.TASK,
        "execution": ExecutionId(execution),
    }
    facts |= {"subject": SubjectId("t1"), "phase": phase, "at": at(minute)}
    facts |= {"seen_at": at(minute) + timedelta(seconds=5), "trigger": Trigger.SCHEDULED}
    return Transition(**(facts | changes))


def alert(name: str = "a", **changes) -> Alert:
    facts: dict[str, Any] = {"id": AlertId(name), "rule": "failed", "severity": Severity.WARNING}
    facts |= {"labels": {"name": name}, "annotations": {"latest_at": NOON.isoformat()}}
    return Alert(**(facts | {"starts_at": NOON, "opened_at": NOON, "changed_at": NOON} | changes))
