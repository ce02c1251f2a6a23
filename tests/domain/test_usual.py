"""What is usual of a task or plan."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import at
from tmcwatch.domain.describing import took
from tmcwatch.domain.execution import ENDS, Phase
from tmcwatch.domain.usual import (
    EXPIRES_EARLIEST,
    EXPIRES_LATEST,
    PastRun,
    expires_after,
    run_times,
    usual_interval,
    usual_run_time,
)


def run(start: float, minutes: float = 1, phase: Phase = Phase.SUCCEEDED) -> PastRun:
    return PastRun(
        phase=phase, triggered_at=at(start), started_at=at(start), ended_at=at(start + minutes)
    )


def test_the_usual_run_time_is_the_median_of_successes():
    runs = [run(50, 99, Phase.FAILED), run(40, 3), run(30, 5), run(20, 60)]
    assert usual_run_time(runs) == timedelta(minutes=5)


def test_only_the_newest_twenty_successes_count():
    assert usual_run_time([run(-n, 1 if n < 20 else 60) for n in range(60)]) == timedelta(
        minutes=1
    )


def test_without_a_success_that_began_there_is_no_usual_run_time():
    misfired = PastRun(phase=Phase.SUCCEEDED, triggered_at=at(0), started_at=None, ended_at=at(0))
    assert usual_run_time([misfired, run(1, phase=Phase.FAILED)]) is None


@given(st.lists(st.builds(run, st.just(0), st.integers(1, 90), st.sampled_from(list(ENDS)))))
def test_metrics_and_messages_tell_the_same_usual_run_time(runs):
    times = run_times(runs)
    assert times.usual == usual_run_time(runs)
    assert (times.usual is None) == (times.longest_usual is None)
    assert (times.last is None) == (not runs)


def test_nineteen_of_twenty_runs_do_not_exceed_what_is_usually_the_longest():
    assert run_times([run(-n, 21 - n) for n in range(30)]).longest_usual == timedelta(minutes=20)
    assert run_times([run(0, 3), run(-9, 7)]).longest_usual == timedelta(minutes=7)


def test_the_last_run_time_is_that_of_the_newest_run_that_began():
    misfired = PastRun(phase=Phase.MISFIRED, triggered_at=at(9), started_at=None, ended_at=at(9))
    last = run_times([misfired, run(0, 4, Phase.FAILED), run(-9, 1)]).last
    assert last == timedelta(minutes=4)


def test_the_usual_interval_is_the_median_distance_of_starts_in_any_order():
    runs = [run(10), run(0), run(20), run(31), run(500)]
    assert usual_interval(runs) == timedelta(minutes=10.5)
    assert usual_interval(runs[:1]) is None
    assert usual_interval([]) is None


@pytest.mark.parametrize(
    ("interval", "days"), [(None, 7), (0.1, 3), (1, 3), (2, 6), (7, 21), (12, 35), (99, 35)]
)
def test_a_verdict_lasts_three_usual_intervals_within_bounds(interval, days):
    usual = None if interval is None else timedelta(days=interval)
    assert expires_after(usual) == timedelta(days=days)


@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_a_verdict_always_expires_within_the_bounds(starts):
    after = expires_after(usual_interval([run(start) for start in starts]))
    assert EXPIRES_EARLIEST <= after <= EXPIRES_LATEST


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (-3, "0 s"), (59, "59 s"), (60, "1 min"), (7_500, "2 h 5 min")],
)
def test_a_short_run_is_told_in_seconds(seconds, said):
    assert took(timedelta(seconds=seconds)) == said
