"""Looks through the real client at a simulated tenant, under both readings of its windows."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import anyio
import httpx
import pytest

from tests.domain.telling import PROD
from tests.services.lists import SETTLE, Watching
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.token import TokenText
from tmcwatch.domain.execution import Kind, Phase
from tmcwatch.domain.window import OFFSET_LIMIT, UNBOUNDED
from tmcwatch.polling.asking import PlanList, TaskList
from tmcwatch.polling.catching_up import catch_up
from tmcwatch.polling.history import read_history
from tmcwatch.polling.names import read_names
from tmcwatch.simulator import OLD_DIALECT, Dialect, Simulator, api_app, small
from tmcwatch.store.executions import load_executions

pytestmark = pytest.mark.uncounted

QUIET = replace(small(), executions_per_day=0, plan_runs_per_day=0, late_share=0.0)


@pytest.fixture
def tenant(store, now):
    """Make a simulated tenant and ways to watch its lists: `tenant(window="trigger")`."""

    def make(
        kind=TaskList, *, scenario=QUIET, window="overlap", history=timedelta(), dialect=None
    ):
        simulator = Simulator(
            scenario, now=now, window=window, dialect=dialect, connection_lost=httpx.ReadError
        )
        client = Client(
            PROD,
            base_url="http://tmc",
            http=httpx.AsyncClient(transport=httpx.ASGITransport(app=api_app(simulator))),
            budget=Budget(0.2, now=now, random=lambda: 0.5),
            token=TokenText(simulator.token),
            now=now,
        )
        return simulator, Watching(tmc=kind(client), store=store, now=now, history=history)

    return make


async def beats(watch: Watching, count: int) -> None:
    for _ in range(count):
        await watch.looker.look()
        await anyio.sleep(10)


@pytest.mark.parametrize("window", ["overlap", "trigger"])
async def test_a_long_run_is_followed_to_its_failure(tenant, window):
    simulator, watch = tenant(window=window)
    await beats(watch, 1)
    task = simulator.world.tenant.tasks[0].id
    run = simulator.world.start_task_run(
        task, lasts=timedelta(minutes=9), ends="EXECUTION_FAILED", error="ORA-1"
    )
    await beats(watch, 60)
    assert watch.ends(quiet=False) == [(run, Phase.FAILED)]
    found = watch.store.read(lambda c: load_executions(c, PROD, watch.tmc.kind, [run]))
    assert (found[run].row.error, found[run].row.detailed) == ("ORA-1", True)


@pytest.mark.parametrize("window", ["overlap", "trigger"])
async def test_a_day_of_a_tenant_is_seen_exactly_as_it_was(tenant, window):
    scenario = replace(small(), late_share=0.0, history=timedelta(hours=6))
    simulator, watch = tenant(scenario=scenario, window=window, history=timedelta(hours=6))
    await beats(watch, 1)
    await read_history(watch.looker)
    await beats(watch, 360)
    known = watch.ends()
    assert len(known) == len(set(known)) > 100
    until = watch.position.watermark - SETTLE
    truth = {
        step["execution_id"]
        for step in simulator.world.truth()
        if step["kind"] == "task"
        and watch.position.watched_from < step["at"] < until
        and step["status"] not in {"dispatching", "executing"}
    }
    assert truth <= {execution for execution, _ in known}


async def test_a_broken_plan_is_told_with_its_failing_step(tenant):
    simulator, watch = tenant(PlanList)
    await beats(watch, 1)
    plan = simulator.world.tenant.plans[0].id
    run = simulator.world.start_plan_run(plan, fails_at_step=2, error="ORA-1")
    await beats(watch, 6)
    assert watch.ends() == [(run, Phase.FAILED)]
    rows = [row for look in watch.looks for row in look.rows if row.phase is Phase.FAILED]
    assert rows[0].breakage is not None
    assert rows[0].breakage.step.startswith("step 2 of")
    assert rows[0].breakage.error == "ORA-1"


async def test_a_plan_that_lists_do_not_show_is_read_by_its_id(tenant):
    simulator, watch = tenant(PlanList, window="trigger")
    await beats(watch, 1)
    plan = simulator.world.tenant.plans[0].id
    run = simulator.world.start_plan_run(plan, step_lasts=timedelta(minutes=2))
    await beats(watch, 50)
    assert watch.ends() == [(run, Phase.SUCCEEDED)]


@pytest.mark.parametrize("kind", [TaskList, PlanList])
async def test_the_names_of_a_tenant_are_read_and_strangers_looked_up(tenant, kind):
    simulator, watch = tenant(kind)
    assert await read_names(PROD, watch.tmc.client, now=watch.now, send=watch.send)
    world = simulator.world.tenant
    kinds = Counter(subject.kind for subject in watch.sent[0].subjects)
    assert (kinds[Kind.TASK], kinds[Kind.PLAN]) == (len(world.tasks), len(world.plans))
    subject = (world.tasks if kind is TaskList else world.plans)[0]
    named = await watch.tmc.named(subject.id)
    assert (named.name, named.environment) == (subject.name, subject.workspace.environment.name)


@pytest.mark.parametrize("fault", [{"status": 503.0}, {"status": 500.0, "body": "html"}])
async def test_an_outage_of_tmc_loses_nothing(tenant, fault):
    simulator, watch = tenant(window="trigger")
    await beats(watch, 1)
    simulator.faults.put("error", **fault)
    run = simulator.world.start_task_run(
        simulator.world.tenant.tasks[0].id, ends="EXECUTION_FAILED"
    )
    await beats(watch, 30)
    assert watch.ends() == []
    simulator.faults.clear()
    await beats(watch, 10)
    assert watch.ends() == [(run, Phase.FAILED)]


async def test_unstable_pages_are_read_until_they_prove_everything(tenant):
    simulator, watch = tenant()
    await beats(watch, 1)
    tasks = simulator.world.tenant.tasks
    for number in range(250):
        simulator.world.start_task_run(tasks[number % 20].id, lasts=timedelta(seconds=2))
    await anyio.sleep(20)
    simulator.faults.put("unstable_order", times=4)
    await beats(watch, 4)
    assert len(watch.ends()) == 250
    assert watch.rereads
    assert watch.position.watermark > watch.now() - timedelta(seconds=25)


@pytest.mark.parametrize(
    ("dialect", "deepest"), [(Dialect(), OFFSET_LIMIT), (OLD_DIALECT, UNBOUNDED)]
)
@pytest.mark.parametrize("window", ["overlap", "trigger"])
async def test_an_outage_of_a_busy_tenant_is_caught_up_with_whatever_tmc_takes(
    tenant, dialect, deepest, window
):
    simulator, watch = tenant(window=window, dialect=dialect)
    await beats(watch, 1)
    tasks = simulator.world.tenant.tasks
    began = watch.now()
    await anyio.sleep(7200)
    for number in range(2_400):
        at = began + timedelta(seconds=60 + 2.9 * number)
        simulator.world.start_task_run(tasks[number % 20].id, at=at, lasts=timedelta(seconds=1))
    await watch.looker.look()
    with anyio.move_on_after(120):
        await catch_up(watch.looker)
    await watch.looker.look()
    assert len(watch.ends()) == 2_400
    assert watch.position.away is None
    assert watch.looker.reader.limits.deepest in {None, deepest}


@pytest.mark.parametrize("window", ["overlap", "trigger"])
async def test_more_runs_of_one_moment_than_tmc_lets_us_page_are_read_by_their_places(
    tenant, window
):
    simulator, watch = tenant(window=window)
    await read_names(PROD, watch.tmc.client, now=watch.now, send=watch.send)
    await beats(watch, 1)
    tasks = simulator.world.tenant.tasks
    for number in range(1_500):
        simulator.world.start_task_run(
            tasks[number % 20].id, lasts=timedelta(seconds=1), ends="EXECUTION_FAILED"
        )
    await beats(watch, 20)
    assert len(watch.ends()) == 1_500
    assert "bisected" in watch.rereads
    assert watch.position.watermark > watch.now() - timedelta(minutes=2)
