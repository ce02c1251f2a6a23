"""Inhibition: what follows from what, and for how long."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import alert, at
from tmcwatch.domain.alert import Alert, EndReason, Severity
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.inhibition import (
    MARGIN,
    PLAN,
    Inhibition,
    causes_among,
    sought,
    topology,
)
from tmcwatch.domain.matcher import matcher_from

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def firing(rule: str, minute: float = 0, **labels: str) -> Alert:
    """An alert of a rule whose only run broke at `minute`."""
    known = {"rule": rule, "alertname": rule, "account": "prod", "kind": "task", "id": "t1"}
    found: dict[str, Any] = {"rule": rule, "labels": known | labels, "starts_at": at(minute)}
    found |= {"annotations": {"latest_at": at(minute).isoformat()}, "opened_at": at(minute)}
    return alert(f"{rule} {labels} {minute}", **found)


def over(one: Alert, minute: float) -> Alert:
    found: dict[str, Any] = {"ends_at": at(minute), "changed_at": at(minute)}
    return replace(one, end_reason=EndReason.RECOVERED, **found)


def rule_of(sources: str, targets: str, *equal: str) -> Inhibition:
    return Inhibition(
        sources=tuple(map(matcher_from, sources.split())),
        targets=tuple(map(matcher_from, targets.split())),
        equal=equal,
    )


def cause(target: Alert, *sources: Alert, by=None, minute: float = 60) -> str | None:
    inhibitions = topology() if by is None else (by,)
    return causes_among(inhibitions, sources).cause_of(target, at(minute))


BLIND = firing("blind")
UNAUTHORIZED = firing("account_unauthorized", kind="account", id="prod")
ENGINE = firing("misfired_engine", 10, kind="engine", id="e1", engine="e1")


@pytest.mark.parametrize(
    ("target", "source"),
    [
        (firing("blind", 5), UNAUTHORIZED),
        (firing("workspace_lost", 5, kind="account"), UNAUTHORIZED),
        (firing("failed", 20, engine="e1"), ENGINE),
        (firing("deploy_failed", 20, engine="e1"), ENGINE),
        (firing("shut_down", 20, engine="e1"), ENGINE),
        (firing("misfired", 20, engine="e1"), ENGINE),
    ],
)
def test_what_follows_from_something_is_explained_by_it(target, source):
    assert cause(target, source) == source.id


@pytest.mark.parametrize(
    ("target", "source"),
    [
        (firing("blind", 5, account="test"), UNAUTHORIZED),
        (firing("failed", 5), UNAUTHORIZED),
        (firing("failed", 5), BLIND),  # found afterwards: no effect of not seeing it
        (firing("workspace_lost", 5, kind="account"), BLIND),
        (firing("failed", 20, engine="e2"), ENGINE),
        (firing("failed", 20), firing("misfired_engine", 10, kind="engine")),  # no engine known
        (firing("timed_out", 20, engine="e1"), ENGINE),
        (firing("failed", 20, engine="e1", account="test"), ENGINE),
        (ENGINE, ENGINE),
        (BLIND, BLIND),
        (UNAUTHORIZED, UNAUTHORIZED),
    ],
)
def test_what_does_not_follow_is_told(target, source):
    assert cause(target, source) is None


def test_a_state_is_explained_while_its_cause_fires():
    blind = firing("blind", -90)
    assert cause(blind, UNAUTHORIZED) == UNAUTHORIZED.id
    assert cause(blind, over(UNAUTHORIZED, 30)) is None


def test_a_state_that_was_over_with_its_cause_needs_no_word():
    source = over(UNAUTHORIZED, 30)
    assert cause(over(BLIND, 30), source, minute=30) == source.id
    assert cause(over(BLIND, 31), source, minute=31) is None
    assert cause(over(BLIND, -1), source, minute=-1) is None


@pytest.mark.parametrize(
    ("minute", "is_explained"),
    [(4, False), (5, True), (10, True), (30, True), (45, True), (46, False)],
)
def test_a_broken_run_is_explained_where_it_broke_while_the_cause_was_there(minute, is_explained):
    engine = over(ENGINE, 40)
    found = cause(firing("failed", minute, engine="e1"), engine)
    assert (found == engine.id) is is_explained


def test_a_task_that_breaks_again_after_the_cause_is_told():
    broken = firing("failed", 20, engine="e1")
    later = {"latest_at": at(90).isoformat()}
    assert cause(broken, over(ENGINE, 40)) is not None
    assert cause(replace(broken, annotations=later), over(ENGINE, 40)) is None


PLAN_FAILED = firing("plan_failed", 20, kind="plan", id="p1")


def in_plan(plan: str, **labels: str) -> Alert:
    one = firing("zero_rows", 19, **labels)
    return replace(one, annotations={**one.annotations, PLAN: plan})


@pytest.mark.parametrize("rule", ["plan_failed", "plan_step_failed"])
def test_a_task_that_ran_in_a_plan_is_explained_by_the_plan(rule):
    source = firing(rule, 20, kind="plan", id="p1")
    assert cause(in_plan("p1"), source) == source.id
    assert cause(in_plan("p2"), source) is None
    assert cause(in_plan("p1", account="test"), source) is None
    assert cause(firing("zero_rows", 19), source) is None
    assert cause(in_plan("p1", kind="plan"), source) is None


def test_a_rule_that_is_wanted_inside_plans_is_not_explained_by_them():
    causes = causes_among(topology(inside_plans=["zero_rows", "a+b"]), [PLAN_FAILED])
    assert causes.cause_of(in_plan("p1"), at(60)) is None
    other = replace(in_plan("p1"), labels={**in_plan("p1").labels, "rule": "aab"})
    assert causes.cause_of(other, at(60)) == PLAN_FAILED.id


LOUD = rule_of('severity="critical"', 'severity=~"warning|info"', "name", "cluster")


def test_labels_have_to_be_alike_and_a_missing_one_is_empty():
    source = firing("timed_out", severity="critical", name="load", cluster="")
    assert cause(firing("failed", severity="info", name="load"), source, by=LOUD) == source.id
    assert cause(firing("failed", severity="info", name="other"), source, by=LOUD) is None
    elsewhere = firing("failed", severity="info", name="load", cluster="a")
    assert cause(elsewhere, source, by=LOUD) is None


def test_of_two_that_match_both_sides_neither_inhibits_the_other():
    both = rule_of('severity="critical"', 'account="prod"')
    first, second = (firing("failed", id=id_, severity="critical") for id_ in "ab")
    one_sided = firing("failed", severity="info")
    assert cause(second, first, second, by=both) is None
    assert cause(one_sided, first, second, by=both) == first.id


def test_a_notice_is_explained_while_the_cause_fires():
    by = rule_of('rule="blind"', 'rule="gap"')
    assert cause(firing("gap"), BLIND, by=by) == BLIND.id
    assert cause(firing("gap"), over(BLIND, 30), by=by) is None


def seeks(inhibition: Inhibition, *rules: str):
    return [(set(each.rules), set(each.severities)) for each in sought([inhibition], rules)]


def test_only_alerts_of_rules_and_severities_that_may_be_causes_are_sought():
    rules = [set(each.rules) for each in sought(topology(), BUILT_IN)]
    plans = {"plan_failed", "plan_step_failed"}
    assert rules == [{"account_unauthorized"}, {"blind"}, {"misfired_engine"}, plans]
    assert seeks(LOUD, "failed", "blind") == [({"failed", "blind"}, {CRITICAL})]
    named = rule_of("alertname=failed severity!=info", "rule=x")
    assert seeks(named, "failed", "blind") == [({"failed"}, {WARNING, CRITICAL})]
    assert seeks(rule_of("rule=nothing", "rule=x"), "failed") == []
    assert seeks(rule_of("severity=loud", "rule=x"), "failed") == []


def test_of_those_only_what_all_matchers_match_is_a_cause():
    (one,) = sought([rule_of("rule=failed name=load", "rule=x")], ["failed"])
    assert one.includes({"rule": "failed", "name": "load"})
    assert not one.includes({"rule": "failed", "name": "other"})


MINUTES = st.integers(0, 60)


@given(MINUTES, MINUTES, st.none() | MINUTES)
def test_runs_are_explained_exactly_within_the_margin_of_their_cause(broke, start, lasted):
    engine = firing("misfired_engine", start, kind="engine", engine="e1")
    source = engine if lasted is None else over(engine, start + lasted)
    end = at(9999) if source.ends_at is None else source.ends_at
    within = source.starts_at - MARGIN <= at(broke) <= end + MARGIN
    found = cause(firing("failed", broke, engine="e1"), source, minute=9999)
    assert (found is not None) is within


@given(st.lists(st.sampled_from(["critical", "warning"]), max_size=6), st.integers(0, 5))
def test_a_restart_decides_alike_whatever_the_order(severities, number):
    alerts = [firing("failed", severity=each, id=str(i)) for i, each in enumerate(severities)]
    by = (rule_of("severity=critical", "severity=warning", "account"),)
    for one in alerts[number : number + 1]:
        found = causes_among(by, alerts).cause_of(one, at(1))
        again = causes_among(by, reversed(alerts)).cause_of(one, at(1) + timedelta(days=1))
        assert (found is None) == (again is None)
        assert (found is None) == (
            one.labels["severity"] == "critical" or "critical" not in severities
        )
