"""Time intervals: Alertmanager's documented examples, and every moment of every zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.domain.interval import Span, TimeInterval

ZONES = sorted(available_timezones() - {"localtime"})
NINE, FIVE = 9 * 60, 17 * 60
OFFICE_HOURS = TimeInterval(
    times=(Span(first=NINE, last=FIVE - 1),),
    weekdays=(Span(first=1, last=5),),
    location=ZoneInfo("Europe/Paris"),
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(*spans: tuple[int, int]) -> TimeInterval:
    return TimeInterval(days_of_month=tuple(Span(first=a, last=b) for a, b in spans))


@pytest.mark.parametrize(
    ("moment", "is_in"),
    [
        ("2026-11-27T08:00", True),  # a Friday, 09:00 in Paris
        ("2026-11-27T07:59", False),
        ("2026-11-27T15:59", True),
        ("2026-11-27T16:00", False),  # the end is no longer in it
        ("2026-11-28T09:00", False),
        ("2026-07-03T07:00", True),  # in summer Paris is two hours ahead
    ],
)
def test_office_hours_are_those_of_their_place(moment, is_in):
    assert OFFICE_HOURS.includes(utc(moment)) is is_in


def test_whatever_is_not_given_fits():
    assert TimeInterval().includes(utc("2026-02-28T23:59"))


@pytest.mark.parametrize(
    ("span", "inside", "outside"),
    [
        ((1, 5), ["2026-03-01", "2026-03-05"], ["2026-03-06"]),
        ((-3, -1), ["2026-03-29", "2026-03-31", "2026-02-26"], ["2026-03-28", "2026-02-25"]),
        ((31, 31), ["2026-03-31"], ["2026-02-28", "2026-04-30"]),
        ((1, 31), ["2026-02-01", "2026-02-28", "2028-02-29"], []),
        ((-31, -1), ["2026-02-01", "2026-02-28", "2026-03-31"], []),
        ((15, -1), ["2026-02-15", "2026-02-28"], ["2026-02-14"]),
        ((-1, -1), ["2028-02-29"], ["2028-02-28"]),
    ],
)
def test_days_are_counted_from_either_end_of_the_month(span, inside, outside):
    interval = days(span)
    assert [day for day in inside if not interval.includes(utc(day))] == []
    assert [day for day in outside if interval.includes(utc(day))] == []


def test_any_of_the_spans_of_a_part_will_do_but_every_part_must_fit():
    interval = TimeInterval(
        months=(Span(first=1, last=3), Span(first=5, last=8), Span(first=12, last=12)),
        years=(Span(first=2020, last=2022), Span(first=2030, last=2030)),
        weekdays=(Span(first=1, last=3), Span(first=6, last=6), Span(first=0, last=0)),
    )
    assert interval.includes(utc("2030-12-01"))  # a Sunday
    assert not interval.includes(utc("2030-12-05"))  # a Thursday
    assert not interval.includes(utc("2030-11-03"))
    assert not interval.includes(utc("2026-12-06"))


MOMENTS = st.integers(0, 47 * 365 * 24 * 60).map(
    lambda minutes: utc("1990-01-01") + timedelta(minutes=minutes)
)


@given(MOMENTS, st.sampled_from(ZONES))
def test_every_moment_is_in_one_half_of_the_day_and_one_of_the_week_wherever_it_is(moment, zone):
    location = ZoneInfo(zone)
    halves = [(Span(first=0, last=719),), (Span(first=720, last=1439),)]
    parts = [(Span(first=0, last=2),), (Span(first=3, last=6),)]
    found = [
        TimeInterval(times=half, weekdays=part, location=location).includes(moment)
        for half in halves
        for part in parts
    ]
    assert found.count(True) == 1


@given(MOMENTS, st.integers(-31, -1))
def test_a_day_counted_back_is_that_far_from_the_first_of_the_next_month(moment, day):
    next_month = (moment.date().replace(day=28) + timedelta(days=4)).replace(day=1)
    is_it = moment.date() - timedelta(days=day) == next_month
    assert days((day, day)).includes(moment) is is_it
