"""The plan of requests against what the daemon truly asks, an hour after its start and later."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import CONFIG, hours
from tmcwatch.api.budget import Budget
from tmcwatch.app.planning import shared_budgets, use_of
from tmcwatch.app.surveying import load_of
from tmcwatch.app.wiring import client_of, lists_of
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.fitting import plan_of
from tmcwatch.domain.window import Reading
from tmcwatch.simulator import small, tenant_a
from tmcwatch.simulator.scenario import Durations
from tmcwatch.telemetry.metrics import Metrics

SETTLED_AFTER = 2.05
"""Hours: the history is read, the second pass and the hourly sample have begun."""
SURVEYS = 6
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLOSE, TINY = 0.25, 1.0
CLOSE_IN_ALL = 0.15


def large():
    """Half of tenant A: enough open runs that no page holds them."""
    return replace(
        tenant_a(), tasks=400, executions_per_day=12_000, plan_runs_per_day=500, history=DAY
    )


def lingering():
    """Many runs that take hours, one by one."""
    return replace(
        small(), executions_per_day=4_000, late_share=0, durations=Durations(long_share=0.08)
    )


@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    ("scenario", "window", "beat", "measured"),
    [
        (small, "overlap", "60s", HOUR),
        (small, "trigger", "20s", HOUR),
        (large, "trigger", "60s", HOUR),
    ],
)
async def test_the_daemon_asks_what_was_planned(stage, *, scenario, window, beat, measured):
    tenant = stage(replace(scenario(), late_share=0), window=window, beat=beat, history="6h")
    plans = await compared(tenant, window, measured, what=scenario.__name__)
    assert all(plan.turns == 1 for plan in plans)


async def test_what_is_planned_for_a_budget_that_is_too_small_is_what_is_asked(stage):
    """Open runs are read in turn, and bad ends are asked for by their status besides."""
    text = CONFIG.replace("token: secret-token", "token: secret-token, api_share: 0.004")
    tenant = stage(lingering(), window="trigger", beat="30s", history="6h", config=text)
    plans = await compared(tenant, "trigger", HOUR, what="lingering, api_share 0.004")
    assert any(plan.turns > 1 for plan in plans)


async def test_a_daemon_whose_share_cannot_pay_its_beat_says_so_and_watches_all_the_same(stage):
    text = CONFIG.replace("token: secret-token", "token: secret-token, api_share: 0.001")
    tenant = stage(small(), config=text)
    with structlog.testing.capture_logs() as logs:
        async with tenant.watching():
            await hours(0.1)
    [told] = [line for line in logs if line["event"] == "budget_too_small"]
    assert (told["least_beat_seconds"], told["least_api_share"]) == (67.0, 0.01)
    assert tenant.simulator.journal.total > 5


async def compared(tenant, window, measured, *, what):
    """Run the daemon, and hold what it asks against the plans of the time; answers with them."""
    plans = []
    async with tenant.watching() as answers, surveying(tenant) as survey:
        await hours(SETTLED_AFTER)
        before = await asked(answers)
        for _ in range(SURVEYS):
            use = await survey()
            if measured < DAY:
                second_pass, sample, _ = use.habits.audited
                use = replace(use, habits=replace(use.habits, audited=(second_pass, sample)))
            plans.append(plan_of(use, Reading(window)))
            await anyio.sleep((measured / SURVEYS).total_seconds())
        after = await asked(answers)
    minutes = measured / timedelta(minutes=1)
    truth = {one: (after[one] - before[one]) / minutes for one in Purpose}
    planned = {one: sum(of(plan, one) for plan in plans) / SURVEYS for one in Purpose}
    history = sum(plan.history for plan in plans) / SURVEYS, before[Purpose.BACKFILL]
    judge(f"{what}, {window}, beat {tenant.beat}", planned, truth, history)
    return plans


def judge(what, planned, truth, history):
    said = told(what, planned, truth) + "; history once {:.0f}/{:.0f}".format(*history)
    print(said)
    assert all(is_close(planned[one], truth[one]) for one in Purpose), said
    assert sum(planned.values()) == pytest.approx(sum(truth.values()), rel=CLOSE_IN_ALL), said
    assert history[0] == pytest.approx(history[1], rel=CLOSE, abs=5), said


def is_close(planned, truth):
    return abs(planned - truth) <= max(CLOSE * truth, TINY)


def of(plan, purpose):
    return sum(number for (_, one), number in plan.demand.items() if one is purpose)


def told(what, planned, truth):
    parts = [f"{one.value} {planned[one]:.2f}/{truth[one]:.2f}" for one in Purpose]
    parts.append(f"total {sum(planned.values()):.2f}/{sum(truth.values()):.2f}")
    return f"{what}: planned/asked a minute: {', '.join(parts)}"


@asynccontextmanager
async def surveying(tenant):
    """Answer with how to survey the tenant: by a client and a budget of its own, not counted."""
    config, world = tenant.settings, tenant.world
    [shared] = shared_budgets(config)
    [account] = config.accounts
    budget = Budget(1.0, now=world.now, random=world.random)
    client = client_of(account, budget, Metrics(version="survey"), world)

    async def survey():
        return use_of(config, shared, [await load_of(client, lists_of(config, client))])

    try:
        yield survey
    finally:
        await client.aclose()


async def asked(answers):
    """Answer with how many requests were made so far, by purpose."""
    exposition = (await answers.metrics(None))[0].decode()
    counts = dict.fromkeys(Purpose, 0.0)
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            if sample.name == "tmcwatch_api_queue_wait_seconds_count":
                counts[Purpose(sample.labels["purpose"])] += sample.value
    return counts
