"""TMC misbehaves for a while: it shows, nothing is missed, and it heals by itself."""

from typing import Any

import anyio
import pytest

from tests.acceptance.tenants import quiet

FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "throttled": ("throttle", {}),
    "throttled_for_seconds": ("throttle", {"style": "seconds", "retry_after": 30}),
    "throttled_until": ("throttle", {"style": "date", "retry_after": 30}),
    "throttled_by_a_gateway": ("throttle", {"style": "html"}),
    "broken": ("error", {"status": 500}),
    "behind_a_gateway": ("error", {"status": 502, "body": "html"}),
    "reset": ("reset", {}),
    "cut": ("cut", {}),
    "revoked": ("revoked_token", {}),
}


def rules(stage):
    alerts = stage.inbox.alerts
    return [one["labels"]["rule"] for one in alerts if one["labels"]["rule"] != "watching"]


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_an_outage_is_shown_missed_by_nothing_and_heals(stage, name):
    tenant = stage(quiet())
    fault, options = FAULTS[name]
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        assert (await answers.fresh()).ok
        tenant.simulator.faults.put(fault, **options)
        world = tenant.simulator.world
        world.start_task_run(world.tenant.tasks[0].id, ends="EXECUTION_FAILED")
        await anyio.sleep(1200)
        during = await answers.fresh()
        tenant.simulator.faults.remove(fault)
        await anyio.sleep(180)
        after = await answers.fresh()
    assert not during.ok
    assert after.ok, after.reasons
    ours = "account_unauthorized" if fault == "revoked_token" else "blind"
    lists = 1 if fault == "revoked_token" else 2
    pressure = ["throttled"] if fault == "throttle" else []  # not over yet, by so short a calm
    assert sorted(rules(tenant)) == sorted([ours] * 2 * lists + ["failed"] + pressure)


async def test_a_refused_token_says_so(stage):
    tenant = stage(quiet())
    tenant.simulator.faults.put("revoked_token")
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        fresh = await answers.fresh()
        ready = tenant.parts.health.ready()
    assert ready.ok
    assert "401" in " ".join(fresh.reasons) or "never read" in " ".join(fresh.reasons)


@pytest.mark.parametrize("fault", ["unstable_order", "duplicate", "late", "clock_skew", "bad_row"])
async def test_odd_lists_lose_no_failure_and_double_none(stage, fault):
    options = {"late": {"seconds": 8.0}, "clock_skew": {"seconds": 240.0}}.get(fault, {})
    tenant = stage(quiet())
    tenant.simulator.faults.put(fault, **options)
    world = tenant.simulator.world
    async with tenant.watching():
        await anyio.sleep(120)
        for task in world.tenant.tasks[:5]:
            world.start_task_run(task.id, ends="EXECUTION_FAILED")
        await anyio.sleep(600)
    assert rules(tenant) == ["failed"] * 5 if fault != "bad_row" else len(rules(tenant)) >= 4


async def test_a_store_that_cannot_be_written_is_shown_and_heals(stage):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        await stop_writes(tenant, "BEFORE UPDATE ON capture")
        await anyio.sleep(120)
        during, exposition = await answers.fresh(), (await answers.metrics(None))[0].decode()
        await allow_writes(tenant)
        await anyio.sleep(120)
        after = await answers.fresh()
    assert "no space left" in " ".join(during.reasons)
    assert "tmcwatch_store_up 0.0" in exposition
    assert after.ok, after.reasons


async def stop_writes(tenant, event):
    """Make writes fail as on a full disk, by a trigger in the database itself."""
    raising = f"CREATE TRIGGER full {event} BEGIN SELECT RAISE(FAIL, 'no space left'); END"
    tenant.parts.store.write(lambda connection: connection.exec_driver_sql(raising))


async def allow_writes(tenant):
    tenant.parts.store.write(lambda connection: connection.exec_driver_sql("DROP TRIGGER full"))
