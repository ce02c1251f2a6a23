"""Every answer of the simulator keeps to the OpenAPI contract."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.simulator.conftest import PLAN_RUNS, RUNS, pass_time, quiet
from tmcwatch.simulator import Dialect, small

CONTRACTS = Path(__file__).parent.parent / "contracts" / "openapi"
STAGE = "/processing/executions/plans/{plan_run}"
ANSWERS = [
    ("processing", RUNS, "PageTaskExecutionStatus"),
    ("processing", "/processing/executables/tasks/{task}/executions", "PageTaskExecutionStatus"),
    ("processing", "/processing/executions/{task_run}", "JobExecutionStatus"),
    ("processing", PLAN_RUNS, "PagePlanExecutionStatus"),
    ("processing", "/processing/executables/plans/{plan}/executions", "PagePlanExecutionStatus"),
    ("processing", STAGE, "PlanExecutionStatus"),
    ("processing", f"{STAGE}/steps", ["StepExecution"]),
    ("processing", f"{STAGE}/steps/{{step_run}}", "StepExecutionDetails"),
    ("processing", f"{STAGE}/steps/{{step_run}}/error-handler", "StepExecutionDetails"),
    ("orchestration", "/orchestration/executables/tasks", "PageTask"),
    ("orchestration", "/orchestration/executables/tasks/{task}", "TaskV21"),
    ("orchestration", "/orchestration/executables/plans", "PagePlan"),
    ("orchestration", "/orchestration/executables/plans/{plan}", "PlanExecutableDetails"),
    ("orchestration", "/orchestration/workspaces", ["WorkspaceInfo"]),
    ("orchestration", "/orchestration/environments", ["EnvironmentInfo"]),
]


def closed(schema: Any) -> Any:
    """Open the open enumerations, and forbid properties that the contract does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: closed(value) for key, value in schema.items()}
    if schema.get("x-open-enum") is True:
        kept.pop("enum")
    if isinstance(schema.get("properties"), dict):
        kept["additionalProperties"] = False
    return kept


@cache
def components(name: str) -> Any:
    document = yaml.safe_load((CONTRACTS / f"{name}.yaml").read_text())
    return closed({"schemas": document["components"]["schemas"]})


def assert_keeps(contract: str, schema: str | list[str], answer: Any) -> None:
    name = schema if isinstance(schema, str) else schema[0]
    reference: dict[str, Any] = {"$ref": f"#/components/schemas/{name}"}
    wanted = reference if isinstance(schema, str) else {"type": "array", "items": reference}
    Draft202012Validator({"components": components(contract), **wanted}).validate(answer)


@pytest.mark.parametrize(("contract", "path", "schema"), ANSWERS)
async def test_an_answer_keeps_to_the_contract(bench, contract, path, schema):
    made = bench(small(), dialect=Dialect(errors_in_lists=True))
    world = made.simulator.world
    failed = world.start_plan_run(made.plan(), fails_at_step=2)
    task_run = world.start_task_run(made.task(), ends="EXECUTION_FAILED")
    await pass_time(40)
    steps = made.simulator.world.plan_run(failed).steps
    ids = {"task": made.task(), "plan": made.plan(), "plan_run": failed, "task_run": task_run}
    answer = await made.get(path.format(**ids, step_run=steps[-1].execution_id))
    assert answer
    assert_keeps(contract, schema, answer)


@pytest.mark.parametrize("window", ["overlap", "started"])
async def test_what_was_changed_keeps_to_the_contract(bench, window):
    made = bench(window=window)
    world = made.simulator.world
    stopped, failed, waiting = (world.start_task_run(made.task()) for _ in range(3))
    misfired = world.start_task_run(made.task(), ends="DEPLOY_FAILED", reason="TASK_IS_PAUSED")
    plan_run = world.start_plan_run(made.plan())
    world.finish(waiting, ends="EXECUTION_REJECTED")
    await pass_time(10)
    made.simulator.world.finish(stopped, ends="EXECUTION_TERMINATED")
    await pass_time(50)
    made.simulator.world.correct(failed, ends="EXECUTION_FAILED")
    made.simulator.world.correct(plan_run, ends="EXECUTION_FAILED")
    made.simulator.world.hide(stopped)
    assert_keeps("processing", "PageTaskExecutionStatus", await made.get(RUNS))
    assert_keeps("processing", "PagePlanExecutionStatus", await made.get(PLAN_RUNS))
    for run in (stopped, failed, waiting, misfired):
        detail = await made.get(f"/processing/executions/{run}")
        assert_keeps("processing", "JobExecutionStatus", detail)
    assert_keeps(
        "processing", "PlanExecutionStatus", await made.get(STAGE.format(plan_run=plan_run))
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{RUNS}?limit=0", 400),
        ("/processing/executions/00000000-0000-4000-8000-000000000000", 404),
        ("/processing/nowhere", 404),
    ],
)
async def test_an_error_keeps_to_the_contract(bench, path, status):
    answer = await bench().api.get(path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert_keeps("processing", "ErrorResponse", answer.json())
    assert "requestId" in answer.json()


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic ZGVtbw=="])
async def test_without_the_token_there_is_only_401(bench, authorization):
    answer = await bench().api.get(RUNS, headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.json() == {
        "status": 401,
        "detail": "Token authorization is required for access",
    }


async def test_the_two_task_shapes_differ_as_documented(bench):
    made = bench()
    plan_run = made.simulator.world.start_plan_run(made.plan())
    await pass_time(2)
    row = next(iter((await made.rows()).values()))
    detail = await made.get(f"/processing/executions/{row['executionId']}")
    assert (row["taskId"], row["planId"]) == (detail["jobId"], made.plan())
    assert detail["planId"] == plan_run
    assert row["executionType"] == "PLAN"
    assert "workspaceId" not in row
    assert "workspaceId" in detail


async def test_the_error_text_is_in_the_detail_and_only_by_choice_in_the_list(bench):
    for dialect, listed in ((Dialect(), None), (Dialect(errors_in_lists=True), "it broke")):
        made = bench(dialect=dialect)
        world = made.simulator.world
        failed = world.start_task_run(made.task(), ends="EXECUTION_FAILED", error="it broke")
        await pass_time(40)
        assert (await made.rows())[failed].get("errorMessage") == listed
        detail = await made.get(f"/processing/executions/{failed}")
        assert (detail["errorMessage"], detail["errorType"]) == ("it broke", "JOB_ERROR")


@pytest.mark.uncounted
async def test_a_page_of_a_large_world_stays_cheap_to_find(bench):
    scenario = quiet(executions_per_day=100_000)
    made = bench(scenario)
    page = await made.get(RUNS, limit=3)
    assert (len(page["items"]), page["limit"], page["offset"]) == (3, 3, 0)
    assert page["total"] == len(made.simulator.world.tasks)
