"""Groups in the store: alerts put into them, and those that are due told to the outbox."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from tmcwatch.alerting.settings import Settings, group_key
from tmcwatch.domain.alert import Alert, EndReason, Status
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.episode import ended
from tmcwatch.domain.grouping import Flush, Group, Member, due_for, flush, told_notices
from tmcwatch.domain.message import Message
from tmcwatch.domain.routing import Route, group_labels, routes_for
from tmcwatch.store.alerts import (
    add_member,
    drop_group,
    due_groups,
    groups_of,
    has_members,
    keep_members,
    load_group,
    load_members,
    save_alerts,
    save_group,
)
from tmcwatch.store.engine import Connection
from tmcwatch.store.outbox import owe


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """How many groups were looked at, and how many deliveries are owed for it."""

    groups: int
    owed: int


def put_into_groups(
    connection: Connection, settings: Settings, changed: Iterable[Alert], *, now: datetime
) -> None:
    """Put alerts that opened into the groups of their routes; wake the groups of those that ended.

    An alert that ended is told where it was opened, not where a newer config would route it.
    """
    for alert in changed:
        over = alert.status is Status.RESOLVED
        told_in = groups_of(connection, alert.id)
        for route in routes_for(settings.root, alert.labels):
            key = group_key(route, alert.labels)
            if over and told_in and key not in told_in:
                continue
            _put(connection, route, alert, key, now=now)


def _put(connection: Connection, route: Route, alert: Alert, key: str, *, now: datetime) -> None:
    had_members = has_members(connection, key)
    is_new = add_member(connection, key, alert.id)
    if not is_new and alert.status is Status.FIRING:
        return
    group = load_group(connection, key) or Group(
        key=key, receiver=route.receiver, labels=group_labels(route, alert.labels)
    )
    save_group(connection, due_for(group, route, has_members=had_members, now=now))


def flush_groups(
    connection: Connection, settings: Settings, *, now: datetime, most: int
) -> Flushed:
    """Tell what every due group has to tell."""
    groups = due_groups(connection, now, most=most)
    owed = 0
    for group in groups:
        members = load_members(connection, group.key)
        route = _route_of(group, members, settings)
        receiver = settings.receivers.get(group.receiver)
        if route is None or receiver is None:
            drop_group(connection, group.key)
            continue
        flushed = flush(group, members, route, send_resolved=receiver.send_resolved, now=now)
        owed += _owe(connection, flushed, settings, receiver.targets, now=now)
        save_group(connection, flushed.group)
        keep_members(connection, group.key, flushed.kept, now)
        save_alerts(
            connection,
            (
                ended(notice, EndReason.CLOSED, at=now, now=now)
                for notice in told_notices(flushed.alerts)
            ),
        )
    return Flushed(groups=len(groups), owed=owed)


def _route_of(group: Group, members: Iterable[Member], settings: Settings) -> Route | None:
    """Answer with the route of today's tree that this group belongs to."""
    for member in members:
        for route in routes_for(settings.root, member.alert.labels):
            if group_key(route, member.alert.labels) == group.key:
                return route
    return None


def _owe(
    connection: Connection,
    flushed: Flush,
    settings: Settings,
    targets: Iterable[str],
    *,
    now: datetime,
) -> int:
    if not flushed.alerts:
        return 0
    group = flushed.group
    message = Message(
        key="",
        receiver=group.receiver,
        group_key=group.key,
        group_labels=group.labels,
        alerts=flushed.alerts,
        told_before=flushed.told_before,
        created_at=now,
        external_url=settings.external_url,
    )
    ids = [(target, delivery_id(target, group.key, group.number)) for target in targets]
    return sum(
        owe(
            connection,
            Delivery(
                id=id_,
                target=target,
                number=group.number,
                message=replace(message, key=id_),
                state=State.PENDING,
                attempts=0,
                due_at=now,
            ),
        )
        for target, id_ in ids
    )
