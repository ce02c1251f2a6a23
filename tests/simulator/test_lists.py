"""The lists: windows in all readings, limits, order, filters."""

import json

import pytest

from tests.conftest import EPOCH
from tests.simulator.conftest import PLAN_RUNS, RUNS, epoch_ms, pass_time, quiet, seconds
from tmcwatch.simulator import OLD_DIALECT, Dialect, Endings, small

NOW = epoch_ms(EPOCH)
DAY = 86_400_000
TASK_RUNS = "/processing/executables/tasks/{}/executions"


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"offset": -1},
        {"offset": 1001},
        {"from": NOW - 11 * DAY},
        {"from": NOW - 11 * DAY, "to": NOW},
        {"from": NOW, "to": NOW - DAY},
        {"from": "yesterday"},
        {"lastDays": 11},
        {"lastDays": 0},
        {"status": "running"},
        {"environmentId": "PROD"},
        {"workspaceId": "finance"},
    ],
)
async def test_what_is_outside_the_limits_is_a_400(bench, params):
    assert await bench().status(RUNS, **params) == 400


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 100, "offset": 1000},
        {"from": NOW - 10 * DAY, "to": NOW},
        {"to": NOW},
        {"lastDays": 10},
        {"status": "terminated"},
    ],
)
async def test_what_is_within_the_limits_is_answered(bench, params):
    assert await bench().status(RUNS, **params) == 200


async def test_the_old_limits_allow_sixty_days_and_any_offset(bench):
    made = bench(dialect=OLD_DIALECT)
    assert await made.status(RUNS, offset=100_000, lastDays=60) == 200
    assert await made.status(RUNS, **{"from": NOW - 60 * DAY, "to": NOW}) == 200
    assert await made.status(RUNS, **{"from": NOW - 61 * DAY, "to": NOW}) == 400


async def test_plan_lists_have_no_bounds_but_the_page(bench):
    made = bench()
    assert await made.status(PLAN_RUNS, offset=100_000, **{"from": 0, "to": NOW}) == 200
    assert await made.status(PLAN_RUNS, lastDays=90) == 200
    assert await made.status(PLAN_RUNS, limit=101) == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (TASK_RUNS.format("nope"), 400),
        (TASK_RUNS.format("0" * 24), 404),
        ("/processing/executables/plans/nope/executions", 400),
        ("/processing/executables/plans/00000000-0000-4000-8000-0000000000ff/executions", 404),
        ("/processing/executions/nope", 400),
        ("/processing/executions/plans/nope", 400),
        ("/processing/executions/plans/00000000-0000-4000-8000-0000000000ff", 404),
        ("/orchestration/executables/tasks/nope", 400),
        ("/orchestration/executables/tasks/" + "0" * 24, 404),
        ("/orchestration/executables/plans/00000000-0000-4000-8000-0000000000ff", 404),
        ("/orchestration/executables/tasks?workspaceId=x", 400),
        ("/orchestration/workspaces?query=name=in=(a)", 400),
    ],
)
async def test_wrong_ids_are_400_and_unknown_ones_404(bench, path, status):
    assert (await bench().api.get(path)).status_code == status


@pytest.mark.parametrize(
    ("reading", "seen"), [("overlap", True), ("trigger", False), ("started", True)]
)
async def test_a_run_from_before_the_window_is_seen_only_where_windows_overlap(
    bench, reading, seen
):
    made = bench(window=reading)
    world = made.simulator.world
    long_run = world.start_task_run(made.task(), lasts=seconds(7200))
    ended = world.start_task_run(made.task(), lasts=seconds(60))
    await pass_time(3600)
    window = {"from": NOW + 1_800_000, "to": NOW + 3_600_000}
    shown = await made.rows(**window)
    assert (long_run in shown) is seen
    assert ended not in shown
    assert (long_run in await made.rows(TASK_RUNS.format(made.task()), **window)) is seen


async def test_a_run_that_started_after_the_window_is_not_in_an_overlapping_one(bench):
    made = bench()
    run = made.simulator.world.start_task_run(made.task(), dispatch=seconds(600))
    await pass_time(60)
    assert run in await made.rows(to=NOW + 30_000)
    await pass_time(600)
    assert run not in await made.rows(to=NOW + 30_000)
    assert run in await made.rows(to=NOW + 601_000)


async def test_where_windows_mean_starts_a_run_is_in_none_until_it_starts(bench):
    made = bench(window="started")
    run = made.simulator.world.start_task_run(made.task(), dispatch=seconds(60))
    await pass_time(30)
    assert run not in await made.rows()
    assert await made.status(f"/processing/executions/{run}") == 200
    await pass_time(40)
    assert run in await made.rows()
    assert run not in await made.rows(to=NOW + 59_000)


async def test_where_windows_mean_starts_what_never_starts_is_only_there_by_id(bench):
    made = bench(window="started")
    world = made.simulator.world
    ends = ["DEPLOY_FAILED", "DISPATCHING_FLOW", "EXECUTION_EVENT_RECEIVED"]
    never = [world.start_task_run(made.task(), ends=end) for end in ends]
    misfired = world.start_plan_run(made.plan(), reason="PLAN_EXECUTIONS_PAUSED")
    plan_run = world.start_plan_run(made.plan(1))
    await pass_time(3600)
    rows = await made.rows()
    assert rows
    assert not rows.keys() & set(never)
    assert list(await made.rows(PLAN_RUNS)) == [plan_run]
    assert {await made.status(f"/processing/executions/{run}") for run in never} == {200}
    assert await made.status(f"/processing/executions/plans/{misfired}") == 200


