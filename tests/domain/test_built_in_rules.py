"""The table of built-in rules: what each bad end tells, and how bad that is, row by row."""

from typing import Any

import pytest

from tests.domain.telling import LOAD, ended
from tmcwatch.domain.alert import Severity, Status
from tmcwatch.domain.built_in import ABOUT_OURSELVES, BUILT_IN, OF_OURSELVES, OF_RUNS
from tmcwatch.domain.episode import Circumstances, changed_alerts
from tmcwatch.domain.execution import BAD_ENDS, ENDS, ExecutionId, Kind, Phase, Trigger, ends_of
from tmcwatch.domain.repetition import Run
from tmcwatch.domain.rule import Nature

PLAN: dict[str, Any] = {"kind": Kind.PLAN}
PROMOTION: dict[str, Any] = {"kind": Kind.PROMOTION, "trigger": Trigger.MANUAL}
TRIGGERED = [Trigger.SCHEDULED, Trigger.WEBHOOK, Trigger.UNKNOWN]
OFTEN = ["failed", "deploy_failed", "timed_out"]

REASONS = {
    "PARALLEL_EXECUTION_FORBIDDEN": None,
    "PARALLEL_EXECUTIONS_FORBIDDEN": None,
    "TASK_IS_PAUSED": None,
    "PLAN_EXECUTIONS_PAUSED": None,
    "MAX_PARALLEL_TASKS_LIMIT_REACHED": "misfired_limit",
    "SIMULTANEOUS_EXECUTIONS_LIMIT_REACHED": "misfired_limit",
    "REMOTE_ENGINE_UNAVAILABLE": "misfired_engine",
    "REMOTE_ENGINE_UNAVAILABLE_IN_CLUSTER": "misfired_engine",
    "DYNAMIC_ENGINE_UNAVAILABLE": "misfired_engine",
    "REMOTE_ENGINE_CONTAINER_NOT_FOUND": "misfired_engine",
    "ELASTIC_ENGINE_CONTAINER_NOT_FOUND": "misfired_engine",
    "UNABLE_TO_RETRIEVE_ARTIFACT_OR_TASK_MAVEN_URL": "misfired",
    "DE_ENV_NOT_CONNECTED": "misfired",
    "MAX_DEPLOYMENT_ATTEMPTS_REACHED": "misfired",
    "PIPELINE_RUN_PROFILE_NOT_FOUND": "misfired",
    "PIPELINE_ARTIFACT_NOT_FOUND": "misfired",
    "DATA_FABRIC_ARTIFACT_NOT_FOUND": "misfired",
    "INCOMPATIBILITY_BETWEEN_ACTIONS_VERSIONS_AND_ENGINE": "misfired",
    "UNKNOWN": "misfired",
    "A_REASON_OF_TOMORROW": "misfired",
    None: "misfired",
}
"""Every reason that TMC documents, and what a misfire for it is told as; None for nothing."""


def told(phase, **changes):
    """Answer with what the end of one run tells by the built-in rules."""
    known = Circumstances(subject=LOAD, success_after=None, link="", engine="engine-1")
    found = changed_alerts(
        ended(phase, 1, **changes), (), BUILT_IN.values(), ownership=(), circumstances=known
    )
    return [(alert.rule, alert.severity) for alert in found]


@pytest.mark.parametrize("rule", OFTEN)
@pytest.mark.parametrize("trigger", TRIGGERED)
def test_what_runs_by_itself_is_a_warning(rule, trigger):
    assert told(Phase(rule), trigger=trigger) == [(rule, Severity.WARNING)]


@pytest.mark.parametrize("rule", OFTEN)
def test_what_a_person_started_by_hand_is_an_info(rule):
    assert told(Phase(rule), trigger=Trigger.MANUAL) == [(rule, Severity.INFO)]


@pytest.mark.parametrize(
    ("trigger", "severity"),
    [
        (Trigger.SCHEDULED, Severity.WARNING),
        (Trigger.WEBHOOK, Severity.WARNING),
        (Trigger.PLAN, Severity.WARNING),
        (Trigger.MANUAL, Severity.INFO),
    ],
)
def test_a_plan_that_fails_is_told_by_its_own_rule(trigger, severity):
    assert told(Phase.FAILED, trigger=trigger, **PLAN) == [("plan_failed", severity)]


@pytest.mark.parametrize("rule", ["rejected", "terminated", "shut_down"])
@pytest.mark.parametrize("kind", [Kind.TASK, Kind.PLAN])
def test_what_may_be_meant_is_an_info(rule, kind):
    assert told(Phase(rule), kind=kind) == [(rule, Severity.INFO)]


