"""Which budgets a watch works with, and by which names they are remembered."""

import random
import sqlite3
from contextlib import closing
from datetime import timedelta
from functools import partial

import anyio
import pytest
from structlog.testing import capture_logs

from tests.threads import inline
from tmcwatch.api.budget import Budget
from tmcwatch.app.budgets import open_budgets, write_last_changes
from tmcwatch.app.world import World
from tmcwatch.config import Account
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.store.engine import StoreError

EU, US = "https://api.eu.cloud.talend.com", "https://api.us.cloud.talend.com"


def account(name, *, url=EU, share=0.2, budget=None):
    return Account(name=name, url=url, token="secret", api_share=share, budget=budget)


@pytest.fixture
def opened(store, now):
    """Open the budgets of some accounts: `opened([account("a")], budgets)`."""
    world = World(now=now, in_thread=inline, random=random.random, environ={})
    return partial(_opened, store, world)


async def _opened(store, world, accounts, budgets):
    failures: list[StoreError] = []
    kept = await open_budgets(accounts, budgets, store, world, failed=failures.append)
    return kept, failures


async def slow_down(budget, retry_after=None):
    async with budget.slot(Family.PROCESSING, Purpose.HEAD) as slot:
        slot.throttled(retry_after)


def rate(budget):
    return budget.state()[Family.PROCESSING].rate


async def test_accounts_of_one_address_have_one_budget_unless_they_name_others(opened):
    accounts = [account("a"), account("b"), account("c", url=US), account("d", budget="own")]
    kept, _ = await opened(accounts, {})
    assert [one.name for one in kept] == [EU, US, "own"]


async def test_accounts_of_different_addresses_may_share_a_budget_by_name(opened):
    kept, _ = await opened([account("a", budget="one"), account("b", url=US, budget="one")], {})
    assert [one.name for one in kept] == ["one"]


async def test_a_budget_goes_on_with_another_share(opened):
    budgets: dict[str, Budget] = {}
    await opened([account("a")], budgets)
    before = budgets[EU]
    await opened([account("a", share=0.1)], budgets)
    assert budgets[EU] is before
    assert rate(before) == pytest.approx(3)


async def test_a_budget_in_use_stays_and_one_out_of_use_goes_on_later_from_the_store(opened):
    budgets: dict[str, Budget] = {}
    kept, _ = await opened([account("a")], budgets)
    before = budgets[EU]
    await slow_down(before)
    await write_last_changes(kept)
    await opened([account("a"), account("c", url=US)], budgets)
    assert budgets[EU] is before
    await opened([account("c", url=US)], budgets)
    await opened([account("a"), account("c", url=US)], budgets)
    assert budgets[EU] is not before
    assert rate(budgets[EU]) == rate(before) < 6


async def test_a_pause_that_goes_on_after_a_restart_is_told(opened):
    budgets: dict[str, Budget] = {}
    kept, _ = await opened([account("a")], budgets)
    await slow_down(budgets[EU], timedelta(minutes=1))
    await write_last_changes(kept)
    with capture_logs() as logs:
        await opened([account("a")], {})
        await anyio.sleep(61)
        await opened([account("a")], {})
    assert [(line["event"], line["budget"], line["family"]) for line in logs] == [
        ("pause_goes_on", EU, "processing")
    ]


async def test_a_store_that_cannot_be_read_gives_a_fresh_budget_and_is_told(opened, tmp_path):
    with closing(sqlite3.connect(tmp_path / "watch.db")) as connection:
        connection.execute("DROP TABLE budgets")
    kept, failures = await opened([account("a")], {})
    assert [rate(one.budget) for one in kept] == [6]
    assert "budgets" in str(failures[0])


async def test_what_could_not_be_written_is_written_when_it_can_be(opened, tmp_path):
    kept, _ = await opened([account("a")], {})
    [keeping] = kept
    await slow_down(keeping.budget)
    with closing(sqlite3.connect(tmp_path / "watch.db")) as connection:
        connection.execute("ALTER TABLE budgets RENAME TO away")
        await write_last_changes([keeping])
        connection.execute("ALTER TABLE away RENAME TO budgets")
    with anyio.move_on_after(1):
        await keeping.run()
    again, _ = await opened([account("a")], {})
    assert [rate(one.budget) for one in again] == [pytest.approx(5.1)]


async def test_what_could_not_be_written_before_a_reload_is_written_after_it(opened, tmp_path):
    budgets: dict[str, Budget] = {}
    kept, _ = await opened([account("a")], budgets)
    await slow_down(budgets[EU])
    with closing(sqlite3.connect(tmp_path / "watch.db")) as connection:
        connection.execute("ALTER TABLE budgets RENAME TO away")
        await write_last_changes(kept)
        connection.execute("ALTER TABLE away RENAME TO budgets")
    kept, _ = await opened([account("a")], budgets)
    await write_last_changes(kept)
    again, _ = await opened([account("a")], {})
    assert [rate(one.budget) for one in again] == [pytest.approx(5.1)]
