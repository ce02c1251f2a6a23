"""How a task stands: the same, whatever the order in which its ends are told."""

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import at
from tmcwatch.domain.execution import ENDS, FAILURES, Phase
from tmcwatch.domain.standing import (
    DURATION_BOUNDS,
    Standing,
    after_end,
    bucket,
    counted,
    histogram,
    needs_recount,
)


def stood(*ends: tuple[Phase, float]) -> Standing:
    return reduce(lambda standing, end: after_end(standing, end[0], at(end[1])), ends, Standing())


def test_failures_are_counted_from_the_first_to_the_next_success():
    standing = stood((Phase.FAILED, 1), (Phase.MISFIRED, 2), (Phase.TIMED_OUT, 3))
    assert (standing.consecutive_failures, standing.failing_since) == (3, at(1))
    standing = after_end(standing, Phase.SUCCEEDED, at(4))
    assert (standing.consecutive_failures, standing.failing_since) == (0, None)
    assert (standing.last_success_at, standing.last_phase) == (at(4), Phase.SUCCEEDED)


@pytest.mark.parametrize("phase", [Phase.TERMINATED, Phase.SHUT_DOWN, Phase.REJECTED])
def test_an_end_that_says_nothing_about_the_task_counts_as_no_failure(phase):
    standing = stood((Phase.FAILED, 1), (phase, 2))
    assert (standing.consecutive_failures, standing.last_phase) == (1, phase)


def test_an_old_end_does_not_become_the_last():
    standing = stood((Phase.SUCCEEDED, 5), (Phase.FAILED, 3), (Phase.SUCCEEDED, 2))
    assert (standing.last_completion_at, standing.last_phase) == (at(5), Phase.SUCCEEDED)
    assert (standing.last_success_at, standing.consecutive_failures) == (at(5), 0)


def test_an_older_failure_moves_the_beginning():
    assert stood((Phase.FAILED, 5), (Phase.FAILED, 3)).failing_since == at(3)


ENDINGS = st.lists(st.tuples(st.sampled_from(sorted(ENDS)), st.integers(0, 12)), max_size=12)


@given(ENDINGS)
def test_in_any_order_the_same_failures_are_counted(ends):
    standing = Standing()
    for number, (phase, minute) in enumerate(ends):
        recount = needs_recount(standing, phase, at(minute))
        standing = after_end(standing, phase, at(minute))
        if recount:
            standing = _recounted(standing, ends[: number + 1])
    # A success outdoes a failure of the same moment.
    sorted_ends = sorted(ends, key=lambda end: (end[1], end[0] is Phase.SUCCEEDED))
    expected = stood(*sorted_ends)
    assert replace(standing, last_phase=None) == replace(expected, last_phase=None)


def _recounted(standing: Standing, ends) -> Standing:
    """Count anew, as the store does."""
    success = standing.last_success_at
    since = [at(m) for phase, m in ends if phase in FAILURES and success and at(m) > success]
    return replace(
        standing, consecutive_failures=len(since), failing_since=min(since, default=None)
    )


def test_a_success_between_failures_needs_a_recount():
    standing = stood((Phase.FAILED, 1), (Phase.FAILED, 5))
    assert needs_recount(standing, Phase.SUCCEEDED, at(3))
    assert not needs_recount(standing, Phase.SUCCEEDED, at(6))
    assert not needs_recount(standing, Phase.SUCCEEDED, at(0))
    assert not needs_recount(standing, Phase.FAILED, at(3))
    assert not needs_recount(Standing(), Phase.SUCCEEDED, at(3))


def test_counters_only_count():
    standing = Standing()
    for phase in ENDS:
        standing = counted(standing, phase)
    others = len(ENDS) - 1 - len(FAILURES)
    assert (standing.succeeded, standing.failed, standing.other) == (1, len(FAILURES), others)


@pytest.mark.parametrize(
    ("seconds", "name"), [(0, "1"), (1, "1"), (1.1, "5"), (86_400, "86400"), (1e9, "+Inf")]
)
def test_a_value_falls_into_the_first_bucket_that_holds_it(seconds, name):
    assert bucket(seconds, DURATION_BOUNDS) == name
    assert dict(histogram(seconds, DURATION_BOUNDS)) == {name: 1, "sum": seconds}
