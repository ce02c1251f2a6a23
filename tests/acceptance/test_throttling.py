"""Ten minutes of nothing but 429: what is most urgent is asked first, and nothing was missed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
from sqlalchemy import select

from tests.acceptance.conftest import CONFIG, hours
from tmcwatch.domain.budget import Purpose
from tmcwatch.simulator import small
from tmcwatch.simulator.execution import OPEN_TASK_STATES
from tmcwatch.simulator.journal import Recorded
from tmcwatch.store.schema import executions

NARROW = CONFIG.replace("token: secret-token", "token: secret-token, api_share: 0.01")
"""So few requests that the history is still being read when the trouble begins."""

LISTS = ("/processing/executables/tasks/executions", "/processing/executables/plans/executions")
MOST_WAITED = timedelta(minutes=5)
"""A question that was refused and asked again is as old as its first asking."""

OPEN = frozenset({*OPEN_TASK_STATES, "STARTED"})


def purposes(requests: Iterable[Recorded]) -> Iterator[tuple[Purpose, str]]:
    """Tell what requests for lists were for: the head ends now, what is read behind it earlier."""
    for one in requests:
        if one.path in LISTS and one.status == 200:
            until = datetime.fromtimestamp(int(one.query["to"]) / 1000, UTC)
            is_head = until > one.at - MOST_WAITED
            yield Purpose.HEAD if is_head else Purpose.BACKFILL, one.path


def ended(tenant, until):
    """Answer with what ended, by the truth, from a little after the watch began."""
    truth = tenant.simulator.world.truth(tenant.simulator.start + timedelta(minutes=1))
    last = {(row["kind"], row["execution_id"]): row for row in truth}
    over = (row["execution_status"] not in OPEN and row["at"] <= until for row in last.values())
    return {run for run, is_over in zip(last, over, strict=True) if is_over}


def known_to_have_ended(tenant):
    query = select(executions.c.kind, executions.c.id).where(~executions.c.open)
    rows = tenant.parts.store.read(lambda connection: connection.execute(query).all())
    return {(kind, id_) for kind, id_ in rows}


async def test_after_ten_minutes_of_429_the_heads_come_first_and_nothing_is_missed(stage):
    busy = replace(small(), executions_per_day=8_000)
    tenant = stage(busy, config=NARROW, history="24h", beat="10s")
    async with tenant.watching():
        await anyio.sleep(20)
        tenant.simulator.faults.put("throttle")
        await anyio.sleep(600)
        account = tenant.settings.accounts[0]
        waiting = tenant.parts.budgets[account.budget_name].waiting()
        refused = set(tenant.simulator.journal.by_status)
        lifted = tenant.now()
        tenant.simulator.faults.remove("throttle")
        await hours(0.4)
        until = tenant.now()
        await anyio.sleep(120)
        wanted, known = ended(tenant, until), known_to_have_ended(tenant)
        asked = list(purposes(tenant.simulator.journal.since(lifted)))
    assert "429" in refused
    assert waiting[Purpose.BACKFILL] > 0
    first = asked[:2]
    assert {path for purpose, path in first if purpose is Purpose.HEAD} == set(LISTS), first
    assert Purpose.BACKFILL in {purpose for purpose, _ in asked}
    assert len(wanted) > 100
    assert wanted - known == set()
