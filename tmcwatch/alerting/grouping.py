"""Groups in the store: alerts put into them, and those that are due told to the outbox."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from tmcwatch.alerting.muting import muting_at
from tmcwatch.alerting.settings import Settings, group_key
from tmcwatch.domain.alert import Alert, EndReason, Status
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.episode import ended
from tmcwatch.domain.grouping import Flush, Group, due_for, flush, told_notices
from tmcwatch.domain.message import Message
from tmcwatch.domain.muting import Muting, muted_in
from tmcwatch.domain.routing import Route, every_route, group_labels, routes_for
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

    An alert that ended is told where it was opened, not where a newer config, or the severity
    that it rose to, would route it.
    """
    for alert in changed:
        told_in = groups_of(connection, alert.id)
        if alert.status is Status.RESOLVED and told_in:
            _wake(connection, settings, told_in, now=now)
            continue
        for route in routes_for(settings.root, alert.labels):
            _put(connection, route, alert, now=now)


def _wake(
    connection: Connection, settings: Settings, keys: Iterable[str], *, now: datetime
) -> None:
    for key in keys:
        group = load_group(connection, key)
        route = _route_of(group, settings) if group else None
        if group is not None and route is not None:
            save_group(connection, due_for(group, route, has_members=True, now=now))


def _put(connection: Connection, route: Route, alert: Alert, *, now: datetime) -> None:
    key = group_key(route, alert.labels)
    had_members = has_members(connection, key)
    is_new = add_member(connection, key, alert.id)
    if not is_new:
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
    muting = muting_at(connection, settings, now=now) if groups else Muting(at=now)
    owed = 0
    for group in groups:
        members = load_members(connection, group.key)
        route = _route_of(group, settings)
        receiver = settings.receivers.get(group.receiver)
        if route is None or receiver is None:
            drop_group(connection, group.key)
            continue
        flushed = flush(
            group,
            members,
            route,
            muted=muted_in(muting, route, members),
            send_resolved=receiver.send_resolved,
            now=now,
        )
        owed += _owe(connection, flushed, settings, receiver.targets, now=now)
        save_group(connection, flushed.group)
        keep_members(connection, group.key, flushed.kept, now)
        save_alerts(
            connection,
            (
                ended(notice, EndReason.CLOSED, at=now, now=now)
                for notice in told_notices(flushed.alerts)
                if not groups_of(connection, notice.id)  # else others are still to be told
            ),
        )
    return Flushed(groups=len(groups), owed=owed)


def _route_of(group: Group, settings: Settings) -> Route | None:
    """Answer with the route of today's tree that this group belongs to."""
    routes = every_route(settings.root)
    return next((route for route in routes if group_key(route, group.labels) == group.key), None)


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
