"""A day of a small tenant: what was told and what truly happened agree exactly."""

from datetime import timedelta

import anyio
import pytest
from sqlalchemy import select

from tests.acceptance.conftest import hours
from tests.oracle import episodes, runs_inside_plans, told
from tmcwatch.simulator import small
from tmcwatch.store.moments import loaded
from tmcwatch.store.schema import capture

SETTLED = timedelta(minutes=5)


def watched_from(tenant):
    query = select(capture.c.kind, capture.c.watched_from)
    rows = tenant.parts.store.read(lambda connection: connection.execute(query).all())
    return {kind: loaded(moment) for kind, moment in rows}


def truth_and_told(tenant, until):
    world = tenant.simulator.world
    wanted = episodes(
        world.truth(),
        watched_from(tenant),
        inside_plans=runs_inside_plans(tenant.simulator),
        until=until,
    )
    return wanted, told(tenant.inbox.messages.values(), until=until)


@pytest.mark.timeout(600)  # of a real clock: the machine may be busy
@pytest.mark.parametrize("window", ["overlap", "trigger"])
async def test_a_day_is_told_exactly(stage, window):
    tenant = stage(small(), window=window, beat="60s")
    async with tenant.watching():
        await hours(24)
        until = tenant.now()
        await anyio.sleep(SETTLED.total_seconds())
        wanted, heard = truth_and_told(tenant, until)
    assert heard.episodes == wanted
    assert heard.repeats == ()
    assert heard.notices == 1
    assert len(wanted) > 20
    assert tenant.simulator.journal.by_status.keys() == {"200"}


@pytest.mark.parametrize("seed", [3, 4])
async def test_hours_of_trouble_are_told_exactly(stage, seed):
    """Faults come and go, and the daemon is restarted in between.

    While looks fail, a later success may be seen before the one that was first: the end told is
    then that of the later one. What opened, and whether it is over, must agree all the same.
    """
    tenant = stage(small(), window="trigger", seed=seed, beat="20s")
    faults = tenant.simulator.faults
    for fault, options in (
        ("throttle", {"share": 0.3}),
        ("error", {"share": 0.3}),
        ("cut", {"share": 0.3}),
        ("duplicate", {}),
        ("late", {"seconds": 6.0}),
    ):
        faults.put(fault, **options)
        async with tenant.watching():
            await hours(0.5)
        faults.remove(fault)
    async with tenant.watching():
        until = tenant.now()
        await anyio.sleep(SETTLED.total_seconds())
        wanted, heard = truth_and_told(tenant, until)
    of_runs = {one for one in heard.episodes if one.rule != "throttled"}  # it was, and is told
    assert without_ends(of_runs) == without_ends(wanted)
    assert heard.repeats == ()
    assert heard.notices == 1


def without_ends(found):
    return {(one.rule, one.subject, one.starts_at, one.ends_at is None) for one in found}
