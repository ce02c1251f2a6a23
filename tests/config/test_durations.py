"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.config.durations import duration_from, duration_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400), ("500ms", 0.5), ("1h30m", 5400)],
)
def test_a_duration_is_amounts_with_units(text, seconds):
    assert duration_from(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "-5s", "30m1h", "1h1h", "5s\n", "\u0665s", "1w"]
)
def test_any_other_text_is_none(text):
    assert duration_from(text) is None


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_what_is_written_reads_as_the_same_duration(duration):
    whole = duration // timedelta(milliseconds=1) * timedelta(milliseconds=1)
    assert duration_from(duration_text(duration)) == whole
