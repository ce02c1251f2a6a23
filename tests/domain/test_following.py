"""Following: open runs are read by the fewest requests, and each has its turn."""

from datetime import timedelta
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import at
from tmcwatch.domain.execution import ExecutionId
from tmcwatch.domain.following import ROOM, Cover, OpenRun, cheapest_cover, in_turn
from tmcwatch.domain.window import PAGE_LIMIT, Window


def runs_at(*minutes: float) -> list[OpenRun]:
    return [
        OpenRun(id=ExecutionId(f"r{n}"), triggered_at=at(minute))
        for n, minute in enumerate(minutes)
    ]


def requests(cover: Cover) -> int:
    return len(cover.windows) + len(cover.ids)


def test_without_open_runs_nothing_is_asked():
    assert cheapest_cover([], [at(0)]) == Cover(windows=(), ids=())


def test_a_lone_run_is_read_by_its_id():
    assert cheapest_cover(runs_at(3), [at(m) for m in range(9)]) == Cover(
        windows=(), ids=(ExecutionId("r0"),)
    )


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


def test_where_not_all_can_be_read_the_youngest_and_the_longest_unseen_take_turns():
    runs = runs_at(1, 2, 3, 4)
    read_at = {ExecutionId("r0"): 40.0, ExecutionId("r1"): 10.0, ExecutionId("r3"): 50.0}
    assert [*in_turn(runs, read_at)] == ["r2", "r3", "r1", "r0"]


@given(MINUTES, st.dictionaries(st.integers(0, 24), st.floats(0, 100)))
def test_every_run_has_its_turn_once(minutes, read):
    runs = runs_at(*minutes)
    read_at = {ExecutionId(f"r{n}"): moment for n, moment in read.items()}
    assert sorted(in_turn(runs, read_at)) == sorted(run.id for run in runs)


@given(st.integers(3, 40), st.integers(2, 5))
def test_none_waits_longer_than_twice_its_share_of_the_requests(count, most):
    runs = runs_at(*range(count))
    read_at: dict[ExecutionId, float] = {}
    for beat in range(2 * count):
        for run in [*in_turn(runs, read_at)][:most]:
            read_at[run] = beat
    assert all(2 * count - read_at[run.id] <= 2 * count / (most // 2) for run in runs)
