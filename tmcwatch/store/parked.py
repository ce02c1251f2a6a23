"""Targets that fail, in the store: since when, and until when each is left alone."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, true
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.condition import Condition
from tmcwatch.domain.delivery import State
from tmcwatch.domain.parking import FAILING, NO_ACCOUNT, RECEIVER, Trouble, failing
from tmcwatch.store.conditions import begin_condition, end_condition, lasting_conditions_of
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.outbox import pending_count
from tmcwatch.store.schema import deliveries, parked

# Built once: a target that fails asks at every round.
_ONE = select(parked).where(parked.c.target == bindparam("asked_target"))
_NEW = insert(parked)
_SAVED = _NEW.on_conflict_do_update(
    index_elements=["target"],
    set_={
        column.name: _NEW.excluded[column.name] for column in parked.c if column.name != "target"
    },
)


def trouble_of(connection: Connection, target: str) -> Trouble | None:
    """Answer with the trouble of a target, None where it accepted what it was sent last."""
    row = connection.execute(_ONE, {"asked_target": target}).one_or_none()
    return None if row is None else _trouble(row)


def save_trouble(connection: Connection, target: str, trouble: Trouble) -> None:
    values = {
        "target": target,
        "since": stored(trouble.since),
        "until": stored(trouble.until),
        "refused": trouble.refused,
    }
    connection.execute(_SAVED, values)


def parked_targets(connection: Connection, now: datetime) -> Mapping[str, datetime]:
    """Answer with the targets that are left alone at present, and until when."""
    found = connection.execute(select(parked).where(parked.c.until > stored(now)))
    return {row.target: loaded(row.until) for row in found}


def end_trouble(connection: Connection, target: str, *, now: datetime) -> None:
    """Write that a target accepted a message: it fails no longer."""
    connection.execute(delete(parked).where(parked.c.target == target))
    end_condition(connection, FAILING, NO_ACCOUNT, kind=RECEIVER, subject=target, at=now)


def try_again(connection: Connection, targets: Iterable[str]) -> None:
    """Leave targets that refused the login alone no longer: someone has mended them."""
    mended = parked.c.target.in_(list(targets)) & (parked.c.refused == true())
    connection.execute(delete(parked).where(mended))


def tell_failing(connection: Connection, target: str, receiver: str, trouble: Trouble) -> bool:
    """Begin the condition that a target fails; answers whether that is news."""
    column = deliveries.c
    is_dead = (column.target == target) & (column.state == State.DEAD.value)
    recent = is_dead & (column.changed_at >= stored(trouble.since))
    given_up = connection.scalar(select(func.count()).select_from(deliveries).where(recent))
    condition = failing(
        target,
        receiver,
        trouble,
        waiting=pending_count(connection, target),
        given_up=given_up or 0,
        error=_last_error(connection, target),
    )
    return begin_condition(connection, condition)


def is_told_failing(connection: Connection, target: str) -> bool:
    return any(one.subject == target for one in failing_targets(connection))


def failing_targets(connection: Connection) -> tuple[Condition, ...]:
    """Answer with the targets that fail and of which that is told."""
    return lasting_conditions_of(connection, FAILING)


def forget_targets(connection: Connection, targets: Collection[str], *, now: datetime) -> None:
    """Forget the trouble of targets that the config no longer has."""
    connection.execute(delete(parked).where(parked.c.target.not_in(list(targets))))
    for condition in failing_targets(connection):
        if condition.subject not in targets:
            end_trouble(connection, condition.subject, now=now)


def _last_error(connection: Connection, target: str) -> str:
    column = deliveries.c
    states = (State.PENDING.value, State.SENDING.value, State.DEAD.value)
    failed = (column.target == target) & column.state.in_(states) & column.error.is_not(None)
    newest = select(column.error).where(failed).order_by(column.changed_at.desc()).limit(1)
    return connection.scalar(newest) or "no reason is known"


def _trouble(row: Any) -> Trouble:  # noqa: ANN401 - a row
    return Trouble(since=loaded(row.since), until=loaded(row.until), refused=row.refused)
