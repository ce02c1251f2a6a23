"""A budget that TMC refuses again and again is told, for every account on it, until it is calm."""

from datetime import timedelta
from functools import partial

import anyio
import pytest

from tests.threads import inline
from tmcwatch.api.budget import Budget
from tmcwatch.app.throttling import ThrottleWatch
from tmcwatch.app.world import World
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName
from tmcwatch.store.conditions import lasting_conditions_of
from tmcwatch.supervisor import Bell

MINUTE = 60.0


class Tenant:
    """Asks every second; TMC refuses each question for a while."""

    def __init__(self, store, now) -> None:
        self.store = store
        world = World(now=now, in_thread=inline, random=lambda: 0.5, environ={})
        self.budget = Budget(0.2, now=now, random=lambda: 0.5)
        self.refuses = False
        self.changed = Bell()
        self.watch = ThrottleWatch(
            name="https://tmc",
            accounts=(AccountName("a"), AccountName("b")),
            budget=self.budget,
            store=store,
            world=world,
            changed=self.changed,
        )

    async def ask(self) -> None:
        while True:
            async with self.budget.slot(Family.PROCESSING, Purpose.HEAD) as slot:
                if self.refuses:
                    slot.throttled(None)
                else:
                    slot.answered()
            await anyio.sleep(1)

    async def run(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.ask)
                tasks.start_soon(self.watch.run)

    @property
    def lasting(self) -> list[str]:
        found = self.store.read(partial(lasting_conditions_of, rule="throttled"))
        return [one.account for one in found]


@pytest.fixture
async def tenant(store, now):
    return Tenant(store, now)


async def test_refusals_for_ten_minutes_are_told_for_every_account_and_alerting_is_rung(tenant):
    tenant.refuses = True
    await tenant.run(9.5 * MINUTE)
    assert tenant.lasting == []
    await tenant.run(10.5 * MINUTE)
    assert tenant.lasting == ["a", "b"]
    assert tenant.changed.reset() == 1  # the mark counts the rings


async def test_it_is_over_after_ten_minutes_without(tenant):
    tenant.refuses = True
    await tenant.run(11 * MINUTE)
    tenant.refuses = False
    with anyio.move_on_after(30 * MINUTE):
        await tenant.run(9 * MINUTE)
        assert tenant.lasting == ["a", "b"]
        await tenant.run(12 * MINUTE)
    assert tenant.lasting == []


async def test_a_restart_neither_ends_it_nor_tells_it_twice(tenant):
    tenant.refuses = True
    for _ in range(3):
        await tenant.run(11 * MINUTE)
    assert tenant.lasting == ["a", "b"]


@pytest.mark.uncounted
async def test_one_refusal_now_and_then_is_told_to_nobody(tenant):
    async def refuse_now_and_then() -> None:
        while True:
            await anyio.sleep(8 * MINUTE)
            tenant.budget.throttled(Family.PROCESSING, timedelta(seconds=20))

    with anyio.move_on_after(60 * MINUTE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refuse_now_and_then)
            tasks.start_soon(tenant.ask)
            tasks.start_soon(tenant.watch.run)
    assert tenant.lasting == []
