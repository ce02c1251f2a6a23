"""TMC's JSON: the rows of the lists and the details by id."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tmcwatch.simulator.execution import PlanRun, StepRun, TaskRun
from tmcwatch.simulator.tenant import Environment, Plan, Step, Task, Workspace
from tmcwatch.simulator.view import View

Json = dict[str, Any]
USER = {"userId": "op.one", "userType": "HUMAN"}
DEPLOY_ERROR = "The artifact could not be deployed to the engine."


def task_row(run: TaskRun, view: View) -> Json:
    """Return the row of the task execution lists: no name, no workspace, no error text."""
    row: Json = {
        "executionId": run.execution_id,
        "taskId": run.task.id,
        "taskVersion": run.task.version,
        "executionType": run.execution_type,
        "parallelExecutionAllowed": True,
        "runtime": {
            "type": "REMOTE_ENGINE",
            "id": run.task.engine_id,
            "engineId": run.task.engine_id,
        },
        "timeout": run.task.timeout,
        **USER,
        **_life(run, view),
    }
    if run.plan is not None:
        row["planId"] = run.plan.id
    if view.errors_in_lists and (text := _error(run, view.as_of(run))):
        row["errorMessage"] = text
    return row


def task_detail(run: TaskRun, view: View, account_id: str) -> Json:
    """Return a task execution by id, where the plan id is the plan's *execution* id."""
    at = view.as_of(run)
    detail: Json = {
        "executionId": run.execution_id,
        "jobId": run.task.id,
        "jobVersion": run.task.version,
        "environmentVersion": "1.3",
        "executionType": run.execution_type,
        "executionDestination": "REMOTE_ENGINE",
        "remoteEngineId": run.task.engine_id,
        "accountId": account_id,
        "workspaceId": run.workspace_id,
        "timeout": run.task.timeout,
        **USER,
        **_life(run, view),
    }
    if run.plan_execution_id is not None:
        detail["planId"] = run.plan_execution_id
    if at >= run.finished and run.started is not None:
        detail["numberOfProcessedRows"] = (run.finished - run.started) // 10
        detail["numberOfRejectedRows"] = 17 if run.end == "EXECUTION_REJECTED" else 0
    if text := _error(run, at):
        detail["errorType"] = "JOB_ERROR" if run.started is not None else "DEPLOYMENT_ERROR"
        detail["errorMessage"] = text
    return detail


def plan_row(run: PlanRun, view: View) -> Json:
    at = view.as_of(run)
    row: Json = {
        "executionId": run.execution_id,
        "planId": run.plan.id,
        "startTimestamp": stamp(run.triggered + view.skew),
        "executionType": run.execution_type,
        **_statuses(run, view),
        "plannedExecutableCount": run.plan.planned,
        "doneExecutableCount": sum(
            task.finished <= at for step in run.steps for task in step.runs
        ),
        **USER,
    }
    if at >= run.finished:
        row["finishTimestamp"] = stamp(run.finished + view.skew)
        if run.reason:
            row["misfiredExecutionReason"] = run.reason
    return row


def plan_detail(run: PlanRun, view: View, account_id: str) -> Json:
    return plan_row(run, view) | {
        "doneExecutableDetails": _done(run.task_runs, run, view, account_id)
    }


def step_row(run: PlanRun, step: Step, view: View) -> Json:
    """Return a step of a plan run; one that is not reached has only its id."""
    at = view.as_of(run)
    played = next((each for each in run.steps if each.step.id == step.id), None)
    if played is None or played.started > at:
        return {"id": step.id}
    return _step(played, at, view)


def step_detail(played: StepRun, run: PlanRun, view: View, account_id: str) -> Json:
    at = view.as_of(run)
    return _step(played, at, view) | {
        "plannedExecutableCount": len(played.runs),
        "doneExecutableCount": sum(each.finished <= at for each in played.runs),
        "doneTaskExecutableDetails": _done(played.runs, run, view, account_id),
        "donePlanExecutableDetails": [],
    }


def environment(value: Environment) -> Json:
    return {"id": value.id, "name": value.name, "default": value.default}


