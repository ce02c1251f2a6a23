"""What a user is told, from the run in TMC to the message, as stories."""

from datetime import timedelta

import anyio
import pytest

from tests.acceptance.tenants import quiet

MINUTE = timedelta(minutes=1)
HOSTILE = "<!channel> *bold* <script>alert(1)</script> \x00\x1b[31m\u202e " + "x" * 1_000_000


def run(stage, **settings):
    world = stage.simulator.world
    return world.start_task_run(world.tenant.tasks[0].id, **settings)


def told(stage):
    return [
        (alert["labels"]["rule"], alert["status"])
        for alert in stage.inbox.alerts
        if alert["labels"]["rule"] != "watching"
    ]


async def minutes(count):
    await anyio.sleep(60 * count)


@pytest.fixture(params=["overlap", "trigger"])
async def quiet_stage(stage, request):
    return stage(quiet(), window=request.param)


async def test_a_failure_and_its_recovery_are_told_once_each(quiet_stage):
    async with quiet_stage.watching():
        await minutes(1)
        run(quiet_stage, ends="EXECUTION_FAILED", error="connection refused")
        await minutes(5)
        run(quiet_stage)
        await minutes(5)
    assert told(quiet_stage) == [("failed", "firing"), ("failed", "resolved")]


async def test_a_failure_carries_names_and_the_error_text_of_the_detail(quiet_stage):
    async with quiet_stage.watching():
        await minutes(1)
        execution = run(quiet_stage, ends="EXECUTION_FAILED", error="connection refused")
        await minutes(5)
    alert = quiet_stage.inbox.alerts[-1]
    task = quiet_stage.simulator.world.tenant.tasks[0]
    assert alert["labels"]["name"] == task.name
    assert alert["labels"]["environment"] in {"PROD", "TEST"}
    assert alert["annotations"]["error"] == "connection refused"
    assert alert["annotations"]["execution_id"] == execution


async def test_every_bad_end_has_its_rule(quiet_stage):
    ends = {
        "EXECUTION_FAILED": "failed",
        "DEPLOY_FAILED": "deploy_failed",
        "EXECUTION_REJECTED": "rejected",
        "EXECUTION_TERMINATED": "terminated",
        "EXECUTION_TERMINATED_TIMEOUT": "timed_out",
        "EXECUTION_TERMINATED_SHUTDOWN": "shut_down",
    }
    world = quiet_stage.simulator.world
    async with quiet_stage.watching():
        await minutes(1)
        for task, end in zip(world.tenant.tasks, ends, strict=False):
            world.start_task_run(task.id, ends=end)
        await minutes(5)
    assert sorted(told(quiet_stage)) == sorted((rule, "firing") for rule in ends.values())


async def test_a_misfire_tells_its_reason(quiet_stage):
    async with quiet_stage.watching():
        await minutes(1)
        run(
            quiet_stage,
            ends="DEPLOY_FAILED",
            reason="UNABLE_TO_RETRIEVE_ARTIFACT_OR_TASK_MAVEN_URL",
        )
        await minutes(5)
    (alert,) = quiet_stage.inbox.alerts[-1:]
    assert alert["labels"]["rule"] == "misfired"
    assert alert["labels"]["reason"] == "UNABLE_TO_RETRIEVE_ARTIFACT_OR_TASK_MAVEN_URL"


async def test_a_failed_plan_names_its_step_and_task_and_follows_what_was_told_of_the_step(
    quiet_stage,
):
    world = quiet_stage.simulator.world
    plan = world.tenant.plans[0]
    async with quiet_stage.watching():
        await minutes(1)
        world.start_plan_run(plan.id, fails_at_step=2, error="no such table")
        await minutes(5)
    assert told(quiet_stage) == [("plan_step_failed", "firing"), ("plan_failed", "firing")]
    annotations = quiet_stage.inbox.alerts[-1]["annotations"]
    assert annotations["step"].startswith("step 2 of 3")
    assert annotations["failed_tasks"] == plan.steps[1].tasks[0].name
    assert annotations["error"] == "no such table"


@pytest.mark.parametrize("window", ["overlap", "trigger"])
async def test_a_run_that_takes_a_day_is_followed_to_its_end(stage, window):
    tenant = stage(quiet(), window=window, beat="5m")
    async with tenant.watching():
        await minutes(1)
        run(tenant, lasts=timedelta(hours=20), ends="EXECUTION_FAILED")
        await minutes(60 * 20 + 15)
    assert told(tenant) == [("failed", "firing")]


async def test_an_unknown_status_is_no_end_and_no_success(quiet_stage):
    quiet_stage.simulator.faults.put("unknown_status")
    async with quiet_stage.watching() as answers:
        await minutes(1)
        run(quiet_stage, lasts=timedelta(hours=1))
        await minutes(10)
        exposition = (await answers.metrics(None))[0].decode()
    assert told(quiet_stage) == [("unrecognised_status", "firing")]
    assert 'executions_open{account="prod",kind="task",phase="unrecognised"} 1.0' in exposition


async def test_hostile_names_and_error_texts_break_nothing(quiet_stage):
    async with quiet_stage.watching():
        await minutes(1)
        run(quiet_stage, ends="EXECUTION_FAILED", error=HOSTILE)
        await minutes(5)
    (alert,) = quiet_stage.inbox.alerts[-1:]
    assert len(alert["annotations"]["error"]) <= 5_000
    assert "\x00" not in alert["annotations"]["error"]


async def test_a_receiver_that_refuses_for_a_while_is_told_once(quiet_stage):
    async with quiet_stage.watching():
        await minutes(1)
        quiet_stage.inbox.answers = [500, 429, 503]
        run(quiet_stage, ends="EXECUTION_FAILED")
        await minutes(10)
    assert told(quiet_stage) == [("failed", "firing")]


async def test_a_failure_over_before_it_could_be_told_is_one_message(quiet_stage):
    async with quiet_stage.watching():
        await minutes(1)
        quiet_stage.inbox.answers = [500] * 4
        run(quiet_stage, ends="EXECUTION_FAILED")
        run(quiet_stage, at=quiet_stage.now() + timedelta(seconds=20))
        await minutes(30)
    fingerprints = [alert["fingerprint"] for alert in quiet_stage.inbox.alerts]
    assert told(quiet_stage)[-1] == ("failed", "resolved")
    assert len(set(fingerprints)) <= 2
