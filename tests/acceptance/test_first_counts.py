"""Counters are there at 0 before there is anything to count: born at 1, they hide an increase."""

import anyio
import pytest

from tests.acceptance.conftest import CONFIG
from tests.acceptance.scraping import COUNTERS, scraped
from tests.acceptance.tenants import quiet

pytestmark = pytest.mark.uncounted

AUDITED = CONFIG.replace("watch: {", "watch: {promotions: {audit_log: true}, ", 1)

NAMED_BY_TMC = {
    "tmcwatch_api_requests_total": "answers have any status, and operations are many: `code`",
    "tmcwatch_unrecognised_statuses_total": "the statuses are those that nobody knows of",
}
"""Counters whose labels nobody knows before, and why."""


def disturb(tenant):
    """Make happen whatever is counted, as far as it can be made to from outside."""
    world, faults = tenant.simulator.world, tenant.simulator.faults
    tasks, plans = world.tenant.tasks, world.tenant.plans
    for reason in ("REMOTE_ENGINE_UNAVAILABLE", "TASK_IS_PAUSED", "PIPELINE_ARTIFACT_NOT_FOUND"):
        world.start_task_run(tasks[0].id, ends="DEPLOY_FAILED", reason=reason)
    world.start_plan_run(plans[0].id, reason="PLAN_EXECUTIONS_PAUSED")
    for task, end in zip(tasks, ("EXECUTION_FAILED", "EXECUTION_REJECTED"), strict=False):
        world.start_task_run(task.id, ends=end)
    world.start_task_run(tasks[1].id)
    faults.put("unknown_status")
    faults.put("bad_row", times=9, on="/processing/executables/tasks")
    faults.put("unstable_order", times=4)
    faults.put("throttle", times=1)
    tenant.inbox.answers = [500, 429, 401, 400]


async def test_every_counter_is_there_once_the_watch_has_begun(stage):
    tenant = stage(quiet(), config=AUDITED)
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        found = (await scraped(answers)).counters()
    assert set(COUNTERS) - {name for name, *_ in found} <= NAMED_BY_TMC.keys()
    counted = {name for (name, *_), value in found.items() if value}
    assert counted <= {"tmcwatch_api_requests_total", "tmcwatch_notifications_total"}


async def test_what_is_counted_has_been_there_at_nothing_before(stage):
    tenant = stage(quiet(), config=AUDITED)
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        before = (await scraped(answers)).counters()
        disturb(tenant)
        await anyio.sleep(600)
        after = (await scraped(answers)).counters()
    grown = {series for series, value in after.items() if value > before.get(series, 0)}
    born = {name for name, *_ in grown - before.keys()}
    assert born == NAMED_BY_TMC.keys(), "each of them, and no other"
    assert before.keys() <= after.keys()
    assert {name for name, *_ in grown} >= {
        "tmcwatch_misfires_total",
        "tmcwatch_notification_failures_total",
        "tmcwatch_quarantined_rows_total",
        "tmcwatch_api_throttled_total",
        "tmcwatch_executions_total",
    }


async def test_lists_are_counted_also_before_tmc_lets_them_be_read(stage):
    tenant = stage(quiet())
    tenant.simulator.faults.put("error")
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        found = (await scraped(answers)).counters()
    for kind in ("task", "plan"):
        series = ("tmcwatch_quarantined_rows_total", ("account", "prod"), ("kind", kind))
        assert found.get(series) == 0
