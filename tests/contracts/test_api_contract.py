"""The client against TMC's OpenAPI contract: what it sends is allowed, what is shown it reads."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client
from tmcwatch.api.token import TokenText
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName, ExecutionId, Phase, SubjectId, Trigger
from tmcwatch.domain.window import Window

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
OPENAPI = Path(__file__).parent / "openapi"
CONTRACT = {
    name: yaml.safe_load((OPENAPI / f"{name}.yaml").read_text())
    for name in ("processing", "orchestration", "security")
}
WINDOW = Window(
    start=datetime(2026, 11, 20, 8, 0, 0, 999_999, tzinfo=UTC),
    end=datetime(2026, 11, 20, 9, 0, 0, 1, tzinfo=UTC),
)
HEAD = {"purpose": Purpose.HEAD}
LIST = {**HEAD, "offset": 99, "limit": 50}
RUN, STEP = ExecutionId("00000000-0000-4000-8000-000000000004"), "step/1"
TASK, PLAN = SubjectId("66b0aa00aa00aa00aa000103"), SubjectId("p 1")
WHERE = {"environment": "e1", "workspace": "w1"}

TASKS = "/processing/executables/tasks"
PLANS = "/processing/executables/plans"
RUNS = "/processing/executions"
ORCHESTRATION = "/orchestration/executables"
ASKED = {
    ("get", f"{TASKS}/executions"): lambda c: c.task_executions(
        WINDOW, **LIST, **WHERE, status="execution_failed"
    ),
    ("post", f"{TASKS}/executions"): lambda c: c.task_executions(
        WINDOW, **LIST, **WHERE, status="execution_failed", tags=["a", "b"]
    ),
    ("get", f"{TASKS}/{{taskId}}/executions"): lambda c: c.task_executions_of(
        TASK, WINDOW, **LIST, status="terminated"
    ),
    ("get", f"{RUNS}/{{executionId}}"): lambda c: c.task_execution(RUN, **HEAD),
    ("get", f"{PLANS}/executions"): lambda c: c.plan_executions(
        WINDOW, **LIST, **WHERE, status="execution_misfired"
    ),
    ("get", f"{PLANS}/{{planId}}/executions"): lambda c: c.plan_executions_of(
        PLAN, WINDOW, **LIST, status="executing"
    ),
    ("get", f"{RUNS}/plans/{{planExecutionId}}"): lambda c: c.plan_execution(RUN, **HEAD),
    ("get", f"{RUNS}/plans/{{planExecutionId}}/steps"): lambda c: c.plan_steps(RUN, **HEAD),
    ("get", f"{RUNS}/plans/{{planExecutionId}}/steps/{{stepExecutionId}}"): (
        lambda c: c.plan_step(RUN, STEP, **HEAD)
    ),
    ("get", f"{RUNS}/plans/{{planExecutionId}}/steps/{{stepExecutionId}}/error-handler"): (
        lambda c: c.plan_error_handler(RUN, STEP, **HEAD)
    ),
    ("get", f"{ORCHESTRATION}/tasks"): lambda c: c.tasks(100, **HEAD),
    ("get", f"{ORCHESTRATION}/plans"): lambda c: c.plans(0, **HEAD),
    ("get", f"{ORCHESTRATION}/tasks/{{taskId}}"): lambda c: c.task(TASK, **HEAD),
    ("get", f"{ORCHESTRATION}/plans/{{planId}}"): lambda c: c.plan(PLAN, **HEAD),
    ("get", f"{RUNS}/promotions/{{executionId}}"): lambda c: c.promotion_execution(RUN, **HEAD),
    ("get", f"{ORCHESTRATION}/promotions"): lambda c: c.promotions(**HEAD),
    ("get", f"{ORCHESTRATION}/promotions/{{promotionId}}"): lambda c: c.promotion(TASK, **HEAD),
    ("get", "/security/audit/logs"): lambda c: c.audit_logs(WINDOW, 2, **HEAD),
    ("get", "/orchestration/workspaces"): lambda c: c.workspaces(**HEAD),
    ("get", "/orchestration/environments"): lambda c: c.environments(**HEAD),
}


def operation_of(method, path):
    return CONTRACT[path.split("/")[1]]["paths"][path][method]


def resolved(value, contract):
    """Put what a reference names in its place."""
    if isinstance(value, dict) and "$ref" in value:
        target = contract
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(target, contract)
    if isinstance(value, dict):
        return {key: resolved(item, contract) for key, item in value.items()}
    return [resolved(item, contract) for item in value] if isinstance(value, list) else value


def examples_of(method, path):
    content = operation_of(method, path)["responses"]["200"]["content"]["application/json"]
    if "example" in content:
        yield "example", content["example"]
    for name, example in content.get("examples", {}).items():
        yield name, example["value"]


EXAMPLES = [
    pytest.param(asked, value, id=f"{asked[0]} {asked[1]} {name}")
    for asked in ASKED
    for name, value in examples_of(*asked)
]


def example(method, path, name="example"):
    return dict(examples_of(method, path))[name]


def client_for(value, requests=None):
    """Make a client of a TMC that answers every question with a value, or a function's value."""

    def answer(request):
        if requests is not None:
            requests.append(request)
        given = value(request) if callable(value) else value
        return httpx.Response(200, content=json.dumps(given, default=str))

    unlimited = dict.fromkeys(Family, 1e12)
    return Client(
        AccountName("acme"),
        base_url="https://tmc.example/",
        http=http_client(httpx.MockTransport(answer)),
        budget=Budget(1, now=lambda: NOW, random=lambda: 0.0, ceilings=unlimited),
        token=TokenText("secret"),
        now=lambda: NOW,
    )


