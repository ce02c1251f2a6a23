"""Promotions: somebody names an execution, and is told how it ended."""

import random
from datetime import timedelta

import anyio
import pytest

from tests.acceptance.conftest import CONFIG
from tests.acceptance.tenants import quiet
from tests.oracle import episodes
from tests.oracle import told as told_of
from tmcwatch.domain.built_in import ABOUT_OURSELVES
from tmcwatch.simulator import Dialect

MINUTE = timedelta(minutes=1)
ID = "00000000-0000-4000-8000-000000009001"
AUDITED = CONFIG.replace("watch: {", "watch: {promotions: {audit_log: true}, ")
CONFIGURED = CONFIG.replace("watch: {", f"watch: {{promotions: {{ids: [{ID}]}}, ")


def promote(stage, ends="PROMOTED", **settings):
    return stage.simulator.world.start_promotion("TEST to PROD", ends=ends, **settings)


def told(stage):
    """Answer with what was told of promotions: an outage opens alerts of its own."""
    return [
        (alert["labels"]["rule"], alert["status"])
        for alert in stage.inbox.alerts
        if alert["labels"]["rule"] not in ABOUT_OURSELVES
    ]


async def minutes(count):
    await anyio.sleep(60 * count)


async def test_a_pipeline_posts_an_id_and_the_failure_names_the_objects_that_failed(stage):
    tenant = stage(quiet())
    promotion = tenant.simulator.world.promotions.definitions[0]
    broken = [task.name for task in promotion.tasks[:2]]
    async with tenant.watching() as answers:
        await minutes(1)
        run = promote(tenant, "PROMOTION_FAILED", broken=broken, error="no such engine")
        answer, is_new = await answers.follow_promotion(None, run)
        assert answer == {"account": "prod", "execution": run, "watching": True}
        assert is_new
        await minutes(5)
    assert told(tenant) == [("promotion_failed", "firing")]
    alert = tenant.inbox.alerts[-1]
    assert alert["annotations"]["summary"] == "promotion TEST to PROD failed"
    error = alert["annotations"]["error"]
    assert error.startswith("promotion failed: 2 of ")
    assert all(f"task {name}: no such engine" in error for name in broken)
    labels = {"kind": "promotion", "id": promotion.id, "environment": "PROD", "workspace": ""}
    assert labels.items() <= alert["labels"].items()


async def test_the_next_promotion_that_succeeds_is_told_as_a_recovery_across_a_restart(stage):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await minutes(1)
        await answers.follow_promotion("prod", promote(tenant, "PROMOTION_FAILED"))
        await minutes(5)
        running = promote(tenant, lasts=10 * MINUTE)
        await answers.follow_promotion("prod", running)
        await minutes(1)
    async with tenant.watching():
        await minutes(15)
    assert told(tenant) == [("promotion_failed", "firing"), ("promotion_failed", "resolved")]
    assert tenant.inbox.alerts[-1]["annotations"].get("end_reason", "recovered") == "recovered"


@pytest.mark.parametrize(
    ("ends", "defective", "rule"),
    [
        ("PROMOTION_WARNING", False, "promotion_warning"),
        ("PROMOTED", True, "promotion_defective"),
        ("PROMOTION_FAILED", True, "promotion_failed"),
    ],
)
async def test_every_bad_end_is_told_by_its_own_rule_alone(stage, ends, defective, rule):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await minutes(1)
        await answers.follow_promotion(None, promote(tenant, ends, defective=defective))
        await minutes(5)
    assert told(tenant) == [(rule, "firing")]


async def test_many_promotions_are_told_as_they_were_across_restarts(stage):
    tenant = stage(quiet(environments=("DEV", "TEST", "PROD")), beat="30s")
    dice = random.Random(7)
    ends = ["PROMOTED", "PROMOTED", "PROMOTION_FAILED", "PROMOTION_WARNING", "ANALIZED"]
    for _ in range(4):
        async with tenant.watching() as answers:
            await minutes(1)
            for _ in range(6):
                name = dice.choice(["DEV to TEST", "TEST to PROD"])
                lasts = dice.choice([0.2, 2, 12]) * MINUTE
                world = tenant.simulator.world
                run = world.start_promotion(name, ends=dice.choice(ends), lasts=lasts)
                await answers.follow_promotion("prod", run)
                await minutes(dice.choice([1, 5]))
    async with tenant.watching():
        await minutes(20)
    truth = tenant.simulator.world.truth()
    expected = episodes(truth, {"promotion": tenant.simulator.start})
    found = told_of(tenant.inbox.messages.values())
    assert found.episodes == expected
    assert len(expected) > 3
    assert found.repeats == ()


@pytest.mark.parametrize("ends", ["PROMOTED", "ANALIZED", "PROMOTION_STARTED"])
async def test_what_is_no_bad_end_is_not_told(stage, ends):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await minutes(1)
        await answers.follow_promotion(None, promote(tenant, ends))
        await minutes(5)
    assert told(tenant) == []


async def test_an_id_that_is_unknown_at_first_is_followed_all_the_same(stage):
    tenant = stage(quiet())
    tenant.simulator.faults.put("not_known_yet", on="/promotions/")
    async with tenant.watching() as answers:
        await minutes(1)
        await answers.follow_promotion(None, promote(tenant, "PROMOTION_FAILED"))
        await minutes(5)
    assert told(tenant) == [("promotion_failed", "firing")]


