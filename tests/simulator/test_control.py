"""The control port tells the truth and takes orders."""

import pytest

from tests.conftest import EPOCH
from tests.simulator.conftest import RUNS, pass_time, seconds
from tmcwatch.simulator import small

NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_the_control_port_explains_itself(bench):
    answer = await bench().control.get("/")
    assert "PUT    /faults/{name}" in answer.text


async def test_the_world_is_counted(bench):
    made = bench(small())
    await made.get(RUNS)
    world = (await made.control.get("/world")).json()
    assert (world["scenario"], world["window"], world["requests"]) == ("small", "overlap", 1)
    assert world["now"] == EPOCH.isoformat()
    assert len(world["tasks"]) == 20
    assert world["task_executions"] == len(made.simulator.world.tasks)


async def test_runs_can_be_staged_and_their_transitions_read(bench):
    made = bench()
    wish = {
        "task_id": made.simulator.world.tenant.tasks[1].name,
        "in_seconds": 5,
        "lasts_seconds": 10,
        "dispatch_seconds": 3,
        "ends": "EXECUTION_FAILED",
    }
    answer = await made.control.post("/task-runs", json=wish)
    assert answer.status_code == 201
    await pass_time(60)
    found = (await made.control.get("/transitions")).json()
    assert {each["execution_id"] for each in found} == {answer.json()["executionId"]}
    seen = [(each["status"], each["at"][17:19]) for each in found]
    assert seen == [
        ("dispatching", "05"),
        ("dispatching", "06"),
        ("executing", "08"),
        ("execution_failed", "18"),
    ]
    since = "2026-11-20T00:00:10+00:00"
    assert len((await made.control.get(f"/transitions?since={since}")).json()) == 1


async def test_plan_runs_can_be_staged(bench):
    made = bench()
    wish = {"plan_id": made.plan(), "at": EPOCH.isoformat(), "step_lasts_seconds": 2}
    answer = await made.control.post("/plan-runs", json=wish | {"fails_at_step": 1})
    await pass_time(30)
    found = (await made.control.get("/transitions")).json()
    assert [each["status"] for each in found if each["kind"] == "plan"] == [
        "executing",
        "execution_failed",
    ]
    assert answer.json()["executionId"] in {each["execution_id"] for each in found}


async def test_runs_can_be_ended_corrected_hidden_and_delayed(bench):
    made = bench()
    run, unknown = (made.simulator.world.start_task_run(made.task()) for _ in range(2))
    await pass_time(5)

    async def order(execution, what, **body):
        answer = await made.control.post(f"/executions/{execution}/{what}", json=body)
        assert answer.status_code == 204, answer.text

    await order(run, "finish", ends="EXECUTION_FAILED", error="disk full")
    finished = (EPOCH + seconds(4)).isoformat()
    await order(run, "correct", ends="EXECUTION_SUCCESS", finished=finished)
    await order(run, "hide", for_seconds=60)
    await order(unknown, "delay", until=(EPOCH + seconds(65)).isoformat())
    found = (await made.control.get("/transitions")).json()
    ends = [each["execution_status"] for each in found if each["execution_id"] == run]
    assert ends[-2:] == ["EXECUTION_FAILED", "EXECUTION_SUCCESS"]
    assert await made.rows() == {}
    await pass_time(60)
    assert (await made.rows()).keys() == {run, unknown}


async def test_requests_can_be_read(bench):
    made = bench()
    await made.get(RUNS, limit=5)
    await pass_time(10)
    await made.get(RUNS, limit=6)
    everything = (await made.control.get("/requests")).json()
    later = (await made.control.get("/requests", params={"since": EPOCH.isoformat()})).json()
    assert [each["query"] for each in everything] == [{"limit": "5"}, {"limit": "6"}]
    assert later == everything[1:]


async def test_faults_are_put_read_and_taken_away(bench):
    made = bench()
    put = await made.control.put("/faults/throttle", json={"style": "seconds", "times": 3})
    assert put.json()["style"] == "seconds"
    assert (await made.control.get("/faults")).json() == {"throttle": put.json()}
    assert await made.status(RUNS) == 429
    assert (await made.control.delete("/faults/throttle")).status_code == 204
    assert (await made.control.delete("/faults/throttle")).status_code == 404
    assert (await made.control.put("/faults/reset")).status_code == 200


@pytest.mark.parametrize(
    ("order", "body", "status"),
    [
        ("PUT /faults/earthquake", "{}", 404),
        ("PUT /faults/slow", '{"minutes": 1}', 400),
        ("PUT /faults/slow", '{"seconds": [1]}', 400),
        ("PUT /faults/slow", "[]", 400),
        ("PUT /faults/slow", "{", 400),
        ("POST /task-runs", "{}", 404),
        ("POST /task-runs", '{"task_id": "x", "lasts_seconds": "long"}', 400),
        ("POST /task-runs", '{"at": "2026-11-20T00:00:00"}', 400),
        ("POST /plan-runs", '{"colour": "red"}', 400),
        ("POST /plan-runs", '{"plan_id": "nobody"}', 404),
        ("POST /plan-runs", '{"fails_at_step": "2"}', 400),
        ("POST /task-runs", '{"execution_id": 5}', 400),
        ("POST /task-runs", '{"in_seconds": 1e300}', 400),
        (f"POST /executions/{NOBODY}/hide", "{}", 404),
        (f"POST /executions/{NOBODY}/dance", "{}", 404),
        (f"POST /executions/{NOBODY}/correct", "{}", 400),
        (f"POST /executions/{NOBODY}/delay", "{}", 400),
        ("POST /executions/nobody/finish", "{}", 400),
        (f"POST /executions/{NOBODY}/hide", '{"until": "2026-11-20T00:00:00"}', 400),
        ("GET /transitions?since=yesterday", "", 400),
    ],
)
async def test_wrong_orders_are_refused(bench, order, body, status):
    method, path = order.split()
    answer = await bench().control.request(method, path, content=body)
    assert answer.status_code == status
    assert answer.json()["message"]
