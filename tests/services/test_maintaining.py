"""When maintenance is: over changes of the clock, in every zone, and by any cron expression."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.alerting.maintaining import is_in_force, windows_of
from tmcwatch.domain.maintenance import Maintenance
from tmcwatch.domain.matcher import matcher_from

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PARIS, NEW_YORK = "Europe/Paris", "America/New_York"


def maintenance(cron: str, zone: str = "UTC", duration: timedelta = 4 * HOUR) -> Maintenance:
    return Maintenance(
        name="patches",
        cron=cron,
        duration=duration,
        time_zone=ZoneInfo(zone),
        matchers=(matcher_from("account=prod"),),
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stretch(one: Maintenance, day: str) -> str:
    """From when to when, in UTC, the one window that begins within a day lasts."""
    (found,) = windows_of(one, since=utc(day), now=utc(day) + DAY)
    return f"{found.start:%d %H:%M} to {found.end:%d %H:%M}"


@pytest.mark.parametrize(
    ("cron", "zone", "day", "expected"),
    [
        # In Paris 2:00 becomes 3:00 on 28 March 2027, and 3:00 becomes 2:00 on 31 October.
        ("0 1 * * 0", PARIS, "2027-03-28", "28 00:00 to 28 04:00"),
        ("0 2 * * 0", PARIS, "2027-03-28", "28 01:00 to 28 05:00"),
        ("30 2 * * 0", PARIS, "2027-03-28", "28 01:00 to 28 05:00"),
        ("0 3 * * 0", PARIS, "2027-03-28", "28 01:00 to 28 05:00"),
        ("0 1 31 * *", PARIS, "2027-10-30T12:00", "30 23:00 to 31 03:00"),
        ("30 2 31 * *", PARIS, "2027-10-30T12:00", "31 00:30 to 31 04:30"),
        ("0 3 31 * *", PARIS, "2027-10-30T12:00", "31 02:00 to 31 06:00"),
        # In New York 2:00 becomes 3:00 on 14 March 2027, and 2:00 becomes 1:00 on 7 November.
        ("0 1 * * 0", NEW_YORK, "2027-03-14", "14 06:00 to 14 10:00"),
        ("30 2 * * 0", NEW_YORK, "2027-03-14", "14 07:00 to 14 11:00"),
        ("30 1 * * 0", NEW_YORK, "2027-11-07", "07 05:30 to 07 09:30"),
        ("0 2 * * 0", NEW_YORK, "2027-11-07", "07 07:00 to 07 11:00"),
    ],
)
def test_a_window_lasts_as_long_as_it_says_when_the_clock_is_changed(cron, zone, day, expected):
    assert stretch(maintenance(cron, zone), day) == expected


def test_an_hour_that_comes_twice_begins_one_window():
    one = maintenance("30 2 * * *", PARIS, HOUR)
    moments = [utc("2027-10-31T00:00") + timedelta(minutes=15) * n for n in range(12)]
    assert [f"{moment:%H:%M}" for moment in moments if is_in_force(one, moment)] == [
        *("00:30", "00:45", "01:00", "01:15"),
    ]


@pytest.mark.parametrize(
    ("moment", "is_active"),
    [("01:59:59", False), ("02:00:00", True), ("05:59:59", True), ("06:00:00", False)],
)
def test_it_is_in_force_from_its_beginning_until_its_end(moment, is_active):
    assert is_in_force(maintenance("0 2 * * *"), utc(f"2026-11-20T{moment}")) is is_active


def test_windows_may_overlap():
    found = windows_of(
        maintenance("0 0-3 * * *"), since=utc("2026-11-20T03:30"), now=utc("2026-11-20T03:30")
    )
    assert [window.start.hour for window in found] == [0, 1, 2, 3]


def test_windows_that_were_over_a_while_ago_are_known_too():
    day = utc("2026-11-20T00:00")
    (found,) = windows_of(maintenance("0 2 * * *"), since=day, now=day + 20 * HOUR)
    assert (found.start, found.end) == (day + 2 * HOUR, day + 6 * HOUR)
    assert windows_of(maintenance("0 2 * * *"), since=day + 6 * HOUR, now=day + 20 * HOUR) == ()


CRONS = st.sampled_from(
    ["0 2 * * *", "30 2 * * 0", "15 1,2,3 * * *", "*/20 * * * *", "0 */6 * * *", "59 23 L * *"]
)
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"}))
MOMENTS = st.integers(0, 60 * 24 * 365 * 20).map(
    lambda minutes: utc("2010-01-01") + timedelta(minutes=minutes)
)


@given(CRONS, ZONES, st.integers(1, 60 * 30), MOMENTS)
def test_it_is_in_force_wherever_a_beginning_lies_within_its_duration(cron, zone, minutes, now):
    duration = timedelta(minutes=minutes)
    before = (now - 3 * DAY).astimezone(ZoneInfo(zone))
    begins = []
    for local in CronSim(cron, before):
        if (moment := local.astimezone(UTC)) > now:
            break
        begins.append(moment)
    expected = any(moment > now - duration for moment in begins)
    assert is_in_force(maintenance(cron, zone, duration), now) is expected
