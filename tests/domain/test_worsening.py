"""Worsening: what raises an episode's severity, and what keeps it from ending too soon."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import alert, at
from tmcwatch.domain.alert import Severity
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.rule import After
from tmcwatch.domain.worsening import (
    calmer,
    carried_over,
    flapping,
    is_flapping,
    raised_by_failures,
)

AGAIN, FLAPPING = BUILT_IN["failing_again"], BUILT_IN["flapping"]
AFTER = FLAPPING.after or After(count=0, within=at(0) - at(0))
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


@pytest.mark.parametrize(
    ("was", "highest", "becomes"),
    [
        (INFO, WARNING, WARNING),
        (WARNING, WARNING, WARNING),
        (INFO, CRITICAL, WARNING),
        (WARNING, CRITICAL, CRITICAL),
        (CRITICAL, CRITICAL, CRITICAL),
        (CRITICAL, WARNING, CRITICAL),
        (INFO, INFO, INFO),
    ],
)
def test_the_severity_rises_by_one_step_and_not_above_the_rules(was, highest, becomes):
    rule = replace(AGAIN, severity=highest)
    found = raised_by_failures(alert(severity=was, labels={}), rule, failures=3)
    assert found.severity is becomes
    assert found.labels.get("severity", was.value) == becomes.value


@given(
    st.sampled_from(sorted(Severity)),
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=9),
)
def test_it_never_falls_and_each_rule_raises_it_once(was, steps):
    again, flaps = (replace(rule, severity=CRITICAL) for rule in (AGAIN, FLAPPING))
    found, order = alert(severity=was), [INFO, WARNING, CRITICAL]
    for is_again, times in steps:
        before = found
        found = (
            raised_by_failures(found, again, failures=times)
            if is_again
            else flapping(found, flaps, AFTER, episodes=times)
        )
        found = carried_over(found, before)
        assert order.index(found.severity) >= order.index(before.severity)
    assert order.index(found.severity) <= order.index(was) + 2
    assert found.annotations.get("summary", "").count("flapping") <= 1


@given(st.integers(0, 12))
def test_so_many_episodes_are_flapping_and_fewer_are_not(episodes):
    assert is_flapping(flapping(alert(), FLAPPING, AFTER, episodes=episodes)) == (episodes >= 4)


def test_what_is_flapping_takes_three_successes_to_end():
    found = flapping(alert(), FLAPPING, AFTER, episodes=4)
    once = calmer(found, FLAPPING, now=at(1))
    assert once is not None
    twice = calmer(once, FLAPPING, now=at(2))
    assert twice is not None
    assert twice.changed_at == at(2)
    assert calmer(twice, FLAPPING, now=at(3)) is None


def test_an_episode_goes_on_flapping_with_its_next_run_and_counts_successes_anew():
    found = calmer(flapping(alert(), FLAPPING, AFTER, episodes=4), FLAPPING, now=at(1))
    assert found is not None
    again = carried_over(alert(annotations={"summary": "failed"}), found)
    assert again.annotations["summary"] == "failed; it is flapping: 4 times within 6 h"
    assert "calm" not in again.annotations
