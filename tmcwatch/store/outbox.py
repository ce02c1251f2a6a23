"""The outbox: messages owed, in order per group, until a target accepted them or they are dead."""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from tmcwatch.domain.delivery import HELD, Delivery, DeliveryId, State
from tmcwatch.domain.message import Message, merged
from tmcwatch.store.facts import FactsError, facts_of, message_from
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.precedence import OPEN, is_next, may_be_merged
from tmcwatch.store.schema import deliveries

Result = TypeVar("Result")
Work: TypeAlias = Callable[[Connection], Result]
"""What runs in one transaction."""

_ASKED_AT_ONCE = 500


def owe(connection: Connection, delivery: Delivery) -> bool:
    """Owe a delivery, once: False if its id is owed already.

    If the group's latest message to the target was never tried, the two become one.
    """
    return owe_all(connection, [delivery]) == 1


def owe_all(connection: Connection, owed: Iterable[Delivery]) -> int:
    """Owe deliveries of different groups or targets, as `owe` does; answers with how many."""
    rest, count = iter(owed), 0
    while some := list(islice(rest, _ASKED_AT_ONCE)):
        asked = {"asked_ids": [delivery.id for delivery in some]}
        known = set(connection.scalars(_OWED, asked))
        new = [delivery for delivery in some if delivery.id not in known]
        untried = _untried(connection, new)
        for delivery in new:
            older = untried.get((delivery.message.group_key, delivery.target))
            if older is not None:
                _merge(connection, *older, delivery.message)
        added = [_row(d) for d in new if (d.message.group_key, d.target) not in untried]
        if added:
            connection.execute(_NEW, added)
        count += len(new)
    return count


def take(connection: Connection, target: str, now: datetime, *, most: int) -> list[Delivery]:
    """Claim what is next due to the target: committed as `sending` before any of it is sent.

    Of one group it is one message at most.
    """
    return [claim(connection, one.id, now) for one in next_due(connection, target, now, most=most)]


def next_due(
    connection: Connection, target: str, now: datetime, *, most: int = 1
) -> list[Delivery]:
    """Answer with what is to be sent now; a group's message waits for its earlier ones.

    Rows whose facts cannot be read are buried on the way, so that they hold up no other.
    """
    at = {"asked_target": target, "now": stored(now), "most": most}
    while rows := connection.execute(_NEXT, at).all():
        readable = list(_readable(connection, rows, now))
        if readable:
            return readable
    return []


def _readable(
    connection: Connection, rows: Iterable[Row[Any]], now: datetime
) -> Iterator[Delivery]:
    for row in rows:
        try:
            yield delivery_of(row)
        except FactsError as error:
            bury(connection, DeliveryId(row.id), str(error), now)


def next_due_at(connection: Connection, target: str) -> datetime | None:
    """Answer with when there is something to send next, leaving out what waits for another."""
    due_at: int | None = connection.scalar(_NEXT_AT, {"asked_target": target})
    return loaded(due_at)


def claim(connection: Connection, delivery: DeliveryId, now: datetime) -> Delivery:
    asked = {"asked_id": delivery, "changed_at": stored(now)}
    return delivery_of(connection.execute(_CLAIM, asked).one())


def delivered(connection: Connection, delivery: DeliveryId, receipt: str, now: datetime) -> None:
    _change(connection, delivery, now, state=State.DELIVERED.value, receipt=receipt, error=None)


def postpone(
    connection: Connection,
    delivery: DeliveryId,
    due_at: datetime,
    error: str,
    *,
    now: datetime,
) -> None:
    _change(
        connection, delivery, now, state=State.PENDING.value, due_at=stored(due_at), error=error
    )


def bury(connection: Connection, delivery: DeliveryId, error: str, now: datetime) -> None:
    """Give a delivery up; it is kept as a dead letter."""
    _change(connection, delivery, now, state=State.DEAD.value, error=error)


def hold(connection: Connection, delivery: DeliveryId, error: str, now: datetime) -> None:
    """Give up a delivery that may have arrived; it is kept as a dead letter that says so."""
    _change(connection, delivery, now, state=State.DEAD.value, receipt=HELD, error=error)


def bury_orphans(connection: Connection, targets: Collection[str], now: datetime) -> int:
    """Give up what is owed to targets that the config no longer has; answers with how many."""
    orphans = update(deliveries).where(
        deliveries.c.state.in_(OPEN), deliveries.c.target.not_in(targets)
    )
    return connection.execute(
        orphans.values(
            state=State.DEAD.value,
            changed_at=stored(now),
            error="the configuration no longer has this target",
        )
    ).rowcount


def release(connection: Connection, delivery: DeliveryId, now: datetime) -> None:
    """Owe an uncertain delivery again, under the same id and key."""
    _change(connection, delivery, now, state=State.PENDING.value)


