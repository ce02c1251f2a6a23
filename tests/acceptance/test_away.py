"""TMC is gone for hours: blind, seeing again, one digest, and what still fails; nothing twice."""

import re
from collections import Counter

import anyio
import pytest

from tests.acceptance.conftest import hours
from tests.acceptance.tenants import quiet

OUT_OF_SIGHT = re.compile(
    r"While prod was out of sight \(2026-11-20 00:0[01] to 0(2:5\d|3:0\d) UTC\): "
    r"5 failures, of which 3 have recovered; 2 are still failing and told separately\."
)


def told(stage):
    alerts = [a for a in stage.inbox.alerts if a["labels"]["rule"] != "watching"]
    return Counter((a["labels"]["rule"], a["labels"]["kind"], a["status"]) for a in alerts)


EXPECTED = {
    ("blind", "task", "firing"): 1,
    ("blind", "plan", "firing"): 1,
    ("blind", "task", "resolved"): 1,
    ("blind", "plan", "resolved"): 1,
    ("away", "account", "firing"): 1,
    ("failed", "task", "firing"): 2,
}


async def fail_five_and_recover_three(tenant):
    tasks = [task.id for task in tenant.simulator.world.tenant.tasks[:5]]
    await hours(1)
    for task in tasks:
        tenant.simulator.world.start_task_run(task, ends="EXECUTION_FAILED")
    await hours(1)
    for task in tasks[:3]:
        tenant.simulator.world.start_task_run(task)
    await hours(1)


@pytest.mark.parametrize("restarts", [False, True])
async def test_three_hours_without_tmc_are_told_in_a_few_messages(stage, restarts):
    tenant = stage(quiet())
    async with tenant.watching():
        await anyio.sleep(60)
        tenant.simulator.faults.put("error")
        await fail_five_and_recover_three(tenant)
        tenant.simulator.faults.remove("error")
        if not restarts:
            await hours(0.3)
    if restarts:
        for seconds in (1, 2, 3, 1000):
            async with tenant.watching():
                await anyio.sleep(seconds)
    assert told(tenant) == EXPECTED
    (digest,) = (a for a in tenant.inbox.alerts if a["labels"]["rule"] == "away")
    assert OUT_OF_SIGHT.fullmatch(digest["annotations"]["summary"])
    failed = [a for a in tenant.inbox.alerts if a["labels"]["rule"] == "failed"]
    summaries = [a["annotations"]["summary"] for a in failed]
    late = re.compile(r"failed, found (1 h 5\d min|2 h) after it happened")
    assert [s for s in summaries if not late.search(s)] == []
