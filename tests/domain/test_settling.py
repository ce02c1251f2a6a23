"""The settle lag: learned from rows that a read before ought to have shown."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import at
from tmcwatch.domain.execution import ExecutionId, Kind, Phase, Row, Trigger
from tmcwatch.domain.settling import Bounds, HeadRead, lags, settle_lag, widened
from tmcwatch.domain.window import Window

BOUNDS = Bounds(floor=timedelta(seconds=10), ceiling=timedelta(minutes=5))
BEFORE = HeadRead(
    window=Window(start=at(0), end=at(10)), asked_at=at(10), ids=frozenset({"known"})
)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def row(name: str, *, triggered: float, started: float | None = None) -> Row:
    return Row(
        kind=Kind.TASK,
        id=ExecutionId(name),
        subject=None,
        phase=Phase.RUNNING,
        status="",
        trigger=Trigger.SCHEDULED,
        triggered_at=at(triggered),
        started_at=None if started is None else at(started),
    )


@pytest.mark.parametrize(
    ("one", "lag"),
    [
        (row("late", triggered=9), timedelta(minutes=2)),
        (row("late", triggered=9.9), timedelta(seconds=13)),
        (row("late", triggered=9, started=9.5), timedelta(minutes=2)),
        (row("known", triggered=9), timedelta()),
        (row("since", triggered=10.5), None),
        (row("before", triggered=-1), None),
        (row("began_since", triggered=9, started=10.5), None),
    ],
    ids=[
        "late",
        "a_little_late",
        "late_and_begun",
        "punctual",
        "triggered_since",
        "not_covered",
        "begun_since",
    ],
)
def test_a_row_is_late_if_the_read_before_ought_to_have_shown_it(one, lag):
    assert [*lags([one], before=BEFORE, asked_at=at(11))] == ([] if lag is None else [lag])


def test_what_the_read_before_had_no_page_for_was_not_late():
    settled_only = replace(BEFORE, window=Window(start=at(0), end=at(8)))
    # Where windows overlap, a run is in the one that it starts in, however early it was triggered.
    rows = [row("beyond", triggered=9), row("begun_beyond", triggered=7, started=9)]
    rows += [row("within", triggered=7, started=7.5)]
    found = [*lags(rows, before=settled_only, asked_at=at(11))]
    assert found == [timedelta(minutes=4)]


def test_without_samples_the_lag_stays_within_its_bounds():
    assert settle_lag(seconds(1), [], BOUNDS, is_full=False) == BOUNDS.floor
    assert settle_lag(timedelta(hours=1), [], BOUNDS, is_full=True) == BOUNDS.ceiling
    assert settle_lag(seconds(42), [], BOUNDS, is_full=False) == seconds(42)


def test_a_late_row_raises_the_lag_at_once():
    samples = [timedelta()] * 50 + [seconds(23.4)]
    assert settle_lag(seconds(10), samples, BOUNDS, is_full=False) == seconds(24)


def test_one_late_row_in_a_thousand_is_left_to_the_second_pass():
    samples = [timedelta()] * 999 + [seconds(200)]
    assert settle_lag(seconds(10), samples, BOUNDS, is_full=False) == seconds(10)


def test_the_lag_is_lowered_slowly_and_only_by_a_full_set_of_samples():
    samples = [timedelta()] * 1_000
    assert settle_lag(seconds(100), samples, BOUNDS, is_full=False) == seconds(100)
    assert settle_lag(seconds(100), samples, BOUNDS, is_full=True) == seconds(90)


def test_the_lag_is_widened_up_to_its_ceiling():
    assert widened(seconds(20), BOUNDS) == seconds(40)
    assert widened(seconds(200), BOUNDS) == BOUNDS.ceiling


SPANS = st.floats(0, 1_000).map(seconds)


@given(SPANS, st.lists(SPANS, max_size=50), st.booleans())
def test_the_lag_is_always_within_its_bounds_and_in_whole_seconds(current, samples, is_full):
    lag = settle_lag(current, samples, BOUNDS, is_full=is_full)
    assert BOUNDS.floor <= lag <= BOUNDS.ceiling
    if samples:
        assert lag >= min(max(min(samples), BOUNDS.floor), BOUNDS.ceiling)


@given(SPANS, st.lists(SPANS, min_size=1, max_size=50))
def test_the_lag_covers_all_but_the_latest_rows(current, samples):
    lag = settle_lag(BOUNDS.clamped(current), samples, BOUNDS, is_full=False)
    later = sum(sample > lag for sample in samples)
    assert lag == BOUNDS.ceiling or later <= len(samples) * 0.005 + 1
