"""What a budget affords for open executions is dealt out by need among its lists."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.api.budget import Budget
from tmcwatch.app.refreshes import Refreshes
from tmcwatch.domain.budget import Family
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.following import part_of

A, B = AccountName("a"), AccountName("b")
P = Family.PROCESSING


@pytest.fixture
def budget(now):
    """Sixty calls in two beats of five seconds, of which forty-two may go to refreshes."""
    return Budget(0.2, now=now, random=lambda: 0.0)


async def test_what_is_afforded_is_had_as_long_as_nobody_wants_more(budget):
    refreshes = Refreshes(budget, timedelta(seconds=5))
    assert refreshes.of(A, Kind.TASK, 30) == 30
    assert refreshes.of(A, Kind.PLAN, 1) == 1


async def test_what_is_too_much_is_dealt_out_by_need(budget):
    refreshes = Refreshes(budget, timedelta(seconds=5))
    refreshes.of(A, Kind.TASK, 60)
    assert refreshes.of(B, Kind.TASK, 60) == pytest.approx(20, abs=1)
    refreshes.of(B, Kind.TASK, 0)
    assert refreshes.of(A, Kind.TASK, 60) == pytest.approx(41, abs=1)


async def test_under_pressure_one_is_always_had(budget):
    refreshes = Refreshes(budget, timedelta(seconds=5))
    budget.throttled(P, timedelta(minutes=5))
    assert refreshes.of(A, Kind.TASK, 60) == 1
    assert refreshes.of(A, Kind.TASK, 0) == 0


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20), st.floats(0, 100))
def test_all_lists_together_have_what_is_afforded_and_one_each(wanted, afforded):
    parts = [part_of(one, by_all=sum(wanted), afforded=afforded) for one in wanted]
    assert sum(parts) <= afforded + len(wanted)
    assert all(part <= max(one, 1) for part, one in zip(parts, wanted, strict=True))
