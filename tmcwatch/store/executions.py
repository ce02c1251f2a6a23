"""Executions in the store: what we believe about each run, open or ended."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select, true
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.execution import (
    ENDS,
    FAILURES,
    OPEN,
    AccountName,
    Breakage,
    Execution,
    ExecutionId,
    Kind,
    Phase,
    Row,
    SubjectId,
    Trigger,
)
from tmcwatch.domain.lifecycle import ended_at
from tmcwatch.domain.observation import Followed
from tmcwatch.store.among import is_among
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import executions

_IDS_AT_ONCE = 500  # databases bound the parameters of one statement


# Built once: they are asked at every look.
_OF_LIST = (executions.c.account == bindparam("asked_account")) & (
    executions.c.kind == bindparam("asked_kind")
)
_FOLLOWED = (
    select(executions.c.id, executions.c.triggered_at)
    .where(executions.c.open, _OF_LIST)
    .order_by(executions.c.triggered_at)
)
_TRIGGERS_OF = (
    select(executions.c.triggered_at)
    .where(_OF_LIST, executions.c.triggered_at >= bindparam("since"))
    .order_by(executions.c.triggered_at.desc())
    .limit(bindparam("most"))
)
_OF_IDS = select(executions).where(
    _OF_LIST, executions.c.id.in_(bindparam("asked_ids", expanding=True))
)
_COMPLETED = select(executions.c.id, executions.c.phase).where(
    _OF_LIST,
    executions.c.id.in_(bindparam("asked_ids", expanding=True)),
    is_among(executions.c.phase, [phase.value for phase in ENDS]),
    executions.c.detailed,
)
_NEW = insert(executions)
_SAVED = _NEW.on_conflict_do_update(
    index_elements=["account", "kind", "id"],
    set_={
        column.name: _NEW.excluded[column.name]
        for column in executions.c
        if not column.primary_key and column.name != "first_seen_at"
    },
)


def load_executions(
    connection: Connection, account: AccountName, kind: Kind, ids: Iterable[ExecutionId]
) -> dict[ExecutionId, Execution]:
    """Answer with what is believed about the executions of `ids` that are known."""
    found: dict[ExecutionId, Execution] = {}
    wanted = list(ids)
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        asked = {
            "asked_account": account,
            "asked_kind": kind.value,
            "asked_ids": wanted[begin : begin + _IDS_AT_ONCE],
        }
        for values in connection.execute(_OF_IDS, asked).all():
            execution = _execution(account, kind, values)
            found[execution.row.id] = execution
    return found


def save_executions(connection: Connection, changed: Sequence[Execution]) -> None:
    """Write executions that are new or changed."""
    if changed:
        connection.execute(_SAVED, [_values(execution) for execution in changed])


def followed_executions(
    connection: Connection, account: AccountName, kind: Kind
) -> tuple[Followed, ...]:
    """Answer with every open execution of one list."""
    found = connection.execute(_FOLLOWED, {"asked_account": account, "asked_kind": kind.value})
    return tuple(
        Followed(id=ExecutionId(id_), triggered_at=loaded(triggered_at))
        for id_, triggered_at in found
    )


def newest_triggers(
    connection: Connection, account: AccountName, kind: Kind, since: datetime, *, most: int
) -> tuple[datetime, ...]:
    """Answer with the newest trigger times known from `since` on, at most `most`, oldest first."""
    asked = {"asked_account": account, "asked_kind": kind.value, "since": stored(since)}
    found = connection.execute(_TRIGGERS_OF, asked | {"most": most})
    return tuple(reversed([loaded(moment) for (moment,) in found]))


def completed_ends(
    connection: Connection, account: AccountName, kind: Kind, ids: Iterable[ExecutionId]
) -> dict[ExecutionId, Phase]:
    """Answer with how those of `ids` ended that ended as we know and need no further detail."""
    asked = {"asked_account": account, "asked_kind": kind.value}
    found = connection.execute(_COMPLETED, asked | {"asked_ids": list(ids)[:_IDS_AT_ONCE]})
    return {ExecutionId(id_): Phase(phase) for id_, phase in found}


def first_success_after(
    connection: Connection,
    account: AccountName,
    kind: Kind,
    *,
    subject: SubjectId,
    moment: datetime,
    seen_at: datetime,
    was_told: Callable[[ExecutionId], bool],
) -> datetime | None:
    """Answer with the end of the first success of a task or plan that ended at `moment` or later.

    Of those only that were seen by `seen_at` and told before: the others are yet to be.
    """
    # A success outdoes a failure of the same moment, in whichever order they are told.
    just_before = moment - timedelta(microseconds=1)
    ends = _ends(account, kind, subject=subject, phases=[Phase.SUCCEEDED], moment=just_before)
    query = select(executions.c.id, executions.c.ended_at).where(
        ends, executions.c.first_seen_at <= stored(seen_at)
    )
    found = connection.execute(query.order_by(executions.c.ended_at))
    return next((loaded(ended_at) for id_, ended_at in found if was_told(id_)), None)


def failures_after(
    connection: Connection,
    account: AccountName,
    kind: Kind,
    *,
    subject: SubjectId,
    moment: datetime | None,
) -> tuple[int, datetime | None]:
    """Answer with how many failures ended after `moment`, and when the first of them did.

    Without a moment all that are remembered count.
    """
    ends = _ends(account, kind, subject=subject, phases=FAILURES, moment=moment)
    count, first = connection.execute(
        select(func.count(), func.min(executions.c.ended_at)).where(ends)
    ).one()
    return count, loaded(first)


def newest_success(
    connection: Connection, account: AccountName, kind: Kind, *, subject: SubjectId
) -> datetime | None:
    """Answer with the end of the newest success that is remembered of a task or plan."""
    ends = _ends(account, kind, subject=subject, phases=[Phase.SUCCEEDED], moment=None)
    return loaded(connection.execute(select(func.max(executions.c.ended_at)).where(ends)).scalar())


def _ends(
    account: AccountName,
    kind: Kind,
    *,
    subject: SubjectId,
    phases: Iterable[Phase],
    moment: datetime | None,
) -> ColumnElement[bool]:
    after = true() if moment is None else executions.c.ended_at > stored(moment)
    return and_(
        executions.c.account == account,
        executions.c.kind == kind.value,
        executions.c.subject == subject,
        after,
        executions.c.phase.in_([phase.value for phase in phases]),
    )


_PHASES: Mapping[str, Phase] = {phase.value: phase for phase in Phase}
_TRIGGERS: Mapping[str, Trigger] = {trigger.value: trigger for trigger in Trigger}


def _execution(account: AccountName, kind: Kind, values: Sequence[Any]) -> Execution:
    # By position: looking up names takes too long for every row of every look.
    id_, subject, phase, status, trigger, triggered_at, started_at, ended_at, *rest = values[2:]
    reason, error, engine, plan, workspace, processed, rejected, breakage, *known = rest
    detailed, _, first_seen_at, seen_at = known
    return Execution(
        account=account,
        row=Row(
            kind=kind,
            id=id_,
            subject=subject,
            phase=_PHASES[phase],
            status=status,
            trigger=_TRIGGERS[trigger],
            triggered_at=loaded(triggered_at),
            started_at=loaded(started_at),
            ended_at=loaded(ended_at),
            reason=reason,
            error=error,
            engine=engine,
            plan=plan,
            workspace=workspace,
            rows_processed=processed,
            rows_rejected=rejected,
            breakage=breakage_from(breakage),
            detailed=detailed,
        ),
        first_seen_at=loaded(first_seen_at),
        seen_at=loaded(seen_at),
    )


def _values(execution: Execution) -> dict[str, object]:
    row = execution.row
    return {
        "account": execution.account,
        "kind": row.kind.value,
        "id": row.id,
        "subject": row.subject,
        "phase": row.phase.value,
        "status": row.status,
        "trigger": row.trigger.value,
        "triggered_at": stored(row.triggered_at),
        "started_at": stored(row.started_at),
        # Some runs end without an end: they are found by their end all the same.
        "ended_at": stored(row.ended_at if row.phase in OPEN else ended_at(row)),
        "reason": row.reason,
        "error": row.error,
        "engine": row.engine,
        "plan": row.plan,
        "workspace": row.workspace,
        "rows_processed": row.rows_processed,
        "rows_rejected": row.rows_rejected,
        "breakage": breakage_text(row.breakage),
        "detailed": row.detailed,
        "open": row.phase in OPEN,
        "first_seen_at": stored(execution.first_seen_at),
        "seen_at": stored(execution.seen_at),
    }


def breakage_text(breakage: Breakage | None) -> str | None:
    return None if breakage is None else json.dumps(asdict(breakage))


def breakage_from(text: str | None) -> Breakage | None:
    if text is None:
        return None
    facts = json.loads(text)
    return Breakage(**(facts | {"tasks": tuple(facts["tasks"])}))
