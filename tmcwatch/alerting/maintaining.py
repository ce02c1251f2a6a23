"""When maintenance is: from each moment that its cron expression names, for its duration."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from cronsim import CronSim

from tmcwatch.domain.maintenance import Maintenance, MaintenanceWindow


def windows_of(
    maintenance: Maintenance, *, since: datetime, now: datetime
) -> tuple[MaintenanceWindow, ...]:
    """Answer with the windows that have begun by `now` and are not over, or were since then."""
    begins = _begins(
        maintenance.cron,
        maintenance.time_zone,
        after=_minute(since - maintenance.duration),
        until=_minute(now),
    )
    windows = (
        MaintenanceWindow(maintenance=maintenance, start=start, end=start + maintenance.duration)
        for start in begins
    )
    return tuple(window for window in windows if window.end > since)


def is_in_force(maintenance: Maintenance, now: datetime) -> bool:
    """Tell whether something is being worked on now."""
    return bool(windows_of(maintenance, since=now, now=now))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


# Remembered, as it is asked at every round, and cron counts in minutes.
@lru_cache(maxsize=256)
def _begins(
    cron: str, time_zone: tzinfo, *, after: datetime, until: datetime
) -> tuple[datetime, ...]:
    return tuple(_moments(cron, time_zone, after, until))


def _moments(cron: str, time_zone: tzinfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Give the moments of a cron expression, in UTC: by the clock some come twice or never."""
    for local in CronSim(cron, after.astimezone(time_zone)):
        moment = local.astimezone(UTC)
        if moment > until:
            return
        # Where the clock is set back, the hour alone does not tell which of the two it is.
        if moment > after:
            yield moment
