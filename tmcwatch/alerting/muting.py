"""What may mute alerts at a moment: gathered from the store and the config, once a round."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from tmcwatch.alerting.maintaining import windows_of
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.inhibition import REMEMBERED, Causes, causes_among, sought
from tmcwatch.domain.maintenance import MaintenanceWindow
from tmcwatch.domain.muting import Muting
from tmcwatch.store.alerts import possible_causes
from tmcwatch.store.engine import Connection
from tmcwatch.store.silences import active_silences

LOOKS_BACK = timedelta(days=1)
"""How long after an alert was over its group is looked at, at the latest."""


def muting_at(connection: Connection, settings: Settings, *, now: datetime) -> Muting:
    """Answer with all that may mute now; `domain.muting.muted_in` asks it group by group."""
    since = now - LOOKS_BACK
    return Muting(
        at=now,
        intervals=settings.mutes.intervals,
        silences=active_silences(connection, now, since=since),
        windows=tuple(_windows(settings, since, now)),
        causes=_causes(connection, settings, now),
    )


def _windows(settings: Settings, since: datetime, now: datetime) -> Iterator[MaintenanceWindow]:
    for maintenance in settings.mutes.maintenance:
        yield from windows_of(maintenance, since=since, now=now)


def _causes(connection: Connection, settings: Settings, now: datetime) -> Causes:
    inhibitions = settings.mutes.inhibitions
    asked = sought(inhibitions, (rule.name for rule in settings.rules))
    found = possible_causes(connection, asked, since=now - REMEMBERED)
    return causes_among(inhibitions, found)
