"""The world: deterministic, bounded, scriptable, and honest about what happened."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import EPOCH
from tests.simulator.conftest import RUNS, epoch_ms, pass_time, quiet, seconds
from tmcwatch.simulator import Burst, Endings, UnknownSubject, World, busy, demo, small, tenant_b
from tmcwatch.simulator.execution import TaskRun
from tmcwatch.simulator.index import Index, Span
from tmcwatch.simulator.scenario import Scenario, scenarios
from tmcwatch.simulator.view import View

DETAIL = "/processing/executions/{}"
HOUR = timedelta(hours=1)


def world_at(scenario: Scenario, *moments: datetime) -> World:
    world = World(scenario, start=EPOCH)
    for moment in moments:
        world.advance(moment)
    return world


def test_a_world_is_the_same_however_its_time_is_cut():
    steps = [EPOCH + timedelta(minutes=minute) for minute in range(1, 121)]
    assert world_at(small(), *steps).truth() == world_at(small(), steps[-1]).truth()


def test_another_seed_is_another_world():
    first, second = small(), replace(small(), seed=2)
    ids = [{run.execution_id for run in world_at(each).tasks.runs} for each in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_time_does_not_run_backwards():
    world = world_at(small(), EPOCH + HOUR, EPOCH)
    assert world.now == EPOCH + HOUR


def test_what_is_old_is_forgotten_but_not_what_still_runs():
    scenario = quiet(executions_per_day=2000, plan_runs_per_day=50, keeps=timedelta(hours=6))
    world = World(scenario, start=EPOCH)
    stuck = world.start_task_run(world.tenant.tasks[0].id, ends="STARTING_FLOW_EXECUTION")
    world.advance(EPOCH + timedelta(days=3))
    assert len(world.tasks) < 2000 * (6 * 1.1 + 1) / 24 + 200
    assert len(world.plans) < 40
    assert world.task_run(stuck) is not None


@pytest.mark.parametrize(
    ("name", "tasks", "plans", "most"),
    [("small", 20, 3, 2000), ("demo", 12, 2, 20_000), ("busy", 30, 3, 600_000)],
)
def test_the_scenarios_are_as_large_as_they_say(name, tasks, plans, most):
    scenario = scenarios()[name]
    world = World(scenario, start=EPOCH)
    assert (len(world.tenant.tasks), len(world.tenant.plans)) == (tasks, plans)
    per_day = len(world.tasks) * timedelta(days=1) / scenario.history
    assert most / 4 < per_day <= most


def test_busy_runs_are_short_and_come_about_five_a_second():
    runs = world_at(busy(), EPOCH + seconds(60)).tasks.runs
    recent = [run for run in runs if run.triggered > epoch_ms(EPOCH)]
    lengths = [run.finished - run.started for run in recent if run.started]
    assert 200 < len(recent) < 400
    assert (min(lengths) >= 500, max(lengths) <= 5000) == (True, True)


@pytest.mark.uncounted
def test_a_very_large_tenant_runs_eighty_seconds_and_about_two_hundred_at_once():
    world = World(replace(tenant_b(), history=3 * HOUR), start=EPOCH)
    runs = world.tasks.runs
    assert (len(world.tenant.tasks), len(world.tenant.plans)) == (30_000, 1_000)
    assert len(runs) == pytest.approx(200_000 / 8, rel=0.05)
    seconds_each = [(run.finished - run.triggered) / 1_000 for run in runs]
    assert sum(seconds_each) / len(runs) == pytest.approx(80, abs=5)
    assert 180 < most_at_once(runs) < 210


def most_at_once(runs):
    begins = [(run.dispatched, 1) for run in runs]
    changes = sorted([*begins, *((run.finished, -1) for run in runs)])
    return max(accumulate(change for _, change in changes))


@pytest.mark.uncounted
def test_a_burst_is_so_many_times_the_usual_traffic_and_then_over():
    burst = Burst(after=HOUR, lasts=HOUR / 2, times=20)
    scenario = replace(small(), executions_per_day=24_000, plan_runs_per_day=0, bursts=(burst,))
    runs = world_at(scenario, EPOCH + 3 * HOUR).tasks.runs
    hours = [0.0, 1.0, 1.5, 2.5]
    edges = [epoch_ms(EPOCH + hour * HOUR) for hour in hours]
    usual, many, after = (
        sum(low < run.triggered <= high for run in runs) for low, high in pairwise(edges)
    )
    assert usual == pytest.approx(1_000, rel=0.15)
    assert many == pytest.approx(10_000, rel=0.05)
    assert after == pytest.approx(1_000, rel=0.15)


def test_a_burst_changes_nothing_before_it_and_does_not_depend_on_how_its_time_is_cut():
    burst = Burst(after=HOUR, lasts=HOUR / 2, times=20)
    bursting = replace(small(), bursts=(burst,))
    before, steps = EPOCH + HOUR, [EPOCH + timedelta(minutes=minute) for minute in range(1, 121)]
    assert world_at(bursting, before).truth() == world_at(small(), before).truth()
    assert world_at(bursting, *steps).truth() == world_at(bursting, steps[-1]).truth()


def test_every_ending_happens_with_its_own_marks():
    endings = Endings(
        failed=0.1,
        rejected=0.2,
        deploy_failed=0.1,
        terminated=0.1,
        timed_out=0.1,
        shut_down=0.1,
        misfired=0.1,
    )
    runs = World(quiet(executions_per_day=4000, endings=endings), start=EPOCH).tasks.runs
    by_end = {run.end: run for run in runs}
    assert len(by_end) == 7
    assert by_end["EXECUTION_TERMINATED"].stopping
    assert by_end["EXECUTION_FAILED"].error
    misfires = [run for run in runs if run.reason]
    assert {(run.end, run.started) for run in misfires} == {("DEPLOY_FAILED", None)}
    assert any(run.end == "EXECUTION_REJECTED" and not run.shows_finish for run in runs)


async def test_a_scripted_run_lives_through_its_phases(bench):
    made = bench()
    run = made.simulator.world.start_task_run(
        made.task(), lasts=seconds(10), ends="EXECUTION_TERMINATED", dispatch=seconds(3)
    )
    seen = []
    for _ in range(28):
        detail = await made.get(DETAIL.format(run))
        seen.append((detail["status"], detail["executionStatus"]))
        await pass_time(0.5)
    assert list(dict.fromkeys(seen)) == [
        ("dispatching", "EXECUTION_EVENT_RECEIVED"),
        ("dispatching", "DISPATCHING_FLOW"),
        ("executing", "STARTING_FLOW_EXECUTION"),
        ("executing", "STOPPING_FLOW_EXECUTION"),
        ("terminated", "EXECUTION_TERMINATED"),
    ]


async def test_a_misfired_task_has_a_reason_and_no_start(bench):
    made = bench()
    run = made.simulator.world.start_task_run(
        made.task(), ends="DEPLOY_FAILED", reason="TASK_IS_PAUSED"
    )
    await pass_time(5)
    row = (await made.rows())[run]
    assert (row["status"], row["executionStatus"]) == ("deploy_failed", "DEPLOY_FAILED")
    assert row["misfiredExecutionReason"] == "TASK_IS_PAUSED"
    assert "finishTimestamp" in row
    assert "startTimestamp" not in row


@pytest.mark.parametrize(
    "state",
    [
        "EXECUTION_EVENT_RECEIVED",
        "DISPATCHING_FLOW",
        "STARTING_FLOW_EXECUTION",
        "STOPPING_FLOW_EXECUTION",
    ],
)
async def test_a_run_can_be_stuck_in_any_open_state(bench, state):
    made = bench()
    run = made.simulator.world.start_task_run(made.task(), ends=state)
    await pass_time(5 * 86_400)
    detail = await made.get(DETAIL.format(run))
    assert detail["executionStatus"] == state
    assert made.simulator.world.open_count() == 1


async def test_a_run_may_be_staged_in_the_past_the_future_and_under_an_id(bench):
    made = bench()
    world = made.simulator.world
    own = "12345678-1234-4234-8234-123456789abc"
    world.start_task_run(made.task(), at=EPOCH - HOUR, execution_id=own)
    now = world.start_task_run(made.task())
    later = world.start_task_run(made.task(), at=EPOCH + HOUR)
    assert list(await made.rows()) == [now, own]
    assert await made.status(DETAIL.format(later)) == 404
    await pass_time(3600)
    assert list(await made.rows()) == [later, now, own]
    assert await made.status(DETAIL.format(own)) == 200


@pytest.mark.parametrize(
    "wish",
    [
        {"task_id": "nobody"},
        {"ends": "RUNNING"},
        {"execution_id": "not-a-uuid"},
    ],
)
def test_an_impossible_run_is_refused(wish):
    world = World(quiet(), start=EPOCH)
    with pytest.raises((UnknownSubject, ValueError)):
        world.start_task_run(**({"task_id": world.tenant.tasks[0].id} | wish))


def test_an_execution_id_is_given_once():
    world = World(quiet(), start=EPOCH)
    own = "12345678-1234-4234-8234-123456789abc"
    world.start_plan_run(world.tenant.plans[0].id, execution_id=own)
    with pytest.raises(ValueError, match="is taken"):
        world.start_task_run(world.tenant.tasks[0].id, execution_id=own)


@pytest.mark.parametrize("wish", [{"plan_id": "nobody"}, {"fails_at_step": 9}])
def test_an_impossible_plan_run_is_refused(wish):
    world = World(quiet(), start=EPOCH)
    with pytest.raises((UnknownSubject, ValueError)):
        world.start_plan_run(**({"plan_id": world.tenant.plans[0].id} | wish))


async def test_a_failing_step_fails_its_plan_and_runs_the_handler(bench):
    made = bench()
    run = made.simulator.world.start_plan_run(made.plan(), fails_at_step=2, step_lasts=seconds(10))
    path = f"/processing/executions/plans/{run}"
    await pass_time(15)
    running = await made.get(path)
    assert (running["status"], running["doneExecutableCount"]) == ("executing", 1)
    await pass_time(60)
    detail, steps = await made.get(path), await made.get(f"{path}/steps")
    assert (detail["status"], detail["executionStatus"]) == (
        "execution_failed",
        "EXECUTION_FAILED",
    )
    assert [step.get("executionStatus") for step in steps] == [
        "EXECUTION_SUCCESS",
        "EXECUTION_FAILED",
        None,
    ]
    failed = await made.get(f"{path}/steps/{steps[1]['executionId']}")
    ends = [run["executionStatus"] for run in failed["doneTaskExecutableDetails"]]
    assert sorted(ends) == ["EXECUTION_FAILED", "EXECUTION_SUCCESS"]
    handler = await made.get(f"{path}/steps/{steps[1]['executionId']}/error-handler")
    assert handler["executionStatus"] == "EXECUTION_SUCCESS"
    assert await made.status(f"{path}/steps/{steps[0]['executionId']}/error-handler") == 404
    assert await made.status(f"{path}/steps/{made.plan()}") == 404
    assert len(detail["doneExecutableDetails"]) == 4


async def test_a_misfired_plan_says_so(bench):
    made = bench()
    run = made.simulator.world.start_plan_run(made.plan(), reason="PLAN_EXECUTIONS_PAUSED")
    await pass_time(1)
    row = await made.get(f"/processing/executions/plans/{run}")
    assert (row["status"], row["executionStatus"]) == ("execution_misfired", "EXECUTION_MISFIRED")
    assert row["misfiredExecutionReason"] == "PLAN_EXECUTIONS_PAUSED"
    runs_of_plan = f"/processing/executables/plans/{made.plan()}/executions"
    assert list(await made.rows(runs_of_plan)) == [run]


async def test_the_truth_is_what_the_lists_show(bench):
    made = bench(small())
    await pass_time(7200)
    window = {"from": epoch_ms(EPOCH), "to": epoch_ms(EPOCH) + 7_200_000}
    shown = await made.rows(**window)
    last = {}
    for entry in made.simulator.world.truth():
        if entry["kind"] == "task":
            last[entry["execution_id"]] = (entry["status"], entry["execution_status"])
    listed = {key: (row["status"], row["executionStatus"]) for key, row in shown.items()}
    # A late row may lag behind the truth; none other does.
    wrong = {key for key, value in listed.items() if last[key] != value}
    assert len(listed) == 100
    assert len(wrong) <= 2


def test_the_truth_since_a_moment_is_the_rest_of_it():
    world = world_at(small(), EPOCH + HOUR)
    half = EPOCH + HOUR / 2
    assert world.truth(half) == [entry for entry in world.truth() if entry["at"] > half]
    assert {entry["kind"] for entry in world.truth()} == {"task", "plan"}


async def test_the_demo_fails_misfires_and_recovers_within_its_first_minute(bench):
    made = bench(demo())
    await pass_time(60)
    told = [
        (entry["name"], entry["status"], round((entry["at"] - EPOCH).total_seconds()))
        for entry in made.simulator.world.truth(EPOCH)
        if entry["name"] in {"load_customers", "sync_contacts", "nightly_sales"}
        and entry["status"] not in {"dispatching", "executing"}
    ]
    assert told == [
        ("load_customers", "execution_failed", 8),
        ("sync_contacts", "deploy_failed", 15),
        ("nightly_sales", "execution_failed", 20),
        ("load_customers", "execution_successful", 30),
    ]
    assert (await made.get(RUNS))["total"] > 3600


def test_the_script_of_the_demo_comes_round_again():
    truth = world_at(demo(), EPOCH + timedelta(minutes=11)).truth(EPOCH)
    failures = [each for each in truth if each["execution_id"] and each["name"] == "nightly_sales"]
    assert len(failures) == 6


def test_a_name_placed_nowhere_is_an_error():
    with pytest.raises(ValueError, match="no such environment"):
        World(replace(small(), task_names=("MOON/base/load",)), start=EPOCH)


MINUTE = 60_000
LIVES = st.tuples(
    st.integers(0, 300), st.integers(0, 3), st.sampled_from([0, 1, 5, 70, 200]), st.integers(0, 4)
)


@settings(max_examples=60, deadline=None)
@given(
    lives=st.lists(LIVES, max_size=25),
    window=st.tuples(st.integers(-10, 320), st.integers(0, 330)),
    reading=st.sampled_from(["overlap", "trigger", "started"]),
    late=st.integers(0, 10),
)
def test_the_index_finds_what_a_look_at_every_run_finds(lives, window, reading, late):
    task = World(quiet(), start=EPOCH).tenant.tasks[0]
    index = Index[TaskRun]()
    for number, (at, wait, lasts, lag) in enumerate(lives):
        start = at + wait
        index.add(
            TaskRun(
                number=number,
                task=task,
                execution_type="MANUAL",
                triggered=at * MINUTE,
                dispatched=at * MINUTE,
                started=start * MINUTE if lasts else None,
                stopping=None,
                finished=(start + lasts) * MINUTE,
                end="EXECUTION_SUCCESS",
                lag=lag * MINUTE,
            )
        )
    view = View(now=300 * MINUTE, late_by=late * MINUTE, late_share=0.5)
    earliest, latest = (moment * MINUTE for moment in window)
    found = index.select(Span(earliest, latest, reading), view)
    newest = found.page(0, len(found))
    assert {run.number for run in newest} == {
        run.number
        for run in index.runs
        if belongs(run, view, Span(earliest, min(latest, view.now), reading))
    }
    assert [run.triggered for run in newest] == sorted(
        (run.triggered for run in newest), reverse=True
    )


def belongs(run: TaskRun, view: View, span: Span) -> bool:
    at = view.as_of(run)
    if at < run.triggered:
        return False
    if span.reading == "trigger":
        return span.earliest <= run.triggered <= span.latest
    if span.reading == "started" and (run.started is None or run.started > at):
        return False
    ended_before = run.finished <= at and run.finished < span.earliest
    return run.begin(at) <= span.latest and not ended_before
