"""Letters of the outbox as people see them: what is owed, what was given up, and replays of it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from tmcwatch.domain.alert import Alert, AlertId
from tmcwatch.domain.delivery import HELD, Delivery, DeliveryId, State
from tmcwatch.domain.grouping import about_to_tell
from tmcwatch.domain.message import Message
from tmcwatch.domain.retelling import retold
from tmcwatch.store.alerts import load_alert
from tmcwatch.store.facts import FactsError, facts_of, message_from
from tmcwatch.store.groups import load_members
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.outbox import delivered, delivery_of
from tmcwatch.store.parked import try_again
from tmcwatch.store.precedence import OPEN
from tmcwatch.store.schema import deliveries

NOTHING_LEFT = "not sent again: nothing was left to tell, or another message tells it"
_COLUMNS = deliveries.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A row of the outbox for people to look at."""

    id: DeliveryId
    receiver: str
    target: str
    state: State
    attempts: int
    owed_since: datetime
    changed_at: datetime
    due_at: datetime
    error: str | None
    is_held: bool
    """It may have arrived: the process died while it was sent, and it is not to be sent twice."""
    alerts: tuple[Alert, ...]
    """None of them where the facts cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What became of dead letters that were to be sent again."""

    due: int
    nothing_left: int
    """Settled without a message: nothing was left to tell, or another message tells it."""


def owed_letters(connection: Connection, receiver: str | None, *, most: int) -> tuple[Letter, ...]:
    """Answer with what is still owed, oldest first."""
    query = select(deliveries).where(_COLUMNS.state.in_(OPEN), *_of(receiver))
    query = query.order_by(_COLUMNS.created_at, _COLUMNS.target, _COLUMNS.number)
    return tuple(_letter(row) for row in connection.execute(query.limit(most)))


def dead_letters(connection: Connection, receiver: str | None, *, most: int) -> tuple[Letter, ...]:
    """Answer with what was given up, the last one first."""
    query = select(deliveries).where(_COLUMNS.state == State.DEAD.value, *_of(receiver))
    query = query.order_by(_COLUMNS.changed_at.desc(), _COLUMNS.target, _COLUMNS.number)
    return tuple(_letter(row) for row in connection.execute(query.limit(most)))


def dead_ids(
    connection: Connection, receiver: str | None, targets: Collection[str]
) -> list[DeliveryId]:
    """Answer with what was given up and has a target still; a group's are side by side."""
    query = select(_COLUMNS.id).where(
        _COLUMNS.state == State.DEAD.value, _COLUMNS.target.in_(list(targets)), *_of(receiver)
    )
    query = query.order_by(_COLUMNS.group_key, _COLUMNS.target, _COLUMNS.number)
    return [DeliveryId(id_) for id_ in connection.scalars(query)]


def unknown_ids(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Answer with those of the ids that no delivery has, whatever its state."""
    known = set(connection.scalars(select(_COLUMNS.id).where(_COLUMNS.id.in_(ids))))
    return [id_ for id_ in ids if id_ not in known]


def replay(
    connection: Connection,
    ids: Collection[DeliveryId],
    *,
    targets: Mapping[str, bool],
    now: datetime,
) -> Replay:
    """Owe dead letters again, under their ids and keys, with what they would tell now.

    `targets` are those that there are, with whether ends are told to them. Letters that are not
    dead, or whose target is gone or facts cannot be read, stay as they are.
    """
    query = select(deliveries).where(
        _COLUMNS.id.in_(ids),
        _COLUMNS.state == State.DEAD.value,
        _COLUMNS.target.in_(list(targets)),
    )
    found = connection.execute(query.order_by(_COLUMNS.group_key, _COLUMNS.target))
    dead = list(_readable(found))
    due = nothing_left = 0
    again: set[str] = set()
    for (group, target), letters in groupby(dead, key=_place):
        together = [*letters, *_later(connection, group, target)]
        known = _known(connection, together)
        awaited = about_to_tell(load_members(connection, group), send_resolved=targets[target])
        for id_, message in retold(together, known, awaited=awaited, now=now).items():
            if message.alerts:
                _owe_again(connection, id_, message, now)
                again.add(target)
                due += 1
            else:
                delivered(connection, id_, NOTHING_LEFT, now)
                nothing_left += 1
    try_again(connection, again)
    return Replay(due=due, nothing_left=nothing_left)


def _owe_again(connection: Connection, id_: DeliveryId, message: Message, now: datetime) -> None:
    # The error stays: it tells that the receiver may have seen the key.
    connection.execute(
        update(deliveries)
        .where(_COLUMNS.id == id_)
        .values(
            state=State.PENDING.value,
            facts=facts_of(message),
            attempts=0,
            receipt=None,
            due_at=stored(now),
            changed_at=stored(now),
        )
    )


def _later(connection: Connection, group: str, target: str) -> Iterator[Delivery]:
    """Give what is owed or was accepted after the group's first dead letter."""
    there = (_COLUMNS.group_key == group) & (_COLUMNS.target == target)
    is_dead = _COLUMNS.state == State.DEAD.value
    first = select(func.min(_COLUMNS.number)).where(there, is_dead).scalar_subquery()
    query = select(deliveries).where(there, ~is_dead, _COLUMNS.number > first)
    return _readable(connection.execute(query))


def _readable(rows: Iterable[Row[Any]]) -> Iterator[Delivery]:
    for row in rows:
        try:
            yield delivery_of(row)
        except FactsError:
            continue


def _place(delivery: Delivery) -> tuple[str, str]:
    return delivery.message.group_key, delivery.target


def _known(connection: Connection, together: Iterable[Delivery]) -> dict[AlertId, Alert]:
    ids = {alert.id for delivery in together for alert in delivery.message.alerts}
    found = (load_alert(connection, id_) for id_ in ids)
    return {alert.id: alert for alert in found if alert is not None}


def _of(receiver: str | None) -> list[ColumnElement[bool]]:
    return [] if receiver is None else [_COLUMNS.receiver == receiver]


def _letter(row: Row[Any]) -> Letter:
    try:
        alerts = message_from(row.facts).alerts
    except FactsError:
        alerts = ()
    return Letter(
        id=DeliveryId(row.id),
        receiver=row.receiver,
        target=row.target,
        state=State(row.state),
        attempts=row.attempts,
        owed_since=loaded(row.created_at),
        changed_at=loaded(row.changed_at),
        due_at=loaded(row.due_at),
        error=row.error,
        is_held=row.receipt == HELD,
        alerts=alerts,
    )
