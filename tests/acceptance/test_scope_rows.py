"""What is outside of the scope is not stored, not counted, and costs no request of its own."""

import anyio
from sqlalchemy import select

from tests.acceptance.conftest import CONFIG
from tests.acceptance.tenants import quiet
from tmcwatch.store.schema import counters, executions, transitions

SCOPED = CONFIG.replace("token: secret-token", "token: secret-token, environments: [PROD]")


def column(tenant, column, *conditions):
    query = select(column).where(*conditions)
    return set(tenant.parts.store.read(lambda c: c.execute(query).scalars().all()))


async def test_rows_of_what_is_outside_are_left_where_they_are(stage):
    tenant = stage(quiet(), config=SCOPED)
    world = tenant.simulator.world
    inside = {t.id for t in world.tenant.tasks if t.workspace.environment.name == "PROD"}
    outside = {task.id for task in world.tenant.tasks} - inside
    async with tenant.watching():
        await anyio.sleep(120)
        world = tenant.simulator.world
        failed = {id_: world.start_task_run(id_, ends="EXECUTION_FAILED") for id_ in outside}
        for id_ in inside:
            world.start_task_run(id_, ends="EXECUTION_FAILED")
        await anyio.sleep(300)
        stored = column(tenant, executions.c.subject)
        told = column(tenant, transitions.c.subject)
        counted = column(tenant, counters.c.environment, counters.c.value > 0)
    assert stored == told == inside
    assert "TEST" not in counted
    asked = " ".join(request.path for request in tenant.simulator.journal.requests)
    assert [run for run in failed.values() if run in asked] == []
