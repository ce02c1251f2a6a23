"""What rules ask of runs that are over: where one ran, what ended before it, what went well."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, false, func, select

from tmcwatch.domain.execution import (
    AccountName,
    ExecutionId,
    Kind,
    Phase,
    SubjectId,
    Transition,
    Trigger,
)
from tmcwatch.domain.repetition import Run
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import alerts, executions

MOST_RECENT = 1_000
"""Ends of one task or plan that are looked at, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run took place, and when it began; None where it is not known."""

    engine: str | None = None
    started_at: datetime | None = None
    plan: str | None = None
    """That a task ran in, where it did."""


# Built once: they are asked for bad ends, and for each success while an engine is in trouble.
_PLACE = select(executions.c.engine, executions.c.started_at, executions.c.plan).where(
    executions.c.account == bindparam("asked_account"),
    executions.c.kind == bindparam("asked_kind"),
    executions.c.id == bindparam("asked_id"),
)
_RECENT = (
    select(
        executions.c.id,
        executions.c.phase,
        executions.c.ended_at,
        executions.c.trigger,
        executions.c.reason,
        executions.c.engine,
        executions.c.seen_at,
    )
    .where(
        executions.c.account == bindparam("asked_account"),
        executions.c.kind == bindparam("asked_kind"),
        executions.c.subject == bindparam("asked_subject"),
        executions.c.ended_at >= bindparam("since"),
        executions.c.open == false(),
        executions.c.id != bindparam("asked_id"),
    )
    .order_by(executions.c.ended_at.desc())
)
_LAST_ENDS = (
    select(alerts.c.rule, func.max(alerts.c.ends_at))
    .where(
        alerts.c.account == bindparam("asked_account"),
        alerts.c.kind == bindparam("asked_kind"),
        alerts.c.subject == bindparam("asked_subject"),
        alerts.c.rule.in_(bindparam("asked_rules", expanding=True)),
        alerts.c.ends_at.is_not(None),
    )
    .group_by(alerts.c.rule)
)
_GOOD_SINCE = (
    select(executions.c.ended_at)
    .where(
        executions.c.account == bindparam("asked_account"),
        executions.c.kind == bindparam("asked_kind"),
        # What began after a moment was mostly triggered after it: so the index serves.
        executions.c.triggered_at >= bindparam("moment"),
        executions.c.started_at > bindparam("moment"),
        executions.c.phase == Phase.SUCCEEDED.value,
    )
    .order_by(executions.c.triggered_at)
    .limit(1)
)
_GOOD_ON_ENGINE = _GOOD_SINCE.where(executions.c.engine == bindparam("asked_engine"))


def place_of(
    connection: Connection, account: AccountName, kind: Kind, execution: ExecutionId
) -> Place:
    """Answer with where a run took place, as far as it is known."""
    asked = {"asked_account": account, "asked_kind": kind.value, "asked_id": execution}
    found = connection.execute(_PLACE, asked).one_or_none()
    if found is None:
        return Place()
    return Place(
        engine=found.engine or None,
        started_at=loaded(found.started_at),
        plan=found.plan or None,
    )


def recent_runs(
    connection: Connection,
    transition: Transition,
    *,
    since: datetime,
    was_told: Callable[[ExecutionId], bool],
) -> tuple[Run, ...]:
    """Answer with other ends of the same task or plan from `since` on, the newest thousand.

    Of those only that were told before: the others are yet to be.
    """
    asked: dict[str, Any] = {
        "asked_account": transition.account,
        "asked_kind": transition.kind.value,
        "asked_subject": transition.subject,
        "asked_id": transition.execution,
        "since": stored(since),
    }
    seen_at = stored(transition.seen_at)
    found = connection.execute(_RECENT, asked)
    # The log is asked only of what was seen as late: what was seen before was told before.
    told = (values for values in found if values.seen_at < seen_at or was_told(values.id))
    return tuple(
        Run(
            execution=ExecutionId(values.id),
            phase=Phase(values.phase),
            at=loaded(values.ended_at),
            trigger=Trigger(values.trigger),
            reason=values.reason,
            engine=values.engine,
        )
        for values in islice(told, MOST_RECENT)
    )


def last_ends(
    connection: Connection,
    account: AccountName,
    kind: Kind,
    *,
    subject: SubjectId,
    rules: Iterable[str],
) -> dict[str, datetime]:
    """Answer with when the last alert of each of these rules on a task or plan ended."""
    asked: dict[str, Any] = {"asked_account": account, "asked_kind": kind.value}
    asked |= {"asked_subject": subject, "asked_rules": list(rules)}
    return {rule: loaded(at) for rule, at in connection.execute(_LAST_ENDS, asked).all()}


def good_run_since(
    connection: Connection,
    account: AccountName,
    kind: Kind,
    *,
    engine: str | None,
    moment: datetime,
) -> datetime | None:
    """Answer with the end of a good run that was triggered and began after `moment`.

    On the engine, where one is given.
    """
    asked: dict[str, Any] = {"asked_account": account, "asked_kind": kind.value}
    asked |= {"moment": stored(moment)}
    query = _GOOD_SINCE
    if engine:
        query, asked = _GOOD_ON_ENGINE, asked | {"asked_engine": engine}
    return loaded(connection.execute(query, asked).scalar())
