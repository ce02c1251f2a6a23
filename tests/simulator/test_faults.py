"""Each fault does what it says, where, as often and for as many as it is told."""

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import EPOCH
from tests.simulator.conftest import PLAN_RUNS, RUNS, epoch_ms, pass_time, quiet, seconds
from tmcwatch.simulator import BadOption, Faults, UnknownFault, small

DETAIL = "/processing/executions/{}"


def lively(bench, **options):
    return bench(quiet(executions_per_day=5000), **options)


@pytest.mark.parametrize(
    ("style", "retry_after", "kind"),
    [
        ("none", None, "application/json"),
        ("seconds", "3", "application/json"),
        ("date", "Fri, 20 Nov 2026 00:00:02 GMT", "application/json"),
        ("html", None, "text/html"),
    ],
)
async def test_a_throttle_answers_429_in_every_style(bench, style, retry_after, kind):
    made = bench()
    made.simulator.faults.put("throttle", style=style, retry_after=2.5)
    answer = await made.api.get(RUNS)
    assert answer.status_code == 429
    assert answer.headers.get("retry-after") == retry_after
    assert answer.headers["content-type"] == kind


async def test_a_throttle_may_allow_a_rate_for_each_path(bench):
    made = bench()
    made.simulator.faults.put("throttle", above=3)
    assert [await made.status(RUNS) for _ in range(5)] == [200, 200, 200, 429, 429]
    assert await made.status(PLAN_RUNS) == 200
    await pass_time(1)
    assert await made.status(RUNS) == 200


async def granted(made, path=RUNS, *, seconds, every):
    """Ask all the time, and answer with how many were let pass."""
    statuses = []
    for _ in range(round(seconds / every)):
        statuses.append(await made.status(path))
        await pass_time(every)
    assert set(statuses) <= {200, 429}
    return statuses.count(200)


@pytest.mark.parametrize("per_minute", [7, 30, 59])
async def test_a_token_bucket_grants_exactly_so_many_a_minute(bench, per_minute):
    made = bench()
    made.simulator.faults.put("throttle", per_minute=per_minute, burst=4)
    await granted(made, seconds=30, every=0.25)  # empties it
    minutes = [await granted(made, seconds=60, every=0.25) for _ in range(3)]
    assert minutes == [per_minute] * 3


async def test_a_token_bucket_grants_its_burst_at_once_and_fills_up_again(bench):
    made = bench()
    made.simulator.faults.put("throttle", per_minute=30, burst=4)
    assert [await made.status(RUNS) for _ in range(6)] == [200] * 4 + [429] * 2
    await pass_time(3600)
    assert [await made.status(RUNS) for _ in range(6)] == [200] * 4 + [429] * 2


async def test_each_api_has_a_token_bucket_of_its_own(bench):
    made = bench()
    made.simulator.faults.put("throttle", per_minute=30, burst=1)
    assert [await made.status(path) for path in (RUNS, PLAN_RUNS)] == [200, 429]
    assert await made.status("/orchestration/workspaces") == 200


async def test_a_token_bucket_is_full_again_when_another_is_put_in_force(bench):
    made = bench()
    made.simulator.faults.put("throttle", per_minute=1, burst=1)
    assert [await made.status(RUNS) for _ in range(2)] == [200, 429]
    made.simulator.faults.put("throttle", per_minute=1, burst=2)
    assert [await made.status(RUNS) for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("style", "retry_after"),
    [("none", None), ("seconds", "12"), ("date", "Fri, 20 Nov 2026 00:00:12 GMT"), ("html", None)],
)
async def test_a_token_bucket_asks_to_wait_for_its_next_token(bench, style, retry_after):
    made = bench()
    made.simulator.faults.put("throttle", style=style, per_minute=5, burst=1)
    assert await made.status(RUNS) == 200
    answer = await made.api.get(RUNS)
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, retry_after)
    await pass_time(12)
    assert await made.status(RUNS) == 200


async def test_a_token_bucket_asks_for_no_shorter_wait_than_it_is_told(bench):
    made = bench()
    made.simulator.faults.put("throttle", style="seconds", per_minute=60, burst=1, retry_after=30)
    assert await made.status(RUNS) == 200
    assert (await made.api.get(RUNS)).headers["retry-after"] == "30"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", ["json", "html"])
