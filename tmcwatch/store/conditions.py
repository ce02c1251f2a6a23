"""Conditions in the store: begun and ended by other services, taken note of by alerting."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, false, select, update

from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import conditions

# Built once: it is asked at every round.
_UNTOLD = (
    select(conditions)
    .where(conditions.c.told == false())
    .order_by(conditions.c.sequence)
    .limit(bindparam("most"))
)

_LASTING = (
    select(conditions)
    .where(conditions.c.rule == bindparam("asked"), conditions.c.until.is_(None))
    .order_by(conditions.c.sequence)
)


def begin_condition(connection: Connection, condition: Condition) -> bool:
    """Write that a condition holds, or held; answers whether that is news.

    One that lasts already is left as it began.
    """
    lasting = select(conditions.c.sequence).where(
        _same(condition.rule, condition.account, condition.kind, condition.subject),
        conditions.c.until.is_(None),
    )
    if condition.until is None and connection.execute(lasting.limit(1)).first() is not None:
        return False
    connection.execute(
        conditions.insert().values(
            rule=condition.rule,
            account=condition.account,
            kind=condition.kind,
            subject=condition.subject,
            name=condition.name,
            text=condition.text,
            since=stored(condition.since),
            until=stored(condition.until),
            told=False,
        )
    )
    return True


def end_condition(
    connection: Connection,
    rule: str,
    account: AccountName,
    *,
    kind: str = "",
    subject: str = "",
    at: datetime,
) -> bool:
    """Write that a condition is over; answers whether it lasted until now."""
    ended = connection.execute(
        update(conditions)
        .where(_same(rule, account, kind, subject), conditions.c.until.is_(None))
        .values(until=stored(at), told=False)
    )
    return ended.rowcount > 0


def was_noted(
    connection: Connection, rule: str, account: AccountName, *, kind: str, subject: str
) -> bool:
    """Tell whether such a condition was ever written, as far as that is remembered."""
    noted = select(conditions.c.sequence).where(_same(rule, account, kind, subject))
    return connection.execute(noted.limit(1)).first() is not None


def lasting_conditions(connection: Connection) -> tuple[Condition, ...]:
    """Answer with every condition that is not over, oldest first."""
    query = select(conditions).where(conditions.c.until.is_(None))
    found = connection.execute(query.order_by(conditions.c.sequence))
    return tuple(_condition(values) for values in found)


def lasting_conditions_of(connection: Connection, rule: str) -> tuple[Condition, ...]:
    """Answer with the conditions of one rule that are not over, oldest first."""
    return tuple(_condition(values) for values in connection.execute(_LASTING, {"asked": rule}))


def untold_conditions(connection: Connection, *, most: int) -> tuple[tuple[int, Condition], ...]:
    """Answer with the conditions that changed since alerting took note, and their places."""
    found = connection.execute(_UNTOLD, {"most": most})
    return tuple((values.sequence, _condition(values)) for values in found)


def take_note(connection: Connection, places: Iterable[int]) -> None:
    """Write that alerting has decided on these."""
    noted = update(conditions).where(conditions.c.sequence.in_(list(places)))
    connection.execute(noted.values(told=True))


def _same(rule: str, account: AccountName, kind: str, subject: str) -> ColumnElement[bool]:
    return (
        (conditions.c.rule == rule)
        & (conditions.c.account == account)
        & (conditions.c.kind == kind)
        & (conditions.c.subject == subject)
    )


def _condition(values: Any) -> Condition:  # noqa: ANN401 - a row
    return Condition(
        rule=values.rule,
        account=AccountName(values.account),
        kind=values.kind,
        subject=values.subject,
        name=values.name,
        text=values.text,
        since=loaded(values.since),
        until=loaded(values.until),
    )
