"""Which budgets a watch works with, and by which names they are remembered."""

import random
import sqlite3
from contextlib import closing
from functools import partial

import anyio
import pytest

from tests.threads import inline
from tmcwatch.api.budget import Budget
from tmcwatch.app.budgets import (
    BudgetKey,
    budget_key,
    budget_name,
    open_budgets,
    write_last_changes,
)
from tmcwatch.app.world import World
from tmcwatch.config import Account
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.store.engine import StoreError

EU, US = "https://api.eu.cloud.talend.com", "https://api.us.cloud.talend.com"


def account(name, *, url=EU, share=0.2):
    return Account(name=name, url=url, token="secret", api_share=share)


@pytest.fixture
def opened(store, now):
    """Open the budgets of some accounts: `opened([account("a")], budgets)`."""
    world = World(now=now, in_thread=inline, random=random.random, environ={})
    return partial(_opened, store, world)


async def _opened(store, world, accounts, budgets):
    failures: list[StoreError] = []
    kept = await open_budgets(accounts, budgets, store, world, failed=failures.append)
    return kept, failures


async def slow_down(budget):
    async with budget.slot(Family.PROCESSING, Purpose.HEAD) as slot:
        slot.throttled(None)


def rate(budget):
    return budget.state()[Family.PROCESSING].rate


def test_a_budget_is_remembered_by_its_address():
    both = [account("a"), account("b"), account("c", url=US, share=0.5)]
    assert [budget_name(one, both) for one in both] == [EU, EU, US]


def test_two_shares_of_one_address_are_remembered_apart():
    both = [account("a"), account("b", share=0.05)]
    assert len({budget_name(one, both) for one in both}) == 2


async def test_accounts_of_one_address_and_share_have_one_budget_and_one_keeping(opened):
    kept, _ = await opened([account("a"), account("b"), account("c", url=US)], {})
    assert len(kept) == 2


async def test_a_budget_in_use_stays_and_one_out_of_use_goes_on_later_from_the_store(opened):
    first, again = [account("a")], [account("a"), account("c", url=US)]
    budgets: dict[BudgetKey, Budget] = {}
    kept, _ = await opened(first, budgets)
    before = kept[budget_key(first[0])].budget
    await slow_down(before)
    await write_last_changes(kept.values())
    kept, _ = await opened(again, budgets)
    assert kept[budget_key(first[0])].budget is before
    await opened([account("c", url=US)], budgets)
    kept, _ = await opened(again, budgets)
    after = kept[budget_key(first[0])].budget
    assert after is not before
    assert rate(after) == rate(before) < 6


async def test_a_store_that_cannot_be_read_gives_a_fresh_budget_and_is_told(opened, tmp_path):
    with closing(sqlite3.connect(tmp_path / "watch.db")) as connection:
        connection.execute("DROP TABLE budgets")
    kept, failures = await opened([account("a")], {})
    assert [rate(one.budget) for one in kept.values()] == [6]
    assert "budgets" in str(failures[0])


async def test_what_could_not_be_written_is_written_when_it_can_be(opened, tmp_path):
    kept, _ = await opened([account("a")], {})
    [keeping] = kept.values()
    await slow_down(keeping.budget)
    with closing(sqlite3.connect(tmp_path / "watch.db")) as connection:
        connection.execute("ALTER TABLE budgets RENAME TO away")
        await write_last_changes([keeping])
        connection.execute("ALTER TABLE away RENAME TO budgets")
    with anyio.move_on_after(1):
        await keeping.run()
    again, _ = await opened([account("a")], {})
    assert [rate(one.budget) for one in again.values()] == [pytest.approx(4.8)]
