"""Only a part of an account is watched; a workspace vanishes and returns; two accounts."""

from collections import Counter

import anyio
import httpx

from tests.acceptance.conftest import CONFIG
from tests.acceptance.tenants import quiet, use
from tmcwatch.simulator import Simulator, api_app

TOKEN = "token: secret-token"
TWO = CONFIG.replace(
    "watch:", '  - {name: test, url: "http://other", token: secret-token}\nwatch:', 1
)


def scoped(scope):
    return CONFIG.replace(TOKEN, f"{TOKEN}, {scope}")


def told(stage, *labels):
    alerts = [a for a in stage.inbox.alerts if a["labels"]["rule"] != "watching"]
    return [(*(a["labels"][name] for name in labels), a["status"]) for a in alerts]


def opening(stage):
    alerts = stage.inbox.alerts
    (text,) = (a["annotations"]["summary"] for a in alerts if a["labels"]["rule"] == "watching")
    return text


def fail_all(tenant):
    world = tenant.simulator.world
    for task in world.tenant.tasks:
        world.start_task_run(task.id, ends="EXECUTION_FAILED")


def tasks_of(tenant, environment):
    tasks = tenant.simulator.world.tenant.tasks
    return [task for task in tasks if task.workspace.environment.name == environment]


def ages(status):
    accounts = status["accounts"]
    return {one["name"]: one["lists"][0]["watermark_age_seconds"] for one in accounts}


async def minutes(count):
    await anyio.sleep(60 * count)


async def test_only_what_is_in_scope_is_told_counted_and_shown(stage):
    tenant = stage(quiet(), config=scoped("environments: [PROD]"))
    async with tenant.watching() as answers:
        await minutes(2)
        fail_all(tenant)
        await minutes(3)
        exposition = (await answers.metrics(None))[0].decode()
    wanted = {task.name for task in tasks_of(tenant, "PROD")}
    assert 0 < len(wanted) < len(tenant.simulator.world.tenant.tasks)
    assert sorted(told(tenant, "environment", "name")) == sorted(
        ("PROD", name, "firing") for name in wanted
    )
    assert opening(tenant).startswith(f"Now watching prod: {len(wanted)} tasks and ")
    shown = [line for line in exposition.splitlines() if "task_info{" in line]
    assert len(shown) == len(wanted)


async def test_a_wider_scope_watches_from_then_on_and_a_narrower_one_closes_silently(stage):
    tenant = stage(quiet(), config=scoped("environments: [PROD]"))
    async with tenant.watching():
        await minutes(2)
        fail_all(tenant)
        await minutes(3)
    before = len(told(tenant))
    use(tenant, scoped("environments: [TEST]"))
    async with tenant.watching() as answers:
        await minutes(2)
        alerts = await answers.alerts()
        assert {a["end_reason"] for a in alerts if a["labels"]["rule"] == "failed"} == {"closed"}
        fail_all(tenant)
        await minutes(3)
    later = told(tenant, "environment")[before:]
    assert later == [("TEST", "firing")] * len(tasks_of(tenant, "TEST"))


async def test_a_lost_permission_is_told_once_and_once_more_when_it_is_back(stage):
    tenant = stage(quiet())
    lost = tenant.simulator.world.tenant.workspaces[0]
    async with tenant.watching():
        await minutes(20)
        tenant.simulator.faults.put("lost_workspace")
        await minutes(20)
    async with tenant.watching():
        await minutes(40)
        during = told(tenant, "rule", "id", "name", "workspace", "kind")
        tenant.simulator.faults.remove("lost_workspace")
        await minutes(20)
    one = ("workspace_lost", lost.id, lost.name, lost.name, "account")
    assert during == [(*one, "firing")]
    assert told(tenant, "rule")[1:] == [("workspace_lost", "resolved")]
    summary = tenant.inbox.alerts[-1]["annotations"]["summary"]
    assert (
        "no longer visible to this token of prod: a lost permission, or it was deleted" in summary
    )


async def test_a_token_that_may_not_list_workspaces_has_lost_none(stage):
    tenant = stage(quiet())
    async with tenant.watching():
        await minutes(20)
        tenant.simulator.faults.put("error", on="/orchestration/workspaces")
        await minutes(40)
    assert told(tenant) == []


async def test_two_accounts_with_the_same_ids_do_not_mix_and_one_may_be_down(stage, now):
    other = Simulator(
        quiet(), now=now, window="overlap", token="secret-token", connection_lost=httpx.ReadError
    )
    tenant = stage(quiet(), config=TWO, hosts={"other": api_app(other)})
    task = tenant.simulator.world.tenant.tasks[0].id
    assert task == other.world.tenant.tasks[0].id
    async with tenant.watching() as answers:
        await minutes(2)
        other.faults.put("error")
        tenant.simulator.world.start_task_run(task, ends="EXECUTION_FAILED")
        await minutes(10)
        lag = ages(await answers.status())
        other.world.start_task_run(task)
        other.faults.remove("error")
        await minutes(10)
        exposition = (await answers.metrics(None))[0].decode()
    assert Counter(told(tenant, "account", "rule")) == {
        ("prod", "failed", "firing"): 1,
        ("test", "blind", "firing"): 2,
        ("test", "blind", "resolved"): 2,
    }
    assert lag["prod"] < 60
    assert lag["test"] > 500
    failures = 'consecutive_failures{account="%s",environment="PROD"'
    lines = [line for line in exposition.splitlines() if f'id="{task}"' in line]
    value = {
        account: [line[-3:] for line in lines if line.startswith(f"tmcwatch_{failures % account}")]
        for account in ("prod", "test")
    }
    assert value == {"prod": ["1.0"], "test": ["0.0"]}
