"""What TMC's limits taught outlives the process: pauses, rates, and a disk that was full."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import anyio
import pytest

from tests.acceptance.tenants import quiet
from tmcwatch.config import load
from tmcwatch.domain.budget import Family
from tmcwatch.store.budgets import remembered_paces
from tmcwatch.store.engine import Store

PAUSE = {"style": "seconds", "retry_after": 900}
GAUGE = 'tmcwatch_api_rate_requests_per_second{account="prod",family="processing"} '


def rate_shown(stage):
    lines = stage.parts.metrics.render(None, None)[0].decode().splitlines()
    return next(float(line.removeprefix(GAUGE)) for line in lines if line.startswith(GAUGE))


def remembered(stage):
    with closing(Store(stage.settings.store.url)) as store:
        return store.read(lambda connection: remembered_paces(connection, "http://tmc"))


def asked_at(stage, since):
    """Answer with when a list was asked for, whatever the answer was."""
    journal = stage.simulator.journal.since(since)
    return [one.at for one in journal if one.path.startswith("/processing/")]


def run(stage, script):
    with closing(sqlite3.connect(stage.folder / "tmcwatch.db")) as connection:
        connection.executescript(script)


async def throttled(stage):
    """Run until TMC refused the lists; answer with when that was and when the run ended."""
    async with stage.watching():
        await anyio.sleep(65)
        before = stage.now()
        stage.simulator.faults.put("throttle", **PAUSE)
        await anyio.sleep(60)
        stage.simulator.faults.remove("throttle")
    return min(asked_at(stage, before)), stage.now()


async def test_a_restart_asks_nothing_before_the_pause_is_over(stage):
    tenant = stage(quiet())
    refused, stopped = await throttled(tenant)
    async with tenant.watching() as answers:
        await anyio.sleep(1200)
        assert (await answers.fresh()).ok
    assert min(asked_at(tenant, stopped)) >= refused + timedelta(seconds=900)


async def test_after_a_restart_the_gauges_show_the_remembered_rate_at_once(stage):
    tenant = stage(quiet())
    await throttled(tenant)
    async with tenant.watching():
        await anyio.sleep(0.001)
        assert rate_shown(tenant) == pytest.approx(5.1)


async def test_a_pause_that_is_remembered_makes_it_ready_and_says_what_it_waits_for(stage):
    tenant = stage(quiet())
    await throttled(tenant)
    await anyio.sleep(120)
    async with tenant.watching() as answers:
        await anyio.sleep(1)
        ready, fresh = tenant.parts.health.ready(), await answers.fresh()
    assert ready.ok
    assert all("TMC wants no request before 2026-11-20" in reason for reason in fresh.reasons)
    assert len(fresh.reasons) == 2


async def test_twenty_restarts_in_a_pause_ask_nothing(stage):
    tenant = stage(quiet())
    _, stopped = await throttled(tenant)
    for _ in range(20):
        async with tenant.watching():
            await anyio.sleep(2)
    assert asked_at(tenant, stopped) == []


async def test_another_share_does_not_end_the_pause(stage):
    tenant = stage(quiet())
    _, stopped = await throttled(tenant)
    path = tenant.folder / "tmcwatch.yaml"
    path.write_text(path.read_text().replace("token: s", "api_share: 0.1, token: s"))
    tenant.settings = load(path, environ={})
    async with tenant.watching():
        await anyio.sleep(60)
        assert rate_shown(tenant) == pytest.approx(3.0)
    assert asked_at(tenant, stopped) == []


async def test_a_memory_that_cannot_be_written_stops_no_look_and_is_written_when_it_can(stage):
    tenant = stage(quiet())
    async with tenant.watching():
        await anyio.sleep(60)
        full = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        run(tenant, f"CREATE TRIGGER full BEFORE INSERT ON budgets {full}")
        tenant.simulator.faults.put("throttle", times=1, style="seconds", retry_after=5)
        before = tenant.now()
        await anyio.sleep(60)
        assert len(asked_at(tenant, before)) > 5
        assert remembered(tenant)[Family.PROCESSING].rate == 6
        run(tenant, "DROP TRIGGER full")
        await anyio.sleep(31)
        assert remembered(tenant)[Family.PROCESSING].rate < 6
