"""What a changed config does to what is open and what is owed."""

import anyio

from tests.acceptance.conftest import CONFIG
from tests.acceptance.tenants import quiet, use

WITHOUT_FAILED = CONFIG + "rules: [{rule: failed, enabled: false}]\n"
OTHER_RECEIVER = CONFIG.replace("name: team,", "name: night,").replace(
    "receiver: team", "receiver: night"
)


async def fail_one(tenant):
    world = tenant.simulator.world
    world.start_task_run(world.tenant.tasks[0].id, ends="EXECUTION_FAILED")
    await anyio.sleep(120)


async def test_alerts_of_a_rule_that_is_gone_are_closed_silently(stage):
    tenant = stage(quiet())
    async with tenant.watching():
        await anyio.sleep(60)
        await fail_one(tenant)
    use(tenant, WITHOUT_FAILED)
    async with tenant.watching() as answers:
        await anyio.sleep(600)
        alerts = await answers.alerts()
    assert [one["end_reason"] for one in alerts if one["labels"]["rule"] == "failed"] == ["closed"]
    assert [alert["status"] for alert in tenant.inbox.alerts] == ["firing", "firing"]


async def test_what_is_owed_to_a_receiver_that_is_gone_is_dead_and_told_to_that_of_today(stage):
    tenant = stage(quiet())
    tenant.inbox.answers = [500] * 1000
    async with tenant.watching():
        await anyio.sleep(60)
        await fail_one(tenant)
    tenant.inbox.answers = []
    use(tenant, OTHER_RECEIVER)
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        deliveries = await answers.deliveries(10)
    assert {one["state"] for one in deliveries if one["receiver"] == "team"} == {"dead"}
    (told,) = (m for m in tenant.inbox.messages.values() if "failed" in str(m["alerts"]))
    assert told["receiver"] != "team"


async def test_a_test_message_goes_the_real_way(stage):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        results = await answers.notify_test("team")
        await anyio.sleep(60)
    assert [one["accepted"] for one in results] == [True]
    assert tenant.inbox.alerts[0]["labels"]["rule"] == "test"
