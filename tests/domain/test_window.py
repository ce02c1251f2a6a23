"""Windows: pages that overlap by a row, and how windows are cut."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import at
from tmcwatch.domain.window import (
    OFFSET_LIMIT,
    Window,
    halvings,
    is_within_reach,
    offsets,
)


@pytest.mark.parametrize(
    ("total", "expected"),
    [(0, ()), (1, ()), (100, ()), (101, (99,)), (199, (99,)), (200, (99, 198)), (298, (99, 198))],
)
def test_further_pages_begin_at_the_last_row_of_the_one_before(total, expected):
    assert offsets(total) == expected


@given(st.integers(0, 3_000), st.integers(2, 100))
def test_pages_reach_every_row_and_share_one_with_their_neighbour(total, limit):
    starts = (0, *offsets(total, page_limit=limit))
    assert {row for s in starts for row in range(s, min(s + limit, total))} == set(range(total))
    assert all(later - earlier == limit - 1 for earlier, later in zip(starts, starts[1:]))  # noqa: B905, RUF007


@given(st.integers(0, 5_000))
def test_a_list_is_within_reach_if_no_page_begins_beyond_the_highest_offset(total):
    assert is_within_reach(total) == all(start <= OFFSET_LIMIT for start in offsets(total))


def test_a_window_is_halved_to_its_earlier_half():
    window = Window(start=at(0), end=at(10))
    assert window.halved() == Window(start=at(0), end=at(5))
    assert window.width == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("total", "times"), [(1_100, 1), (2_100, 1), (2_300, 2), (4_000, 2), (100_000, 7)]
)
def test_a_window_is_halved_as_often_as_an_even_spread_asks_for(total, times):
    assert halvings(total, deepest=OFFSET_LIMIT) == times
    assert is_within_reach(total >> times)
