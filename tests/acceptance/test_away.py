"""TMC is gone for hours: blind, seeing again, one digest, and what still fails; nothing twice."""

import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from tests.acceptance.conftest import hours
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.window import Window
from tmcwatch.simulator import small
from tmcwatch.tracking.absorbing import absorb


def quiet():
    return replace(
        small(), executions_per_day=0, plan_runs_per_day=0, late_share=0, history=timedelta(0)
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


def begin_to_catch_up(tenant, began):
    """Write what the first look after an outage says, whatever the look itself does of it."""
    now = tenant.now()
    look = Looked(
        account=AccountName("prod"),
        kind=Kind.TASK,
        at=now,
        rows=(),
        head=False,
        away=Window(start=began, end=now),
    )
    tenant.parts.store.write(lambda connection: absorb(connection, look))


@pytest.mark.parametrize("restarts", [False, True])
async def test_three_hours_without_tmc_are_told_in_a_few_messages(stage, restarts):
    tenant = stage(quiet())
    async with tenant.watching():
        await anyio.sleep(60)
        began = tenant.now()
        tenant.simulator.faults.put("error")
        await fail_five_and_recover_three(tenant)
        begin_to_catch_up(tenant, began)
        tenant.simulator.faults.remove("error")
        if not restarts:
            await hours(0.3)
    if restarts:
        for seconds in (1, 2, 3, 1000):
            async with tenant.watching():
                await anyio.sleep(seconds)
    assert told(tenant) == EXPECTED
    (digest,) = (a for a in tenant.inbox.alerts if a["labels"]["rule"] == "away")
    assert digest["annotations"]["summary"] == (
        "While prod was out of sight (2026-11-20 00:01 to 03:01 UTC): 5 failures, of which 3 have "
        "recovered; 2 are still failing and told separately."
    )
    failed = [a for a in tenant.inbox.alerts if a["labels"]["rule"] == "failed"]
    summaries = [a["annotations"]["summary"] for a in failed]
    late = re.compile(r"failed, found (1 h 5\d min|2 h) after it happened")
    assert [s for s in summaries if not late.search(s)] == []
