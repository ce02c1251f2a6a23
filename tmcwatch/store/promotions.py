"""Executions of promotions that are followed, by whoever asked for them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.execution import OPEN, AccountName, ExecutionId, Kind, Phase
from tmcwatch.domain.promotion import Promotion, Source, Wanted, history_before
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import capture, executions, promotions, subjects

_SAME = and_(
    executions.c.account == promotions.c.account,
    executions.c.kind == Kind.PROMOTION.value,
    executions.c.id == promotions.c.execution,
)
_NAMED = and_(
    subjects.c.account == executions.c.account,
    subjects.c.kind == executions.c.kind,
    subjects.c.id == executions.c.subject,
)
_RUNNING = select(executions.c.id).where(
    executions.c.open,
    executions.c.account == bindparam("asked_account"),
    executions.c.kind == Kind.PROMOTION.value,
)
# One that was read and is remembered no longer has been over for long.
_IS_OPEN = or_(promotions.c.read_at.is_(None), promotions.c.execution.in_(_RUNNING))
# Built once: it is asked at every look.
_WANTED = (
    select(promotions)
    .where(promotions.c.account == bindparam("asked_account"), _IS_OPEN)
    .order_by(promotions.c.asked_at, promotions.c.execution)
)


def follow_promotion(
    connection: Connection,
    account: AccountName,
    execution: ExecutionId,
    *,
    source: Source,
    now: datetime,
) -> bool:
    """Remember that an execution is to be followed; answers whether that is new.

    A request for one that TMC has not known so far begins its time anew.
    """
    statement = insert(promotions).values(
        account=account, execution=execution, source=source.value, asked_at=stored(now)
    )
    is_new = connection.execute(statement.on_conflict_do_nothing()).rowcount > 0
    if source is Source.REQUEST and not is_new:
        this = (promotions.c.account == account) & (promotions.c.execution == execution)
        again = update(promotions).where(this, promotions.c.read_at.is_(None))
        connection.execute(again.values(source=source.value, asked_at=stored(now)))
    return is_new


def wanted_promotions(connection: Connection, account: AccountName) -> tuple[Wanted, ...]:
    """Answer with the executions of an account that are not over, the first asked for first."""
    rows = connection.execute(_WANTED, {"asked_account": account}).all()
    watched_from = _watched_from(connection, account) if rows else None
    return tuple(
        Wanted(
            id=ExecutionId(row.execution),
            asked_at=loaded(row.asked_at),
            is_known=row.read_at is not None,
            history_before=history_before(
                Source(row.source), asked_at=loaded(row.asked_at), watched_from=watched_from
            ),
        )
        for row in rows
    )


def mark_as_read(
    connection: Connection, account: AccountName, ids: Iterable[ExecutionId], at: datetime
) -> None:
    """Remember that TMC knows these executions, so that the forgotten are not asked for again."""
    for execution in ids:
        connection.execute(
            update(promotions)
            .where(
                promotions.c.account == account,
                promotions.c.execution == execution,
                promotions.c.read_at.is_(None),
            )
            .values(read_at=stored(at))
        )


def followed_promotions(connection: Connection, most: int) -> tuple[Promotion, ...]:
    """Answer with what is followed or was, the last asked for first."""
    newest = _known().order_by(promotions.c.asked_at.desc(), promotions.c.execution).limit(most)
    return tuple(_promotion(row) for row in connection.execute(newest).mappings())


def followed_promotion(
    connection: Connection, account: AccountName, execution: ExecutionId
) -> Promotion | None:
    query = _known().where(promotions.c.account == account, promotions.c.execution == execution)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _promotion(row)


def forget(connection: Connection, before: datetime, most: int) -> int:
    """Forget what was asked for before and is over. What the config names would come back."""
    found = connection.execute(
        select(promotions.c.account, promotions.c.execution)
        .outerjoin(executions, _SAME)
        .where(
            promotions.c.asked_at < stored(before),
            promotions.c.source != Source.CONFIG.value,
            executions.c.id.is_(None),
        )
        .limit(most)
    ).all()
    for account, execution in found:
        same = (promotions.c.account == account) & (promotions.c.execution == execution)
        connection.execute(delete(promotions).where(same))
    return len(found)


def _known() -> Select[*tuple[Any, ...]]:
    return (
        select(
            promotions.c.account,
            promotions.c.execution,
            promotions.c.source,
            promotions.c.asked_at,
            executions.c.phase,
            executions.c.started_at,
            executions.c.triggered_at,
            executions.c.ended_at,
            executions.c.error,
            func.coalesce(subjects.c.name, executions.c.subject, "").label("name"),
        )
        .outerjoin(executions, _SAME)
        .outerjoin(subjects, _NAMED)
    )


def _promotion(row: RowMapping) -> Promotion:
    phase = None if row["phase"] is None else Phase(row["phase"])
    began = row["started_at"] or row["triggered_at"]
    since = began if phase is None or phase in OPEN else row["ended_at"]
    return Promotion(
        account=AccountName(row["account"]),
        execution=ExecutionId(row["execution"]),
        source=Source(row["source"]),
        asked_at=loaded(row["asked_at"]),
        phase=phase,
        since=loaded(since),
        name=row["name"],
        error=row["error"],
    )


def _watched_from(connection: Connection, account: AccountName) -> datetime | None:
    query = select(func.min(capture.c.watched_from)).where(capture.c.account == account)
    return loaded(connection.execute(query).scalar())
