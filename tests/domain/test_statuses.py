"""What TMC's words mean: every documented status, and those that are not."""

import pytest

from tmcwatch.domain.execution import BAD_ENDS, ENDS, FAILURES, OPEN, Phase, Trigger, trigger_named
from tmcwatch.domain.lifecycle import plan_phase, promotion_phase, task_phase

TASKS = [
    ("dispatching", "EXECUTION_EVENT_RECEIVED", Phase.WAITING),
    ("dispatching", "DISPATCHING_FLOW", Phase.WAITING),
    ("executing", "STARTING_FLOW_EXECUTION", Phase.RUNNING),
    (None, "STOPPING_FLOW_EXECUTION", Phase.STOPPING),
    ("executing", "STOPPING_FLOW_EXECUTION", Phase.STOPPING),
    ("deploy_failed", "DEPLOY_FAILED", Phase.DEPLOY_FAILED),
    ("execution_successful", "EXECUTION_SUCCESS", Phase.SUCCEEDED),
    ("execution_rejected", "EXECUTION_REJECTED", Phase.REJECTED),
    ("execution_failed", "EXECUTION_FAILED", Phase.FAILED),
    ("terminated", "EXECUTION_TERMINATED", Phase.TERMINATED),
    ("terminated_timeout", "EXECUTION_TERMINATED_TIMEOUT", Phase.TIMED_OUT),
    ("terminated_timeout", "EXECUTION_TERMINATED", Phase.TIMED_OUT),
    ("terminated", "EXECUTION_TERMINATED_TIMEOUT", Phase.TIMED_OUT),
    ("terminated_shutdown", "EXECUTION_TERMINATED_SHUTDOWN", Phase.SHUT_DOWN),
    ("terminated_shutdown", "EXECUTION_TERMINATED", Phase.SHUT_DOWN),
    ("terminated", "EXECUTION_TERMINATED_SHUTDOWN", Phase.SHUT_DOWN),
]

ONLY_STATUS = {
    "dispatching": Phase.WAITING,
    "executing": Phase.RUNNING,
    "deploy_failed": Phase.DEPLOY_FAILED,
    "execution_successful": Phase.SUCCEEDED,
    "execution_rejected": Phase.REJECTED,
    "execution_failed": Phase.FAILED,
    "terminated": Phase.TERMINATED,
    "terminated_timeout": Phase.TIMED_OUT,
    "terminated_shutdown": Phase.SHUT_DOWN,
}

TASK_MISFIRES = (
    "PARALLEL_EXECUTION_FORBIDDEN",
    "UNABLE_TO_RETRIEVE_ARTIFACT_OR_TASK_MAVEN_URL",
    "TASK_IS_PAUSED",
    "DE_ENV_NOT_CONNECTED",
    "REMOTE_ENGINE_UNAVAILABLE_IN_CLUSTER",
    "REMOTE_ENGINE_UNAVAILABLE",
    "DYNAMIC_ENGINE_UNAVAILABLE",
    "REMOTE_ENGINE_CONTAINER_NOT_FOUND",
    "MAX_DEPLOYMENT_ATTEMPTS_REACHED",
    "MAX_PARALLEL_TASKS_LIMIT_REACHED",
    "PIPELINE_RUN_PROFILE_NOT_FOUND",
    "PIPELINE_ARTIFACT_NOT_FOUND",
    "DATA_FABRIC_ARTIFACT_NOT_FOUND",
    "ELASTIC_ENGINE_CONTAINER_NOT_FOUND",
    "INCOMPATIBILITY_BETWEEN_ACTIONS_VERSIONS_AND_ENGINE",
    "UNKNOWN",
    "A_REASON_OF_NEXT_YEAR",
)

PLANS = [
    ("executing", "UNDEFINED", Phase.WAITING),
    ("executing", "STARTED", Phase.RUNNING),
    ("executing", None, Phase.RUNNING),
    ("execution_successful", "FINISHED", Phase.SUCCEEDED),
    ("execution_successful", "EXECUTION_SUCCESS", Phase.SUCCEEDED),
    ("execution_failed", "FINISHED", Phase.FAILED),
    ("execution_failed", "EXECUTION_FAILED", Phase.FAILED),
    ("execution_misfired", "EXECUTION_MISFIRED", Phase.MISFIRED),
    ("execution_misfired", "FINISHED", Phase.MISFIRED),
    (None, "UNDEFINED", Phase.WAITING),
    (None, "STARTED", Phase.RUNNING),
    (None, "EXECUTION_SUCCESS", Phase.SUCCEEDED),
    (None, "EXECUTION_FAILED", Phase.FAILED),
    (None, "EXECUTION_MISFIRED", Phase.MISFIRED),
    # That it ended says nothing about how.
    (None, "FINISHED", Phase.UNRECOGNISED),
    ("paused", "FINISHED", Phase.UNRECOGNISED),
    (None, None, Phase.UNRECOGNISED),
]


