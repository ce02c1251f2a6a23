"""History: read behind the head, newest first, quietly, to its end."""

from datetime import timedelta

import anyio
import pytest

from tests.services.lists import no_total
from tmcwatch.api.errors import Throttled, Unavailable
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Phase
from tmcwatch.domain.observation import LookProblem
from tmcwatch.domain.window import WIDEST
from tmcwatch.polling.history import read_history

DAY = timedelta(days=1)


def fill(watch, count: int, *, within: timedelta) -> None:
    for n in range(count):
        ago = within.total_seconds() * (n + 0.5) / count
        watch.tmc.put(f"h{n:05}", Phase.FAILED, ago=ago, ended=ago - 0.1)


async def test_history_waits_for_the_first_look(watching):
    watch = watching(history=DAY)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read_history, watch.looker)
        await anyio.sleep(5)
        assert watch.tmc.asked == []
        await watch.look()
    assert watch.position.history is None


async def test_all_of_it_is_read_newest_first_and_quietly(watching):
    watch = watching(history=DAY)
    fill(watch, 500, within=DAY)
    await watch.look()
    watch.tmc.asked.clear()
    await read_history(watch.looker)
    assert watch.position.history is None
    assert len(watch.ends(quiet=True)) == 500
    assert watch.ends(quiet=False) == []
    starts = [window.start for _, (window, offset, _) in watch.tmc.asked if offset == 0]
    assert starts == sorted(starts, reverse=True)
    assert {purpose for _, (_, _, purpose) in watch.tmc.asked} == {Purpose.BACKFILL}


async def test_history_asks_for_no_details_and_names(watching):
    watch = watching(history=DAY)
    fill(watch, 50, within=DAY)
    await watch.look()
    await read_history(watch.looker)
    assert watch.tmc.count("completed") == watch.tmc.count("named") == 0


async def test_history_moves_no_watermark_and_no_head(watching):
    watch = watching(history=DAY)
    await watch.look()
    before = watch.position.watermark
    await read_history(watch.looker)
    assert watch.position.watermark == before
    assert not any(look.head for look in watch.looks[1:])


@pytest.mark.uncounted
@pytest.mark.parametrize("by_trigger", [True, False])
async def test_a_dense_history_is_cut_until_it_is_within_reach(watching, by_trigger):
    watch = watching(history=DAY, by_trigger=by_trigger)
    fill(watch, 5_000, within=timedelta(hours=2))
    await watch.look()
    await read_history(watch.looker)
    assert watch.position.history is None
    assert len(watch.ends(quiet=True)) == 5_000
    assert "bisected" in watch.rereads


async def test_history_ends_where_tmc_forgets(watching):
    watch = watching(history=timedelta(days=60), by_trigger=True)
    fill(watch, 300, within=timedelta(days=9))
    await watch.look()
    await read_history(watch.looker)
    assert watch.position.history is None
    assert len(watch.ends()) == 300


async def test_history_left_over_for_longer_than_tmc_remembers_is_over(watching):
    watch = watching(history=DAY)
    await watch.look()
    await anyio.sleep(2 * WIDEST.total_seconds())
    watch.tmc.asked.clear()
    await read_history(watch.looker)
    assert watch.position.history is None
    assert watch.tmc.asked == []


async def test_a_failed_read_is_told_and_repeated_later_each_time(watching):
    watch = watching(history=timedelta(minutes=30))
    await watch.look()
    refused = [Throttled("page", "slow down"), *[Unavailable("page", "gone")] * 5]
    watch.tmc.problems = [*refused]
    watch.sent.clear()
    await read_history(watch.looker)
    assert watch.failed[0].problem is LookProblem.THROTTLED
    assert watch.failed[0].text == "history: page: slow down"
    assert len(watch.failed) == len(refused)
    assert anyio.current_time() == 5 + 10 + 20 + 40 + 60 + 60
    assert watch.position.history is None


async def test_what_cannot_be_proven_is_believed_and_left_behind(watching):
    watch = watching(history=timedelta(minutes=30))
    fill(watch, 5, within=timedelta(minutes=20))
    await watch.look()
    watch.tmc.total = lambda count: count + 1
    await read_history(watch.looker)
    assert len(watch.ends(quiet=True)) == 5
    assert watch.position.history is None


async def test_history_is_read_from_a_list_without_totals(watching):
    watch = watching(history=DAY, total=no_total)
    fill(watch, 2_500, within=DAY)
    await watch.look()
    await read_history(watch.looker)
    assert len(watch.ends(quiet=True)) == 2_500


async def test_a_run_found_open_in_history_is_told_when_it_fails(watching):
    watch = watching(history=DAY, by_trigger=True)
    watch.tmc.put("long", Phase.RUNNING, ago=5_000)
    await watch.look()
    await read_history(watch.looker)
    watch.tmc.put("long", Phase.FAILED, ended=0)
    await watch.look(after=10)
    assert watch.ends(quiet=False) == [("long", Phase.FAILED)]


async def test_history_goes_on_where_it_was_left(watching):
    watch = watching(history=DAY)
    fill(watch, 300, within=DAY)
    await watch.look()
    with anyio.move_on_after(1):
        watch.tmc.seconds = 0.3
        await read_history(watch.looker)
    left = watch.position.history
    assert left.end < watch.position.watched_from
    watch.tmc.asked.clear()
    await read_history(watch.looker)
    assert watch.tmc.asked[0][1][0].end == left.end
    assert len(watch.ends(quiet=True)) == 300
