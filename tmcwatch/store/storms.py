"""Storms in the store: which receivers are in one, and how much news there is for each."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.grouping import Group
from tmcwatch.domain.storm import Storm
from tmcwatch.store.groups import group_of
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import alerts, groups, members, storms

# Built once: they are asked at every round.
_STORMS = select(storms)
_SOON = groups.c.flush_at <= bindparam("horizon")
_BOUNDS = (
    select(groups.c.receiver, func.count().label("waiting"))
    .join(members, members.c.group_key == groups.c.key)
    .where(_SOON)
    .group_by(groups.c.receiver)
)
_OPENED = select(func.count()).where(alerts.c.opened_at > bindparam("since"))
_IS_NEWS = and_(
    members.c.muted.is_(None), or_(members.c.told.is_(None), alerts.c.ends_at.is_not(None))
)
# Not summed up by the database, which would go through all groups there are to do so.
_WAITING = (
    select(groups.c.key, _IS_NEWS.label("is_news"), members.c.muted)
    .select_from(groups)
    .join(members, members.c.group_key == groups.c.key)
    .join(alerts, alerts.c.id == members.c.alert)
    .where(_SOON, groups.c.receiver == bindparam("asked_receiver"))
)
_TOLD = (
    select(func.count())
    .select_from(alerts)
    .join(members, members.c.alert == alerts.c.id)
    .join(groups, groups.c.key == members.c.group_key)
    .where(
        alerts.c.opened_at > bindparam("since"),
        members.c.told.is_not(None),
        groups.c.receiver == bindparam("asked_receiver"),
    )
)
_GROUPS = (
    select(groups)
    .where(_SOON, groups.c.receiver == bindparam("asked_receiver"))
    .order_by(groups.c.flush_at)
)
_NEXT = select(func.min(groups.c.flush_at)).where(groups.c.receiver == bindparam("asked_receiver"))
_KNOWN = (
    select(func.count(members.c.alert.distinct()))
    .select_from(groups)
    .join(members, members.c.group_key == groups.c.key)
    .join(alerts, alerts.c.id == members.c.alert)
    .where(
        groups.c.receiver == bindparam("asked_receiver"),
        members.c.told.is_not(None),
        alerts.c.ends_at.is_(None),
    )
)
_NEW = insert(storms)
_SAVED = _NEW.on_conflict_do_update(
    index_elements=["receiver"],
    set_={"since": _NEW.excluded.since, "flushed_at": _NEW.excluded.flushed_at},
)
_END = delete(storms).where(storms.c.receiver == bindparam("asked_receiver"))


def load_storms(connection: Connection) -> dict[str, Storm]:
    """Answer with the storms there are, by receiver."""
    return {
        values.receiver: Storm(since=loaded(values.since), flushed_at=loaded(values.flushed_at))
        for values in connection.execute(_STORMS)
    }


def save_storm(connection: Connection, receiver: str, storm: Storm) -> None:
    connection.execute(
        _SAVED,
        {
            "receiver": receiver,
            "since": stored(storm.since),
            "flushed_at": stored(storm.flushed_at),
        },
    )


def end_storm(connection: Connection, receiver: str) -> None:
    connection.execute(_END, {"asked_receiver": receiver})


def waiting_by_receiver(connection: Connection, horizon: datetime) -> Mapping[str, int]:
    """Answer with how many alerts are in each receiver's groups that are looked at by then.

    No more news than that can be told by then: it is cheap to ask.
    """
    found = connection.execute(_BOUNDS, {"horizon": stored(horizon)})
    return {values.receiver: values.waiting for values in found}


def opened_since(connection: Connection, since: datetime) -> int:
    return connection.execute(_OPENED, {"since": stored(since)}).scalar_one()


def news_for(connection: Connection, receiver: str, *, since: datetime, horizon: datetime) -> int:
    """Count what a receiver is about to be told, and the alerts of just now that it was told of.

    What waits is counted by the alert, a group that only repeats is one. What is muted is none.
    """
    asked = {"asked_receiver": receiver, "since": stored(since), "horizon": stored(horizon)}
    news: Counter[str] = Counter()
    speaking = set()
    for waiting in connection.execute(_WAITING, asked):
        news[waiting.key] += waiting.is_news
        if waiting.muted is None:
            speaking.add(waiting.key)
    told: int = connection.execute(_TOLD, asked).scalar_one()
    return told + sum(max(news[key], 1) for key in speaking)


def groups_by(connection: Connection, receiver: str, horizon: datetime) -> tuple[Group, ...]:
    """Answer with a receiver's groups that are to be looked at by then."""
    asked = {"asked_receiver": receiver, "horizon": stored(horizon)}
    return tuple(group_of(values) for values in connection.execute(_GROUPS, asked))


def next_flush_of(connection: Connection, receiver: str) -> datetime | None:
    return loaded(connection.execute(_NEXT, {"asked_receiver": receiver}).scalar())


def known_to(connection: Connection, receiver: str) -> int:
    """Count the alerts that a receiver believes to fire, and that do."""
    return connection.execute(_KNOWN, {"asked_receiver": receiver}).scalar_one()
