"""The watching itself fails: that is told once, and once more when it heals."""

import anyio
import pytest

from tests.acceptance.conftest import CONFIG
from tests.acceptance.tenants import quiet

GROUPED = CONFIG.replace('group_by: ["..."], group_wait: 0s', "group_wait: 30s")


def told(stage):
    """Answer with what the messages said, in order, the opening digest apart."""
    return [
        (alert["labels"]["rule"], alert["labels"]["kind"], alert["status"])
        for alert in stage.inbox.alerts
        if alert["labels"]["rule"] != "watching"
    ]


async def minutes(count):
    await anyio.sleep(60 * count)


async def test_twenty_minutes_without_tmc_are_one_critical_message_and_the_end_of_it_is_told(
    stage,
):
    tenant = stage(quiet(), config=GROUPED)
    async with tenant.watching():
        await minutes(2)
        tenant.simulator.faults.put("error", status=503)
        await minutes(20)
        during = told(tenant)
        tenant.simulator.faults.remove("error")
        await minutes(10)
    begun = [("blind", "plan", "firing"), ("blind", "task", "firing")]
    assert sorted(during) == begun
    over = [("blind", "plan", "resolved"), ("blind", "task", "resolved")]
    assert sorted(told(tenant)[2:]) == over
    # The opening digest, blind, and seeing again: of one list a moment before the other, as each
    # takes its turn in the budget, and an end in a group told long ago does not wait.
    assert len(tenant.inbox.messages) in {3, 4}
    alert = next(a for a in tenant.inbox.alerts if a["labels"]["kind"] == "task")
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["summary"].startswith(
        "No look at tasks of prod succeeded since 2026-11-20 00:0"
    )
    assert "503" in alert["annotations"]["summary"]


async def test_a_wrong_token_is_told_as_that_and_as_nothing_else(stage):
    tenant = stage(quiet())
    tenant.simulator.faults.put("revoked_token")
    async with tenant.watching():
        await minutes(60)
        during = told(tenant)
        tenant.simulator.faults.remove("revoked_token")
        await minutes(10)
    assert during == [("account_unauthorized", "account", "firing")]
    assert told(tenant)[1:] == [("account_unauthorized", "account", "resolved")]


async def test_a_list_whose_order_never_holds_is_told_and_its_failures_are_told_all_the_same(
    stage,
):
    tenant = stage(quiet())
    world = tenant.simulator.world
    async with tenant.watching() as answers:
        await minutes(2)
        tenant.simulator.faults.put("unstable_order", on="/executables/tasks/executions")
        for number in range(300):
            world.start_task_run(world.tenant.tasks[number % 9].id)
        world.start_task_run(world.tenant.tasks[9].id, ends="EXECUTION_FAILED")
        await minutes(15)
        exposition = (await answers.metrics(None))[0].decode()
        fresh = await answers.fresh()
    assert sorted(told(tenant)) == [("blind", "task", "firing"), ("failed", "task", "firing")]
    assert "window_rereads_total" in exposition
    assert 'alerts_firing{rule="blind",severity="critical"} 1.0' in exposition
    assert not fresh.ok
    blind = next(a for a in tenant.inbox.alerts if a["labels"]["rule"] == "blind")
    assert "changes while it is read" in blind["annotations"]["summary"]


@pytest.mark.parametrize("fault", ["error", "revoked_token"])
async def test_a_restart_while_nothing_is_seen_tells_nothing_again(stage, fault):
    tenant = stage(quiet())
    async with tenant.watching():
        await minutes(2)
        tenant.simulator.faults.put(fault)
        await minutes(10)
    before = told(tenant)
    for _ in range(3):
        async with tenant.watching():
            await minutes(7)
    assert before
    assert told(tenant) == before
    tenant.simulator.faults.remove(fault)
    async with tenant.watching():
        await minutes(7)
    assert {status for _, _, status in told(tenant)[len(before) :]} == {"resolved"}
    assert len(told(tenant)) == 2 * len(before)


async def test_a_rule_that_is_off_is_not_told_and_another_severity_is(stage):
    rules = "rules: [{rule: blind, severity: info}, {rule: account_unauthorized, enabled: false}]"
    tenant = stage(quiet(), config=f"{CONFIG}{rules}\n")
    async with tenant.watching():
        for fault in ("revoked_token", "error"):
            await minutes(2)
            tenant.simulator.faults.put(fault)
            await minutes(10)
            tenant.simulator.faults.remove(fault)
    alerts = [a for a in tenant.inbox.alerts if a["labels"]["rule"] != "watching"]
    assert {(a["labels"]["rule"], a["labels"]["severity"]) for a in alerts} == {("blind", "info")}


async def test_a_clock_ten_minutes_off_makes_nobody_blind(stage):
    for seconds in (-600.0, 600.0):
        tenant = stage(quiet())
        tenant.simulator.faults.put("clock_skew", seconds=seconds)
        async with tenant.watching():
            await minutes(30)
        assert told(tenant) == []