async def test_where_windows_mean_starts_the_count_is_of_what_started(bench):
    endings = Endings(misfired=0.3)
    made = bench(quiet(executions_per_day=20_000, endings=endings), window="started")
    runs = made.simulator.world.tasks.runs
    begun = [run for run in runs if run.started is not None and run.started <= NOW]
    page = await made.get(RUNS, limit=1)
    assert 0 < page["total"] == len(begun) < len(runs)


@pytest.mark.parametrize("order", ["newest", "oldest", "id"])
async def test_pages_come_in_the_order_of_the_dialect_and_add_up(bench, order):
    made = bench(quiet(executions_per_day=300), dialect=Dialect(order=order))
    pages = [await made.get(RUNS, limit=100, offset=offset) for offset in (0, 100, 200, 300)]
    rows = [row for page in pages for row in page["items"]]
    key = "executionId" if order == "id" else "triggerTimestamp"
    shown = [row[key] for row in rows]
    assert shown == sorted(shown, reverse=order == "newest")
    assert len({row["executionId"] for row in rows}) == len(rows) == pages[0]["total"] > 200


async def test_pages_are_newest_first_and_add_up(bench):
    made = bench(small())
    rows, offset = [], 0
    while page := (await made.get(RUNS, offset=offset, to=NOW))["items"]:
        rows += page
        offset += len(page)
        if offset > 1000:
            break
    triggers = [row["triggerTimestamp"] for row in rows]
    assert len({row["executionId"] for row in rows}) == len(rows) > 1000
    assert triggers == sorted(triggers, reverse=True)


@pytest.mark.parametrize("status", ["execution_failed", "terminated", "terminated_timeout"])
async def test_the_status_filter_counts_terminated_variants_as_terminated(bench, status):
    endings = Endings(failed=0.2, terminated=0.2, timed_out=0.2, shut_down=0.2)
    made = bench(quiet(executions_per_day=2000, endings=endings))
    found = {row["status"] for row in (await made.rows(status=status)).values()}
    variants = {"terminated", "terminated_timeout", "terminated_shutdown"}
    assert found == (variants if status == "terminated" else {status})


async def test_filters_by_place_keep_what_belongs_there(bench):
    made = bench(small())
    tenant = made.simulator.world.tenant
    workspace, other = tenant.workspaces[0], tenant.environments[1]
    by_workspace = await made.rows(workspaceId=workspace.id)
    by_environment = await made.rows(environmentId=workspace.environment.id)
    places = {task.id: task.workspace for task in tenant.tasks}
    assert {places[row["taskId"]].id for row in by_workspace.values()} == {workspace.id}
    names = {places[row["taskId"]].environment.name for row in by_environment.values()}
    assert names == {"PROD"}
    assert await made.status(RUNS, workspaceId=workspace.id, environmentId=other.id) == 400
    assert await made.rows(workspaceId="0" * 24) == {}


async def test_the_post_form_filters_by_tags_too(bench):
    made = bench(small())
    answer = await made.api.post(RUNS, json={"tags": ["critical"], "limit": 50, "to": NOW})
    tags = {task.id: task.tags for task in made.simulator.world.tenant.tasks}
    rows = answer.json()["items"]
    assert rows
    assert all("critical" in tags[row["taskId"]] for row in rows)


@pytest.mark.parametrize("body", ["{", "[]", '{"tags": "x"}', '{"limit": true}', '{"status": 1}'])
async def test_a_bad_body_is_a_400(bench, body):
    answer = await bench().api.post(RUNS, content=body)
    assert answer.status_code == 400


async def test_the_date_is_that_of_the_simulated_clock(bench):
    made = bench(speed=60.0)
    await pass_time(60)
    answer = await made.api.get(RUNS)
    assert answer.headers["date"] == "Fri, 20 Nov 2026 01:00:00 GMT"


@pytest.mark.uncounted
async def test_late_rows_of_a_tenant_appear_after_their_trigger(bench):
    made = bench(quiet(executions_per_day=50_000, late_share=0.5, late_by=seconds(30)))
    shown = (await made.get(RUNS, to=NOW))["total"]
    await pass_time(31)
    assert (await made.get(RUNS, to=NOW))["total"] > shown


async def test_names_can_be_filtered_and_paged(bench):
    made = bench(small())
    tasks = "/orchestration/executables/tasks"
    tenant = made.simulator.world.tenant
    page = await made.get(tasks, limit=3, offset=19)
    assert (page["total"], len(page["items"])) == (20, 1)
    one = await made.get(tasks, artifactId=tenant.tasks[3].artifact_id)
    assert [row["executable"] for row in one["items"]] == [tenant.tasks[3].id]
    plan = tenant.plans[0]
    used = plan.steps[0].tasks[0].id
    plans = await made.get("/orchestration/executables/plans", taskId=used, planId=plan.id)
    assert [row["name"] for row in plans["items"]] == [plan.name]
    spaces = await made.get(
        "/orchestration/workspaces",
        query=f"workspace.environment.id=={tenant.environments[1].id}",
    )
    assert {space["environment"]["name"] for space in spaces} == {"TEST"}
    assert json.dumps(spaces)


async def test_requests_are_recorded_with_their_version(bench):
    made = bench()
    await made.api.post(RUNS, json={"limit": 7})
    await made.api.get(f"{RUNS}?limit=500")
    first, second = made.simulator.journal.requests
    assert (first.method, first.body, first.talend_version) == ("POST", {"limit": 7}, "2021-03")
    assert (second.query, second.status) == ({"limit": "500"}, 400)
    assert made.simulator.journal.by_status == {"200": 1, "400": 1}
