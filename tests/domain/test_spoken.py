"""Times as messages say them."""

from datetime import timedelta

import pytest

from tests.domain.telling import at
from tmcwatch.domain.spoken import span, stretch
from tmcwatch.domain.window import Window


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ({"seconds": 59}, "0 min"),
        ({"minutes": 11, "seconds": 59}, "11 min"),
        ({"hours": 3}, "3 h"),
        ({"hours": 3, "minutes": 20}, "3 h 20 min"),
        ({"days": 1, "minutes": 5}, "1 d"),
        ({"days": 9, "hours": 23, "minutes": 59}, "9 d 23 h"),
    ],
)
def test_a_length_of_time_is_said_in_its_two_largest_units(length, expected):
    assert span(timedelta(**length)) == expected


def test_a_stretch_names_the_second_day_only_where_it_is_another():
    assert stretch(Window(start=at(0), end=at(98))) == "2026-11-20 12:00 to 13:38 UTC"
    other = Window(start=at(0), end=at(24 * 60))
    assert stretch(other) == "2026-11-20 12:00 to 2026-11-21 12:00 UTC"