def phase_of(status, state=None, *, reason=None, started=True) -> Phase:
    return task_phase(status, state, reason=reason, started=started)


@pytest.mark.parametrize(("status", "state", "phase"), TASKS)
def test_every_documented_state_of_a_task_has_its_phase(status, state, phase):
    assert phase_of(status, state) is phase


@pytest.mark.parametrize("status", ONLY_STATUS)
@pytest.mark.parametrize("state", [None, "", "STATE_OF_NEXT_YEAR"])
def test_where_the_fine_state_says_nothing_the_status_of_a_task_does(status, state):
    assert phase_of(status, state) is ONLY_STATUS[status]


@pytest.mark.parametrize("status", [None, "", "suspended", "EXECUTION_SUCCESS", "Executing"])
def test_an_unknown_status_of_a_task_is_unrecognised(status):
    assert phase_of(status, "SUSPENDING_FLOW_EXECUTION") is Phase.UNRECOGNISED


@pytest.mark.parametrize("reason", TASK_MISFIRES)
@pytest.mark.parametrize("status", ["deploy_failed", "execution_failed", "terminated"])
def test_a_task_that_never_started_for_a_reason_misfired(status, reason):
    assert phase_of(status, reason=reason, started=False) is Phase.MISFIRED


@pytest.mark.parametrize("status", ["deploy_failed", "execution_failed", "terminated"])
def test_a_task_that_started_did_not_misfire_whatever_reason_it_names(status):
    assert phase_of(status, reason="UNKNOWN", started=True) is ONLY_STATUS[status]
    assert phase_of(status, reason=None, started=False) is ONLY_STATUS[status]


@pytest.mark.parametrize("status", ["execution_successful", "dispatching", "terminated_timeout"])
def test_a_reason_makes_no_misfire_of_another_phase(status):
    assert phase_of(status, reason="UNKNOWN", started=False) is ONLY_STATUS[status]


@pytest.mark.parametrize(("status", "state", "phase"), PLANS)
def test_every_documented_state_of_a_plan_has_its_phase(status, state, phase):
    assert plan_phase(status, state) is phase


def test_unrecognised_is_open_and_every_phase_is_open_or_an_end():
    assert Phase.UNRECOGNISED in OPEN
    assert set(Phase) == OPEN | ENDS
    assert not OPEN & ENDS
    assert FAILURES < BAD_ENDS < ENDS


@pytest.mark.parametrize("name", ["SCHEDULED", "MANUAL", "WEBHOOK", "PLAN"])
def test_triggers_are_known_by_tmcs_names(name):
    assert trigger_named(name) is Trigger[name]


@pytest.mark.parametrize("name", [None, "", "manual", "EVENT"])
def test_a_trigger_never_documented_is_unknown(name):
    assert trigger_named(name) is Trigger.UNKNOWN


PROMOTIONS = [
    ("PROMOTION_STARTED", Phase.RUNNING, Phase.RUNNING),
    ("PROMOTED", Phase.SUCCEEDED, Phase.DEFECTIVE),
    ("PROMOTION_WARNING", Phase.REJECTED, Phase.REJECTED),
    ("PROMOTION_FAILED", Phase.FAILED, Phase.FAILED),
    ("ANALIZED", Phase.ANALYSED, Phase.ANALYSED),
]


@pytest.mark.parametrize(("status", "sound", "with_defects"), PROMOTIONS)
def test_every_status_of_a_promotion_has_its_phase(status, sound, with_defects):
    assert promotion_phase(status, defective=False) is sound
    assert promotion_phase(status, defective=True) is with_defects


@pytest.mark.parametrize("status", [None, "", "promoted", "ANALYZED", "REVIEWING"])
def test_an_unknown_status_of_a_promotion_is_neither_an_end_nor_a_success(status):
    assert promotion_phase(status, defective=True) is Phase.UNRECOGNISED
    assert Phase.UNRECOGNISED in OPEN


def test_an_analysis_ends_and_is_no_bad_end():
    assert Phase.ANALYSED in ENDS - BAD_ENDS - FAILURES


def test_a_promotion_with_defects_is_a_bad_end_but_no_failure():
    assert Phase.DEFECTIVE in BAD_ENDS - FAILURES