@pytest.mark.parametrize(("asked", "value"), EXAMPLES)
async def test_every_documented_example_is_read(asked, value):
    found = await ASKED[asked](client_for(value))
    assert not getattr(found, "bad", ())
    if isinstance(value, dict) and "items" in value:
        assert (found.size, found.total) == (len(value["items"]), value["total"])
    elif isinstance(value, list):
        assert (found.size if hasattr(found, "size") else len(found)) == len(value)


def pattern_of(path):
    # Ids are opaque, and one of them never spans two places.
    return re.sub(r"\\{.*?\\}", "[^/]+", re.escape(path))


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: f"{asked[0]} {asked[1]}")
async def test_every_request_is_one_the_contract_allows(asked):
    requests: list[httpx.Request] = []
    await ASKED[asked](client_for(next(iter(examples_of(*asked)))[1], requests))
    (request,) = requests
    assert request.method.lower() == asked[0]
    assert re.fullmatch(pattern_of(asked[1]), request.url.raw_path.decode().split("?")[0])
    assert request.headers["talend-version"] == "2021-03"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("tmcwatch/")
    check_query(request, *asked)
    check_body(request, *asked)


def check_query(request, method, path):
    contract = CONTRACT[path.split("/")[1]]
    declared = resolved(operation_of(method, path).get("parameters", []), contract)
    schemas = {item["name"]: item["schema"] for item in declared if item["in"] == "query"}
    for name, text in request.url.params.multi_items():
        schema = schemas[name]
        value = int(text) if schema["type"] == "integer" else text
        Draft202012Validator(schema).validate(value)


def check_body(request, method, path):
    if method == "get":
        assert request.content == b""
        return
    contract = CONTRACT[path.split("/")[1]]
    body = operation_of(method, path)["requestBody"]["content"]["application/json"]
    schema = resolved(body["schema"], contract)
    sent = json.loads(request.content)
    assert set(sent) <= set(schema["properties"])
    Draft202012Validator(schema).validate(sent)


async def test_a_window_is_sent_in_milliseconds_that_cut_nothing_off():
    requests: list[httpx.Request] = []
    client = client_for({"items": []}, requests)
    await client.task_executions(WINDOW, **HEAD)
    sent = requests[0].url.params
    start = datetime.fromtimestamp(int(sent["from"]) / 1000, UTC)
    end = datetime.fromtimestamp(int(sent["to"]) / 1000, UTC)
    assert timedelta() <= WINDOW.start - start < timedelta(milliseconds=1)
    assert timedelta() <= end - WINDOW.end < timedelta(milliseconds=1)


async def test_a_list_without_filters_asks_for_nothing_but_its_page():
    requests: list[httpx.Request] = []
    await client_for({"items": []}, requests).task_executions(None, **HEAD)
    assert dict(requests[0].url.params) == {"limit": "100", "offset": "0"}


