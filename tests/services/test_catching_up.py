"""Catching up with an outage: oldest first behind a live head, and an explicit gap beyond."""

from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import anyio
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.domain.telling import PROD
from tests.services.lists import SETTLE
from tmcwatch.api.errors import Unavailable
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Phase
from tmcwatch.domain.observation import Looked, LookProblem
from tmcwatch.domain.window import WIDEST_EVER, Limits
from tmcwatch.polling.catching_up import catch_up
from tmcwatch.store.capture import lists_catching_up
from tmcwatch.store.schema import gaps

HOUR = 3600.0
DAY = 24 * HOUR
BEAT = 10.0


@asynccontextmanager
async def catching_up(watch):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(catch_up, watch.looker)
        yield
        tasks.cancel_scope.cancel()


async def beats(watch, count: int) -> None:
    for _ in range(count):
        await watch.looker.look()
        await anyio.sleep(BEAT)


def fill(watch, count: int, *, within: float) -> None:
    for n in range(count):
        ago = within * (n + 0.5) / count
        watch.tmc.put(f"r{n:05}", Phase.SUCCEEDED, ago=ago, ended=max(ago - 1, 0))


def marks(watch) -> list[datetime]:
    return [one.watermark for one in watch.sent if isinstance(one, Looked) and one.watermark]


def gaps_of(watch):
    return watch.store.read(lambda connection: connection.execute(select(gaps)).all())


@pytest.mark.uncounted
@pytest.mark.parametrize("by_trigger", [True, False])
async def test_an_outage_is_read_oldest_first_behind_a_live_head(watching, now, by_trigger):
    watch = watching(by_trigger=by_trigger)
    await watch.look()
    await anyio.sleep(6 * HOUR)
    fill(watch, 3_000, within=5.9 * HOUR)
    watch.tmc.put("new", Phase.FAILED, ago=2, ended=1)
    watch.sent.clear()
    await watch.looker.look()
    assert ("new", Phase.FAILED) in watch.ends()
    assert marks(watch) == []
    async with catching_up(watch):
        await beats(watch, 10)
    assert marks(watch) == sorted(marks(watch))
    assert len(marks(watch)) > 3
    assert len(watch.ends()) == 3_001
    assert watch.position.watermark > now() - SETTLE - timedelta(seconds=2 * BEAT)
    assert watch.position.away is None
    assert gaps_of(watch) == []


