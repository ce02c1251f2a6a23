"""Alerts in the store."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.built_in import LASTING
from tmcwatch.domain.execution import AccountName, Kind, SubjectId
from tmcwatch.domain.inhibition import Sought
from tmcwatch.domain.matcher import Operator
from tmcwatch.store.among import is_among
from tmcwatch.store.attention import attention_of
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import alerts, subjects, workspaces

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
_SHARED = (
    select(alerts)
    .where(
        alerts.c.ends_at.is_(None),
        # In the index, which spares looking at all that is open.
        is_among(alerts.c.kind, ["engine", "account"]),
        alerts.c.rule.in_(bindparam("asked_rules", expanding=True)),
    )
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
_OPEN_OF = (
    select(alerts)
    .where(alerts.c.ends_at.is_(None), alerts.c.rule.in_(bindparam("asked_rules", expanding=True)))
    .order_by(alerts.c.starts_at, alerts.c.id)
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
ORPHANED = (
    select(alerts)
    .join(
        subjects,
        (subjects.c.account == alerts.c.account)
        & (subjects.c.kind == alerts.c.kind)
        & (subjects.c.id == alerts.c.subject),
    )
    .where(
        alerts.c.ends_at.is_(None),
        is_among(subjects.c.kind, [Kind.TASK.value, Kind.PLAN.value]),
        or_(subjects.c.outside == true(), and_(subjects.c.listed == false(), ~_HIDDEN)),
    )
    .order_by(alerts.c.starts_at, alerts.c.id)
)
_HOLD = update(alerts).where(alerts.c.id == bindparam("asked_id")).values(held=True)


def ongoing_alerts(
    connection: Connection, account: AccountName, kind: Kind, subject: SubjectId
) -> tuple[Alert, ...]:
    """Answer with the open alerts of one task or plan."""
    asked = {"asked_account": account, "asked_kind": kind.value, "asked_subject": subject}
    return tuple(alert_of(values) for values in connection.execute(_ONGOING, asked))


def open_alerts_on(
    connection: Connection, account: AccountName, kind: Kind, ids: Iterable[SubjectId]
) -> tuple[Alert, ...]:
    """Answer with the open alerts of several tasks or plans."""
    wanted = sorted(set(ids))
    found: list[Alert] = []
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        portion = wanted[begin : begin + _IDS_AT_ONCE]
        asked = {"asked_account": account, "asked_kind": kind.value, "asked_subjects": portion}
        found += (alert_of(values) for values in connection.execute(_ONGOING_OF, asked))
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
    return None if values is None else alert_of(values)


def load_alerts(connection: Connection, ids: Iterable[AlertId]) -> dict[AlertId, Alert]:
    """Answer with those of these alerts that there are."""
    found = connection.execute(select(alerts).where(alerts.c.id.in_(list(ids))))
    return {AlertId(values.id): alert_of(values) for values in found}


def open_alerts(connection: Connection) -> tuple[Alert, ...]:
    """Answer with every open alert, oldest first."""
    query = select(alerts).where(alerts.c.ends_at.is_(None))
    found = connection.execute(query.order_by(alerts.c.starts_at, alerts.c.id))
    return tuple(alert_of(values) for values in found)


def current_alerts(connection: Connection, *, over_since: datetime) -> tuple[Alert, ...]:
    """Answer with what is open or ended since, oldest first; not with what is held back."""
    query = select(alerts).where(
        alerts.c.held == false(),
        or_(alerts.c.ends_at.is_(None), alerts.c.changed_at >= stored(over_since)),
    )
    found = connection.execute(query.order_by(alerts.c.starts_at, alerts.c.id))
    return tuple(alert_of(values) for values in found)


def stale_alerts(connection: Connection, before: datetime) -> tuple[Alert, ...]:
    """Answer with open alerts that nothing has changed since `before`, lasting states apart."""
    found = connection.execute(_STALE, {"before": stored(before)})
    return tuple(alert_of(values) for values in found)


def orphaned_alerts(connection: Connection) -> tuple[Alert, ...]:
    """Answer with the open alerts of tasks and plans that are gone, or are watched no longer.

    Gone is what TMC no longer lists, though it might.
    """
    return tuple(alert_of(values) for values in connection.execute(ORPHANED))


def open_alerts_of(connection: Connection, rules: Iterable[str]) -> tuple[Alert, ...]:
    """Answer with the open alerts of these rules, oldest first."""
    found = connection.execute(_OPEN_OF, {"asked_rules": list(rules)})
    return tuple(alert_of(values) for values in found)


def shared_alerts(connection: Connection, rules: Iterable[str]) -> tuple[Alert, ...]:
    """Answer with the open alerts of these rules about an engine or an account, oldest first."""
    found = connection.execute(_SHARED, {"asked_rules": list(rules)})
    return tuple(alert_of(values) for values in found)


def pending_alerts(connection: Connection, now: datetime, *, most: int) -> tuple[Alert, ...]:
    """Answer with the alerts whose `due_at` has come, longest overdue first; none that is held."""
    found = connection.execute(_COME_DUE, {"now": stored(now), "most": most})
    return tuple(alert_of(values) for values in found)


def next_due_at(connection: Connection, now: datetime) -> datetime | None:
    """Answer with when the next alert comes due after `now`."""
    return loaded(connection.execute(_NEXT_DUE, {"now": stored(now)}).scalar())


def newest_alerts(connection: Connection, most: int) -> tuple[Alert, ...]:
    """Answer with the alerts that changed last, newest first."""
    query = select(alerts).order_by(alerts.c.changed_at.desc()).limit(most)
    return tuple(alert_of(values) for values in connection.execute(query))


def possible_causes(
    connection: Connection, asked: Sequence[Sought], *, since: datetime
) -> tuple[Alert, ...]:
    """Answer with the alerts sought that fire, or ended since then, oldest first."""
    column = alerts.c
    likely = or_(false(), *(and_(*_likely(each)) for each in asked))
    wanted = column.due_at.is_(None) & likely
    is_recent = (column.changed_at >= stored(since)) & (column.ends_at >= stored(since))
    found = [
        values
        for is_of_time in (column.ends_at.is_(None), is_recent)
        for values in connection.execute(select(alerts).where(is_of_time, wanted))
        # By its labels first: to read the rest of thousands takes long.
        if any(each.includes(labels) for labels in [json.loads(values.labels)] for each in asked)
    ]
    return tuple(alert_of(each) for each in sorted(found, key=lambda row: (row.starts_at, row.id)))


def _likely(asked: Sought) -> Iterator[ColumnElement[bool]]:
    """Give what the database can tell of an alert that is sought."""
    yield alerts.c.rule.in_(sorted(asked.rules))
    yield alerts.c.severity.in_(sorted(asked.severities))
    for matcher in asked.matchers:
        if matcher.operator is Operator.EQUAL and matcher.value:
            written = json.dumps({matcher.label: matcher.value})[1:-1]
            yield alerts.c.labels.contains(written, autoescape=True)


def save_alerts(connection: Connection, changed: Iterable[Alert]) -> None:
    """Write alerts that are new or changed; what holds them back or people said stays."""
    rows = [_values(alert) for alert in changed]
    if rows:
        connection.execute(_SAVED, rows)


def held_alerts(connection: Connection) -> tuple[Alert, ...]:
    """Answer with the alerts that are held back, oldest first."""
    return tuple(alert_of(values) for values in connection.execute(_HELD))


def hold(connection: Connection, id_: AlertId) -> None:
    """Hold an alert back from being told."""
    connection.execute(_HOLD, {"asked_id": id_})


def release(connection: Connection, ids: Iterable[AlertId]) -> None:
    """Hold these alerts back no longer."""
    connection.execute(update(alerts).where(alerts.c.id.in_(list(ids))).values(held=False))


def alert_of(values: Any) -> Alert:  # noqa: ANN401 - a row
    """Read an alert from a row that has all of its columns."""
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