async def test_ids_cannot_leave_their_place_in_the_path():
    requests: list[httpx.Request] = []
    await client_for({"items": []}, requests).plan_executions_of(SubjectId("a/b?c"), None, **HEAD)
    assert requests[0].url.raw_path.startswith(b"/processing/executables/plans/a%2Fb%3Fc/")


async def test_the_page_of_every_task_status_has_the_right_phases():
    path = "/processing/executables/tasks/executions"
    page = await client_for(example("get", path, "everyStatus")).task_executions(None, **HEAD)
    assert [row.phase for row in page.rows] == [
        Phase.WAITING,
        Phase.WAITING,
        Phase.RUNNING,
        Phase.SUCCEEDED,
        Phase.FAILED,
        Phase.REJECTED,
        Phase.TIMED_OUT,
        Phase.TERMINATED,
        Phase.SHUT_DOWN,
        Phase.MISFIRED,
    ]


async def test_a_task_row_says_what_ran_where_and_why():
    path = "/processing/executables/tasks/executions"
    page = await client_for(example("get", path, "everyStatus")).task_executions(None, **HEAD)
    row = page.rows[4]
    assert row.subject == "66b0aa00aa00aa00aa000104"
    assert row.plan == "00000000-0000-4000-8000-000000000500"
    assert row.engine == "66b0aa00aa00aa00aa000201"
    assert row.trigger is Trigger.PLAN
    assert row.status == "execution_failed/EXECUTION_FAILED"
    assert row.error == "component tDBInput_1: connection refused"
    assert row.triggered_at == datetime(2026, 11, 20, 8, 30, 0, 31_000, tzinfo=UTC)
    assert page.rows[9].reason == "MAX_DEPLOYMENT_ATTEMPTS_REACHED"
    assert not row.detailed


async def test_the_page_of_every_plan_status_has_the_right_phases():
    path = "/processing/executables/plans/executions"
    page = await client_for(example("get", path, "everyStatus")).plan_executions(None, **HEAD)
    assert [row.phase for row in page.rows] == [
        Phase.RUNNING,
        Phase.SUCCEEDED,
        Phase.SUCCEEDED,
        Phase.SUCCEEDED,
        Phase.FAILED,
        Phase.MISFIRED,
        Phase.FAILED,
    ]
    assert page.rows[0].triggered_at == page.rows[0].started_at
    assert page.rows[5].started_at is None
    assert page.rows[5].reason == "PLAN_EXECUTIONS_PAUSED"


async def test_a_task_detail_has_its_own_names_for_things():
    value = example("get", "/processing/executions/{executionId}", "success")
    row = await client_for(value).task_execution(RUN, **HEAD)
    assert (row.subject, row.workspace) == (TASK, "66b0aa00aa00aa00aa000002")
    assert (row.rows_processed, row.rows_rejected) == (120_345, 0)
    assert row.detailed


async def test_a_task_is_known_by_the_names_of_its_places():
    value = example("get", "/orchestration/executables/tasks")
    found = await client_for(value).tasks(0, **HEAD)
    subject = found.subjects[0]
    assert (subject.id, subject.name) == ("66b0aa00aa00aa00aa000100", "load_gl")
    assert (subject.workspace, subject.environment) == ("finance", "PRD")
    assert subject.environment_id == "66b0aa00aa00aa00aa000001"


async def test_a_plan_that_failed_is_blamed_on_its_step():
    base = "/processing/executions/plans/{planExecutionId}/steps"
    detail = f"{base}/{{stepExecutionId}}"
    answers = {
        "steps": example("get", base),
        "step": example("get", detail),
        "handler": example("get", f"{detail}/error-handler", "handled"),
    }
    breakage = await client_for(lambda request: _step_answer(request, answers)).breakage_of(RUN)
    assert breakage is not None
    assert (breakage.step, breakage.handled) == ("step 2 of 3", True)
    assert breakage.tasks == ("66b0aa00aa00aa00aa000104",)
    assert breakage.error == "component tDBInput_1: connection refused"


def _step_answer(request, answers):
    kinds = {"steps": "steps", "error-handler": "handler"}
    return answers[kinds.get(request.url.path.split("/")[-1], "step")]