async def test_an_id_that_never_existed_is_given_up_after_a_day_and_stays_unknown(stage):
    tenant = stage(quiet(), beat="30m")
    path = f"/processing/executions/promotions/{ID}"
    async with tenant.watching() as answers:
        await answers.follow_promotion(None, ID)
        await minutes(60 * 25)
        asked = sum(each.path == path for each in tenant.simulator.journal.requests)
        assert 10 < asked < 50
        await minutes(60)
        (one,) = await answers.promotions()
    assert sum(each.path == path for each in tenant.simulator.journal.requests) == asked
    assert (one["phase"], one["given_up"], one["since"]) == ("unknown", True, None)
    assert told(tenant) == []


async def test_a_request_is_told_even_if_the_promotion_was_over_before_the_account_was_watched(
    stage,
):
    tenant = stage(quiet())
    run = promote(tenant, "PROMOTION_FAILED")
    await minutes(10)
    async with tenant.watching() as answers:
        await minutes(5)
        await answers.follow_promotion(None, run)
        await minutes(5)
    assert told(tenant) == [("promotion_failed", "firing")]


async def test_what_the_config_names_is_history_if_it_ended_before_the_first_look(stage):
    tenant = stage(quiet(), config=CONFIGURED)
    promote(tenant, "PROMOTION_FAILED", execution_id=ID)
    await minutes(10)
    async with tenant.watching() as answers:
        await minutes(10)
        (one,) = await answers.promotions()
    assert (one["phase"], one["source"], one["name"]) == ("failed", "config", "TEST to PROD")
    assert told(tenant) == []


async def test_what_the_config_names_is_told_if_it_ends_later(stage):
    tenant = stage(quiet(), config=CONFIGURED)
    promote(tenant, "PROMOTION_FAILED", execution_id=ID, lasts=5 * MINUTE)
    async with tenant.watching():
        await minutes(10)
    assert told(tenant) == [("promotion_failed", "firing")]


@pytest.mark.parametrize("shape", ["documented", "shouting", "nested"])
async def test_the_audit_log_tells_of_promotions_that_nobody_named(stage, shape):
    tenant = stage(quiet(), config=AUDITED, beat="1m")
    tenant.simulator.dialect = Dialect(audit_entries=shape)
    async with tenant.watching() as answers:
        await minutes(5)
        promote(tenant, "PROMOTION_FAILED")
        await minutes(10)
        (one,) = await answers.promotions()
    assert (one["source"], one["phase"]) == ("audit_log", "failed")
    assert told(tenant) == [("promotion_failed", "firing")]


async def test_what_the_audit_log_does_not_name_is_counted_once(stage):
    tenant = stage(quiet(), config=AUDITED, beat="1m")
    tenant.simulator.dialect = Dialect(audit_entries="bare")
    async with tenant.watching() as answers:
        await minutes(5)
        promote(tenant, "PROMOTION_FAILED")
        await minutes(30)
        exposition = (await answers.metrics(None))[0].decode()
    assert 'tmcwatch_audit_entries_unread_total{account="prod"} 1.0' in exposition
    assert told(tenant) == []


async def test_a_forbidden_audit_log_is_asked_again_only_after_an_hour(stage):
    tenant = stage(quiet(), config=AUDITED, beat="1m")
    tenant.simulator.faults.put("forbidden", on="/security/")
    async with tenant.watching():
        await minutes(100)
    asked = [each for each in tenant.simulator.journal.requests if "/security/" in each.path]
    assert len(asked) == 2


async def test_promotions_leave_freshness_and_the_other_lists_alone(stage):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await minutes(1)
        await answers.follow_promotion(None, promote(tenant, "PROMOTION_STARTED"))
        await answers.follow_promotion(None, ID)
        await minutes(30)
        assert (await answers.fresh()).ok
        status = await answers.status()
        exposition = (await answers.metrics(None))[0].decode()
    assert {one["kind"] for one in status["accounts"][0]["lists"]} == {"task", "plan"}
    assert [one["phase"] for one in status["promotions"]] == ["unknown", "running"]
    assert 'watermark_timestamp_seconds{account="prod",kind="promotion"}' not in exposition
    assert 'kind="promotion",result="defective",workspace=""} 0.0' in exposition
    assert 'kind="task",result="defective"' not in exposition


async def test_an_unknown_status_of_a_promotion_is_no_end(stage):
    tenant = stage(quiet())
    tenant.simulator.faults.put("unknown_status", on="/promotions/", status="REVIEWING")
    async with tenant.watching() as answers:
        await minutes(1)
        await answers.follow_promotion(None, promote(tenant, lasts=60 * MINUTE))
        await minutes(10)
        (one,) = await answers.promotions()
        exposition = (await answers.metrics(None))[0].decode()
    assert one["phase"] == "unrecognised"
    assert 'kind="promotion",status="REVIEWING"} 1.0' in exposition
    assert told(tenant) == []


async def test_an_outage_of_tmc_loses_no_promotion(stage):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await minutes(1)
        tenant.simulator.faults.put("error", status=503)
        await answers.follow_promotion(None, promote(tenant, "PROMOTION_FAILED"))
        await minutes(20)
        tenant.simulator.faults.clear()
        await minutes(10)
    assert told(tenant) == [("promotion_failed", "firing")]


async def test_one_id_that_tmc_cannot_bear_does_not_hold_up_the_others(stage):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await minutes(1)
        tenant.simulator.faults.put("error", on=ID, status=500)
        await answers.follow_promotion(None, ID)
        await answers.follow_promotion(None, promote(tenant, "PROMOTION_FAILED"))
        await minutes(5)
    assert told(tenant) == [("promotion_failed", "firing")]
