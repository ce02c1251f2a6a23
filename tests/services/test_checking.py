"""Checking again what was certified: what had been missed is found, counted and repaired."""

from datetime import timedelta
from itertools import pairwise

import anyio
import pytest
from sqlalchemy import select

from tests.domain.telling import PROD
from tests.services.lists import CEILING, SETTLE
from tmcwatch.api.errors import Unavailable
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Phase
from tmcwatch.domain.observation import Check, Looked, LookProblem, Pass
from tmcwatch.domain.window import Window
from tmcwatch.polling.checking import (
    DAY,
    SAMPLE_WIDTH,
    SECOND_PASS_AFTER,
    SETTLED_FOR,
    Checker,
)
from tmcwatch.store.capture import restart_checks
from tmcwatch.store.schema import counters

BEAT = 300.0


@pytest.fixture
def checked(watching):
    """Make a list that is watched and checked: `checked(random=0.5)`."""

    def make(*, random: float = 0.5, **facts):
        watch = watching(**facts)
        return watch, Checker(looker=watch.looker, random=lambda: random)

    return make


async def beats(watch, checker, *, hours: float) -> None:
    for _ in range(int(hours * 3600 / BEAT)):
        await watch.looker.look()
        if checker is not None:
            await checker.check()
        await anyio.sleep(BEAT)


def checks(watch, kind: Pass) -> list[Check]:
    looks = [one.check for one in watch.sent if isinstance(one, Looked) and one.check]
    return [check for check in looks if check.kind is kind]


def counted(watch, metric: str) -> float:
    query = select(counters.c.value).where(counters.c.metric == metric)
    found = watch.store.read(lambda connection: connection.execute(query).scalars().all())
    return float(sum(found))


async def test_every_stretch_is_certified_once_more_an_hour_later(checked, now):
    watch, checker = checked()
    await beats(watch, checker, hours=5)
    windows = [check.window for check in checks(watch, Pass.SECOND)]
    assert windows[0].start == watch.position.watched_from
    assert all(a.end == b.start for a, b in pairwise(windows))
    assert watch.position.checked_to == windows[-1].end
    assert now() - windows[-1].end < SECOND_PASS_AFTER + timedelta(minutes=25)
    assert {p for _, (_, _, p) in watch.tmc.asked} == {Purpose.HEAD, Purpose.AUDIT}


async def test_a_row_that_came_too_late_is_found_by_the_second_pass_and_widens_the_lag(checked):
    watch, checker = checked(by_trigger=True)
    await beats(watch, checker, hours=1)
    watch.tmc.put("late", Phase.FAILED, ago=900, ended=890)
    await beats(watch, checker, hours=0.5)
    assert watch.ends() == []
    await beats(watch, checker, hours=1.5)
    assert watch.ends() == [("late", Phase.FAILED)]
    assert counted(watch, "late_rows_total") == 1
    assert watch.position.settle == 2 * SETTLE


async def test_the_lag_is_never_widened_beyond_its_ceiling(checked):
    watch, checker = checked(by_trigger=True)
    for n in range(12):
        await beats(watch, checker, hours=1)
        watch.tmc.put(f"late{n}", Phase.SUCCEEDED, ago=900, ended=890)
    await beats(watch, checker, hours=2)
    assert watch.position.settle == CEILING
    assert len(watch.ends()) == 12


async def test_what_was_missed_by_both_readings_is_found_by_the_daily_audit(checked):
    watch, checker = checked(by_trigger=True, random=0.0)
    await beats(watch, checker, hours=12)
    watch.tmc.put("hidden", Phase.FAILED, ago=8 * 3600, ended=8 * 3600 - 5)
    await beats(watch, checker, hours=16)
    assert watch.ends() == [("hidden", Phase.FAILED)]
    assert counted(watch, "audit_discrepancies_total") == 1
    assert counted(watch, "late_rows_total") == 0
    assert watch.position.audited_day_at is not None
    (audit,) = {check.window.start for check in checks(watch, Pass.DAY)[:1]}
    assert watch.now() - audit > DAY


async def test_an_hourly_sample_is_taken_where_chance_says(checked):
    watch, checker = checked(random=0.5)
    await beats(watch, checker, hours=10)
    samples = [check.window for check in checks(watch, Pass.SAMPLE)]
    assert 7 <= len(samples) <= 9
    assert all(window.width == SAMPLE_WIDTH for window in samples)
    oldest = watch.position.watched_from
    last = samples[-1]
    middle = oldest + (watch.now() - SETTLED_FOR - oldest) / 2
    assert abs(last.start - middle) < timedelta(hours=1)


async def test_a_discrepancy_in_a_sample_is_counted(checked):
    watch, checker = checked(by_trigger=True, random=0.0)
    await beats(watch, checker, hours=4)
    ago = (watch.now() - watch.position.watched_from).total_seconds() - 120
    watch.tmc.put("hidden", Phase.SUCCEEDED, ago=ago, ended=ago - 5)
    await beats(watch, checker, hours=2)
    assert counted(watch, "audit_discrepancies_total") == 1
    assert watch.ends() == [("hidden", Phase.SUCCEEDED)]


