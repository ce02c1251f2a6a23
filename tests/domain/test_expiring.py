"""Tokens that expire: reminded of in time, in plain words."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tmcwatch.domain.expiring import expiry_text, reminder

FIRST_OF_MAY = date(2027, 5, 1)
MIDNIGHT = datetime(2027, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "ahead"),
    [
        ({"days": 14, "seconds": 1}, None),
        ({"days": 14}, 14),
        ({"days": 3, "seconds": 1}, 14),
        ({"days": 3}, 3),
        ({"days": 1}, 1),
        ({"days": 0}, 1),
        ({"days": -30}, 1),
    ],
)
def test_a_token_is_reminded_of_two_weeks_three_days_and_a_day_before(before, ahead):
    found = reminder(FIRST_OF_MAY, MIDNIGHT - timedelta(**before))
    assert (found and found.days) == ahead


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (datetime(2027, 4, 17, 9, tzinfo=UTC), "expires on 1 May 2027, in 14 days:"),
        (datetime(2027, 4, 30, 9, tzinfo=UTC), "expires on 1 May 2027, tomorrow:"),
        (datetime(2027, 5, 1, 9, tzinfo=UTC), "expires on 1 May 2027, today:"),
        (datetime(2027, 5, 2, tzinfo=UTC), "has expired by now:"),
    ],
)
def test_the_text_says_when_and_what_to_do(now, said):
    text = expiry_text("prod", FIRST_OF_MAY, now)
    assert text.startswith(f"The token of prod {said}")
    assert "token_expires" in text
