"""What mutes alerts, as the file has it: time intervals, inhibition, maintenance."""

from datetime import UTC, timedelta, tzinfo
from typing import Annotated

from pydantic import AfterValidator

from tmcwatch.config.calendars import DaysOfMonth, Months, TimeOfDay, Weekdays, Years, time_text
from tmcwatch.config.cron import Cron
from tmcwatch.config.durations import Duration, between
from tmcwatch.config.problems import wrong
from tmcwatch.config.section import Section
from tmcwatch.config.values import SOME, AnyLabel, Condition, Name, TimeZone
from tmcwatch.domain.inhibition import Inhibition
from tmcwatch.domain.interval import Span, TimeInterval
from tmcwatch.domain.maintenance import Maintenance


class TimeRange(Section):
    """A part of the day."""

    start_time: TimeOfDay
    end_time: TimeOfDay
    """No longer in it; `24:00` for the end of the day."""


def _forward(value: TimeRange) -> TimeRange:
    if value.start_time >= value.end_time:
        found = f"{time_text(value.start_time)} to {time_text(value.end_time)}"
        raise wrong(found, "a start_time before the end_time of the same day")
    return value


class IntervalSetting(Section):
    """A stretch of clock and calendar: of everything that is given, one has to fit."""

    times: tuple[Annotated[TimeRange, AfterValidator(_forward)], ...] = ()
    weekdays: tuple[Weekdays, ...] = ()
    days_of_month: tuple[DaysOfMonth, ...] = ()
    """Negative ones count from the last day, which is -1."""
    months: tuple[Months, ...] = ()
    years: tuple[Years, ...] = ()
    location: TimeZone | None = None
    """Time zone of all of this; UTC without it."""

    @property
    def interval(self) -> TimeInterval:
        return TimeInterval(
            times=tuple(
                Span(first=each.start_time, last=each.end_time - 1) for each in self.times
            ),
            weekdays=self.weekdays,
            days_of_month=self.days_of_month,
            months=self.months,
            years=self.years,
            location=UTC if self.location is None else self.location,
        )


class NamedIntervals(Section):
    """Time intervals that routes name, as in Alertmanager."""

    name: Name
    intervals: Annotated[tuple[IntervalSetting, ...], *SOME]
    """A moment is in it if it is in any of them."""


class InhibitRule(Section):
    """Alerts that follow from others and are not told while those explain them."""

    source_matchers: Annotated[tuple[Condition, ...], *SOME]
    """Of the cause."""
    target_matchers: Annotated[tuple[Condition, ...], *SOME]
    """Of what follows from it."""
    equal: tuple[AnyLabel, ...] = ()
    """Labels that both must have alike."""

    @property
    def inhibition(self) -> Inhibition:
        return Inhibition(
            sources=self.source_matchers, targets=self.target_matchers, equal=self.equal
        )


class MaintenanceSetting(Section):
    """Planned work, over and over; what breaks in it is told only if it still fires after it."""

    name: Name
    cron: Cron
    """When it begins: minute, hour, day of the month, month, day of the week."""
    duration: Annotated[Duration, between(timedelta(minutes=1), timedelta(days=31))]
    time_zone: TimeZone | None = None
    """Of `cron`; that of the times in messages without it."""
    matchers: tuple[Condition, ...] = ()
    """What may break meanwhile; without any, everything."""
    comment: str = ""

    def maintenance(self, usual: tzinfo) -> Maintenance:
        return Maintenance(
            name=self.name,
            cron=self.cron,
            duration=self.duration,
            time_zone=usual if self.time_zone is None else self.time_zone,
            matchers=self.matchers,
            comment=self.comment,
        )
