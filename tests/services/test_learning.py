"""What looks learn of how TMC keeps its lists, and what they do where its clock goes back."""

from datetime import timedelta

import anyio
import pytest

from tests.services.lists import CEILING, SETTLE
from tmcwatch.api.errors import Unavailable
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Phase
from tmcwatch.domain.window import Reading
from tmcwatch.polling.catching_up import catch_up

BEAT = 10.0


async def beats(watch, count: int) -> None:
    for _ in range(count):
        await watch.looker.look()
        await anyio.sleep(BEAT)


async def late(watch, *, seconds: float, name: str = "late") -> None:
    """Let a run show so long after its trigger, while looks go on."""
    began = anyio.current_time()
    while anyio.current_time() - began < seconds:
        await beats(watch, 1)
    ago = anyio.current_time() - began
    watch.tmc.put(name, Phase.RUNNING, ago=ago)


async def test_the_settle_lag_begins_at_its_floor(watching):
    watch = watching()
    await watch.look()
    assert watch.position.settle == SETTLE


async def test_a_row_that_shows_late_raises_the_settle_lag_and_the_watermark_keeps_it(
    watching, now
):
    watch = watching()
    await beats(watch, 3)
    await late(watch, seconds=19)
    await watch.look()
    assert watch.position.settle == timedelta(seconds=20)
    await watch.look(after=BEAT)
    await watch.look(after=BEAT)
    assert watch.position.watermark == now() - timedelta(seconds=20)


async def test_rows_in_time_teach_nothing_however_slow_the_beat(watching):
    watch = watching()
    await watch.look()
    for n in range(20):
        watch.tmc.put(f"r{n}", Phase.RUNNING, ago=0.5)
        await watch.look(after=120)
    assert watch.position.settle == SETTLE


@pytest.mark.uncounted
@pytest.mark.parametrize("by_trigger", [True, False])
async def test_a_rush_of_more_rows_than_a_page_holds_teaches_nothing(watching, by_trigger):
    watch = watching(by_trigger=by_trigger)
    await watch.look()
    for beat in range(20):
        for n in range(200):
            watch.tmc.put(f"r{beat:02}{n:03}", Phase.SUCCEEDED, ago=0, ended=0)
            await anyio.sleep(0.05)
        await watch.look()
    assert watch.position.settle == SETTLE


async def test_an_outage_of_ours_teaches_nothing(watching):
    watch = watching()
    await beats(watch, 2)
    watch.tmc.problems = [Unavailable("page", "gone")] * 12
    await beats(watch, 12)
    watch.tmc.put("r", Phase.RUNNING, ago=100)
    await beats(watch, 3)
    assert watch.position.settle == SETTLE


async def test_the_learned_lag_outlives_a_restart(watching):
    watch = watching()
    await beats(watch, 3)
    await late(watch, seconds=19)
    await watch.look()
    watch.restart()
    await beats(watch, 3)
    assert watch.position.settle == timedelta(seconds=20)


@pytest.mark.uncounted
async def test_a_lag_beyond_the_ceiling_is_not_believed(watching):
    watch = watching()
    await beats(watch, 3)
    for n in range(60):
        await late(watch, seconds=min(15 + 5 * n, 600), name=f"late{n}")
        await watch.look()
    assert watch.position.settle is not None
    assert timedelta(seconds=60) < watch.position.settle <= CEILING


async def test_a_run_from_before_the_window_proves_overlap(watching):
    watch = watching()
    await watch.look()
    watch.tmc.put("long", Phase.RUNNING)
    await beats(watch, 2)
    assert watch.position.reading is None
    await beats(watch, 2)
    assert watch.position.reading is Reading.OVERLAP


async def test_a_running_run_that_the_head_does_not_show_proves_the_trigger(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    watch.tmc.put("long", Phase.RUNNING)
    await beats(watch, 8)
    assert watch.position.reading is Reading.TRIGGER


async def test_the_reading_is_learned_anew_when_tmc_changes_it(watching):
    watch = watching()
    await watch.look()
    watch.tmc.put("long", Phase.RUNNING)
    read = []
    for by_trigger in (False, True, False):
        watch.tmc.by_trigger = by_trigger
        await beats(watch, 5)
        read.append(watch.position.reading)
    assert read == [Reading.OVERLAP, Reading.TRIGGER, Reading.OVERLAP]


async def test_a_service_that_lists_show_no_more_proves_nothing_and_is_followed(watching):
    watch = watching()
    await watch.look()
    watch.tmc.put("service", Phase.RUNNING)
    await beats(watch, 5)
    await anyio.sleep(timedelta(days=20).total_seconds())
    watch.tmc.hidden = {"service"}
    await beats(watch, 3)
    assert watch.position.reading is Reading.OVERLAP
    assert ("one", "service") in watch.tmc.asked
    watch.tmc.put("service", Phase.TERMINATED, ended=1)
    await beats(watch, 3)
    assert watch.ends() == [("service", Phase.TERMINATED)]


async def test_what_cannot_be_refreshed_at_once_is_looked_for_by_its_bad_end(watching):
    watch = watching(by_trigger=True, refreshes=2)
    await watch.look()
    for n in range(40):
        watch.tmc.put(f"r{n:02}", Phase.RUNNING)
        for filler in range(3):
            watch.tmc.put(f"f{n:02}{filler}", Phase.SUCCEEDED, ended=0)
        await beats(watch, 3)
    watch.tmc.put("r20", Phase.FAILED, ended=0)
    await watch.look()
    assert ("r20", Phase.FAILED) in watch.ends()
    statuses = [asked for what, asked in watch.tmc.asked if what == "page"]
    assert Purpose.ENDS in {purpose for _, _, purpose in statuses}


async def test_where_everything_is_refreshed_bad_ends_are_not_asked_for(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING)
    await beats(watch, 5)
    await watch.look()
    assert [what for what, _ in watch.tmc.asked] == ["page", "one"]


@pytest.mark.parametrize("seconds", [-600, -90, 600])
@pytest.mark.parametrize("by_trigger", [True, False])
async def test_a_clock_that_jumps_loses_no_run(watching, seconds, by_trigger):
    watch = watching(by_trigger=by_trigger)
    await beats(watch, 5)
    before = watch.position.watermark
    watch.tmc.skew = timedelta(seconds=seconds)
    await anyio.sleep(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(catch_up, watch.looker)
        for n in range(30):
            # TMC writes the times of its own clock.
            moment = watch.tmc.now()
            times = {"triggered_at": moment, "started_at": moment, "ended_at": moment}
            watch.tmc.put(f"r{n:02}", Phase.FAILED, **times)
            await beats(watch, 3)
        assert len(watch.ends()) == 30
        assert watch.position.watermark >= before
        await beats(watch, 60)
        tasks.cancel_scope.cancel()
    assert watch.position.watermark > watch.tmc.now() - SETTLE - timedelta(seconds=2 * BEAT)


async def test_a_clock_that_is_off_makes_no_end_look_late(watching):
    watch = watching()
    watch.tmc.skew = timedelta(minutes=-20)
    await beats(watch, 2)
    moment = watch.tmc.now()
    watch.tmc.put("r", Phase.FAILED, triggered_at=moment, started_at=moment, ended_at=moment)
    await beats(watch, 2)
    (end,) = watch.log_of(Phase.FAILED)
    assert not end.backfilled