async def test_the_head_comes_before_what_was_missed(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    await anyio.sleep(6 * HOUR)
    fill(watch, 1_000, within=5 * HOUR)
    watch.tmc.asked.clear()
    async with catching_up(watch):
        await beats(watch, 5)
    purposes = {purpose for _, (_, _, purpose) in watch.tmc.asked}
    assert purposes == {Purpose.HEAD, Purpose.BACKFILL}


async def test_while_it_catches_up_the_outage_is_known_by_its_beginning_and_end(watching, now):
    watch = watching(by_trigger=True)
    await watch.look()
    began = watch.position.watermark
    await anyio.sleep(6 * HOUR)
    await watch.looker.look()
    (window,) = watch.store.read(lists_catching_up).values()
    assert window.start == began
    assert now() - window.end < timedelta(minutes=2)
    async with catching_up(watch):
        await beats(watch, 3)
    assert watch.store.read(lists_catching_up) == {}


async def test_a_restart_in_the_midst_goes_on_from_the_watermark(watching, now):
    watch = watching(by_trigger=True)
    await watch.look()
    began = watch.position.watermark
    await anyio.sleep(6 * HOUR)
    fill(watch, 3_000, within=5.9 * HOUR)
    await watch.looker.look()
    watch.tmc.seconds = 1.0
    with anyio.move_on_after(20):
        await catch_up(watch.looker)
    reached = watch.position.watermark
    assert began < reached < now() - timedelta(minutes=30)
    watch.restart()
    watch.tmc.seconds = 0.0
    watch.tmc.asked.clear()
    async with catching_up(watch):
        await beats(watch, 10)
    backfill = [w for _, (w, _, purpose) in watch.tmc.asked if purpose is Purpose.BACKFILL]
    assert min(window.start for window in backfill) == reached
    assert len(watch.ends()) == 3_000
    assert watch.position.away is None


async def test_a_failed_read_is_told_and_repeated_and_the_head_stays_live(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    await anyio.sleep(6 * HOUR)
    fill(watch, 300, within=5.9 * HOUR)
    await watch.looker.look()
    watch.tmc.problems = [Unavailable("page", "gone"), Unavailable("page", "gone")]
    watch.sent.clear()
    with anyio.move_on_after(60):
        await catch_up(watch.looker)
    assert [one.problem for one in watch.failed] == [LookProblem.UNREACHABLE] * 2
    assert watch.failed[0].text == "catching up: page: gone"
    assert len(watch.ends()) == 300


async def test_what_cannot_be_proven_moves_nothing(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    began = watch.position.watermark
    await anyio.sleep(6 * HOUR)
    fill(watch, 300, within=5.9 * HOUR)
    await watch.looker.look()
    watch.tmc.total = lambda count: count + 1
    with anyio.move_on_after(120):
        await catch_up(watch.looker)
    assert watch.position.watermark == began
    assert {one.problem for one in watch.failed} == {LookProblem.UNPROVEN}


async def test_beyond_what_tmc_shows_there_is_a_gap(watching, now):
    watch = watching(by_trigger=True)
    await watch.look()
    lost_from = watch.position.watermark
    await anyio.sleep(20 * DAY)
    fill(watch, 500, within=9 * DAY)
    with capture_logs() as said:
        await watch.looker.look()
        async with catching_up(watch):
            await beats(watch, 10)
    (gap,) = gaps_of(watch)
    assert (gap.account, gap.kind) == (PROD, "task")
    (told,) = [one.gap for one in watch.sent if isinstance(one, Looked) and one.gap]
    assert told.start == lost_from
    assert told.end == now() - Limits().reach - timedelta(seconds=10 * BEAT)
    assert [line["start"] for line in said if line["event"] == "gap"] == [lost_from.isoformat()]
    assert len(watch.ends()) == 500
    assert watch.position.watermark > now() - timedelta(minutes=1)


async def test_where_tmc_shows_sixty_days_all_of_them_are_read_and_it_is_remembered(watching):
    watch = watching(by_trigger=True, widest=WIDEST_EVER)
    await watch.look()
    await anyio.sleep(20 * DAY)
    fill(watch, 500, within=19 * DAY)
    await watch.looker.look()
    async with catching_up(watch):
        await beats(watch, 30)
    assert gaps_of(watch) == []
    assert len(watch.ends()) == 500
    assert watch.position.limits.widest == WIDEST_EVER
    watch.restart()
    await watch.look()
    assert watch.looker.reader.limits.widest == WIDEST_EVER


async def test_where_tmc_shows_less_than_it_promises_the_rest_is_a_gap(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    watch.tmc.oldest = timedelta(days=4)
    await anyio.sleep(9 * DAY)
    fill(watch, 300, within=3 * DAY)
    await watch.looker.look()
    with anyio.move_on_after(120):
        await catch_up(watch.looker)
    assert [one.problem for one in watch.failed] == [LookProblem.REFUSED] * 2
    assert len(gaps_of(watch)) == 1
    assert watch.position.away is None
    assert 200 < len(watch.ends()) < 300


async def test_a_short_outage_is_caught_up_with_at_once(watching, now):
    watch = watching(by_trigger=True)
    await watch.look()
    await anyio.sleep(500)
    fill(watch, 1_500, within=480)
    assert await watch.look()
    assert len(watch.ends()) == 1_500
    assert watch.position.watermark == now() - SETTLE
    assert watch.position.away is None
