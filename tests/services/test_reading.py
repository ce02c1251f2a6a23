"""Reading a window: again when in doubt, in halves when too long, and never for ever."""

from datetime import timedelta

import anyio
import pytest

from tests.services.lists import FakeList, no_total
from tmcwatch.api.errors import BadRequest, Unavailable
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.certificate import Doubt
from tmcwatch.domain.execution import Phase, SubjectId
from tmcwatch.domain.window import OFFSET_LIMIT, UNBOUNDED, WHOLE, Limits, Window
from tmcwatch.polling.reading import NARROWEST, TRIES, Read, Reader, Rereads, single


class Reading:
    """A list of an hour, read once."""

    def __init__(self, now, **facts) -> None:
        self.list = FakeList(clock=now, by_trigger=True, **facts)
        self.hour = Window(start=now() - timedelta(hours=1), end=now())
        self.said: list[str] = []
        self.places: dict[str, tuple[SubjectId, ...]] = {}
        self.reader = Reader(
            rereads=Rereads(
                reread=lambda doubt: self.said.append(doubt.value),
                bisected=lambda: self.said.append("bisected"),
            ),
            places=self._places,
            limits=Limits(deepest=OFFSET_LIMIT),
        )

    def fill(self, count: int, *, within: float = 3_600) -> None:
        for n in range(count):
            self.list.put(f"r{n:05}", Phase.SUCCEEDED, ago=within * (n + 0.5) / count, ended=0)

    async def _places(self):
        return self.places

    async def ask(self, window, offset, part=WHOLE):
        return await self.list.page(window, offset, purpose=Purpose.HEAD, part=part)

    async def read(self, ask=None) -> Read:
        return await self.reader.read(ask or self.ask, self.hour)


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (100, 1), (101, 2), (1_000, 11)])
async def test_a_window_that_stands_still_is_read_once(count, requests, now):
    reading = Reading(now)
    reading.fill(count)
    read = await reading.read()
    assert (read.doubt, len(read.rows), read.total) == (None, count, count)
    assert (read.window, reading.said) == (reading.hour, [])
    assert reading.list.count("page") == requests


async def test_a_window_in_doubt_is_read_again_with_a_growing_wait(now):
    reading = Reading(now, total=lambda count: count + 1)
    reading.fill(5)
    read = await reading.read()
    assert read.doubt is Doubt.ROWS_MISSING
    assert reading.list.count("page") == TRIES
    assert reading.said == ["rows_missing"] * (TRIES - 1)
    assert anyio.current_time() == pytest.approx(0.5 + 1.0)
    assert len(read.rows) == 5


async def test_a_doubt_that_passes_leaves_a_certificate(now):
    totals = iter([6, 5])
    reading = Reading(now, total=lambda _: next(totals))
    reading.fill(5)
    assert (await reading.read()).doubt is None
    assert reading.said == ["rows_missing"]


async def test_rows_that_arrive_between_two_pages_are_noticed(now):
    reading = Reading(now)
    reading.fill(150)
    pages = 0

    async def ask(window, offset, _part=WHOLE):
        nonlocal pages
        pages += 1
        if pages == 2:
            reading.list.put("late", Phase.RUNNING, ago=1)
        return await reading.list.page(window, offset, purpose=Purpose.HEAD)

    read = await reading.read(ask)
    assert reading.said == [Doubt.TOTAL_CHANGED]
    assert (read.doubt, len(read.rows)) == (None, 151)


async def test_a_window_beyond_reach_is_halved_until_it_is_within(now):
    reading = Reading(now)
    reading.fill(4_000)
    read = await reading.read()
    assert reading.said == ["bisected"]
    assert (read.doubt, read.window.start) == (None, reading.hour.start)
    assert read.window.width == timedelta(minutes=15)
    assert 900 < len(read.rows) < 1_090


async def test_what_stays_beyond_reach_in_a_second_is_given_up(now):
    reading = Reading(now)
    for n in range(1_200):
        reading.list.put(f"r{n}", Phase.RUNNING, ago=3_600)
    read = await reading.read()
    assert read.doubt is Doubt.OUT_OF_REACH
    assert NARROWEST / 2 <= read.window.width <= NARROWEST
    assert len(reading.said) == 12
    assert len(read.rows) == 100


def crowd(reading, count: int, *, workspaces: int, tasks: int) -> None:
    """Put runs that began at the very same moment into workspaces and tasks."""
    for n in range(count):
        place, task = f"w{n % workspaces}", f"t{n % tasks}"
        reading.list.put(
            f"r{n:05}", Phase.RUNNING, ago=3_600, workspace=place, subject=SubjectId(task)
        )
        known = reading.places.get(place, ())
        reading.places[place] = tuple(dict.fromkeys((*known, SubjectId(task))))


async def test_what_time_cannot_cut_is_read_workspace_by_workspace(now):
    reading = Reading(now)
    crowd(reading, 3_000, workspaces=5, tasks=5)
    read = await reading.read()
    assert (read.doubt, len(read.rows), read.total) == (None, 3_000, 3_000)


