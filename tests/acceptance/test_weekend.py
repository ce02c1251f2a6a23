"""TMC is gone for a weekend in which thousands of runs fail: on Monday a few messages say all."""

from dataclasses import replace
from datetime import timedelta

from tests.acceptance.conftest import hours
from tmcwatch.simulator import small

CONFIG = """
accounts:
  - {name: prod, url: "http://tmc", token: secret-token}
watch: {beat: %(beat)s, settle: {floor: 10s}, history: %(history)s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team}
receivers:
  - {name: team, webhook: {url: "http://hook/alerts"}}
"""
RUNS = 2_000
WEEKEND = 60
"""Hours."""


def tenant_of_two_environments(tasks):
    return replace(
        small(),
        tasks=tasks,
        executions_per_day=0,
        plan_runs_per_day=0,
        late_share=0,
        history=timedelta(0),
    )


def fail_all_weekend(tenant, tasks, now):
    """Two thousand runs fail; a quarter of the tasks have recovered in the end."""
    world = tenant.simulator.world
    runs = RUNS // tasks
    for number, task in enumerate(world.tenant.tasks[:tasks]):
        for run in range(runs):
            at = now + timedelta(hours=1 + 50 * run / runs, seconds=number)
            world.start_task_run(task.id, at=at, ends="EXECUTION_FAILED")
        if number % 4 == 0:
            world.start_task_run(task.id, at=now + timedelta(hours=WEEKEND - 2))


async def test_a_weekend_without_tmc_is_told_in_three_messages_at_most(stage, now):
    tasks = 200
    tenant = stage(tenant_of_two_environments(tasks), beat="10m", config=CONFIG)
    async with tenant.watching():
        await hours(0.5)
        fail_all_weekend(tenant, tasks, now())
        tenant.simulator.faults.put("reset")
        await hours(WEEKEND)
        before = list(tenant.inbox.messages)
        tenant.simulator.faults.remove("reset")
        await hours(2)
    monday = [m for key, m in tenant.inbox.messages.items() if key not in before]
    assert len(monday) <= 3, [m["tmcwatch"]["title"] for m in monday]
    (summary,) = (m for m in monday if m["tmcwatch"]["storm"])
    assert summary["tmcwatch"]["storm"]["counts"]["rule"]["failed"] == tasks * 3 // 4
    (digest,) = (a for a in summary["alerts"] if a["labels"]["rule"] == "away")
    assert (
        f"{tasks} failures, of which {tasks // 4} have recovered"
        in (digest["annotations"]["summary"])
    )