async def test_an_error_is_an_error_in_json_or_html(bench, status, body):
    made = bench()
    made.simulator.faults.put("error", status=status, body=body)
    answer = await made.api.get(RUNS)
    assert answer.status_code == status
    assert answer.headers["content-type"].endswith(body)


async def test_a_revoked_token_is_refused_even_if_it_is_right(bench):
    made = bench()
    made.simulator.faults.put("revoked_token", on="plans")
    assert [await made.status(path) for path in (RUNS, PLAN_RUNS)] == [200, 401]


async def test_a_fault_goes_off_by_itself_after_its_times(bench):
    made = bench()
    made.simulator.faults.put("error", times=2)
    assert [await made.status(RUNS) for _ in range(3)] == [503, 503, 200]
    assert made.simulator.faults.in_force() == {}


async def test_a_share_of_requests_is_hit(bench):
    made = bench()
    made.simulator.faults.put("error", share=0.3)
    hits = [await made.status(RUNS) for _ in range(200)].count(503)
    assert 30 < hits < 90


async def test_without_a_connection_a_reset_raises_what_one_chooses(bench):
    made = bench(connection_lost=httpx.ReadError)
    made.simulator.faults.put("reset", times=1)
    with pytest.raises(httpx.ReadError, match="dropped by the simulator"):
        await made.api.get(RUNS)
    assert made.simulator.journal.requests[-1].status is None


async def test_without_a_connection_a_stall_ends_as_a_lost_one(bench):
    made = bench()
    made.simulator.faults.put("stall", seconds=120)
    with pytest.raises(ConnectionResetError):
        await made.api.get(RUNS)
    assert anyio.current_time() >= 120


async def test_a_slow_answer_takes_its_time_and_is_whole(bench):
    made = lively(bench)
    made.simulator.faults.put("slow", seconds=10)
    page = await made.get(RUNS)
    assert len(page["items"]) == 100
    assert 9 < anyio.current_time() < 11


async def test_a_cut_answer_is_no_json(bench):
    made = lively(bench)
    whole = (await made.api.get(RUNS)).content
    made.simulator.faults.put("cut", keep=0.25, times=1)
    part = (await made.api.get(RUNS)).content
    assert whole.startswith(part)
    assert len(part) == len(whole) // 4


