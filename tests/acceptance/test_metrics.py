"""What is scraped follows what is watched: deleted tasks vanish, and the config chooses detail."""

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from tests.acceptance.conftest import CONFIG
from tests.acceptance.scraping import quiet, scraped, use

pytestmark = pytest.mark.usefixtures("uncounted")

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
