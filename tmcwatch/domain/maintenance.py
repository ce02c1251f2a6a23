"""Maintenance: stretches of time planned in the config, in which what goes wrong is expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from tmcwatch.domain.matcher import Matcher, all_match


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """When something is worked on, over and over, and what that breaks."""

    name: str
    cron: str
    """When a window begins, by the clock of the time zone."""
    duration: timedelta
    """Of each window, in real time: a change of the clock neither shortens nor prolongs it."""
    time_zone: tzinfo
    matchers: tuple[Matcher, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """One stretch of a maintenance."""

    maintenance: Maintenance
    start: datetime
    end: datetime
    """No longer in it."""

    def includes(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def mutes(self, labels: Mapping[str, str], *, occurred_at: datetime, moment: datetime) -> bool:
        """Tell whether something that occurred in the window is not to be told at `moment`.

        What went wrong before the window did not come of it, and is told inside it too.
        """
        return (
            self.includes(moment)
            and self.includes(occurred_at)
            and all_match(self.maintenance.matchers, labels)
        )
