"""Runs that are ended early, corrected, hidden or delayed: what TMC shows, and what is true."""

import pytest

from tests.conftest import EPOCH
from tests.simulator.conftest import PLAN_RUNS, RUNS, epoch_ms, pass_time, quiet, seconds
from tmcwatch.simulator import UnknownSubject

DETAIL = "/processing/executions/{}"
NOBODY = "00000000-0000-4000-8000-000000000000"


def told(made, run, *, since=None):
    """What truly happened to a run: state, and seconds after the beginning."""
    return [
        (each["execution_status"], (each["at"] - EPOCH).total_seconds())
        for each in made.simulator.world.truth(since)
        if each["execution_id"] == run
    ]


async def test_an_open_run_can_be_ended_now(bench):
    made = bench()
    run = made.simulator.world.start_task_run(made.task(), lasts=seconds(3600))
    await pass_time(10)
    made.simulator.world.finish(run, ends="EXECUTION_FAILED", error="killed")
    detail = await made.get(DETAIL.format(run))
    assert (detail["status"], detail["errorMessage"]) == ("execution_failed", "killed")
    assert detail["finishTimestamp"] == "2026-11-20T00:00:10.000Z"
    assert (await made.rows())[run]["status"] == "execution_failed"
    await pass_time(7200)
    assert told(made, run)[-2:] == [("STARTING_FLOW_EXECUTION", 1), ("EXECUTION_FAILED", 10)]
    assert made.simulator.world.open_count() == 0


async def test_a_run_that_is_stuck_can_be_ended(bench):
    made = bench()
    run = made.simulator.world.start_task_run(made.task(), ends="STARTING_FLOW_EXECUTION")
    await pass_time(3 * 86_400)
    made.simulator.world.finish(run)
    await pass_time(60)
    window = {
        "from": epoch_ms(EPOCH + seconds(3 * 86_400)),
        "to": epoch_ms(EPOCH) + 4 * 86_400_000,
    }
    assert (await made.rows(**window))[run]["status"] == "execution_successful"
    assert await made.rows(**(window | {"from": window["from"] + 1})) == {}


async def test_a_run_that_is_ended_before_its_start_never_starts(bench):
    made = bench()
    run = made.simulator.world.start_task_run(made.task(), dispatch=seconds(60))
    await pass_time(30)
    made.simulator.world.finish(run, ends="DEPLOY_FAILED", reason="TASK_IS_PAUSED")
    await pass_time(100)
    row = (await made.rows())[run]
    assert (row["status"], row["misfiredExecutionReason"]) == ("deploy_failed", "TASK_IS_PAUSED")
    assert "startTimestamp" not in row
    assert [state for state, _ in told(made, run)][-1] == "DEPLOY_FAILED"


async def test_a_corrected_run_shows_its_new_end_and_the_truth_has_both(bench):
    made = bench()
    run = made.simulator.world.start_task_run(made.task(), ends="EXECUTION_FAILED", error="no")
    await pass_time(100)
    made.simulator.world.correct(run, ends="EXECUTION_SUCCESS", finished=EPOCH + seconds(90))
    detail = await made.get(DETAIL.format(run))
    assert detail["status"] == "execution_successful"
    assert detail["finishTimestamp"] == "2026-11-20T00:01:30.000Z"
    assert "errorMessage" not in detail
    assert await made.rows(status="execution_failed") == {}
    ends = [("EXECUTION_FAILED", 31), ("EXECUTION_SUCCESS", 100)]
    assert told(made, run)[-2:] == ends
    await pass_time(3600)
    assert told(made, run, since=EPOCH + seconds(99)) == ends[1:]
    made.simulator.world.correct(run, ends="EXECUTION_FAILED")
    assert [state for state, _ in told(made, run)][-3:] == [*(end for end, _ in ends), ends[0][0]]


@pytest.mark.parametrize("window", ["overlap", "started"])
async def test_a_corrected_finish_moves_a_run_into_other_windows(bench, window):
    made = bench(window=window)
    run = made.simulator.world.start_task_run(made.task(), lasts=seconds(10))
    await pass_time(8000)
    later = {"from": epoch_ms(EPOCH) + 7_000_000}
    assert await made.rows(**later) == {}
    made.simulator.world.correct(run, ends="EXECUTION_FAILED", finished=EPOCH + seconds(7500))
    assert (await made.rows(**later)).keys() == {run}
    made.simulator.world.correct(run, ends="EXECUTION_FAILED", finished=EPOCH + seconds(20))
    assert await made.rows(**later) == {}


