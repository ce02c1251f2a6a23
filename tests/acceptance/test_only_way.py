"""Every request that TMC sees was let out by the budget, whatever the daemon is doing."""

from contextlib import asynccontextmanager

import anyio
import pytest

from tests.acceptance.conftest import CONFIG, hours
from tmcwatch.api.budget import Budget
from tmcwatch.simulator import small

ID = "00000000-0000-4000-8000-000000009001"
EVERYTHING = CONFIG.replace(
    "watch: {", f"watch: {{promotions: {{audit_log: true, ids: [{ID}]}}, names: {{every: 5m}}, "
)


class Granted:
    """How many slots were granted."""

    count = 0


@pytest.fixture
def granted(monkeypatch):
    """Count the slots that any budget grants; the budgets work as ever."""
    slots = Granted()
    slot = Budget.slot

    @asynccontextmanager
    async def counted(self, *args, **options):
        async with slot(self, *args, **options) as given:
            slots.count += 1
            yield given

    monkeypatch.setattr(Budget, "slot", counted)
    return slots


async def test_tmc_sees_as_many_requests_as_slots_were_granted(stage, granted):
    tenant = stage(small(), config=EVERYTHING, history="1d")
    async with tenant.watching() as answers:
        await hours(0.25)
        tenant.simulator.faults.put("throttle", share=0.3, style="seconds")
        tenant.simulator.faults.put("error", share=0.1)
        tenant.simulator.faults.put("reset", share=0.1)
        await hours(0.25)
        tenant.simulator.faults.clear()
        run = tenant.simulator.world.start_promotion("TEST to PROD", ends="PROMOTED")
        await answers.follow_promotion("prod", run)
        await hours(0.5)
    # Outside the watch no request is under way any more.
    await anyio.sleep(60)
    journal = tenant.simulator.journal
    families = {one.path.split("/")[1] for one in journal.requests}
    assert families == {"processing", "orchestration", "security"}
    assert set(journal.by_status) >= {"200", "429", "503", "dropped"}
    assert journal.total == granted.count
