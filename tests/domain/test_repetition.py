"""Rules that count: exactly so many within a time, or in a row, in whatever order seen."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import at
from tmcwatch.domain.alert import Severity
from tmcwatch.domain.execution import ExecutionId, Phase, Trigger
from tmcwatch.domain.repetition import Run, repeated
from tmcwatch.domain.rule import After, Rule

HOURLY = Rule(
    name="often", severity=Severity.INFO, after=After(count=3, within=timedelta(hours=1))
)
THREE = Rule(name="row", severity=Severity.INFO, in_a_row=3)


def run(minute, phase=Phase.FAILED, name=None):
    execution = ExecutionId(name or f"{phase.value}{minute}")
    return Run(execution=execution, phase=phase, at=at(minute), trigger=Trigger.SCHEDULED)


def good(minute):
    return run(minute, Phase.SUCCEEDED)


def opening(rule, this, *others, since=None):
    """Answer with the minutes of the runs that open an alert."""
    found = repeated(rule, this, others, since=since, counts=is_bad)
    return [int((one.at - at(0)) / timedelta(minutes=1)) for one in found]


def is_bad(one):
    return one.phase is Phase.FAILED


def test_the_third_within_the_time_opens_and_the_alert_begins_with_the_first():
    assert opening(HOURLY, run(20), run(10)) == []
    assert opening(HOURLY, run(30), run(20), run(10)) == [10, 20, 30]


def test_what_is_exactly_as_old_as_the_time_no_longer_counts():
    assert opening(HOURLY, run(60), run(30), run(0)) == []
    assert opening(HOURLY, run(60), run(30), run(1)) == [1, 30, 60]


def test_successes_in_between_do_not_matter_to_a_count_in_a_time():
    assert opening(HOURLY, run(30), good(15), run(20), good(25), run(10)) == [10, 20, 30]


def test_a_success_begins_a_row_anew():
    assert opening(THREE, run(30), run(20), run(10)) == [10, 20, 30]
    assert opening(THREE, run(30), run(20), good(15), run(10)) == []
    assert opening(THREE, run(900), run(500), run(10)) == [10, 500, 900]


def test_what_says_nothing_of_the_task_does_not_end_a_row():
    stopped = run(15, Phase.TERMINATED)
    assert opening(THREE, run(30), run(20), stopped, run(10)) == [10, 20, 30]


def test_a_success_of_the_same_moment_ends_the_row_that_it_outdoes():
    assert opening(THREE, run(30), run(20), run(10), good(10), run(5)) == []


@pytest.mark.parametrize("rule", [HOURLY, THREE])
def test_a_run_found_late_completes_what_later_ones_began(rule):
    assert opening(rule, run(20), run(30), run(10)) == [10, 20, 30]
    assert opening(rule, run(10), run(30), run(20)) == [10, 20, 30]


def test_a_row_that_a_success_has_ended_since_is_of_those_before_it():
    assert opening(THREE, run(20), good(25), run(30), run(10)) == []
    assert opening(THREE, run(20), good(25), run(30), run(10), run(5)) == [5, 10, 20]


@pytest.mark.parametrize("rule", [HOURLY, THREE])
def test_what_happened_before_it_counts_from_is_not_counted(rule):
    assert opening(rule, run(30), run(20), run(10), since=at(11)) == []
    assert opening(rule, run(30), run(20), run(10), since=at(10)) == [10, 20, 30]


@pytest.mark.parametrize("rule", [HOURLY, THREE])
def test_a_run_that_the_rule_is_not_about_opens_nothing(rule):
    assert opening(rule, good(30), run(20), run(10), run(5)) == []


def test_the_same_run_seen_again_is_counted_once():
    assert opening(THREE, run(30), run(20), run(30)) == []


MINUTES = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([Phase.FAILED, Phase.SUCCEEDED])), max_size=12
)


@given(MINUTES, st.integers(1, 4), st.integers(1, 90))
def test_it_opens_exactly_when_some_stretch_with_the_run_in_it_has_enough(ends, count, minutes):
    runs = [run(minute, phase, name=f"r{n}") for n, (minute, phase) in enumerate(ends)]
    within = timedelta(minutes=minutes)
    rule = Rule(name="x", severity=Severity.INFO, after=After(count=count, within=within))
    for place, this in enumerate(runs):
        found = repeated(rule, this, runs[:place], since=None, counts=is_bad)
        bad = [one.at for one in runs[: place + 1] if is_bad(one)]
        ends_of_stretches = [moment for moment in bad if this.at <= moment < this.at + within]
        enough = any(
            sum(moment - within < one <= moment for one in bad) >= count
            for moment in ends_of_stretches
        )
        assert bool(found) == (is_bad(this) and enough)
        if found:
            assert len(found) >= count
            assert found[-1].at - found[0].at < within
            assert this in found


@given(MINUTES, st.integers(2, 4))
def test_a_row_has_no_success_in_it_and_is_as_long_as_it_can_be(ends, count):
    runs = [run(minute, phase, name=f"r{n}") for n, (minute, phase) in enumerate(ends)]
    rule = Rule(name="x", severity=Severity.INFO, in_a_row=count)
    for place, this in enumerate(runs):
        found = repeated(rule, this, runs[:place], since=None, counts=is_bad)
        known = runs[: place + 1]
        successes = [one.at for one in known if not is_bad(one)]
        row = [
            one
            for one in known
            if is_bad(one)
            and not any(
                min(one.at, this.at) <= moment < max(one.at, this.at) for moment in successes
            )
        ]
        expected = row if is_bad(this) and len(row) >= count else []
        assert sorted(one.execution for one in found) == sorted(one.execution for one in expected)
