"""A task that fails inside a plan is told at once, and by its plan's end only once."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.domain.telling import LOAD, PROD, at, row
from tests.services.deciding import SETTINGS, Deciding, route, tree
from tmcwatch.domain.alert import EndReason, Severity
from tmcwatch.domain.execution import Breakage, ExecutionId, Kind, Phase, SubjectId, Trigger
from tmcwatch.domain.observation import Looked
from tmcwatch.tracking.absorbing import absorb

PLAN = replace(LOAD, kind=Kind.PLAN, id=SubjectId("p1"), name="nightly")
STEP, STEP_OVER = ("plan_step_failed", "firing"), ("plan_step_failed", "resolved")
FAILED, FAILED_OVER = ("plan_failed", "firing"), ("plan_failed", "resolved")


class Planning(Deciding):
    """A plan that runs, and tasks in it."""

    def plan(self, phase: Phase, minute: float, **changes: Any) -> None:
        ends = {} if phase is Phase.RUNNING else {"ended_at": at(minute)}
        facts = {
            "kind": Kind.PLAN,
            "id": ExecutionId("P"),
            "subject": PLAN.id,
            "started_at": at(0),
        }
        one = row(phase, **(facts | ends | changes))
        look = Looked(account=PROD, kind=Kind.PLAN, at=at(minute), rows=(one,))
        self.store.write(partial(absorb, looked=look))

    def task(self, phase: Phase, minute: float, **changes: Any) -> None:
        self.see(phase, minute, **({"trigger": Trigger.PLAN, "plan": "p1"} | changes))

    def told(self, minute: float) -> list[tuple[str, str]]:
        self.sent()
        before = len(self.messages)
        self.round(minute)
        return [alert for _, alerts in self.messages[before:] for alert in alerts]

    def alert_of(self, rule: str):
        (only,) = [alert for alert in self.alerts if alert.rule == rule]
        return only


@pytest.fixture
def deciding(store):
    deciding = Planning(store)
    deciding.watch()
    deciding.name(LOAD, PLAN, replace(LOAD, id=SubjectId("t2"), name="store"))
    deciding.round(-600)
    deciding.plan(Phase.RUNNING, 0.1)
    return deciding


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.DEPLOY_FAILED, Phase.TIMED_OUT])
@pytest.mark.parametrize("plan", ["p1", "P"])
def test_a_task_that_fails_inside_a_plan_is_told_of_the_plan_at_once(deciding, phase, plan):
    deciding.task(phase, 5, plan=plan, error="no space")
    assert deciding.told(5.2) == [STEP]
    alert = deciding.alert_of("plan_step_failed")
    assert (alert.severity, alert.starts_at) == (Severity.WARNING, at(5))
    labels = [alert.labels[name] for name in ("kind", "id", "name", "trigger", "environment")]
    assert labels == ["plan", "p1", "nightly", "scheduled", "PROD"]
    assert alert.annotations["summary"] == (
        "a step of plan nightly failed (load); the plan still runs"
    )
    assert alert.annotations["error"] == "no space"
    assert alert.annotations["plan_execution_id"] == "P"


def test_a_plan_that_a_person_started_is_told_of_mildly(deciding):
    deciding.plan(
        Phase.RUNNING, 1, id=ExecutionId("Q"), triggered_at=at(1), trigger=Trigger.MANUAL
    )
    deciding.task(Phase.FAILED, 5, triggered_at=at(2))
    deciding.round(5.2)
    assert deciding.alert_of("plan_step_failed").severity is Severity.INFO


def test_the_plans_own_failure_takes_its_place_in_one_message(deciding):
    deciding.task(Phase.FAILED, 5)
    assert deciding.told(5.2) == [STEP]
    deciding.plan(Phase.FAILED, 9, breakage=Breakage(step="step 2 of 3"))
    assert deciding.told(9.2) == [FAILED]
    step, plan = deciding.alert_of("plan_step_failed"), deciding.alert_of("plan_failed")
    assert (step.end_reason, step.ends_at) == (EndReason.SUPERSEDED, at(9))
    assert step.annotations["superseded_by"] == plan.id
    assert plan.annotations["supersedes"] == step.id
    assert plan.annotations["summary"] == (
        "plan nightly failed at step 2 of 3, after a step of it had failed"
    )
    for minute in range(10, 3_000, 60):
        assert STEP_OVER not in deciding.told(minute)


def test_both_ends_known_at_once_are_told_as_the_plan_alone(deciding):
    deciding.task(Phase.FAILED, 5)
    deciding.plan(Phase.FAILED, 9)
    assert deciding.told(9.2) == [FAILED]


def test_a_receiver_that_is_not_told_of_the_plan_hears_that_the_step_is_over(deciding):
    deciding.settings = tree(route("steps", "rule=plan_step_failed"))
    deciding.task(Phase.FAILED, 5)
    deciding.round(5.2)
    deciding.sent()
    deciding.plan(Phase.FAILED, 9)
    deciding.round(9.2)
    assert sorted(deciding.messages[1:]) == [("steps", [STEP_OVER]), ("team", [FAILED])]


@pytest.mark.parametrize("phase", [Phase.TERMINATED, Phase.TIMED_OUT])
def test_any_bad_end_of_the_plan_takes_its_place(deciding, phase):
    deciding.task(Phase.FAILED, 5)
    deciding.round(5.2)
    deciding.plan(phase, 9)
    assert deciding.told(9.2) == [(phase.value, "firing")]


def test_a_plan_that_succeeds_nevertheless_has_recovered(deciding):
    deciding.task(Phase.FAILED, 5)
    deciding.round(5.2)
    deciding.plan(Phase.SUCCEEDED, 9)
    assert deciding.told(9.2) == [STEP_OVER]
    assert deciding.alert_of("plan_step_failed").end_reason is EndReason.RECOVERED


def test_the_recovery_of_the_plan_is_told_once(deciding):
    deciding.task(Phase.FAILED, 5)
    deciding.round(5.2)
    deciding.plan(Phase.FAILED, 9)
    deciding.round(9.2)
    deciding.plan(Phase.SUCCEEDED, 20, id=ExecutionId("Q"), triggered_at=at(15))
    assert deciding.told(20.2) == [FAILED_OVER]


def test_further_tasks_that_fail_are_counted_and_named(deciding):
    deciding.task(Phase.FAILED, 5)
    deciding.round(5.2)
    deciding.task(Phase.FAILED, 6, subject=SubjectId("t2"))
    assert deciding.told(6.2) == []
    alert = deciding.alert_of("plan_step_failed")
    assert (alert.count, alert.annotations["failed_tasks"]) == (2, "load, store")


def test_a_plan_that_is_known_to_fail_is_not_told_of_at_each_of_its_steps(deciding):
    deciding.plan(Phase.FAILED, 3)
    deciding.round(3.2)
    deciding.plan(Phase.RUNNING, 4, id=ExecutionId("Q"), triggered_at=at(4), started_at=at(4))
    deciding.task(Phase.FAILED, 6, triggered_at=at(5))
    assert deciding.told(6.2) == []


def test_a_task_seen_to_fail_after_its_plans_end_is_told_by_that_end(deciding):
    deciding.plan(Phase.FAILED, 9)
    deciding.round(9.2)
    deciding.plan(Phase.SUCCEEDED, 11, id=ExecutionId("Q"), triggered_at=at(10))
    deciding.round(11.2)
    deciding.task(Phase.FAILED, 5, seen=12)
    assert deciding.told(12.2) == []


def test_a_task_of_an_earlier_run_is_not_told_of_the_one_that_runs_now(deciding):
    deciding.plan(Phase.SUCCEEDED, 7)
    deciding.plan(Phase.RUNNING, 8, id=ExecutionId("Q"), triggered_at=at(8), started_at=at(8))
    deciding.task(Phase.FAILED, 6, seen=9, triggered_at=at(5))
    assert deciding.told(9.2) == []


def test_another_run_of_the_plan_that_fails_is_not_the_end_of_this_one(deciding):
    deciding.task(Phase.FAILED, 5)
    deciding.round(5.2)
    deciding.plan(Phase.FAILED, 6, id=ExecutionId("Q"), triggered_at=at(-5))
    assert deciding.told(6.2) == [FAILED]
    assert deciding.alert_of("plan_step_failed").end_reason is None


def test_a_run_of_the_plan_that_did_not_start_is_not_the_end_of_one_that_did(deciding):
    deciding.plan(Phase.SUCCEEDED, 3)
    deciding.task(Phase.FAILED, 6, triggered_at=at(5))
    deciding.round(6.2)
    deciding.plan(Phase.MISFIRED, 8, id=ExecutionId("Q"), triggered_at=at(8), started_at=None)
    assert deciding.told(8.2) == [("misfired", "firing")]
    assert deciding.alert_of("plan_step_failed").end_reason is None


def test_a_plan_whose_run_was_not_seen_yet_is_told_of_all_the_same(deciding):
    deciding.plan(Phase.SUCCEEDED, 3)
    deciding.task(Phase.FAILED, 6, triggered_at=at(5))
    assert deciding.told(6.2) == [STEP]
    deciding.plan(Phase.FAILED, 9, id=ExecutionId("Q"), triggered_at=at(5), started_at=at(5))
    assert deciding.told(9.2) == [FAILED]


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": None},
        {"plan": "unheard of"},
        {"trigger": Trigger.SCHEDULED, "plan": None},
        {"reason": "TASK_IS_PAUSED", "phase": Phase.MISFIRED},
    ],
)
def test_what_belongs_to_no_known_plan_or_is_excused_is_not_told_of_one(deciding, changes):
    phase = changes.pop("phase", Phase.FAILED)
    deciding.task(phase, 5, **changes)
    deciding.round(5.2)
    assert [alert for alert in deciding.alerts if alert.rule == "plan_step_failed"] == []


def test_switched_off_or_without_plans_it_tells_nothing(deciding):
    rules = tuple(replace(r, enabled=r.name != "plan_step_failed") for r in SETTINGS.rules)
    for settings in (
        replace(SETTINGS, rules=rules),
        replace(SETTINGS, kinds=frozenset({Kind.TASK})),
    ):
        deciding.settings = settings
        deciding.task(Phase.FAILED, 5)
        assert deciding.told(5.2) == []
