"""Groups of alerts in the store, and what their receivers were told of each member."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Connection, bindparam, delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.alert import AlertId, Severity, Status
from tmcwatch.domain.grouping import Group, Member
from tmcwatch.store.alerts import alert_of
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import alerts, groups, members, storms

Item = TypeVar("Item")

_ASKED_AT_ONCE = 500
_OF_MEMBERS = (
    members.c.group_key,
    members.c.told,
    members.c.told_at,
    members.c.told_severity,
    members.c.muted,
)
# Built once: they are asked at every round.
_CALM = groups.c.receiver.not_in(select(storms.c.receiver))
_DUE = (
    select(groups)
    .where(groups.c.flush_at <= bindparam("now"), _CALM)
    .order_by(groups.c.flush_at)
    .limit(bindparam("most"))
)
NEXT_FLUSH = (
    select(groups.c.flush_at)
    .where(groups.c.flush_at.is_not(None), _CALM)
    .order_by(groups.c.flush_at)
    .limit(1)
)
_KEYS: BindParameter[str] = bindparam("asked_keys", expanding=True)
_GROUPS = select(groups).where(groups.c.key.in_(_KEYS))
_NEW_GROUP = insert(groups)
_SAVED_GROUP = _NEW_GROUP.on_conflict_do_update(
    index_elements=["key"],
    set_={
        column.name: _NEW_GROUP.excluded[column.name]
        for column in groups.c
        if column.name != "key"
    },
)
_MEMBERS = (
    select(alerts, *_OF_MEMBERS)
    .join(members, members.c.alert == alerts.c.id)
    .where(members.c.group_key.in_(_KEYS))
    .order_by(alerts.c.starts_at, alerts.c.id)
)
_PEOPLED = select(members.c.group_key).where(members.c.group_key.in_(_KEYS)).distinct()
_NEW_MEMBER = insert(members)
_ONCE = _NEW_MEMBER.on_conflict_do_nothing()
_SAVED_MEMBER = _NEW_MEMBER.on_conflict_do_update(
    index_elements=["group_key", "alert"],
    set_={
        column.name: _NEW_MEMBER.excluded[column.name]
        for column in members.c
        if not column.primary_key
    },
)
_MEMBER_LEAVES = delete(members).where(
    members.c.group_key == bindparam("left_group"), members.c.alert == bindparam("left_by")
)
_LEAVE = delete(members).where(
    members.c.alert == bindparam("asked_id"),
    members.c.group_key.in_(
        select(groups.c.key).where(
            groups.c.receiver.in_(bindparam("asked_receivers", expanding=True))
        )
    ),
)
_PLACES = (
    select(members, groups.c.receiver)
    .join(groups, groups.c.key == members.c.group_key)
    .where(members.c.alert.in_(bindparam("asked_ids", expanding=True)))
    .order_by(members.c.group_key)
)
_WAKE = (
    update(groups)
    .where(
        groups.c.key.in_(
            select(members.c.group_key).where(members.c.alert == bindparam("asked_id"))
        ),
        or_(groups.c.flush_at.is_(None), groups.c.flush_at > bindparam("wanted")),
    )
    .values(flush_at=bindparam("wanted"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A group that an alert is in, and what its receiver was told of the alert there."""

    group: str
    receiver: str
    told: Status | None
    told_at: datetime | None
    told_severity: Severity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A group that was looked at: its members before that, and those it has from now on."""

    group: Group
    before: Sequence[Member]
    kept: Sequence[Member]


def load_group(connection: Connection, key: str) -> Group | None:
    return load_groups(connection, [key]).get(key)


def load_groups(connection: Connection, keys: Iterable[str]) -> dict[str, Group]:
    """Answer with those of the groups that there are."""
    return {
        values.key: group_of(values)
        for some in _portions(keys)
        for values in connection.execute(_GROUPS, {"asked_keys": some})
    }


def due_groups(connection: Connection, now: datetime, *, most: int) -> tuple[Group, ...]:
    """Answer with the groups to be looked at, longest overdue first, those in storms apart."""
    found = connection.execute(_DUE, {"now": stored(now), "most": most})
    return tuple(group_of(values) for values in found)


def next_flush_at(connection: Connection) -> datetime | None:
    """Answer with when the next group is to be looked at, those in storms apart."""
    return loaded(connection.execute(NEXT_FLUSH).scalar())


def inhabited_groups(connection: Connection) -> tuple[Group, ...]:
    """Answer with every group that has members."""
    anyone = select(members.c.alert).where(members.c.group_key == groups.c.key).exists()
    found = connection.execute(select(groups).where(anyone).order_by(groups.c.key))
    return tuple(group_of(values) for values in found)


def save_groups(connection: Connection, changed: Iterable[Group]) -> None:
    rows = [
        {
            "key": group.key,
            "receiver": group.receiver,
            "labels": json.dumps(dict(group.labels)),
            "number": group.number,
            "flush_at": stored(group.flush_at),
            "flushed_at": stored(group.flushed_at),
        }
        for group in changed
    ]
    if rows:
        connection.execute(_SAVED_GROUP, rows)


def load_members(connection: Connection, group: str) -> tuple[Member, ...]:
    """Answer with the members of a group, in the order they opened."""
    return members_of(connection, [group])[group]


def members_of(connection: Connection, keys: Collection[str]) -> Mapping[str, tuple[Member, ...]]:
    """Answer with the members of each of these groups, in the order they opened."""
    found: dict[str, list[Member]] = {key: [] for key in keys}
    for some in _portions(keys):
        for values in connection.execute(_MEMBERS, {"asked_keys": some}):
            found[values.group_key].append(_member(values))
    return {key: tuple(these) for key, these in found.items()}


def peopled(connection: Connection, keys: Iterable[str]) -> set[str]:
    """Answer with those of the groups that have members."""
    asked = _portions(keys)
    found = (connection.scalars(_PEOPLED, {"asked_keys": some}) for some in asked)
    return {key for these in found for key in these}


def add_members(connection: Connection, joining: Iterable[tuple[str, AlertId]]) -> None:
    """Put alerts into groups; one that is there already stays as it was told."""
    rows = [{"group_key": group, "alert": alert} for group, alert in joining]
    if rows:
        connection.execute(_ONCE, rows)


def remove_members(connection: Connection, leaving: Iterable[tuple[str, AlertId]]) -> None:
    rows = [{"left_group": group, "left_by": alert} for group, alert in leaving]
    if rows:
        connection.execute(_MEMBER_LEAVES, rows)


def places_of(connection: Connection, ids: Iterable[AlertId]) -> Mapping[AlertId, Sequence[Place]]:
    """Answer with the groups that each of these alerts is in."""
    found: defaultdict[AlertId, list[Place]] = defaultdict(list)
    for some in _portions(ids):
        for values in connection.execute(_PLACES, {"asked_ids": some}):
            place = Place(
                group=values.group_key,
                receiver=values.receiver,
                told=None if values.told is None else Status(values.told),
                told_at=loaded(values.told_at),
                told_severity=_severity(values.told_severity),
            )
            found[AlertId(values.alert)].append(place)
    return found


def groups_of(connection: Connection, alert: AlertId) -> frozenset[str]:
    """Answer with the keys of the groups that an alert is in."""
    return frozenset(place.group for place in places_of(connection, [alert]).get(alert, ()))


def wake_groups(connection: Connection, alert: AlertId, wanted: datetime) -> None:
    """Have the groups that an alert is in looked at by then."""
    connection.execute(_WAKE, {"asked_id": alert, "wanted": stored(wanted)})


def leave_groups(connection: Connection, ids: Iterable[AlertId]) -> None:
    """Take alerts out of all their groups: nobody is told of them any more."""
    for some in _portions(ids):
        connection.execute(delete(members).where(members.c.alert.in_(some)))


def save_looked(connection: Connection, looked: Iterable[Looked]) -> None:
    """Write groups as they are after they were looked at; of their members, what changed."""
    saved, leaving, rows = [], [], []
    for one in looked:
        saved.append(one.group)
        stay = {member.alert.id for member in one.kept}
        leaving += [(one.group.key, m.alert.id) for m in one.before if m.alert.id not in stay]
        known = {member.alert.id: member for member in one.before}
        rows += [
            _member_values(one.group.key, member)
            for member in one.kept
            if member is not known.get(member.alert.id)
        ]
    save_groups(connection, saved)
    remove_members(connection, leaving)
    if rows:
        connection.execute(_SAVED_MEMBER, rows)


def drop_group(connection: Connection, group: str) -> None:
    """Empty a group that the config no longer has; its number stays, so that ids never repeat."""
    connection.execute(delete(members).where(members.c.group_key == group))
    connection.execute(update(groups).where(groups.c.key == group).values(flush_at=None))


def _portions(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, _ASKED_AT_ONCE)):
        yield some


def group_of(values: Any) -> Group:  # noqa: ANN401 - a row
    """Read a group from a row."""
    return Group(
        key=values.key,
        receiver=values.receiver,
        labels=json.loads(values.labels),
        number=values.number,
        flush_at=loaded(values.flush_at),
        flushed_at=loaded(values.flushed_at),
    )


def _member(values: Any) -> Member:  # noqa: ANN401 - a row
    return Member(
        alert=alert_of(values),
        told=None if values.told is None else Status(values.told),
        told_at=loaded(values.told_at),
        told_severity=_severity(values.told_severity),
        muted=values.muted,
    )


def _member_values(group: str, member: Member) -> dict[str, object]:
    return {
        "group_key": group,
        "alert": member.alert.id,
        "told": None if member.told is None else member.told.value,
        "told_at": stored(member.told_at),
        "told_severity": None if member.told_severity is None else member.told_severity.value,
        "muted": member.muted,
    }


def _severity(text: str | None) -> Severity | None:
    return None if text is None else Severity(text)


def leave_to(connection: Connection, alert: AlertId, receivers: Iterable[str]) -> None:
    """Take an alert out of the groups of receivers that are told of its successor instead."""
    connection.execute(_LEAVE, {"asked_id": alert, "asked_receivers": list(receivers)})
