"""Moments in texts: one form, which reads back as the same moment."""

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import NOON
from tmcwatch.domain.moment import moment_text


def test_a_moment_is_written_in_utc():
    assert moment_text(NOON) == "2026-11-20T12:00:00Z"
    assert moment_text(NOON.astimezone(timezone(timedelta(hours=2)))) == moment_text(NOON)


@given(st.integers(-(10**15), 10**15), st.integers(-12, 14))
def test_what_was_written_reads_back(microseconds, hours):
    moment = NOON + timedelta(microseconds=microseconds)
    written = moment_text(moment.astimezone(timezone(timedelta(hours=hours))))
    assert written.endswith("Z")
    assert datetime.fromisoformat(written) == moment
