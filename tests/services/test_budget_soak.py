"""Asked without pause: what TMC grants is found and used, hardly ever refused, and shared out."""

from collections import Counter

import anyio
import pytest

from tests.saturating import MINUTE, Saturated

pytestmark = pytest.mark.uncounted

BUDGET = 30
"""Requests per minute: few, so that an hour of them is soon over."""

SETTLED = 15
"""Minutes from the start."""


async def asked_for(minutes, stage, **accounts):
    """Let accounts ask so many questions at once each."""
    with anyio.move_on_after(minutes * MINUTE):
        async with anyio.create_task_group() as tasks:
            for account, at_once in accounts.items():
                client = stage.client(account)

                async def ask(client=client, at_once=at_once):
                    await stage.ask(client, at_once=at_once)

                tasks.start_soon(ask)
    return stage.tally


@pytest.mark.parametrize(
    ("granted", "style", "minutes"),
    [(BUDGET, "none", 35), (0.6 * BUDGET, "seconds", 50), (0.3 * BUDGET, "none", 90)],
)
async def test_what_tmc_grants_is_used_and_hardly_ever_exceeded(now, granted, style, minutes):
    stage = Saturated(now=now, budget=BUDGET, granted=granted, style=style)
    tally = await asked_for(minutes, stage, prod=10)
    steady = range(SETTLED, minutes)
    rate, refused = tally.rate(steady), tally.refused(steady)
    figures = f"{rate:.1f} of {granted:.1f} a minute served, {refused:.2%} of all calls refused"
    assert rate >= 0.9 * granted, figures
    assert refused <= 0.01, figures
    assert rate <= granted + stage.burst / len(steady), figures


async def test_ten_accounts_on_one_address_are_served_alike_whoever_floods(now):
    stage = Saturated(now=now, budget=BUDGET)
    others = {f"account-{number}": 1 + number % 5 for number in range(9)}
    tally = await asked_for(15, stage, flood=100, **others)
    served = Counter({account: tally.served[account] for account in ("flood", *others)})
    mean = served.total() / len(served)
    assert min(served.values()) >= 0.8 * mean, served
