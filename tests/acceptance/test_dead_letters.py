"""A receiver refuses messages for good, is mended, and is told once what it had missed."""

import anyio
import pytest

from tests.acceptance.conftest import CONFIG
from tests.acceptance.tenants import quiet
from tmcwatch.serving.operations import Letters, NotKnown


def failing(stage, **settings):
    world = stage.simulator.world
    world.start_task_run(world.tenant.tasks[0].id, **settings)


def told(stage):
    return [
        (alert["labels"]["rule"], alert["status"])
        for alert in stage.inbox.alerts
        if alert["labels"]["rule"] != "watching"
    ]


@pytest.fixture
async def tenant(stage):
    return stage(quiet())


async def test_a_refused_message_is_told_once_after_the_receiver_was_mended(tenant):
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        tenant.inbox.answers = [400]
        failing(tenant, ends="EXECUTION_FAILED")
        await anyio.sleep(300)
        (letter,) = await answers.dead_deliveries("team", 100)
        assert told(tenant) == []
        done = await answers.replay_deliveries(Letters(ids=(letter["id"],)))
        await anyio.sleep(1)  # the bell was rung: no beat is waited for
        assert told(tenant) == [("failed", "firing")]
        again = await answers.replay_deliveries(Letters(ids=(letter["id"],)))
        failing(tenant)
        await anyio.sleep(300)
        assert await answers.dead_deliveries(None, 100) == []
        assert await answers.owed_deliveries(None, 100) == []
    assert letter["tells"][0]["alertname"] == "failed"
    assert "answered 400" in letter["error"]
    assert (done["replayed"], again["replayed"], again["left"]) == (1, 0, 1)
    assert told(tenant) == [("failed", "firing"), ("failed", "resolved")]


async def test_what_has_recovered_by_then_is_one_message_that_says_both(tenant):
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        tenant.inbox.answers = [400, 400]
        failing(tenant, ends="EXECUTION_FAILED")
        await anyio.sleep(300)
        failing(tenant)
        await anyio.sleep(300)
        assert len(await answers.dead_deliveries(None, 100)) == 2
        await answers.replay_deliveries(Letters())
        await anyio.sleep(60)
    assert told(tenant) == [("failed", "resolved")]


@pytest.mark.parametrize("send_resolved", ["true", "false"])
async def test_an_end_that_the_group_has_not_told_yet_is_told_once(stage, send_resolved):
    config = CONFIG.replace("group_interval: 1s", "group_interval: 20m")
    config = config.replace("name: team,", f"name: team, send_resolved: {send_resolved},")
    tenant = stage(quiet(), config=config)
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        tenant.inbox.answers = [400]
        failing(tenant, ends="EXECUTION_FAILED")
        await anyio.sleep(120)
        failing(tenant)
        await anyio.sleep(120)
        done = await answers.replay_deliveries(Letters(receiver="team"))
        await anyio.sleep(1200)
        assert await answers.dead_deliveries(None, 100) == []
    assert told(tenant) == [("failed", "resolved")]
    # Where ends are told, the group's own message tells this one, with its beginning.
    assert done["replayed"] == (0 if send_resolved == "true" else 1)


async def test_a_receiver_that_refused_the_login_is_tried_again_at_once(tenant):
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        tenant.inbox.answers = [401]
        failing(tenant, ends="EXECUTION_FAILED")
        await anyio.sleep(60)
        assert len(await answers.dead_deliveries("team", 100)) == 1
        await answers.replay_deliveries(Letters(receiver="team"))
        await anyio.sleep(1)
        assert told(tenant) == [("failed", "firing")]


async def test_what_nobody_knows_is_named_and_nothing_is_sent(tenant):
    async with tenant.watching() as answers:
        await anyio.sleep(60)
        tenant.inbox.answers = [400]
        failing(tenant, ends="EXECUTION_FAILED")
        await anyio.sleep(60)
        (letter,) = await answers.dead_deliveries("team", 100)
        with pytest.raises(NotKnown, match="no delivery has the id nothing"):
            await answers.replay_deliveries(Letters(ids=(letter["id"], "nothing")))
        for asking in (answers.dead_deliveries("nobody", 1), answers.owed_deliveries("x", 1)):
            with pytest.raises(NotKnown, match="there are team"):
                await asking
        with pytest.raises(NotKnown):
            await answers.replay_deliveries(Letters(receiver="nobody"))
    assert told(tenant) == []
