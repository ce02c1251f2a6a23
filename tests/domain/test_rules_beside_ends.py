"""The table of built-in rules that no bad end of a run of its own opens, row by row."""

import pytest

from tmcwatch.domain.alert import Severity
from tmcwatch.domain.built_in import (
    ABOUT_OURSELVES,
    BUILT_IN,
    LASTING,
    NOT_BY_SUCCESS,
    OF_EPISODES,
    OF_ROWS,
    ON_THE_WAY,
)
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.limits import Limits

INFO, WARNING = Severity.INFO, Severity.WARNING
TASK, PLAN = frozenset({Kind.TASK}), frozenset({Kind.PLAN})


@pytest.mark.parametrize(
    ("name", "severity", "kinds", "enabled"),
    [
        ("stuck", WARNING, TASK | PLAN, True),
        ("plan_step_failed", WARNING, PLAN, True),
        ("started_late", INFO, TASK, True),
        ("zero_rows", INFO, TASK, False),
        ("rejected_ratio", INFO, TASK, False),
        ("failing_again", WARNING, TASK | PLAN, True),
        ("flapping", WARNING, TASK | PLAN, True),
    ],
)
def test_each_rule_has_its_severity_and_is_on_unless_it_costs_requests(
    name, severity, kinds, enabled
):
    rule = BUILT_IN[name]
    assert (rule.severity, rule.kinds, rule.enabled) == (severity, kinds, enabled)
    assert not rule.phases
    assert name not in ABOUT_OURSELVES


def test_only_what_is_stuck_is_a_state():
    names = {rule.name for rule in (*ON_THE_WAY, *OF_EPISODES)}
    assert names & LASTING == {"stuck"}
    assert names >= NOT_BY_SUCCESS > OF_ROWS


def test_what_needs_row_counts_is_off():
    assert {name for name, rule in BUILT_IN.items() if not rule.enabled} == OF_ROWS


def test_a_plan_that_a_person_started_is_told_of_mildly():
    assert BUILT_IN["plan_step_failed"].manual_severity is INFO


def test_the_usual_limits_are_those_of_the_documentation():
    limits = {rule.limits for rule in BUILT_IN.values()}
    assert limits == {Limits()}
    (usual,) = limits
    minutes = [length.total_seconds() / 60 for length in (usual.waiting, usual.stopping)]
    assert minutes == [30, 30]
    assert (usual.delay.total_seconds() / 60, usual.ratio, usual.calm_after) == (10, 0.05, 3)
