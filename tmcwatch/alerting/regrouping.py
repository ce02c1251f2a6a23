"""After a change of the config: alerts of groups that no route leads to any more find new ones."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from tmcwatch.alerting.grouping import put_into_groups
from tmcwatch.alerting.settings import Settings, group_key, routes_of
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.built_in import NOTICES
from tmcwatch.domain.grouping import Group, Member, looked_at_by
from tmcwatch.domain.routing import Route, group_labels, routes_for
from tmcwatch.store.engine import Connection
from tmcwatch.store.groups import (
    Looked,
    drop_group,
    inhabited_groups,
    load_group,
    members_of,
    save_looked,
)


def regroup(connection: Connection, settings: Settings, *, now: datetime) -> None:
    """Move what a receiver was told of to the groups that it has today; route the rest anew.

    So an end is told by whatever group its alert is in now, what waited in a group that is gone is
    told after all, and what was told to nobody but a receiver that is gone is told to today's.
    """
    routes = routes_of(settings.root)
    lost = [
        group
        for group in inhabited_groups(connection)
        if group.receiver not in settings.receivers or routes.route_of(group) is None
    ]
    members = members_of(connection, [group.key for group in lost])
    homeless: dict[str, Alert] = {}
    for group in lost:
        drop_group(connection, group.key)
        for member in members[group.key]:
            route = _route_to(group.receiver, member.alert, settings)
            # Who was told that it is over has left: only this receiver still waits for that.
            is_last = member.is_over or member.alert.rule in NOTICES
            if route is None or (member.told is None and not is_last):
                homeless[member.alert.id] = member.alert
            else:
                _move(connection, member, group, route, now=now)
    put_into_groups(connection, settings, homeless.values(), now=now)


def _route_to(receiver: str, alert: Alert, settings: Settings) -> Route | None:
    if receiver not in settings.receivers:
        return None
    routes: Iterable[Route] = routes_for(settings.root, alert.labels)
    return next((route for route in routes if route.receiver == receiver), None)


def _move(
    connection: Connection, member: Member, old: Group, route: Route, *, now: datetime
) -> None:
    labels = member.alert.labels
    key = group_key(route, labels)
    group = load_group(connection, key) or Group(
        key=key,
        receiver=route.receiver,
        labels=group_labels(route, labels),
        flushed_at=old.flushed_at,
    )
    # Looked at when the old one was to be: nothing of what it waited for comes later.
    group = looked_at_by(group, old.flush_at or now)
    save_looked(connection, [Looked(group=group, before=(), kept=[replace(member, muted=None)])])
