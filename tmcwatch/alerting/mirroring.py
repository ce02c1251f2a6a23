"""What a mirror shows: the alerts that the routes bring to its receiver, as they are now."""

from datetime import datetime

from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.mirroring import SHOWN_FOR, mirrored
from tmcwatch.domain.routing import routes_for
from tmcwatch.store.alerts import current_alerts
from tmcwatch.store.engine import Connection


def alerts_for(
    connection: Connection, settings: Settings, receiver: str, *, now: datetime
) -> tuple[Alert, ...]:
    """Answer with the alerts that mirrors of this receiver show, oldest first."""
    routed = [
        alert
        for alert in current_alerts(connection, over_since=now - SHOWN_FOR)
        if any(route.receiver == receiver for route in routes_for(settings.root, alert.labels))
    ]
    return mirrored(routed, now=now)