def workspace(value: Workspace) -> Json:
    return _workspace_extract(value) | {"protectedArtifactUpdate": False}


def task_extract(task: Task) -> Json:
    return {
        "executable": task.id,
        "name": task.name,
        "workspace": _workspace_extract(task.workspace),
        "artifactId": task.artifact_id,
        "runtime": {"type": "REMOTE_ENGINE", "id": task.engine_id},
    }


def task_definition(task: Task) -> Json:
    """Return a task by id, where the id is called `id`."""
    return {
        "id": task.id,
        "name": task.name,
        "description": "",
        "workspace": workspace(task.workspace),
        "version": task.version,
        "artifact": {"id": task.artifact_id, "name": task.name, "version": "0.1.4"},
        "tags": list(task.tags),
        "connections": {},
        "parameters": {},
        "resources": {},
        "autoUpgradeInfo": {"autoUpgradable": False, "overrideWithDefaultParameters": False},
        "taskPauseDetails": {"pause": False},
    }


def plan_extract(plan: Plan) -> Json:
    return {
        "executable": plan.id,
        "name": plan.name,
        "workspace": workspace(plan.workspace),
        "description": "",
        "planPauseDetails": {"pause": False},
    }


def plan_definition(plan: Plan) -> Json:
    """Return a plan by id, whose chart is a linked list of steps."""
    chart: Json = {}
    for step in reversed(plan.steps):
        link = _chart_step(step)
        if step.handler is not None:
            link["stepOnException"] = _chart_step(step.handler)
        if chart:
            link["nextStep"] = chart
        chart = link
    return plan_extract(plan) | {"chart": chart}


@lru_cache(maxsize=100_000)  # lists show the same rows, and with them times, again and again
def stamp(moment: int) -> str:
    """Write epoch milliseconds the way TMC does."""
    seconds, rest = divmod(moment, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}Z"


def _workspace_extract(value: Workspace) -> Json:
    return {
        "id": value.id,
        "name": value.name,
        "owner": USER["userId"],
        "type": "custom",
        "environment": environment(value.environment),
    }


def _chart_step(step: Step) -> Json:
    flows = [
        {"id": task.id, "name": task.name, "workspaceId": task.workspace.id} for task in step.tasks
    ]
    return {"id": step.id, "name": step.name, "flows": flows}


def _statuses(run: TaskRun | PlanRun, view: View) -> Json:
    at = view.as_of(run)
    if view.hides_status(run, at):
        return {"status": view.unknown_status, "executionStatus": view.unknown_state}
    return {"status": run.status(at), "executionStatus": run.state(at)}


def _life(run: TaskRun, view: View) -> Json:
    at = view.as_of(run)
    life = _statuses(run, view)
    life["triggerTimestamp"] = stamp(run.triggered + view.skew)
    if run.started is not None and run.started <= at:
        life["startTimestamp"] = stamp(run.started + view.skew)
    if at >= run.finished:
        if run.shows_finish:
            life["finishTimestamp"] = stamp(run.finished + view.skew)
        if run.reason:
            life["misfiredExecutionReason"] = run.reason
    return life


def _error(run: TaskRun, at: int) -> str | None:
    if at < run.finished:
        return None
    return run.error or (DEPLOY_ERROR if run.end == "DEPLOY_FAILED" else None)


def _done(runs: tuple[TaskRun, ...], of: PlanRun, view: View, account_id: str) -> list[Json]:
    at = view.as_of(of)
    done = [run for run in runs if run.finished <= min(at, view.as_of(run))]
    return [task_detail(run, view, account_id) for run in done]


def _step(played: StepRun, at: int, view: View) -> Json:
    row: Json = {
        "id": played.step.id,
        "executionId": played.execution_id,
        "startTimestamp": stamp(played.started + view.skew),
        "executionStatus": "STARTED",
    }
    if at >= played.finished:
        row["finishTimestamp"] = stamp(played.finished + view.skew)
        ended_well = played.succeeded
        row["executionStatus"] = "EXECUTION_SUCCESS" if ended_well else "EXECUTION_FAILED"
    return row
