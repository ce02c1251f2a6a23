"""Time intervals as Alertmanager has them: stretches of the clock and the calendar."""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Whole numbers from the first to the last, both included."""

    first: int
    last: int

    def includes(self, number: int) -> bool:
        return self.first <= number <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInterval:
    """Moments that fit one span of everything that is given; what is not given always fits."""

    times: tuple[Span, ...] = ()
    """In minutes of the day."""
    weekdays: tuple[Span, ...] = ()
    """From Sunday, which is 0."""
    days_of_month: tuple[Span, ...] = ()
    """Negative ones count from the end of the month, whose last day is -1."""
    months: tuple[Span, ...] = ()
    years: tuple[Span, ...] = ()
    location: tzinfo = UTC

    def includes(self, moment: datetime) -> bool:
        local = moment.astimezone(self.location)
        return (
            _fits(self.times, local.hour * 60 + local.minute)
            and _fits(self.weekdays, local.isoweekday() % 7)
            and _fits(self.months, local.month)
            and _fits(self.years, local.year)
            and _has_day(self.days_of_month, local)
        )


def _fits(spans: tuple[Span, ...], number: int) -> bool:
    return not spans or any(span.includes(number) for span in spans)


def _has_day(spans: tuple[Span, ...], local: datetime) -> bool:
    length = monthrange(local.year, local.month)[1]
    return _fits(tuple(_of_this_month(spans, length)), local.day)


def _of_this_month(spans: Iterable[Span], length: int) -> Iterable[Span]:
    for span in spans:
        first, last = (day if day > 0 else length + 1 + day for day in (span.first, span.last))
        yield Span(first=first, last=last)