def put_back(connection: Connection, ids: Iterable[DeliveryId], now: datetime) -> None:
    """Owe claimed deliveries again that no attempt was made to send."""
    claimed = update(deliveries).where(
        deliveries.c.id.in_(list(ids)), deliveries.c.state == State.SENDING.value
    )
    connection.execute(
        claimed.values(
            state=State.PENDING.value,
            attempts=deliveries.c.attempts - 1,
            changed_at=stored(now),
        )
    )


def uncertain(connection: Connection, target: str) -> list[DeliveryId]:
    """Answer with what was being sent when the process died."""
    sending = (
        select(deliveries.c.id)
        .where(deliveries.c.target == target, deliveries.c.state == State.SENDING.value)
        .order_by(deliveries.c.number)
    )
    return [DeliveryId(id_) for id_ in connection.scalars(sending)]


def pending_count(connection: Connection, target: str | None = None) -> int:
    """Count what is still owed, to one target or to all."""
    count = select(func.count()).select_from(deliveries).where(deliveries.c.state.in_(OPEN))
    if target is not None:
        count = count.where(deliveries.c.target == target)
    return connection.execute(count).scalar_one()


def newest_deliveries(connection: Connection, most: int) -> list[dict[str, object]]:
    """Answer with the deliveries that changed last, newest first, for people to look at."""
    newest = select(deliveries).order_by(deliveries.c.changed_at.desc()).limit(most)
    return [
        {
            "id": row.id,
            "receiver": row.receiver,
            "target": row.target,
            "state": row.state,
            "attempts": row.attempts,
            "created_at": _shown(row.created_at),
            "changed_at": _shown(row.changed_at),
            "due_at": _shown(row.due_at),
            "receipt": row.receipt,
            "error": row.error,
        }
        for row in connection.execute(newest)
    ]


def _shown(moment: int) -> str:
    return loaded(moment).isoformat().replace("+00:00", "Z")


def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Delete at most `limit` deliveries that were accepted or given up before a moment."""
    old = (
        select(deliveries.c.id)
        .where(deliveries.c.state.not_in(OPEN), deliveries.c.changed_at < stored(before))
        .limit(limit)
    )
    return connection.execute(delete(deliveries).where(deliveries.c.id.in_(old))).rowcount


# Built once: they are asked at every round.
_NEXT = (
    select(deliveries)
    .where(is_next(), deliveries.c.due_at <= bindparam("now"))
    # By nothing more: the index gives the first at once, of those due alike the one owed first.
    .order_by(deliveries.c.due_at)
    .limit(bindparam("most"))
)
_NEXT_AT = select(func.min(deliveries.c.due_at)).where(is_next())
_OWED = select(deliveries.c.id).where(deliveries.c.id.in_(bindparam("asked_ids", expanding=True)))
_UNTRIED = select(deliveries).where(
    deliveries.c.group_key.in_(bindparam("asked_groups", expanding=True)), may_be_merged()
)
_NEW = insert(deliveries)
_CHANGE = update(deliveries).where(deliveries.c.id == bindparam("asked_id"))
_CLAIM = (
    _CHANGE.where(deliveries.c.state == State.PENDING.value)
    .values(
        state=State.SENDING.value,
        attempts=deliveries.c.attempts + 1,
        changed_at=bindparam("changed_at"),
    )
    .returning(deliveries)
)


def _row(delivery: Delivery) -> dict[str, object]:
    message = delivery.message
    return {
        "id": delivery.id,
        "receiver": message.receiver,
        "target": delivery.target,
        "group_key": message.group_key,
        "number": delivery.number,
        "state": delivery.state.value,
        "facts": facts_of(message),
        "attempts": delivery.attempts,
        "due_at": stored(delivery.due_at),
        "created_at": stored(message.created_at),
        "changed_at": stored(message.created_at),
    }


def _untried(
    connection: Connection, owed: Iterable[Delivery]
) -> dict[tuple[str, str], tuple[DeliveryId, Message]]:
    """Answer with the latest message of each group to each target that was never tried.

    One whose facts cannot be read is left out: it is buried when its turn comes.
    """
    asked = {"asked_groups": [delivery.message.group_key for delivery in owed]}
    found = {}
    for row in connection.execute(_UNTRIED, asked):
        try:
            found[row.group_key, row.target] = DeliveryId(row.id), message_from(row.facts)
        except FactsError:
            continue
    return found


def _merge(connection: Connection, id_: DeliveryId, older: Message, newer: Message) -> None:
    _change(connection, id_, newer.created_at, facts=facts_of(merged(older, newer)))


def _change(connection: Connection, delivery: DeliveryId, now: datetime, **values: object) -> None:
    asked = {"asked_id": delivery, "changed_at": stored(now)}
    connection.execute(_CHANGE, asked | values)


def delivery_of(row: Row[Any]) -> Delivery:
    """Read a row of the outbox. Raises FactsError."""
    return Delivery(
        id=DeliveryId(row.id),
        target=row.target,
        number=row.number,
        message=message_from(row.facts),
        state=State(row.state),
        attempts=row.attempts,
        due_at=loaded(row.due_at),
    )