async def test_a_plan_run_can_be_corrected(bench):
    made = bench()
    run = made.simulator.world.start_plan_run(made.plan(), fails_at_step=1)
    await pass_time(60)
    made.simulator.world.correct(run, ends="EXECUTION_SUCCESS")
    assert (await made.rows(PLAN_RUNS))[run]["status"] == "execution_successful"
    assert [state for state, _ in told(made, run)][1:] == ["EXECUTION_FAILED", "EXECUTION_SUCCESS"]


async def test_a_hidden_run_is_in_no_list_but_there_by_id(bench):
    made = bench()
    world = made.simulator.world
    run, other = (world.start_task_run(made.task()) for _ in range(2))
    world.hide(run, until=EPOCH + seconds(60))
    await pass_time(10)
    page = await made.get(RUNS)
    assert (page["total"], [row["executionId"] for row in page["items"]]) == (1, [other])
    by_task = f"/processing/executables/tasks/{made.task()}/executions"
    assert (await made.rows(by_task)).keys() == {other}
    assert await made.status(DETAIL.format(run)) == 200
    assert ("STARTING_FLOW_EXECUTION", 1) in told(made, run)
    await pass_time(50)
    assert (await made.rows()).keys() == {run, other}
    made.simulator.world.hide(run)
    await pass_time(86_400)
    assert (await made.rows()).keys() == {other}


@pytest.mark.parametrize("window", ["overlap", "trigger", "started"])
async def test_a_delayed_run_is_not_to_be_had_and_then_has_its_true_times(bench, window):
    made = bench(window=window)
    run = made.simulator.world.start_task_run(made.task(), at=EPOCH + seconds(5))
    made.simulator.world.delay(run, until=EPOCH + seconds(120))
    await pass_time(119)
    assert await made.rows() == {}
    assert await made.status(DETAIL.format(run)) == 404
    await pass_time(1)
    row = (await made.rows())[run]
    assert row["triggerTimestamp"] == "2026-11-20T00:00:05.000Z"
    assert row["finishTimestamp"] == "2026-11-20T00:00:36.000Z"
    assert await made.status(DETAIL.format(run)) == 200


async def test_a_delayed_plan_run_is_not_to_be_had(bench):
    made = bench()
    run = made.simulator.world.start_plan_run(made.plan())
    made.simulator.world.delay(run, until=EPOCH + seconds(60))
    await pass_time(30)
    paths = [f"/processing/executions/plans/{run}{rest}" for rest in ("", "/steps")]
    assert [await made.status(path) for path in paths] == [404, 404]
    assert await made.rows(PLAN_RUNS) == {}
    await pass_time(30)
    assert [await made.status(path) for path in paths] == [200, 200]


async def test_what_is_impossible_is_refused(bench):
    made = bench()
    world = made.simulator.world
    run, plan_run = world.start_task_run(made.task()), world.start_plan_run(made.plan())
    never = world.start_task_run(made.task(), ends="DEPLOY_FAILED")
    await pass_time(5)
    world = made.simulator.world
    inside = world.plan_run(plan_run).task_runs[0].execution_id
    refused = [
        lambda: world.correct(run, ends="EXECUTION_FAILED"),
        lambda: world.finish(run, ends="DEPLOY_FAILED"),
        lambda: world.finish(run, ends="DISPATCHING_FLOW"),
        lambda: world.finish(never),
        lambda: world.finish(plan_run),
        lambda: world.finish(inside),
        lambda: world.correct(never, ends="EXECUTION_SUCCESS"),
        lambda: world.correct(never, ends="DEPLOY_FAILED", finished=EPOCH - seconds(1)),
        lambda: world.correct(never, ends="DEPLOY_FAILED", finished=EPOCH + seconds(99)),
        lambda: world.correct(plan_run, ends="EXECUTION_SUCCESS"),
        lambda: world.hide("nobody"),
    ]
    for act in refused:
        with pytest.raises(ValueError, match=r"."):
            act()
    for act in (lambda: world.hide(NOBODY), lambda: world.finish(NOBODY)):
        with pytest.raises(UnknownSubject):
            act()
    await pass_time(60)
    with pytest.raises(ValueError, match="inside a plan"):
        made.simulator.world.correct(inside, ends="EXECUTION_FAILED")


async def test_what_was_changed_is_forgotten_with_the_rest(bench):
    made = bench(quiet(keeps=seconds(3600)))
    run = made.simulator.world.start_task_run(made.task())
    await pass_time(60)
    made.simulator.world.correct(run, ends="EXECUTION_FAILED")
    await pass_time(7200)
    assert made.simulator.world.truth() == []