@pytest.mark.parametrize(
    ("phase", "rule"),
    [
        (Phase.FAILED, "promotion_failed"),
        (Phase.REJECTED, "promotion_warning"),
        (Phase.DEFECTIVE, "promotion_defective"),
    ],
)
def test_a_promotion_that_goes_wrong_is_a_warning_whoever_started_it(phase, rule):
    assert told(phase, **PROMOTION) == [(rule, Severity.WARNING)]


@pytest.mark.parametrize(("reason", "rule"), REASONS.items(), ids=str)
@pytest.mark.parametrize("kind", [Kind.TASK, Kind.PLAN])
def test_a_misfire_is_told_by_its_reason(reason, rule, kind):
    expected = [] if rule is None else [(rule, Severity.WARNING)]
    assert told(Phase.MISFIRED, reason=reason, kind=kind) == expected


@pytest.mark.parametrize("reason", [reason for reason in REASONS if "PARALLEL_EX" in str(reason)])
def test_runs_that_may_not_run_beside_each_other_are_a_warning_from_three_in_a_row(reason):
    before = [
        Run(
            execution=ExecutionId(f"x{minute}"),
            phase=Phase.MISFIRED,
            at=ended(Phase.MISFIRED, minute).at,
            trigger=Trigger.SCHEDULED,
            reason=reason,
        )
        for minute in (-9, -4)
    ]
    known = Circumstances(subject=LOAD, success_after=None, link="", recent=tuple(before))
    (alert,) = changed_alerts(
        ended(Phase.MISFIRED, 1, reason=reason),
        (),
        BUILT_IN.values(),
        ownership=(),
        circumstances=known,
    )
    assert (alert.rule, alert.severity, alert.count) == ("misfired_parallel", Severity.WARNING, 3)
    assert alert.starts_at == before[0].at
    assert alert.annotations["summary"] == f"task load did not start 3 times in a row: {reason}"


@pytest.mark.parametrize("phase", sorted(BAD_ENDS & ends_of(Kind.TASK)))
@pytest.mark.parametrize("reason", REASONS)
def test_a_task_inside_a_plan_is_told_by_its_plan(phase, reason):
    assert told(phase, reason=reason, trigger=Trigger.PLAN) == []


def test_every_bad_end_of_every_kind_has_a_rule():
    for kind in Kind:
        assert {phase for phase in ENDS if told(phase, kind=kind)} == BAD_ENDS & ends_of(kind)


def test_nothing_that_runs_do_is_critical_unless_the_config_says_so():
    assert Severity.CRITICAL not in {rule.severity for rule in OF_RUNS}


def test_each_rule_has_one_name_and_those_of_runs_are_verdicts_with_ends():
    assert len(BUILT_IN) == len({rule.name for rule in BUILT_IN.values()})
    assert {rule.nature for rule in OF_RUNS} == {Nature.VERDICT}
    assert all(rule.phases <= BAD_ENDS and rule.phases for rule in OF_RUNS)
    assert ABOUT_OURSELVES.isdisjoint(rule.name for rule in OF_RUNS)


OURSELVES = {
    "blind": Severity.CRITICAL,
    "account_unauthorized": Severity.CRITICAL,
    "workspace_lost": Severity.WARNING,
    "throttled": Severity.WARNING,
    "delivery_failing": Severity.WARNING,
    "gap": Severity.WARNING,
    "unrecognised_status": Severity.WARNING,
    "token_expiring": Severity.WARNING,
    "away": Severity.WARNING,
    "audit_discrepancy": Severity.WARNING,
    "silence_ending": Severity.INFO,
}


@pytest.mark.parametrize(("rule", "severity"), OURSELVES.items())
def test_of_the_watching_itself_only_not_seeing_is_critical(rule, severity):
    assert BUILT_IN[rule].severity is severity
    assert not BUILT_IN[rule].phases


def test_the_table_of_the_watching_itself_is_whole():
    assert {rule.name for rule in OF_OURSELVES} == OURSELVES.keys()


def test_what_a_misfire_opens_is_firing_until_a_run_is_good():
    (alert,) = changed_alerts(
        ended(Phase.MISFIRED, 1),
        (),
        BUILT_IN.values(),
        ownership=(),
        circumstances=Circumstances(subject=LOAD, success_after=None, link=""),
    )
    assert alert.status is Status.FIRING
