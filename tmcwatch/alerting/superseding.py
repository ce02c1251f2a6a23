"""Letting alerts end in silence where what follows them is told to the same receiver."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tmcwatch.alerting.muting import muting_at
from tmcwatch.alerting.settings import Settings, routes_of
from tmcwatch.domain.alert import Alert, AlertId
from tmcwatch.domain.grouping import Member
from tmcwatch.domain.muting import muted_in
from tmcwatch.domain.superseding import successor_of
from tmcwatch.store.alerts import load_alerts
from tmcwatch.store.engine import Connection
from tmcwatch.store.groups import Place, leave_to, load_groups, places_of


def leave_to_successors(
    connection: Connection, settings: Settings, changed: Iterable[Alert], *, now: datetime
) -> None:
    """Take what was superseded out of the groups whose receivers are told of its successor.

    While that is muted it may never be told: whoever knows of what it follows is told of its end.
    """
    followed = {
        alert.id: successor for alert in changed if (successor := successor_of(alert)) is not None
    }
    if not followed:
        return
    told_to = _told_to(connection, settings, set(followed.values()), now=now)
    for id_, successor in followed.items():
        leave_to(connection, id_, told_to.get(successor, ()))


def _told_to(
    connection: Connection, settings: Settings, ids: Iterable[AlertId], *, now: datetime
) -> Mapping[AlertId, Sequence[str]]:
    """Answer with the receivers that are, or were, told of each of these alerts."""
    ids = sorted(ids)
    alerts, places = load_alerts(connection, ids), places_of(connection, ids)
    groups = load_groups(connection, {each.group for these in places.values() for each in these})
    routes, muting = routes_of(settings.root), muting_at(connection, settings, now=now)

    def is_told(alert: Alert, place: Place) -> bool:
        route = routes.route_of(groups[place.group])
        is_muted = route is None or muted_in(muting, route, [Member(alert=alert)])
        return place.told is not None or not is_muted

    return {
        id_: [place.receiver for place in places[id_] if is_told(alert, place)]
        for id_, alert in alerts.items()
        if id_ in places
    }
