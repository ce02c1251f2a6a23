"""Windows: pages that overlap by a row, and open runs refreshed by the fewest requests."""

from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import at
from tmcwatch.domain.window import (
    OFFSET_LIMIT,
    PAGE_LIMIT,
    ROOM,
    Cover,
    OpenRun,
    Window,
    cheapest_cover,
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


def runs_at(*minutes: float) -> list[OpenRun]:
    return [OpenRun(id=f"r{n}", triggered_at=at(minute)) for n, minute in enumerate(minutes)]


def requests(cover: Cover) -> int:
    return len(cover.windows) + len(cover.ids)


def test_without_open_runs_nothing_is_asked():
    assert cheapest_cover([], [at(0)]) == Cover(windows=(), ids=())


def test_a_lone_run_is_read_by_its_id():
    assert cheapest_cover(runs_at(3), [at(m) for m in range(9)]) == Cover(windows=(), ids=("r0",))


def test_runs_that_began_together_are_read_by_one_page():
    cover = cheapest_cover(runs_at(3, 5, 4), [at(minute) for minute in range(9)])
    millisecond = timedelta(milliseconds=1)
    assert cover.windows == (Window(start=at(3) - millisecond, end=at(5) + millisecond),)
    assert cover.ids == ()


def test_runs_older_than_all_that_is_known_are_read_by_their_ids():
    cover = cheapest_cover(runs_at(-5, -6, 1, 2), [at(minute) for minute in range(9)])
    assert (set(cover.ids), len(cover.windows)) == ({"r0", "r1"}, 1)
    assert cheapest_cover(runs_at(1, 2), []).ids == ("r0", "r1")


def test_runs_that_nothing_known_lies_near_are_read_by_their_ids():
    assert cheapest_cover(runs_at(20, 21), [at(0)]).ids == ("r0", "r1")


MINUTES = st.lists(st.integers(0, 400), max_size=25)


@given(MINUTES, st.sampled_from([1, 2, 30]))
def test_every_open_run_is_covered_and_no_page_is_planned_too_full(minutes, per_minute):
    triggers = sorted(at(n / per_minute) for n in range(400 * per_minute + 1))
    runs = runs_at(*minutes)
    cover = cheapest_cover(runs, triggers)
    for run in runs:
        in_window = any(w.start < run.triggered_at < w.end for w in cover.windows)
        assert (run.id in cover.ids) != in_window
    for window in cover.windows:
        assert sum(window.start < moment < window.end for moment in triggers) <= ROOM < PAGE_LIMIT


@given(st.lists(st.integers(0, 400), max_size=9))
def test_no_cover_takes_fewer_requests(minutes):
    triggers = [at(minute) for minute in range(401)]
    pending = sorted(minutes)

    @cache
    def fewest(first: int) -> int:
        if first == len(pending):
            return 0
        last = pending[first] + ROOM - 1
        reach = next((n for n in range(first, len(pending)) if pending[n] > last), len(pending))
        return 1 + min(fewest(upto) for upto in range(first + 1, reach + 1))

    assert requests(cheapest_cover(runs_at(*minutes), triggers)) == fewest(0)
