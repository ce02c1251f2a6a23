"""The first look at a tenant, and what a restart remembers."""

from dataclasses import replace
from datetime import timedelta

import anyio

from tests.acceptance.conftest import hours
from tmcwatch.simulator import small


def failing_for_ten_days():
    return replace(small(), history=timedelta(days=10), plan_runs_per_day=20)


async def test_ten_days_of_failures_are_one_digest(stage):
    tenant = stage(replace(failing_for_ten_days(), executions_per_day=600), history="10d")
    async with tenant.watching() as answers:
        await anyio.sleep(3)
        assert tenant.parts.health.ready().ok
        tenant.simulator.world  # noqa: B018 - moves the world along
        await hours(0.5)
        status = await answers.status()
    digests = [a for a in tenant.inbox.alerts if a["labels"]["rule"] == "watching"]
    assert len(digests) == 1
    assert "20 tasks and 3 plans" in digests[0]["annotations"]["summary"]
    old = [a for a in tenant.inbox.alerts if a["startsAt"] < "2026-11-20"]
    assert old == []
    assert all(one["history_from"] is None for one in status["accounts"][0]["lists"])


async def test_history_is_stored_but_neither_counted_nor_told(stage):
    tenant = stage(replace(small(), executions_per_day=600), history="1d")
    async with tenant.watching() as answers:
        await hours(0.2)
        rows = await answers.transitions(1000)
        status = await answers.status()
    assert sum(row["history"] for row in rows) > 500
    task = next(one for one in status["accounts"][0]["lists"] if one["kind"] == "task")
    assert sum(task["executions"].values()) < 30


async def test_a_restart_continues_at_the_watermark_and_tells_what_happened_meanwhile(stage):
    scenario = replace(
        small(), executions_per_day=0, plan_runs_per_day=0, late_share=0, history=timedelta(0)
    )
    tenant = stage(scenario)
    world = tenant.simulator.world
    async with tenant.watching():
        await hours(0.1)
    world.start_task_run(world.tenant.tasks[0].id, ends="EXECUTION_FAILED")
    await hours(3)
    async with tenant.watching():
        await hours(0.1)
    rules = [alert["labels"]["rule"] for alert in tenant.inbox.alerts]
    assert rules == ["watching", "failed"]


async def test_the_watermark_follows_the_clock_by_the_settle_lag(stage):
    tenant = stage(small())
    async with tenant.watching() as answers:
        await hours(0.5)
        status = await answers.status()
    ages = [one["watermark_age_seconds"] for one in status["accounts"][0]["lists"]]
    assert all(10 <= age <= 22 for age in ages), ages


async def test_a_restart_does_not_prove_what_lies_in_the_future_of_tmc(stage):
    """Before the first answer of a process, TMC's clock is not known."""
    tenant = stage(replace(small(), history=timedelta(0)))
    tenant.simulator.faults.put("clock_skew", seconds=-45.0)
    async with tenant.watching():
        await anyio.sleep(5)
    async with tenant.watching() as answers:
        await anyio.sleep(5)
        status = await answers.status()
    ages = [one["watermark_age_seconds"] for one in status["accounts"][0]["lists"]]
    assert min(ages) >= 10  # on the clock of TMC
