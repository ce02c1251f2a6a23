"""Alerts put into the groups of their routes, and groups woken for what happened to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tmcwatch.alerting.settings import Settings, group_key, routes_of
from tmcwatch.domain.alert import Alert, AlertId, Status
from tmcwatch.domain.grouping import Group, due_for, looked_at_by
from tmcwatch.domain.repeating import told_again_at
from tmcwatch.domain.routing import Route, group_labels, routes_for
from tmcwatch.store.engine import Connection
from tmcwatch.store.groups import (
    Place,
    add_members,
    load_groups,
    peopled,
    places_of,
    remove_members,
    save_groups,
    wake_groups,
)

WAKES_WITHIN = timedelta(seconds=5)
"""How long what a person did waits for more of it, so that a few of them share a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moves:
    """What is to be done with the groups of alerts that changed."""

    joins: list[tuple[str, Route, Alert]] = field(default_factory=list)
    leaves: list[tuple[str, AlertId]] = field(default_factory=list)
    wakes: list[str] = field(default_factory=list)
    attended: list[tuple[Place, Alert]] = field(default_factory=list)
    """Alerts that someone is on, in groups that were told of them."""

    @property
    def keys(self) -> set[str]:
        joined = {key for key, _, _ in self.joins}
        return joined | set(self.wakes) | {place.group for place, _ in self.attended}


def put_into_groups(
    connection: Connection, settings: Settings, changed: Iterable[Alert], *, now: datetime
) -> None:
    """Put alerts into the groups of their routes; wake the groups that have news to tell of them.

    Where an alert was told, it stays, whatever its severity rose to and however a newer config
    would route it: a change and its end are told there. A receiver is told of it in one group,
    that of the first of its routes. What waits for its rule's `for` is in none.
    """
    alerts = [alert for alert in changed if alert.due_at is None]
    places = places_of(connection, [alert.id for alert in alerts])
    moves = _Moves()
    for alert in alerts:
        _plan(moves, settings.root, alert, places.get(alert.id, ()))
    remove_members(connection, moves.leaves)
    _wake_and_join(connection, settings, moves, now=now)
    add_members(connection, ((key, alert.id) for key, _, alert in moves.joins))


def wake_groups_of(connection: Connection, alert: AlertId, now: datetime) -> None:
    """Have the groups of an alert looked at soon, after a person closed it or said who is on it.

    What is to be told then, and when it is to be looked at next, follows from the alert itself.
    """
    wake_groups(connection, alert, now + WAKES_WITHIN)


def _plan(moves: _Moves, root: Route, alert: Alert, places: Sequence[Place]) -> None:
    if alert.status is Status.RESOLVED and places:
        moves.wakes.extend(place.group for place in places)
        return
    known = [place for place in places if place.told is not None]
    for place in known:
        if place.told_severity not in {None, alert.severity}:
            moves.wakes.append(place.group)
        elif alert.attention.acknowledged_at is not None:
            moves.attended.append((place, alert))
    told = {place.receiver for place in known}
    wanted: dict[str, Route] = {}
    for route in routes_for(root, alert.labels):
        if route.receiver not in told:
            wanted.setdefault(route.receiver, route)
    there = {place.group for place in places}
    keys = {group_key(route, alert.labels): route for route in wanted.values()}
    moves.joins.extend((key, route, alert) for key, route in keys.items() if key not in there)
    waiting = {place.group for place in places if place.told is None}
    moves.leaves.extend((key, alert.id) for key in waiting - keys.keys())


def _wake_and_join(
    connection: Connection, settings: Settings, moves: _Moves, *, now: datetime
) -> None:
    known = load_groups(connection, moves.keys)
    groups, inhabited = dict(known), peopled(connection, known)
    for key, route, alert in moves.joins:
        group = groups.get(key) or Group(
            key=key, receiver=route.receiver, labels=group_labels(route, alert.labels)
        )
        groups[key] = due_for(group, route, has_members=key in inhabited, now=now)
        inhabited.add(key)
    routes = routes_of(settings.root)
    for key in moves.wakes:
        woken = routes.route_of(groups[key])
        if woken is not None:
            groups[key] = due_for(groups[key], woken, has_members=True, now=now)
    for place, alert in moves.attended:
        its = routes.route_of(groups[place.group])
        if its is not None:
            again = told_again_at(alert, place.told_at or now, its.repeat_interval, now=now)
            groups[place.group] = looked_at_by(groups[place.group], again)
    save_groups(connection, (one for key, one in groups.items() if one is not known.get(key)))