async def test_runs_that_run_all_the_while_are_read_by_their_places_before_time_is_cut_away(now):
    reading = Reading(now)
    reading.list.by_trigger = False
    crowd(reading, 3_000, workspaces=5, tasks=5)
    read = await reading.read()
    assert (read.doubt, len(read.rows), read.window) == (None, 3_000, reading.hour)
    assert reading.said == ["bisected"]


async def test_a_workspace_beyond_reach_is_read_task_by_task(now):
    reading = Reading(now)
    crowd(reading, 4_000, workspaces=2, tasks=8)
    read = await reading.read()
    assert (read.doubt, len(read.rows)) == (None, 4_000)


async def test_a_workspace_that_we_do_not_know_leaves_a_doubt(now):
    reading = Reading(now)
    crowd(reading, 3_000, workspaces=5, tasks=5)
    del reading.places["w3"]
    read = await reading.read()
    assert read.doubt is Doubt.OUT_OF_REACH
    assert len(read.rows) >= 2_400


async def test_a_part_in_doubt_leaves_the_whole_in_doubt(now):
    reading = Reading(now, total=lambda count: count + (count == 600))
    crowd(reading, 3_000, workspaces=5, tasks=5)
    assert (await reading.read()).doubt is Doubt.ROWS_MISSING


@pytest.mark.parametrize(
    ("deepest", "learned"), [(OFFSET_LIMIT, OFFSET_LIMIT), (10**6, UNBOUNDED)]
)
async def test_how_deep_tmc_lets_us_page_is_tried_once(now, deepest, learned):
    reading = Reading(now, deepest=deepest)
    reading.reader.limits = Limits()
    reading.fill(4_000)
    read = await reading.read()
    assert read.doubt is None
    assert reading.reader.limits == Limits(deepest=learned)
    tried = [offset for _, (_, offset, _) in reading.list.asked if offset == OFFSET_LIMIT + 1]
    assert len(tried) == 1
    assert (len(read.rows) == 4_000) == (learned == UNBOUNDED)
    await reading.read()
    tried = [offset for _, (_, offset, _) in reading.list.asked if offset == OFFSET_LIMIT + 1]
    assert len(tried) == 1


async def test_offsets_that_tmc_takes_no_more_are_forgotten(now):
    reading = Reading(now)
    reading.reader.limits = Limits(deepest=UNBOUNDED)
    reading.fill(4_000)
    read = await reading.read()
    assert read.doubt is None
    assert reading.reader.limits == Limits(deepest=OFFSET_LIMIT)


async def test_a_window_that_tmc_finds_too_wide_is_narrowed_and_that_is_remembered(now):
    reading = Reading(now, widest=timedelta(days=3))
    reading.hour = Window(start=now() - timedelta(days=2.9), end=now() + timedelta(days=1))
    reading.fill(10)
    read = await reading.read()
    assert (read.doubt, read.window.start) == (None, reading.hour.start)
    assert reading.reader.limits.widest == read.window.width
    asked = reading.list.count("page")
    await reading.read()
    assert reading.list.count("page") == asked + 1


async def test_what_tmc_refuses_however_narrow_fails_the_read(now):
    reading = Reading(now, problems=[BadRequest("page", "no")])
    with pytest.raises(BadRequest):
        await reading.read()


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (99, 1), (100, 3), (150, 3), (900, 11)])
async def test_without_a_total_a_short_page_ends_the_list_and_the_first_is_asked_again(
    count, requests, now
):
    reading = Reading(now, total=no_total)
    reading.fill(count)
    read = await reading.read()
    assert (read.doubt, len(read.rows), read.total) == (None, count, count)
    assert reading.list.count("page") == requests


async def test_without_a_total_a_first_page_that_changed_proves_nothing(now):
    reading = Reading(now, total=no_total)
    reading.fill(150)
    asked = 0

    async def ask(window, offset, _part=WHOLE):
        nonlocal asked
        asked += 1
        if asked == 3:
            reading.list.put("late", Phase.RUNNING, ago=1)
        return await reading.list.page(window, offset, purpose=Purpose.HEAD)

    read = await reading.read(ask)
    assert reading.said == [Doubt.TOTAL_CHANGED]
    assert (read.doubt, len(read.rows)) == (None, 151)


async def test_without_a_total_a_list_that_does_not_end_is_halved(now):
    reading = Reading(now, total=no_total)
    reading.fill(1_500)
    read = await reading.read()
    assert reading.said == ["bisected"]
    assert (read.doubt, read.window.width) == (None, timedelta(minutes=30))


async def test_a_page_that_fails_fails_the_read(now):
    reading = Reading(now, problems=[None, Unavailable("page", "gone")])
    reading.fill(150)
    with pytest.raises(Unavailable):
        await reading.read()


@pytest.mark.parametrize(
    ("count", "total", "doubt"),
    [
        (5, 5, None),
        (0, 0, None),
        (5, None, None),
        (100, 100, None),
        (100, None, Doubt.NO_END),
        (100, 101, Doubt.PAGES_APART),
        (4, 5, Doubt.ROWS_MISSING),
    ],
)
async def test_a_single_page_certifies_itself_if_it_holds_everything(count, total, doubt, now):
    reading = Reading(now, total=lambda _: total)
    reading.fill(count)
    page = await reading.ask(reading.hour, 0)
    assert single(reading.hour, page).doubt is doubt
