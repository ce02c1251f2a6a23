"""The whole daemon in a planned maintenance: what breaks in it is told after it, if at all."""

import anyio

from tests.acceptance.conftest import CONFIG
from tests.acceptance.tenants import quiet

PATCHED = CONFIG.replace("group_interval: 1s", "group_interval: 1m") + (
    "maintenance:\n"
    "  - {name: patches, cron: '10 1 * * *', duration: 20m, time_zone: Europe/Paris,\n"
    "     matchers: ['account=\"prod\"']}\n"
)


async def is_active(answers) -> bool:
    lines = (await answers.metrics(None))[0].decode().splitlines()
    (value,) = (line[-3:] for line in lines if line.startswith("tmcwatch_maintenance_active{"))
    return bool(value == "1.0")


async def test_what_breaks_in_maintenance_is_told_after_it_and_what_recovers_is_not(stage):
    tenant = stage(quiet(), config=PATCHED)
    world = tenant.simulator.world
    lasting, brief = (task.id for task in world.tenant.tasks[:2])
    async with tenant.watching() as answers:  # from midnight in UTC; in Paris it is 1:00
        await anyio.sleep(9 * 60)
        assert not await is_active(answers)
        await anyio.sleep(2 * 60)
        for task in (lasting, brief):
            world.start_task_run(task, ends="EXECUTION_FAILED")
        await anyio.sleep(8 * 60)
        world.start_task_run(brief, ends="EXECUTION_SUCCESS")
        await anyio.sleep(9 * 60)
        assert await is_active(answers)
        assert [alert["labels"]["rule"] for alert in tenant.inbox.alerts] == ["watching"]
        await anyio.sleep(4 * 60)
        assert not await is_active(answers)
    (told,) = [a for a in tenant.inbox.alerts if a["labels"]["rule"] != "watching"]
    assert (told["labels"]["id"], told["status"]) == (lasting, "firing")
