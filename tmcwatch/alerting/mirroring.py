"""What a mirror shows: the alerts that the routes bring to its receiver, as they are now."""

from collections.abc import Iterator
from datetime import datetime

from tmcwatch.alerting.muting import muting_at
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.grouping import Member
from tmcwatch.domain.mirroring import SHOWN_FOR, mirrored
from tmcwatch.domain.muting import Muting, muted_in
from tmcwatch.domain.routing import routes_for
from tmcwatch.store.alerts import current_alerts
from tmcwatch.store.engine import Connection


def alerts_for(
    connection: Connection, settings: Settings, receiver: str, *, now: datetime
) -> tuple[Alert, ...]:
    """Answer with the alerts that mirrors of this receiver show, oldest first."""
    muting = muting_at(connection, settings, now=now)
    current = current_alerts(connection, over_since=now - SHOWN_FOR)
    return mirrored(
        (one for one in current if any(_open_ways(settings, receiver, muting, one))), now=now
    )


def _open_ways(settings: Settings, receiver: str, muting: Muting, alert: Alert) -> Iterator[bool]:
    """Tell of each route that leads to the receiver whether the alert is not muted there."""
    for route in routes_for(settings.root, alert.labels):
        if route.receiver == receiver:
            yield not muted_in(muting, route, [Member(alert=alert)])
