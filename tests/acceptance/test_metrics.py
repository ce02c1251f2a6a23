"""What is scraped follows what is watched: deleted tasks vanish, and the config chooses detail."""

from dataclasses import replace
from datetime import timedelta

import anyio
import httpx
import pytest

from tests.acceptance.conftest import CONFIG
from tests.acceptance.scraping import scraped
from tests.acceptance.tenants import quiet, use
from tmcwatch.simulator import Simulator, api_app

pytestmark = pytest.mark.uncounted

DETAIL = "tmcwatch_expected_duration_median_seconds"


def with_detail(**metrics):
    written = ", ".join(f"{key}: {value}" for key, value in metrics.items())
    return f"{CONFIG}metrics: {{{written}}}\n"


def delete(tenant, task):
    world = tenant.simulator.world
    rest = tuple(one for one in world.tenant.tasks if one.id != task.id)
    world.tenant = replace(world.tenant, tasks=rest)


async def test_the_series_of_a_task_that_tmc_lists_no_longer_vanish(stage):
    tenant = stage(quiet())
    gone, stays = tenant.simulator.world.tenant.tasks[:2]
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        tenant.simulator.world.start_task_run(gone.id)
        await anyio.sleep(60)
        before = await scraped(answers)
        delete(tenant, gone)
        await anyio.sleep(timedelta(minutes=20).total_seconds())
        after = await scraped(answers)
    assert len(before.of(gone.id)) == len(before.of(stays.id)) + 2, "its last success and end"
    assert after.of(gone.id) == []
    assert len(after.of(stays.id)) == len(before.of(stays.id))
    name = "tmcwatch_workspace_executions_total"
    assert after.named(name) == before.named(name), "what ran was counted of the workspace"


async def test_the_config_chooses_whose_run_times_are_told_and_how_much_there_is(stage):
    tenant = stage(quiet(), config=with_detail(detail="['name=~\".*_0001\"']"))
    tasks = tenant.simulator.world.tenant.tasks
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        for task in tasks[:3]:
            tenant.simulator.world.start_task_run(task.id, lasts=timedelta(seconds=42))
        await anyio.sleep(120)
        found = await scraped(answers)
    wanted = {task.id for task in tasks[:3] if task.name.endswith("_0001")}
    assert {one.labels["id"]: one.value for one in found.named(DETAIL)} == dict.fromkeys(
        wanted, 42
    )
    use(tenant, with_detail(series=1000))
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        later = await scraped(answers)
    assert later.named(DETAIL) == []
    assert len(later.samples) <= 1000


TWO = CONFIG.replace(
    "watch:", '  - {name: test, url: "http://other", token: secret-token}\nwatch:', 1
)
PROD_ONLY = CONFIG.replace("token: secret-token", "token: secret-token, environments: [PROD]")


def fail_all(world):
    for task in world.tenant.tasks:
        world.start_task_run(task.id, ends="EXECUTION_FAILED")


async def seen_after(tenant, minutes=2):
    async with tenant.watching() as answers:
        await anyio.sleep(60 * minutes)
        return await scraped(answers)


def never_down(earlier, later, **labels):
    """Whether each stored counter that is there later is no less than it was."""
    before, after = (one.counters(**labels) for one in (earlier, later))
    stored = [series for series in before if ("workspace" in dict(series[1:]))]
    assert stored
    return all(after[series] >= before[series] for series in stored if series in after)


async def test_nothing_is_told_of_an_account_that_was_dropped_and_its_counters_go_on(stage, now):
    other = Simulator(quiet(), now=now, token="secret-token", connection_lost=httpx.ReadError)
    tenant = stage(quiet(), config=TWO, hosts={"other": api_app(other)})
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        fail_all(other.world)
        await anyio.sleep(60)
        both = await scraped(answers)
        assert {account["name"] for account in (await answers.status())["accounts"]} == {
            "prod",
            "test",
        }
    use(tenant, CONFIG)
    alone = await seen_after(tenant)
    assert {one.labels["account"] for one in alone.samples if "account" in one.labels} == {"prod"}
    use(tenant, TWO)
    again = await seen_after(tenant)
    assert never_down(both, again, account="test")


async def test_counters_of_a_workspace_that_leaves_the_scope_stay_and_go_on_later(stage):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        fail_all(tenant.simulator.world)
        await anyio.sleep(60)
        all_of_it = await scraped(answers)
    use(tenant, PROD_ONLY)
    part = await seen_after(tenant)
    assert never_down(all_of_it, part)
    name = "tmcwatch_workspace_executions_total"
    assert part.named(name) == all_of_it.named(name)
    assert not [
        one for one in part.samples if "id" in one.labels and one.labels["environment"] == "TEST"
    ]
    use(tenant, CONFIG)
    assert never_down(all_of_it, await seen_after(tenant))
