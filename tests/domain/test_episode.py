"""Episodes: what each end does to the alerts of its task or plan, rule by rule."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import LOAD, NOON, alert, at, ended
from tmcwatch.domain.alert import Alert, EndReason, Severity, Status
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.episode import (
    Circumstances,
    Ownership,
    changed_alerts,
    expired,
    latest_at,
    owned,
)
from tmcwatch.domain.execution import (
    BAD_ENDS,
    ENDS,
    OPEN,
    Breakage,
    Kind,
    Phase,
    SubjectId,
    Transition,
    Trigger,
    ends_of,
)
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.rule import Nature

MANUAL: dict[str, Any] = {"trigger": Trigger.MANUAL}
PLAN: dict[str, Any] = {"kind": Kind.PLAN}
PROMOTION: dict[str, Any] = {"kind": Kind.PROMOTION}
TASK_BAD_ENDS = sorted(BAD_ENDS & ends_of(Kind.TASK))

ROWS: list[tuple[Phase, dict[str, Any], str, Severity]] = [
    (Phase.FAILED, {}, "failed", Severity.WARNING),
    (Phase.FAILED, {"trigger": Trigger.WEBHOOK}, "failed", Severity.WARNING),
    (Phase.FAILED, {"trigger": Trigger.UNKNOWN}, "failed", Severity.WARNING),
    (Phase.FAILED, MANUAL, "failed", Severity.INFO),
    (Phase.FAILED, PLAN, "plan_failed", Severity.WARNING),
    (Phase.FAILED, PLAN | MANUAL, "plan_failed", Severity.INFO),
    (Phase.FAILED, PLAN | {"trigger": Trigger.PLAN}, "plan_failed", Severity.WARNING),
    (Phase.DEPLOY_FAILED, {}, "deploy_failed", Severity.WARNING),
    (Phase.DEPLOY_FAILED, MANUAL, "deploy_failed", Severity.INFO),
    (Phase.TIMED_OUT, {}, "timed_out", Severity.WARNING),
    (Phase.TIMED_OUT, MANUAL, "timed_out", Severity.INFO),
    (Phase.MISFIRED, {}, "misfired", Severity.WARNING),
    (Phase.MISFIRED, PLAN, "misfired", Severity.WARNING),
    (Phase.REJECTED, {}, "rejected", Severity.INFO),
    (Phase.TERMINATED, {}, "terminated", Severity.INFO),
    (Phase.SHUT_DOWN, {}, "shut_down", Severity.INFO),
    (Phase.FAILED, PROMOTION | MANUAL, "promotion_failed", Severity.WARNING),
    (Phase.REJECTED, PROMOTION | MANUAL, "promotion_warning", Severity.WARNING),
    (Phase.DEFECTIVE, PROMOTION | MANUAL, "promotion_defective", Severity.WARNING),
]


RULES = tuple(BUILT_IN.values())


def after(
    transition: Transition, *ongoing: Alert, rules=RULES, ownership=(), **known
) -> tuple[Alert, ...]:
    facts = {"subject": LOAD, "success_after": None, "link": ""} | known
    return changed_alerts(
        transition, ongoing, rules, ownership=ownership, circumstances=Circumstances(**facts)
    )


def opened(transition: Transition, **known) -> Alert:
    (only,) = after(transition, **known)
    return only


@pytest.mark.parametrize(("phase", "changes", "rule", "severity"), ROWS)
def test_each_bad_end_opens_the_alert_of_its_rule(phase, changes, rule, severity):
    found = opened(ended(phase, 1, **changes))
    assert (found.rule, found.severity, found.labels["severity"]) == (rule, severity, severity)
    assert (found.status, found.starts_at, found.count) == (Status.FIRING, at(1), 1)


def test_every_bad_end_has_a_rule_for_tasks_and_for_promotions():
    told = {(phase, changes.get("kind", Kind.TASK)) for phase, changes, *_ in ROWS}
    for kind in (Kind.TASK, Kind.PROMOTION):
        assert {phase for phase, of in told if of is kind} == BAD_ENDS & ends_of(kind)


def test_the_analysis_of_a_promotion_opens_and_ends_nothing():
    failed = opened(ended(Phase.FAILED, 1, **PROMOTION))
    assert after(ended(Phase.ANALYSED, 5, execution="r2", **PROMOTION), failed) == ()


@pytest.mark.parametrize("phase", TASK_BAD_ENDS)
def test_a_task_inside_a_plan_is_told_by_its_plan(phase):
    inside = ended(phase, 1, trigger=Trigger.PLAN)
    assert after(inside) == ()
    wanting = [replace(rule, inside_plans=True) for rule in BUILT_IN.values()]
    assert len(after(inside, rules=wanting)) == 1


@pytest.mark.parametrize("phase", sorted(OPEN))
def test_an_open_phase_changes_no_alert(phase):
    assert after(ended(phase, 9), alert()) == ()


def test_a_rule_switched_off_opens_nothing():
    off = [replace(rule, enabled=False) for rule in BUILT_IN.values()]
    assert after(ended(Phase.FAILED, 1), rules=off) == ()


@pytest.mark.parametrize("phase", sorted(ENDS))
def test_history_changes_nothing(phase):
    assert after(ended(phase, 9, quiet=True), alert()) == ()


def test_the_same_opening_has_the_same_id_and_another_run_another():
    first, again = (opened(ended(Phase.FAILED, 1, execution="r1")) for _ in range(2))
    other = opened(ended(Phase.FAILED, 1, execution="r2"))
    assert first == again
    assert first.id != other.id


@pytest.mark.parametrize("reason", ["TASK_IS_PAUSED", "PLAN_EXECUTIONS_PAUSED"])
def test_a_misfire_of_what_someone_paused_is_excused(reason):
    assert after(ended(Phase.MISFIRED, 1, reason=reason)) == ()


def test_the_labels_name_what_where_and_why():
    assert opened(ended(Phase.MISFIRED, 1, reason="DE_ENV_NOT_CONNECTED")).labels == {
        "alertname": "misfired",
        "rule": "misfired",
        "severity": "warning",
        "account": "prod",
        "environment": "PROD",
        "workspace": "finance",
        "kind": "task",
        "id": "t1",
        "name": "load",
        "trigger": "scheduled",
        "reason": "DE_ENV_NOT_CONNECTED",
    }


def test_the_annotations_say_what_broke():
    breakage = Breakage(step="step 2 of 3", tasks=(SubjectId("t9"),), error="boom", handled=True)
    found = opened(
        ended(Phase.FAILED, 1, kind=Kind.PLAN, breakage=breakage),
        broken_tasks=("sync",),
        link="http://tmc/r1",
    )
    assert found.annotations == {
        "summary": "plan load failed at step 2 of 3 (sync)",
        "execution_id": "r1",
        "latest_execution_id": "r1",
        "latest_at": moment_text(at(1)),
        "step": "step 2 of 3",
        "failed_tasks": "sync",
        "error_handler": "ran",
        "error": "boom",
        "link": "http://tmc/r1",
    }


def test_owners_of_the_config_add_labels_in_order():
    crm = Ownership(matchers=(matcher_from("name=load"),), labels={"team": "crm", "tier": "1"})
    late = Ownership(matchers=(matcher_from("team=crm"),), labels={"tier": "2"})
    other = Ownership(matchers=(matcher_from("name=sync"),), labels={"team": "sales"})
    found = opened(ended(Phase.FAILED, 1), ownership=(crm, late, other)).labels
    assert (found["team"], found["tier"]) == ("crm", "2")
    assert owned({"name": "x"}, [crm]) == {"name": "x"}


def test_a_success_recovers_the_verdicts_it_follows():
    first = opened(ended(Phase.FAILED, 1))
    (over,) = after(ended(Phase.SUCCEEDED, 7, execution="r2"), first)
    assert (over.id, over.ends_at, over.end_reason) == (first.id, at(7), EndReason.RECOVERED)
    assert over.changed_at == at(7) + timedelta(seconds=5)


def test_a_success_recovers_alerts_of_every_rule():
    ongoing = [opened(ended(phase, 1)) for phase in TASK_BAD_ENDS]
    recovered = after(ended(Phase.SUCCEEDED, 7, execution="r2"), *ongoing)
    assert {found.end_reason for found in recovered} == {EndReason.RECOVERED}
    assert len(recovered) == len(TASK_BAD_ENDS)


def test_a_success_that_ended_before_the_failure_recovers_nothing():
    assert after(ended(Phase.SUCCEEDED, 0.5), opened(ended(Phase.FAILED, 1))) == ()


def test_a_failure_older_than_a_success_opens_and_ends_at_once():
    found = opened(ended(Phase.FAILED, 1), success_after=at(3))
    assert (found.starts_at, found.ends_at) == (at(1), at(3))
    assert (found.status, found.end_reason) == (Status.RESOLVED, EndReason.RECOVERED)


def test_a_state_is_not_over_at_the_next_success():
    states = [replace(BUILT_IN["failed"], nature=Nature.STATE)]
    found = opened(ended(Phase.FAILED, 1), rules=states, success_after=at(3))
    assert found.status is Status.FIRING


def test_another_failure_is_counted_in_the_open_alert():
    first = opened(ended(Phase.FAILED, 1))
    (again,) = after(ended(Phase.FAILED, 5, execution="r2", error="worse"), first)
    assert (again.id, again.count, again.starts_at) == (first.id, 2, at(1))
    assert again.annotations["error"] == "worse"
    assert again.annotations["execution_id"] == "r1"
    assert again.annotations["latest_execution_id"] == "r2"
    assert latest_at(again) == at(5)


def test_an_older_failure_found_late_moves_the_start_and_leaves_the_words():
    first = opened(ended(Phase.FAILED, 5, error="new"))
    (again,) = after(ended(Phase.FAILED, 1, execution="r0", error="old"), first)
    assert (again.count, again.starts_at, latest_at(again)) == (2, at(1), at(5))
    assert again.annotations["error"] == "new"


def test_severity_only_rises():
    mild = opened(ended(Phase.FAILED, 1, trigger=Trigger.MANUAL))
    (risen,) = after(ended(Phase.FAILED, 2, execution="r2"), mild)
    assert (risen.severity, risen.labels["severity"]) == (Severity.WARNING, "warning")
    (still,) = after(ended(Phase.FAILED, 3, execution="r3", trigger=Trigger.MANUAL), risen)
    assert still.severity is Severity.WARNING


def test_all_other_labels_stay_as_they_were_when_it_opened():
    first = opened(ended(Phase.FAILED, 1))
    renamed = replace(LOAD, name="load2", environment="TEST")
    (again,) = after(ended(Phase.FAILED, 2, execution="r2"), first, subject=renamed)
    assert again.labels == first.labels
    assert "load2" in again.annotations["summary"]


def test_an_end_that_tmc_corrects_to_success_recovers_what_it_opened():
    first = opened(ended(Phase.FAILED, 5))
    corrected = ended(Phase.SUCCEEDED, 4, corrects=Phase.FAILED)
    (over,) = after(corrected, first)
    assert (over.end_reason, over.ends_at) == (EndReason.RECOVERED, at(5))


def test_an_end_that_tmc_corrects_to_another_supersedes_its_alert():
    first = opened(ended(Phase.FAILED, 5))
    over, new = after(ended(Phase.TIMED_OUT, 6, corrects=Phase.FAILED), first)
    assert (over.id, over.end_reason) == (first.id, EndReason.SUPERSEDED)
    assert (new.rule, new.status) == ("timed_out", Status.FIRING)


def test_a_correction_leaves_alerts_that_are_about_other_runs_too():
    first = opened(ended(Phase.FAILED, 5))
    (both,) = after(ended(Phase.FAILED, 6, execution="r2"), first)
    corrected = ended(Phase.TIMED_OUT, 7, corrects=Phase.FAILED)
    assert [found.rule for found in after(corrected, both)] == ["timed_out"]
    elsewhere = ended(Phase.TIMED_OUT, 7, execution="r9", corrects=Phase.FAILED)
    assert [found.rule for found in after(elsewhere, first)] == ["timed_out"]


def test_a_verdict_nobody_follows_up_expires():
    week = timedelta(days=7)
    assert expired(alert(), after=week, now=NOON + week - timedelta(seconds=1)) is None
    over = expired(alert(), after=week, now=NOON + week + timedelta(hours=1))
    assert over is not None
    assert (over.ends_at, over.end_reason) == (NOON + week, EndReason.EXPIRED)


def test_an_episode_never_ends_before_it_began():
    late = alert(starts_at=NOON + timedelta(days=8))
    over = expired(late, after=timedelta(days=7), now=NOON + timedelta(days=9))
    assert over is not None
    assert over.ends_at == over.starts_at


END = st.tuples(st.sampled_from(sorted(ENDS)), st.integers(0, 50), st.booleans())


@given(st.lists(END, max_size=15))
def test_there_is_at_most_one_open_alert_per_rule_and_none_reopens(ends):
    open_now: dict[str, Alert] = {}
    over: set[str] = set()
    for number, (phase, minute, quiet) in enumerate(ends):
        transition = ended(phase, minute, execution=f"r{number}", quiet=quiet)
        for changed in after(transition, *open_now.values()):
            assert changed.id not in over
            if changed.status is Status.RESOLVED:
                over.add(changed.id)
                open_now.pop(changed.id)
            else:
                open_now[changed.id] = changed
        rules = [found.rule for found in open_now.values()]
        assert len(rules) == len(set(rules))
