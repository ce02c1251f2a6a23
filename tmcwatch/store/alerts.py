"""Alerts and their groups in the store."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, false, func, select, true, update
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity, Status
from tmcwatch.domain.built_in import LASTING
from tmcwatch.domain.execution import AccountName, Kind, SubjectId
from tmcwatch.domain.grouping import Group, Member
from tmcwatch.store.attention import attention_of
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import alerts, groups, members, subjects, workspaces

_PEOPLES = {column.name for column in alerts.c if column.name.startswith(("ack", "snoozed"))}
"""What people said of an alert, which only store.attention writes."""
_IDS_AT_ONCE = 500  # databases bound the parameters of one statement
_LEFT_ALONE = {"id", "held"} | _PEOPLES

# Built once: they are asked at every round, some for every end of a run.
_ONGOING = (
    select(alerts)
    .where(
        alerts.c.ends_at.is_(None),
        alerts.c.account == bindparam("asked_account"),
        alerts.c.kind == bindparam("asked_kind"),
        alerts.c.subject == bindparam("asked_subject"),
    )
    .order_by(alerts.c.starts_at, alerts.c.id)
)
_ONGOING_OF = select(alerts).where(
    alerts.c.ends_at.is_(None),
    alerts.c.account == bindparam("asked_account"),
    alerts.c.kind == bindparam("asked_kind"),
    alerts.c.subject.in_(bindparam("asked_subjects", expanding=True)),
)
_KNOWN = select(alerts.c.id).where(alerts.c.id.in_(bindparam("asked_ids", expanding=True)))
_NEW = insert(alerts)
_SAVED = _NEW.on_conflict_do_update(
    index_elements=["id"],
    set_={
        column.name: _NEW.excluded[column.name]
        for column in alerts.c
        if column.name not in _LEFT_ALONE
    },
)
_ALERT = select(alerts).where(alerts.c.id == bindparam("asked_id"))
_HELD = select(alerts).where(alerts.c.held == true()).order_by(alerts.c.starts_at, alerts.c.id)
_OPEN_OF = (
    select(alerts)
    .where(alerts.c.ends_at.is_(None), alerts.c.rule.in_(bindparam("asked_rules", expanding=True)))
    .order_by(alerts.c.starts_at, alerts.c.id)
)
_COME_DUE = (
    select(alerts)
    .where(alerts.c.due_at <= bindparam("now"), alerts.c.held == false())
    .order_by(alerts.c.due_at, alerts.c.id)
    .limit(bindparam("most"))
)
_NEXT_DUE = select(func.min(alerts.c.due_at)).where(
    alerts.c.due_at > bindparam("now"), alerts.c.held == false()
)
_STALE = (
    select(alerts)
    .where(
        alerts.c.ends_at.is_(None),
        alerts.c.changed_at < bindparam("before"),
        alerts.c.rule.not_in(sorted(LASTING)),
    )
    .order_by(alerts.c.changed_at, alerts.c.id)
)
# A workspace that is not visible hides its tasks and plans: they need not be gone.
_HIDDEN = (
    select(workspaces.c.id)
    .where(
        workspaces.c.account == subjects.c.account,
        workspaces.c.id == subjects.c.workspace_id,
        workspaces.c.visible == false(),
    )
    .exists()
)
_ORPHANED = (
    select(alerts)
    .join(
        subjects,
        (subjects.c.account == alerts.c.account)
        & (subjects.c.kind == alerts.c.kind)
        & (subjects.c.id == alerts.c.subject),
    )
    .where(
        alerts.c.ends_at.is_(None),
        subjects.c.kind.in_([Kind.TASK.value, Kind.PLAN.value]),
        subjects.c.listed == false(),
        ~_HIDDEN,
    )
    .order_by(alerts.c.starts_at, alerts.c.id)
)
_DUE = (
    select(groups)
    .where(groups.c.flush_at <= bindparam("now"))
    .order_by(groups.c.flush_at)
    .limit(bindparam("most"))
)
_NEXT_FLUSH = select(func.min(groups.c.flush_at))
_HOLD = update(alerts).where(alerts.c.id == bindparam("asked_id")).values(held=True)
_GROUP = select(groups).where(groups.c.key == bindparam("asked_key"))
_NEW_GROUP = insert(groups)
_SAVED_GROUP = _NEW_GROUP.on_conflict_do_update(
    index_elements=["key"],
    set_={
        column.name: _NEW_GROUP.excluded[column.name]
        for column in groups.c
        if column.name != "key"
    },
)
_IN_GROUP = members.c.group_key == bindparam("asked_key")
_MEMBERS = (
    select(alerts, members.c.told)
    .join(members, members.c.alert == alerts.c.id)
    .where(_IN_GROUP)
    .order_by(alerts.c.starts_at, alerts.c.id)
)
_ANY_MEMBER = select(members.c.alert).where(_IN_GROUP).limit(1)
_NEW_MEMBER = insert(members)
_ONCE = _NEW_MEMBER.on_conflict_do_nothing()
_NO_MEMBERS = delete(members).where(_IN_GROUP)
_LEAVE = delete(members).where(
    members.c.alert == bindparam("asked_id"),
    members.c.group_key.in_(
        select(groups.c.key).where(
            groups.c.receiver.in_(
                select(groups.c.receiver)
                .join(members, members.c.group_key == groups.c.key)
                .where(members.c.alert == bindparam("successor"))
            )
        )
    ),
)
_GROUPS_OF = select(members.c.group_key).where(members.c.alert == bindparam("asked_id"))


def ongoing_alerts(
    connection: Connection, account: AccountName, kind: Kind, subject: SubjectId
) -> tuple[Alert, ...]:
    """Answer with the open alerts of one task or plan."""
    asked = {"asked_account": account, "asked_kind": kind.value, "asked_subject": subject}
    return tuple(_alert(values) for values in connection.execute(_ONGOING, asked))


def open_alerts_on(
    connection: Connection, account: AccountName, kind: Kind, ids: Iterable[SubjectId]
) -> tuple[Alert, ...]:
    """Answer with the open alerts of several tasks or plans."""
    wanted = sorted(set(ids))
    found: list[Alert] = []
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        portion = wanted[begin : begin + _IDS_AT_ONCE]
        asked = {"asked_account": account, "asked_kind": kind.value, "asked_subjects": portion}
        found += (_alert(values) for values in connection.execute(_ONGOING_OF, asked))
    return tuple(found)


def known_ids(connection: Connection, ids: Iterable[AlertId]) -> frozenset[AlertId]:
    """Answer with which of `ids` there are alerts of, open or not."""
    wanted = sorted(ids)
    found: set[AlertId] = set()
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        asked = {"asked_ids": wanted[begin : begin + _IDS_AT_ONCE]}
        found.update(AlertId(id_) for (id_,) in connection.execute(_KNOWN, asked))
    return frozenset(found)


def load_alert(connection: Connection, id_: AlertId) -> Alert | None:
    values = connection.execute(_ALERT, {"asked_id": id_}).one_or_none()
    return None if values is None else _alert(values)


def open_alerts(connection: Connection) -> tuple[Alert, ...]:
    """Answer with every open alert, oldest first."""
    query = select(alerts).where(alerts.c.ends_at.is_(None))
    found = connection.execute(query.order_by(alerts.c.starts_at, alerts.c.id))
    return tuple(_alert(values) for values in found)


def stale_alerts(connection: Connection, before: datetime) -> tuple[Alert, ...]:
    """Answer with open alerts that nothing has changed since `before`, lasting states apart."""
    found = connection.execute(_STALE, {"before": stored(before)})
    return tuple(_alert(values) for values in found)


def orphaned_alerts(connection: Connection) -> tuple[Alert, ...]:
    """Answer with the open alerts of tasks and plans that TMC no longer lists, though it might."""
    return tuple(_alert(values) for values in connection.execute(_ORPHANED))


def open_alerts_of(connection: Connection, rules: Iterable[str]) -> tuple[Alert, ...]:
    """Answer with the open alerts of these rules, oldest first."""
    found = connection.execute(_OPEN_OF, {"asked_rules": list(rules)})
    return tuple(_alert(values) for values in found)


def pending_alerts(connection: Connection, now: datetime, *, most: int) -> tuple[Alert, ...]:
    """Answer with the alerts whose `due_at` has come, longest overdue first; none that is held."""
    found = connection.execute(_COME_DUE, {"now": stored(now), "most": most})
    return tuple(_alert(values) for values in found)


def next_due_at(connection: Connection, now: datetime) -> datetime | None:
    """Answer with when the next alert comes due after `now`."""
    return loaded(connection.execute(_NEXT_DUE, {"now": stored(now)}).scalar())


def newest_alerts(connection: Connection, most: int) -> tuple[Alert, ...]:
    """Answer with the alerts that changed last, newest first."""
    query = select(alerts).order_by(alerts.c.changed_at.desc()).limit(most)
    return tuple(_alert(values) for values in connection.execute(query))


def save_alerts(connection: Connection, changed: Iterable[Alert]) -> None:
    """Write alerts that are new or changed; what holds them back or people said stays."""
    rows = [_values(alert) for alert in changed]
    if rows:
        connection.execute(_SAVED, rows)


def held_alerts(connection: Connection) -> tuple[Alert, ...]:
    """Answer with the alerts that are held back, oldest first."""
    return tuple(_alert(values) for values in connection.execute(_HELD))


def hold(connection: Connection, id_: AlertId) -> None:
    """Hold an alert back from being told."""
    connection.execute(_HOLD, {"asked_id": id_})


def release(connection: Connection, ids: Iterable[AlertId]) -> None:
    """Hold these alerts back no longer."""
    connection.execute(update(alerts).where(alerts.c.id.in_(list(ids))).values(held=False))


def load_group(connection: Connection, key: str) -> Group | None:
    values = connection.execute(_GROUP, {"asked_key": key}).one_or_none()
    return None if values is None else _group(values)


def due_groups(connection: Connection, now: datetime, *, most: int) -> tuple[Group, ...]:
    """Answer with the groups that are to be looked at, longest overdue first."""
    found = connection.execute(_DUE, {"now": stored(now), "most": most})
    return tuple(_group(values) for values in found)


def next_flush_at(connection: Connection) -> datetime | None:
    return loaded(connection.execute(_NEXT_FLUSH).scalar())


def save_group(connection: Connection, group: Group) -> None:
    values = {
        "key": group.key,
        "receiver": group.receiver,
        "labels": json.dumps(dict(group.labels)),
        "number": group.number,
        "flush_at": stored(group.flush_at),
        "flushed_at": stored(group.flushed_at),
    }
    connection.execute(_SAVED_GROUP, values)


def load_members(connection: Connection, group: str) -> tuple[Member, ...]:
    """Answer with the members of a group, in the order they opened."""
    return tuple(
        Member(alert=_alert(values), told=None if values.told is None else Status(values.told))
        for values in connection.execute(_MEMBERS, {"asked_key": group})
    )


def has_members(connection: Connection, group: str) -> bool:
    return connection.execute(_ANY_MEMBER, {"asked_key": group}).first() is not None


def add_member(connection: Connection, group: str, alert: AlertId) -> bool:
    """Put an alert into a group; answers whether it was not there."""
    return connection.execute(_ONCE, {"group_key": group, "alert": alert}).rowcount == 1


def groups_of(connection: Connection, alert: AlertId) -> frozenset[str]:
    """Answer with the keys of the groups that an alert is in."""
    return frozenset(key for (key,) in connection.execute(_GROUPS_OF, {"asked_id": alert}))


def keep_members(
    connection: Connection, group: str, kept: Sequence[Member], now: datetime
) -> None:
    """Make `kept` the members of a group, as they were told."""
    connection.execute(_NO_MEMBERS, {"asked_key": group})
    if kept:
        connection.execute(
            _NEW_MEMBER,
            [
                {
                    "group_key": group,
                    "alert": member.alert.id,
                    "told": member.told.value if member.told else None,
                    "told_at": stored(now),
                }
                for member in kept
            ],
        )


def leave_to(connection: Connection, alert: AlertId, successor: AlertId) -> None:
    """Take an alert out of the groups whose receivers are told of its successor instead."""
    asked = {"asked_id": alert, "successor": successor}
    connection.execute(_LEAVE, asked)


def drop_group(connection: Connection, group: str) -> None:
    """Empty a group that the config no longer has; its number stays, so that ids never repeat."""
    connection.execute(_NO_MEMBERS, {"asked_key": group})
    connection.execute(update(groups).where(groups.c.key == group).values(flush_at=None))


def _alert(values: Any) -> Alert:  # noqa: ANN401 - a row
    return Alert(
        id=AlertId(values.id),
        rule=values.rule,
        severity=Severity(values.severity),
        labels=json.loads(values.labels),
        annotations=json.loads(values.annotations),
        starts_at=loaded(values.starts_at),
        ends_at=loaded(values.ends_at),
        end_reason=None if values.end_reason is None else EndReason(values.end_reason),
        count=values.count,
        opened_at=loaded(values.opened_at),
        changed_at=loaded(values.changed_at),
        due_at=loaded(values.due_at),
        attention=attention_of(values),
    )


def _values(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity.value,
        "account": alert.labels["account"],
        "kind": alert.labels["kind"],
        "subject": alert.labels["id"],
        "labels": json.dumps(dict(alert.labels)),
        "annotations": json.dumps(dict(alert.annotations)),
        "starts_at": stored(alert.starts_at),
        "ends_at": stored(alert.ends_at),
        "end_reason": None if alert.end_reason is None else alert.end_reason.value,
        "count": alert.count,
        "opened_at": stored(alert.opened_at),
        "changed_at": stored(alert.changed_at),
        # What ended before it counted is found by no clock again.
        "due_at": stored(alert.due_at if alert.ends_at is None else None),
    }


def _group(values: Any) -> Group:  # noqa: ANN401 - a row
    return Group(
        key=values.key,
        receiver=values.receiver,
        labels=json.loads(values.labels),
        number=values.number,
        flush_at=loaded(values.flush_at),
        flushed_at=loaded(values.flushed_at),
    )
