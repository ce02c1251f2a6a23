"""Verdicts on a run that did not fail."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import LOAD, PROD, at, row
from tmcwatch.domain.built_in import BUILT_IN, NOT_BY_SUCCESS
from tmcwatch.domain.execution import ExecutionId, Phase
from tmcwatch.domain.limits import Limits
from tmcwatch.domain.measuring import after_run, is_true_of, measured
from tmcwatch.domain.opening import Whose

LATE, ZERO, RATIO = (BUILT_IN[name] for name in ("started_late", "zero_rows", "rejected_ratio"))


def with_rows(processed, rejected, **changes):
    counts = {"rows_processed": processed, "rows_rejected": rejected, "detailed": True}
    one = row(Phase.SUCCEEDED, **(counts | {"ended_at": at(1)}))
    return replace(one, **changes)


@pytest.mark.parametrize(
    ("processed", "rejected", "holds"),
    [
        (100, 5, False),
        (100, 6, True),
        (0, 0, False),
        (0, 3, True),
        (100, 0, False),
        (None, 3, None),
        (100, None, None),
    ],
)
def test_the_share_of_rejected_rows_is_weighed_where_it_is_known(processed, rejected, holds):
    found = measured(RATIO, with_rows(processed, rejected))
    assert (found.holds if found else None) is holds


def test_the_configured_ratio_holds():
    strict = replace(RATIO, limits=Limits(ratio=0.01))
    assert is_true_of(strict, with_rows(100, 2))


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_share_is_never_more_than_all(processed, rejected):
    found = measured(RATIO, with_rows(processed, rejected))
    assert found is not None
    percent = float(found.text.rsplit("(", 1)[1].rstrip("%)"))
    assert 0 <= percent <= 100


@given(st.integers(0, 5_000))
def test_a_start_is_late_after_its_limit_and_not_before(seconds):
    began = row(Phase.RUNNING, started_at=at(0) + timedelta(seconds=seconds))
    assert is_true_of(LATE, began) == (seconds > 600)


def test_a_run_that_did_not_start_or_did_not_come_to_its_end_is_not_judged():
    assert measured(LATE, row(Phase.WAITING)) is None
    assert measured(ZERO, with_rows(0, 0, phase=Phase.FAILED)) is None
    assert measured(ZERO, with_rows(0, 0, detailed=False)) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=12))
def test_there_is_at_most_one_open_alert_and_it_never_ends_by_an_older_run(runs):
    whose, ongoing = Whose(account=PROD, subject=LOAD, trigger=row(Phase.RUNNING).trigger), None
    for n, (minute, is_empty) in enumerate(runs):
        run = with_rows(0 if is_empty else 5, 0, id=ExecutionId(str(n)), ended_at=at(minute))
        found = after_run(ZERO, run, whose, ongoing, link="", ownership=(), now=at(20))
        if found is not None and found.ends_at is not None:
            assert not is_empty
            assert ongoing is not None
            assert found.ends_at >= ongoing.starts_at
        if found is not None:
            assert found.ends_at is not None or is_empty
            ongoing = found if found.ends_at is None else None


def test_a_run_seen_twice_is_counted_once():
    whose = Whose(account=PROD, subject=LOAD, trigger=row(Phase.RUNNING).trigger)
    first = after_run(ZERO, with_rows(0, 0), whose, None, link="", ownership=(), now=at(2))
    assert first is not None
    again = after_run(ZERO, with_rows(0, 0), whose, first, link="", ownership=(), now=at(2))
    assert again is None


def test_each_of_these_rules_has_its_own_end():
    assert {rule.name for rule in (LATE, ZERO, RATIO)} == NOT_BY_SUCCESS
