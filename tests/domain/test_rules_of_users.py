"""Rules as users write them: matchers, a clock, counts, labels, texts, shared alerts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import LOAD, at, ended
from tmcwatch.domain.alert import Alert, EndReason, Severity, Status
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.episode import Circumstances, Ownership, changed_alerts
from tmcwatch.domain.execution import (
    ExecutionId,
    Kind,
    Phase,
    Subject,
    SubjectId,
    Transition,
    Trigger,
)
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.repetition import Run
from tmcwatch.domain.rule import After, Reasons, Rule, rule_named

QUARTER = timedelta(minutes=15)
FAILED = BUILT_IN["failed"]
LIMIT = BUILT_IN["misfired_limit"]
MINE = Rule(name="mine", severity=Severity.CRITICAL, phases=frozenset({Phase.FAILED}))
FULL: dict[str, Any] = {"reason": "MAX_PARALLEL_TASKS_LIMIT_REACHED"}


def after(transition: Transition, *ongoing: Alert, rules=(FAILED,), ownership=(), **known):
    facts: dict[str, Any] = {"subject": LOAD, "success_after": None, "link": ""}
    circumstances = Circumstances(**(facts | known))
    return changed_alerts(
        transition, ongoing, rules, ownership=ownership, circumstances=circumstances
    )


def opened(transition: Transition, rule: Rule, **known) -> Alert:
    alert: Alert
    (alert,) = after(transition, rules=(rule,), **known)
    return alert


def matching(rule: Rule, *texts: str, **changes) -> Rule:
    return replace(rule, matchers=tuple(matcher_from(text) for text in texts), **changes)


def task(name: str) -> Subject:
    return replace(LOAD, id=SubjectId(name), name=name)


@pytest.mark.parametrize(
    "matcher",
    [
        *('account="prod"', 'environment="PROD"', 'workspace=~"fin.*"', 'kind="task"', 'id="t1"'),
        *('name!="other"', 'trigger="scheduled"', 'engine="e1"', 'reason=""', 'team="crm"'),
    ],
)
def test_a_rule_matches_on_the_labels_of_the_run_and_on_those_of_the_config(matcher):
    crm = Ownership(matchers=(matcher_from("name=load"),), labels={"team": "crm"})
    rule = matching(MINE, matcher)
    assert after(ended(Phase.FAILED, 1), rules=[rule], ownership=[crm], engine="e1")
    assert not after(
        ended(Phase.FAILED, 1, account="x", kind=Kind.PLAN, reason="r", trigger=Trigger.MANUAL),
        rules=[rule],
        subject=replace(task("other"), environment="x", workspace="x"),
    )


def test_of_rules_with_one_name_the_first_that_matches_holds_even_if_it_is_off():
    rules = [
        matching(FAILED, "name=load", enabled=False),
        matching(FAILED, "environment=PROD", severity=Severity.CRITICAL),
        FAILED,
    ]
    assert after(ended(Phase.FAILED, 1), rules=rules) == ()
    (alert,) = after(ended(Phase.FAILED, 1), rules=rules, subject=task("sync"))
    assert alert.severity is Severity.CRITICAL
    elsewhere = replace(task("sync"), environment="TEST")
    (alert,) = after(ended(Phase.FAILED, 1), rules=rules, subject=elsewhere)
    assert alert.severity is Severity.WARNING
    assert rule_named(rules, "failed", {"name": "load"}) is rules[0]
    assert rule_named(rules, "unknown", {}) is None


def test_a_rule_of_ones_own_is_told_beside_the_built_in_one():
    told = after(ended(Phase.FAILED, 1), rules=[FAILED, MINE])
    assert [(alert.rule, alert.severity) for alert in told] == [
        ("failed", Severity.WARNING),
        ("mine", Severity.CRITICAL),
    ]
    assert told[1].labels["alertname"] == "mine"
    assert told[1].annotations["summary"] == "task load failed"


def test_the_labels_of_a_rule_go_before_those_of_the_config_and_may_be_matched_by_them():
    rule = replace(MINE, labels={"tier": "gold"})
    ownership = [
        Ownership(matchers=(matcher_from("tier=gold"),), labels={"team": "crm"}),
        Ownership(matchers=(matcher_from("rule=mine"),), labels={"tier": "tin"}),
    ]
    labels = opened(ended(Phase.FAILED, 1), rule, ownership=ownership).labels
    assert (labels["tier"], labels["team"]) == ("gold", "crm")


def test_a_text_of_the_user_is_filled_in_and_renewed_with_each_run():
    text = "{name} in {environment}: {error}, {count} times, {label.team}{step}! ({sentence})"
    rule = replace(MINE, text=text, labels={"team": "crm"})
    first = opened(ended(Phase.FAILED, 1, error="boom"), rule)
    expected = "load in PROD: boom, 1 times, crm! (task load failed)"
    assert first.annotations["summary"] == expected
    (again,) = after(ended(Phase.FAILED, 2, execution="r2", error="x"), first, rules=[rule])
    assert again.annotations["summary"].startswith("load in PROD: x, 2 times")


def test_what_is_filled_in_is_cut():
    rule = replace(MINE, text="{error}")
    assert (
        len(opened(ended(Phase.FAILED, 1, error="x" * 9_999), rule).annotations["summary"]) < 600
    )


def test_reasons_are_patterns():
    reasons = Reasons(among=("PARALLEL_*", "*_X"), but=("*_Y",))
    assert reasons.include("PARALLEL_A")
    assert reasons.include("A_X")
    assert not reasons.include("PARALLEL_Y")
    assert not reasons.include(None)
    assert Reasons(but=("A",)).include(None)


def test_a_rule_with_a_clock_opens_an_alert_that_is_due_later():
    rule = replace(FAILED, for_=QUARTER)
    alert = opened(ended(Phase.FAILED, 1), rule)
    assert (alert.starts_at, alert.due_at) == (at(1), at(16))
    assert opened(ended(Phase.FAILED, 1), FAILED).due_at is None


def test_the_clock_of_a_rule_that_counts_begins_with_the_run_that_was_enough():
    rule = replace(FAILED, for_=QUARTER, in_a_row=2)
    alert = opened(ended(Phase.FAILED, 10), rule, recent=(run(1),))
    assert (alert.starts_at, alert.due_at) == (at(1), at(25))


@pytest.mark.parametrize(("minute", "due_at"), [(9, at(16)), (16, at(16)), (17, None)])
def test_one_that_ended_before_it_counted_keeps_its_due_time(minute, due_at):
    alert = opened(ended(Phase.FAILED, 1), replace(FAILED, for_=QUARTER))
    (over,) = after(ended(Phase.SUCCEEDED, minute, execution="r2"), alert)
    assert (over.end_reason, over.due_at) == (EndReason.RECOVERED, due_at)


ENDS = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([Phase.FAILED, Phase.SUCCEEDED])), max_size=12
)


@given(ENDS, st.integers(1, 30))
def test_for_never_tells_what_recovered_before_and_tells_all_that_did_not(ends, minutes):
    rule = replace(FAILED, for_=timedelta(minutes=minutes))
    alerts: dict[str, Alert] = {}
    minute, began, lasted = 0, None, []
    for number, (gap, phase) in enumerate(ends):
        minute += gap
        running = [alert for alert in alerts.values() if alert.status is Status.FIRING]
        for alert in after(ended(phase, minute, execution=f"r{number}"), *running, rules=[rule]):
            alerts[alert.id] = alert
        if phase is Phase.FAILED:
            began = minute if began is None else began
        elif began is not None:
            lasted.append(minute - began)
            began = None
    told = [alert for alert in alerts.values() if alert.ends_at and alert.due_at is None]
    assert len(told) == sum(length > minutes for length in lasted)
    assert len(alerts) == len(lasted) + (began is not None)


def run(minute: float, **changes) -> Run:
    facts: dict[str, Any] = {"execution": ExecutionId(f"x{minute}"), "phase": Phase.FAILED}
    one = ended(Phase.FAILED, minute)
    return Run(**(facts | {"at": one.at, "trigger": one.trigger} | changes))


HOURLY = replace(MINE, after=After(count=3, within=timedelta(hours=1)))


def test_a_rule_that_counts_says_how_often_and_when_it_began():
    alert = opened(ended(Phase.FAILED, 30), HOURLY, recent=(run(20), run(10)))
    assert (alert.starts_at, alert.count) == (at(10), 3)
    assert alert.annotations["summary"] == "task load failed 3 times within 1 h"
    assert alert.annotations["execution_id"] == "r1"
    (again,) = after(ended(Phase.FAILED, 40, execution="r2"), alert, rules=[HOURLY])
    assert (again.id, again.count) == (alert.id, 4)
    assert again.annotations["summary"] == "task load failed 4 times"


def test_only_runs_that_the_rule_itself_is_about_count():
    rule = matching(HOURLY, "trigger=scheduled", "engine=e1")
    others = (
        run(20, engine="e1"),
        run(10, engine="e2"),
        run(5, engine="e1", trigger=Trigger.MANUAL),
    )
    assert after(ended(Phase.FAILED, 30), rules=[rule], recent=others, engine="e1") == ()
    enough = (*others, run(2, engine="e1"))
    assert after(ended(Phase.FAILED, 30), rules=[rule], recent=enough, engine="e1") != ()


@pytest.mark.parametrize("key", ["watched_from", "counted_from"])
def test_what_was_before_a_rule_was_watched_or_its_last_episode_ended_does_not_count(key):
    known = {"recent": (run(20), run(10)), key: {"mine": at(11)}}
    assert after(ended(Phase.FAILED, 30), rules=[HOURLY], **known) == ()


def test_what_happened_before_a_rule_was_watched_opens_nothing():
    watched = {"watched_from": {"failed": at(5)}}
    assert after(ended(Phase.FAILED, 4), **watched) == ()
    assert after(ended(Phase.FAILED, 5), **watched) != ()
    assert after(ended(Phase.FAILED, 4), rules=[MINE], **watched) != ()


def test_runs_of_one_engine_share_an_alert_that_names_a_few_of_them():
    alert = opened(ended(Phase.MISFIRED, 1, **FULL), LIMIT, engine="e1")
    assert {name: alert.labels[name] for name in ("kind", "id", "name", "engine", "reason")} == {
        "kind": "engine",
        "id": "e1",
        "name": "e1",
        "engine": "e1",
        "reason": "MAX_PARALLEL_TASKS_LIMIT_REACHED",
    }
    assert (alert.labels["environment"], alert.labels["workspace"]) == ("PROD", "")
    for number, name in enumerate(["load", "b", "c", "d", "e", "f", "g"]):
        transition = ended(Phase.MISFIRED, 2 + number, execution=f"x{number}", **FULL)
        (alert,) = after(transition, alert, rules=[LIMIT], engine="e1", subject=task(name))
    assert alert.count == 8
    assert alert.annotations["tasks"] == "load, b, c, d, e, …"
    summary = "engine e1 has no room for further runs (load, b, c, d, e, …)"
    assert alert.annotations["summary"] == f"{summary}: {FULL['reason']}"


def test_another_engine_has_an_alert_of_its_own_and_without_one_the_account_has():
    first = opened(ended(Phase.MISFIRED, 1, **FULL), LIMIT, engine="e1")
    (second,) = after(ended(Phase.MISFIRED, 2, **FULL), first, rules=[LIMIT], engine="e2")
    (third,) = after(ended(Phase.MISFIRED, 2, **FULL), first, second, rules=[LIMIT])
    assert len({first.id, second.id, third.id}) == 3
    assert (third.labels["kind"], third.labels["name"]) == ("account", "prod")
    assert third.labels["environment"] == ""
    assert "engine" not in third.labels


@pytest.mark.parametrize(
    ("engine", "began", "is_over"),
    [("e1", 2, True), ("e1", 1, False), ("e1", 0.5, False), ("e2", 2, False), (None, 2, False)],
)
def test_it_is_over_once_a_run_there_that_began_since_has_succeeded(engine, began, is_over):
    alert = opened(ended(Phase.MISFIRED, 1, **FULL), LIMIT, engine="e1")
    good = ended(Phase.SUCCEEDED, 5, execution="r9", subject="t9")
    assert bool(after(good, alert, engine=engine, started_at=at(began))) is is_over


def test_an_account_takes_runs_again_wherever_they_run():
    alert = opened(ended(Phase.MISFIRED, 1, **FULL), LIMIT)
    good = ended(Phase.SUCCEEDED, 5, execution="r9", subject="t9")
    assert after(good, alert, engine="e7", started_at=at(2)) != ()
    assert after(good, alert, engine="e7") == ()


def test_a_misfire_older_than_a_good_run_seen_before_opens_and_ends_at_once():
    alert = opened(ended(Phase.MISFIRED, 1, **FULL), LIMIT, engine="e1", shared_success=at(3))
    assert (alert.ends_at, alert.end_reason) == (at(3), EndReason.RECOVERED)
    own_success = opened(ended(Phase.MISFIRED, 1, **FULL), LIMIT, success_after=at(3))
    assert own_success.status is Status.FIRING


@pytest.mark.parametrize(("count", "is_over"), [(1, True), (2, False)])
def test_a_misfire_that_tmc_takes_back_ends_a_shared_alert_only_if_it_was_the_only_one(
    count, is_over
):
    alert = replace(opened(ended(Phase.MISFIRED, 1, **FULL), LIMIT, engine="e1"), count=count)
    taken_back = ended(Phase.SUCCEEDED, 1, corrects=Phase.MISFIRED)
    assert bool(after(taken_back, alert, engine="e1", started_at=at(0))) is is_over


def test_a_success_of_the_subject_does_not_end_a_state():
    alert = replace(opened(ended(Phase.FAILED, 1), FAILED), rule="blind")
    assert after(ended(Phase.SUCCEEDED, 5, execution="r2"), alert) == ()