async def test_a_cut_connection_is_lost(bench):
    made = bench(connection_lost=httpx.RemoteProtocolError)
    made.simulator.faults.put("cut", connection=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await made.api.get(RUNS)


async def test_late_rows_and_ends_are_seen_later(bench):
    made = bench()
    run = made.simulator.world.start_task_run(made.task(), lasts=seconds(10))
    made.simulator.faults.put("late", seconds=60)
    await pass_time(30)
    assert await made.rows() == {}
    assert await made.status(DETAIL.format(run)) == 404
    await pass_time(35)
    assert (await made.rows())[run]["status"] == "executing"
    await pass_time(30)
    assert (await made.rows())[run]["status"] == "execution_successful"


async def test_only_a_share_of_rows_is_late(bench):
    made = lively(bench)
    whole = (await made.get(RUNS, lastDays=1))["total"]
    made.simulator.faults.put("late", seconds=86_400, share=0.5)
    assert 0.35 * whole < (await made.get(RUNS, lastDays=1))["total"] < 0.65 * whole


async def test_an_unstable_order_differs_from_request_to_request(bench):
    made = bench(quiet(executions_per_day=50))
    stable = list(await made.rows())
    made.simulator.faults.put("unstable_order")
    orders = [list(await made.rows()) for _ in range(3)]
    assert all(sorted(order) == sorted(stable) for order in orders)
    assert len({tuple(order) for order in [stable, *orders]}) == 4


async def test_a_duplicate_pushes_the_last_row_off_a_full_page(bench):
    made = lively(bench)
    before = (await made.get(RUNS, limit=10))["items"]
    made.simulator.faults.put("duplicate")
    after = (await made.get(RUNS, limit=10))["items"]
    assert after == [before[0], *before[:9]]


async def test_a_skewed_clock_shifts_date_timestamps_and_windows(bench):
    made = bench()
    run = made.simulator.world.start_task_run(made.task())
    made.simulator.faults.put("clock_skew", seconds=3600)
    answer = await made.api.get(RUNS, params={"from": epoch_ms(EPOCH) + 1_800_000})
    assert answer.headers["date"] == "Fri, 20 Nov 2026 01:00:00 GMT"
    [row] = answer.json()["items"]
    assert row["triggerTimestamp"] == "2026-11-20T01:00:00.000Z"
    assert made.simulator.world.truth()[0]["at"] == EPOCH
    assert await made.rows(to=epoch_ms(EPOCH)) == {}
    assert run == row["executionId"]


async def test_a_lost_workspace_takes_rows_and_names_along(bench):
    made = bench(small())
    tenant = made.simulator.world.tenant
    lost = tenant.workspaces[0]
    mine = {task.id for task in tenant.tasks if task.workspace == lost}
    run = made.simulator.world.start_task_run(min(mine))
    plan = next(plan for plan in tenant.plans if plan.workspace == lost)
    assert mine & {row["taskId"] for row in (await made.rows()).values()}
    made.simulator.faults.put("lost_workspace")
    assert not mine & {row["taskId"] for row in (await made.rows()).values()}
    names = await made.get("/orchestration/executables/tasks")
    assert not mine & {row["executable"] for row in names["items"]}
    assert lost.id not in {row["id"] for row in await made.get("/orchestration/workspaces")}
    gone = f"/processing/executables/tasks/{min(mine)}/executions"
    gone_plan = f"/processing/executables/plans/{plan.id}/executions"
    paths = (DETAIL.format(run), gone, gone_plan, f"/orchestration/executables/plans/{plan.id}")
    assert [await made.status(path) for path in paths] == [404] * 4


async def test_a_workspace_is_lost_by_name_or_id(bench):
    made = bench(small())
    made.simulator.faults.put("lost_workspace", workspace="sales")
    left = await made.get("/orchestration/workspaces")
    assert {row["name"] for row in left} == {"finance"}


async def test_unknown_statuses_are_shown_for_running_rows_only(bench):
    made = bench()
    world = made.simulator.world
    running = world.start_task_run(made.task(), lasts=seconds(600))
    ended = world.start_task_run(made.task(), lasts=seconds(1))
    await pass_time(60)
    made.simulator.faults.put("unknown_status", status="paused", execution_status="PAUSED")
    rows = await made.rows()
    assert (rows[running]["status"], rows[running]["executionStatus"]) == ("paused", "PAUSED")
    assert rows[ended]["status"] == "execution_successful"


@pytest.mark.parametrize("shape", ["types", "null"])
async def test_one_row_of_a_page_is_malformed(bench, shape):
    made = lively(bench)
    made.simulator.faults.put("bad_row", shape=shape)
    items = (await made.get(RUNS, limit=9))["items"]
    bad = [row for row in items if row is None or row["status"] == 17]
    assert len(bad) == 1
    assert (bad[0] is None) is (shape == "null")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("throttle", {"style": "loud"}),
        ("throttle", {"retry_after": "soon"}),
        ("error", {"status": 418}),
        ("error", {"times": 0}),
        ("error", {"times": 1.5}),
        ("cut", {"connection": 1}),
        ("slow", {"seconds": True}),
        ("slow", {"minutes": 1}),
        ("slow", {"on": None}),
    ],
)
def test_a_wrong_option_is_refused(name, options):
    with pytest.raises(BadOption):
        Faults().put(name, **options)


def test_an_unknown_fault_is_refused():
    with pytest.raises(UnknownFault, match="there are throttle"):
        Faults().put("earthquake")


@given(times=st.integers(1, 20), asked=st.integers(0, 40))
def test_a_fault_strikes_as_often_as_it_may(times, asked):
    faults = Faults()
    faults.put("reset", times=times)
    struck = [faults.strike("reset", "/x") for _ in range(asked)]
    assert sum(each is not None for each in struck) == min(times, asked)


def test_faults_can_be_taken_away():
    faults = Faults()
    faults.put("reset")
    faults.put("stall")
    assert (faults.remove("reset"), faults.remove("reset")) == (True, False)
    faults.clear()
    assert faults.in_force() == {}


async def test_what_is_no_http_is_left_alone(bench):
    made = bench()
    await made.api._transport.app({"type": "lifespan"}, None, None)
    assert made.simulator.journal.total == 0
