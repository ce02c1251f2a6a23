"""What ran recently: asked when a run ends badly, so each question is bounded."""

from datetime import datetime
from typing import NamedTuple, Self

from sqlalchemy import Connection, bindparam, func, or_, select, true

from tmcwatch.domain.alert import Alert, EndReason
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, Phase, SubjectId, Trigger
from tmcwatch.domain.usual import PastRun
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import alerts, executions, transitions

RUNS_AT_MOST = 100
"""Runs of one task or plan that are looked through for what is usual."""

ERRORS_AT_MOST = 5_000
"""The newest transitions that are looked through for equal error texts."""

EPISODES_AT_MOST = 10_000
"""The newest alerts that are looked through for what opens again and again."""

# Built once: they are asked for every bad end.
_RUNS = (
    select(
        executions.c.phase,
        executions.c.triggered_at,
        executions.c.started_at,
        executions.c.ended_at,
    )
    .where(
        executions.c.account == bindparam("asked_account"),
        executions.c.kind == bindparam("asked_kind"),
        executions.c.subject == bindparam("asked_subject"),
        executions.c.ended_at.is_not(None),
    )
    .order_by(executions.c.ended_at.desc())
    .limit(RUNS_AT_MOST)
)
_HAPPENED = or_(alerts.c.end_reason.is_(None), alerts.c.end_reason != EndReason.SUPERSEDED.value)
# Bounded first: to group them by an index, the database would go through all alerts there are.
_OPENED = (
    select(alerts.c.account, alerts.c.kind, alerts.c.subject, alerts.c.rule)
    .where(alerts.c.opened_at >= bindparam("since"), _HAPPENED)
    .order_by(alerts.c.opened_at.desc())
    .limit(EPISODES_AT_MOST)
    .subquery()
)
_REPEATED = select(_OPENED).group_by(*_OPENED.c).having(func.count() >= bindparam("least"))
_EPISODES = select(func.count()).where(
    alerts.c.account == bindparam("asked_account"),
    alerts.c.kind == bindparam("asked_kind"),
    alerts.c.subject == bindparam("asked_subject"),
    alerts.c.opened_at >= bindparam("since"),
    alerts.c.rule == bindparam("asked_rule"),
    _HAPPENED,
)
_NEWEST = (
    select(transitions.c.account, transitions.c.kind, transitions.c.error, transitions.c.subject)
    .where(transitions.c.seen_at >= bindparam("since"))
    .order_by(transitions.c.seen_at.desc())
    .limit(ERRORS_AT_MOST)
    .subquery()
)
_ERRORS = (
    select(
        _NEWEST.c.account,
        _NEWEST.c.kind,
        _NEWEST.c.error,
        func.count(_NEWEST.c.subject.distinct()),
    )
    .where(_NEWEST.c.error.is_not(None))
    .group_by(_NEWEST.c.account, _NEWEST.c.kind, _NEWEST.c.error)
)
_PLAN_RUN = (
    select(executions.c.id, executions.c.trigger, executions.c.open)
    .where(
        executions.c.account == bindparam("asked_account"),
        executions.c.kind == Kind.PLAN.value,
        executions.c.subject == bindparam("asked_subject"),
        executions.c.triggered_at <= bindparam("moment"),
        or_(executions.c.open == true(), executions.c.ended_at >= bindparam("moment")),
    )
    .order_by(executions.c.triggered_at.desc())
    .limit(1)
)
_RUN_OF_PLAN = select(executions.c.subject).where(
    executions.c.account == bindparam("asked_account"),
    executions.c.kind == Kind.PLAN.value,
    executions.c.id == bindparam("asked_id"),
)


class SameError(NamedTuple):
    """An error text of one list."""

    account: AccountName
    kind: Kind
    error: str


class Repeated(NamedTuple):
    """What opens alerts again and again: a rule on a subject."""

    account: str
    kind: str
    subject: str
    rule: str

    @classmethod
    def by(cls, alert: Alert) -> Self:
        labels = alert.labels
        return cls(labels["account"], labels["kind"], labels["id"], alert.rule)


class PlanRunFound(NamedTuple):
    """A run of a plan."""

    execution: ExecutionId
    trigger: Trigger
    is_open: bool


def past_runs(
    connection: Connection, account: AccountName, kind: Kind, subject: SubjectId
) -> tuple[PastRun, ...]:
    """Answer with the newest runs of a task or plan that ended, newest first."""
    asked = {"asked_account": account, "asked_kind": kind.value, "asked_subject": subject}
    return tuple(
        PastRun(
            phase=Phase(phase),
            triggered_at=loaded(triggered_at),
            started_at=loaded(started_at),
            ended_at=loaded(ended_at),
        )
        for phase, triggered_at, started_at, ended_at in connection.execute(_RUNS, asked)
    )


def repeated_since(connection: Connection, since: datetime, least: int) -> set[Repeated]:
    """Answer with what opened at least so many alerts; those taken back do not count."""
    asked = {"since": stored(since), "least": least}
    return {Repeated(*values) for values in connection.execute(_REPEATED, asked)}


def episodes_before(connection: Connection, alert: Alert, since: datetime) -> int:
    """Answer with how many alerts like one that is not stored yet opened before it."""
    like_it = Repeated.by(alert)
    asked = {
        "asked_account": like_it.account,
        "asked_kind": like_it.kind,
        "asked_subject": like_it.subject,
        "asked_rule": like_it.rule,
        "since": stored(since),
    }
    return int(connection.execute(_EPISODES, asked).scalar_one())


def errors_since(connection: Connection, since: datetime) -> dict[SameError, int]:
    """Answer with how many tasks or plans each error text was told of."""
    return {
        SameError(AccountName(account), Kind(kind), error): count
        for account, kind, error, count in connection.execute(_ERRORS, {"since": stored(since)})
    }


def plan_run_at(
    connection: Connection, account: AccountName, plan: SubjectId, moment: datetime
) -> PlanRunFound | None:
    """Answer with the run of a plan that went on at `moment`, None where none is known."""
    asked = {"asked_account": account, "asked_subject": plan, "moment": stored(moment)}
    values = connection.execute(_PLAN_RUN, asked).one_or_none()
    if values is None:
        return None
    return PlanRunFound(ExecutionId(values.id), Trigger(values.trigger), values.open)


def plan_of_run(
    connection: Connection, account: AccountName, execution: ExecutionId
) -> SubjectId | None:
    """Answer with the plan that an execution is a run of, None where that is not known."""
    asked = {"asked_account": account, "asked_id": execution}
    subject: SubjectId | None = connection.execute(_RUN_OF_PLAN, asked).scalar()
    return subject