async def test_an_end_that_was_never_seen_is_counted_and_repaired(checked):
    watch, checker = checked(by_trigger=True)
    await beats(watch, checker, hours=1)
    watch.tmc.put("r", Phase.RUNNING, ago=1)
    await watch.look()
    await watch.look(after=60)
    watch.tmc.missing = {"r"}  # by its id TMC knows nothing of it
    watch.tmc.put("r", Phase.SUCCEEDED, ended=0)
    await beats(watch, checker, hours=2)
    assert watch.ends() == [("r", Phase.SUCCEEDED)]
    assert counted(watch, "late_rows_total") == 1


async def test_an_end_that_tmc_changed_is_a_correction_and_nothing_missed(checked):
    watch, checker = checked(by_trigger=True)
    await beats(watch, checker, hours=1)
    watch.tmc.put("r", Phase.FAILED, ago=20, ended=10)
    await beats(watch, checker, hours=0.25)
    watch.tmc.put("r", Phase.SUCCEEDED, ended=700)
    await beats(watch, checker, hours=2)
    assert watch.ends() == [("r", Phase.FAILED), ("r", Phase.SUCCEEDED)]
    assert counted(watch, "late_rows_total") == counted(watch, "audit_discrepancies_total") == 0
    assert watch.position.settle == SETTLE


async def test_a_quiet_list_shows_no_discrepancy(checked):
    watch, checker = checked(by_trigger=True)
    for n in range(28):
        watch.tmc.put(f"r{n}", Phase.SUCCEEDED, ago=0, ended=0)
        await beats(watch, checker, hours=1)
    assert counted(watch, "late_rows_total") == counted(watch, "audit_discrepancies_total") == 0
    assert len(checks(watch, Pass.DAY)) >= 1


async def test_history_is_no_discrepancy(checked):
    watch, checker = checked()
    watch.tmc.put("long", Phase.RUNNING, ago=3600)
    watch.tmc.put("old", Phase.SUCCEEDED, ago=600, ended=500)
    await beats(watch, checker, hours=3)
    assert counted(watch, "late_rows_total") == 0


async def test_a_check_that_fails_is_told_and_done_again(checked):
    watch, checker = checked()
    await beats(watch, checker, hours=1.5)
    await beats(watch, None, hours=0.5)
    before = watch.position.checked_to
    watch.sent.clear()
    watch.tmc.problems = [Unavailable("page", "gone")]
    assert not await checker.check()
    assert [one.problem for one in watch.failed] == [LookProblem.UNREACHABLE]
    assert watch.position.checked_to == before
    assert await checker.check()
    assert watch.position.checked_to != before


async def test_a_check_that_proves_nothing_moves_nothing(checked):
    watch, checker = checked()
    await beats(watch, checker, hours=1.5)
    await beats(watch, None, hours=0.5)
    before = watch.position.checked_to
    watch.tmc.total = lambda count: count + 1
    watch.sent.clear()
    assert await checker.check()
    assert {one.problem for one in watch.failed} == {LookProblem.UNPROVEN}
    assert watch.position.checked_to == before


async def test_nothing_is_checked_before_the_first_look_nor_while_catching_up(checked):
    watch, checker = checked()
    assert await checker.check()
    assert watch.tmc.asked == []
    await watch.look()
    await anyio.sleep(6 * 3600)
    await watch.look()
    watch.tmc.asked.clear()
    assert await checker.check()
    assert watch.tmc.asked == []


@pytest.mark.uncounted
async def test_what_comes_into_sight_was_not_missed_before(checked):
    watch, checker = checked(by_trigger=True, random=0.0)
    watch.tmc.hidden = {f"r{n}" for n in range(8)}
    for n in range(8):
        watch.tmc.put(f"r{n}", Phase.FAILED, ago=0, ended=0)
        await beats(watch, checker, hours=1)
    watch.store.write(lambda connection: restart_checks(connection, PROD, watch.now()))
    watch.tmc.hidden = set()
    await beats(watch, checker, hours=30)
    assert counted(watch, "late_rows_total") == counted(watch, "audit_discrepancies_total") == 0
    assert watch.ends() == []
    assert checks(watch, Pass.DAY)


async def test_an_audit_that_breaks_off_goes_on_where_it_stopped(checked):
    watch, checker = checked(by_trigger=True)
    await beats(watch, checker, hours=25)
    checker._width = timedelta(hours=1)
    turns = iter([False, False, True])
    asked = watch.tmc.page

    async def page(window, offset, **facts):
        is_of_day = window.width > timedelta(minutes=30) and facts["purpose"] is Purpose.AUDIT
        if is_of_day and next(turns, False):
            raise Unavailable("page", "gone")
        return await asked(window, offset, **facts)

    watch.tmc.page = page
    await beats(watch, checker, hours=2)
    windows = [check.window for check in checks(watch, Pass.DAY)]
    assert len(watch.failed) == 1
    assert all(before.end == after.start for before, after in pairwise(windows))
    assert windows[-1].end - windows[0].start == DAY


async def test_what_is_left_of_an_audit_is_forgotten_where_checks_begin_anew(checked):
    watch, checker = checked(by_trigger=True)
    await beats(watch, checker, hours=3)
    checker._left[Pass.SAMPLE] = Window(
        start=watch.position.watched_from, end=watch.position.watched_from + SAMPLE_WIDTH
    )
    watch.store.write(lambda connection: restart_checks(connection, PROD, watch.now()))
    begun = watch.now()
    watch.sent.clear()
    await beats(watch, checker, hours=4)
    samples = [check.window for check in checks(watch, Pass.SAMPLE)]
    assert samples
    assert all(window.start >= begun for window in samples)
