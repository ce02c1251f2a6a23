"""Alerts and silences as people look for them: by the beginning of an id, by labels, by state."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, select

from tmcwatch.domain.alert import Alert, AlertId, Severity, Status
from tmcwatch.domain.delivery import DeliveryId, State
from tmcwatch.store.alerts import load_alerts
from tmcwatch.store.facts import FactsError, message_from
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import alerts, deliveries, groups, members, silences

AT_ONCE = 500
"""Alerts that are read together."""
MOST_LOOKED_AT = 10_000
"""Alerts that a search goes through, the newest ones."""
MOST_TELLINGS = 200
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the store itself can tell of the alerts that are looked for; empty is any."""

    is_over: bool | None = None
    rules: Collection[str] = ()
    severities: Collection[Severity] = ()
    accounts: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """An alert in a group: who is told of it, and why not when the group was last looked at."""

    alert: AlertId
    receiver: str
    told: Status | None
    muted: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A delivery that lists an alert, as it told it."""

    id: DeliveryId
    target: str
    state: State
    attempts: int
    owed_since: datetime
    changed_at: datetime
    text: str
    """What the receiver said, or why it was not told."""
    status: Status
    severity: Severity


def alerts_beginning(connection: Connection, beginning: str, *, most: int) -> list[AlertId]:
    """Answer with the ids of the alerts that begin so; the one that is exactly so is alone."""
    return [AlertId(id_) for id_ in _beginning(connection, alerts.c.id, beginning, most)]


def silences_beginning(connection: Connection, beginning: str, *, most: int) -> list[str]:
    """Answer with the ids of the silences that begin so; the one that is exactly so is alone."""
    return _beginning(connection, silences.c.id, beginning, most)


def find_alerts(
    connection: Connection, query: Query, fits: Callable[[Alert], bool], *, most: int
) -> tuple[Alert, ...]:
    """Answer with the alerts that changed last and fit, newest first."""
    found: list[Alert] = []
    ids = [AlertId(id_) for (id_,) in connection.execute(_newest(query).limit(MOST_LOOKED_AT))]
    for start in range(0, len(ids), AT_ONCE):
        portion = ids[start : start + AT_ONCE]
        loaded_ones = load_alerts(connection, portion)
        found += [alert for id_ in portion if fits(alert := loaded_ones[id_])]
        if len(found) >= most:
            break
    return tuple(found[:most])


def muted_alerts(connection: Connection) -> Mapping[AlertId, Sequence[str]]:
    """Answer with why alerts were not told when their groups were last looked at."""
    reasons: defaultdict[AlertId, list[str]] = defaultdict(list)
    query = select(members.c.alert, members.c.muted).where(members.c.muted.is_not(None))
    for alert, reason in connection.execute(query.order_by(members.c.group_key)):
        if reason not in reasons[alert]:
            reasons[alert].append(reason)
    return reasons


def memberships_of(connection: Connection, alert: AlertId) -> tuple[Membership, ...]:
    """Answer with the groups that an alert is in; one that is over and told has left them."""
    query = (
        select(groups.c.receiver, members.c.told, members.c.muted)
        .join(members, members.c.group_key == groups.c.key)
        .where(members.c.alert == alert)
        .order_by(groups.c.receiver, groups.c.key)
    )
    return tuple(
        Membership(
            alert=alert,
            receiver=row.receiver,
            told=None if row.told is None else Status(row.told),
            muted=row.muted,
        )
        for row in connection.execute(query)
    )


def tellings_of(connection: Connection, alert: Alert) -> tuple[Telling, ...]:
    """Answer with the deliveries that list an alert, oldest first, at most MOST_TELLINGS."""
    # A group forgets its members when they are over, so the messages themselves are asked.
    query = select(deliveries).where(
        deliveries.c.created_at >= stored(alert.opened_at),
        deliveries.c.facts.contains(f'"{alert.id}"', autoescape=True),
    )
    query = query.order_by(deliveries.c.created_at, deliveries.c.target, deliveries.c.number)
    found = (_telling(row, alert.id) for row in connection.execute(query.limit(MOST_TELLINGS)))
    return tuple(telling for telling in found if telling is not None)


def _beginning(
    connection: Connection, column: Column[Any], beginning: str, most: int
) -> list[str]:
    # A range, as it is found by the index, and nothing in it stands for anything else.
    query = select(column).where(column >= beginning, column < beginning + _LAST)
    found: list[str] = list(connection.scalars(query.order_by(column).limit(most)))
    # The exact one sorts before all that are longer.
    return found[:1] if found[:1] == [beginning] else found


def _newest(query: Query) -> Select[Any]:
    columns = alerts.c
    wanted = select(columns.id).order_by(columns.changed_at.desc(), columns.id)
    if query.is_over is not None:
        is_open = columns.ends_at.is_(None)
        wanted = wanted.where(~is_open if query.is_over else is_open)
    for column, values in (
        (columns.rule, query.rules),
        (columns.severity, query.severities),
        (columns.account, query.accounts),
    ):
        if values:
            wanted = wanted.where(column.in_(list(values)))
    return wanted


def _telling(row: Row[Any], id_: AlertId) -> Telling | None:
    try:
        listed = {alert.id: alert for alert in message_from(row.facts).alerts}
    except FactsError:
        return None
    if id_ not in listed:  # the id stands somewhere else in it
        return None
    return Telling(
        id=DeliveryId(row.id),
        target=row.target,
        state=State(row.state),
        attempts=row.attempts,
        owed_since=loaded(row.created_at),
        changed_at=loaded(row.changed_at),
        text=row.error or "" if row.receipt is None else row.receipt,
        status=listed[id_].status,
        severity=listed[id_].severity,
    )
