"""One look at a list: what it asks, what it believes, and how far it proves anything."""

from datetime import timedelta

import anyio
import pytest

from tests.domain.telling import LOAD
from tests.services.lists import SETTLE, no_total
from tmcwatch.api.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    Throttled,
    Unauthorized,
    Unavailable,
)
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Kind, Phase, SubjectId
from tmcwatch.domain.observation import LookProblem, Moment, NamesRead
from tmcwatch.polling.telling import DETAILS_AT_ONCE

DOWN = Unavailable("page", "no answer")


async def test_the_first_look_begins_to_watch_from_now(watching, now):
    watch = watching(history=timedelta(hours=1))
    watch.tmc.put("old", Phase.FAILED, ago=30, ended=20)
    assert await watch.look()
    position = watch.position
    assert (position.watched_from, position.watermark) == (now(), now() - SETTLE)
    assert (position.history.start, position.history.end) == (now() - timedelta(hours=1), now())
    assert watch.ends(quiet=True) == [("old", Phase.FAILED)]
    assert watch.tmc.count("completed") == 0


async def test_without_history_to_read_none_is_left(watching):
    watch = watching()
    await watch.look()
    assert watch.position.history is None


async def test_a_quiet_head_costs_one_request_whatever_runs(watching, now):
    watch = watching()
    await watch.look()
    for n in range(60):
        watch.tmc.put(f"r{n}", Phase.RUNNING, ago=1)
    assert await watch.look(after=10)
    assert watch.tmc.asked == [
        ("page", (watch.tmc.asked[0][1][0], 0, Purpose.HEAD)),
    ]
    assert watch.position.watermark == now() - SETTLE


async def test_every_look_ends_with_a_moment(watching):
    watch = watching()
    await watch.look()
    watch.tmc.problems = [DOWN]
    await watch.look(after=10)
    assert isinstance(watch.sent[-1], Moment)


async def test_what_many_pages_show_is_read_to_its_end(watching, now):
    watch = watching()
    await watch.look()
    await anyio.sleep(60)
    for n in range(350):
        watch.tmc.put(f"r{n:03}", Phase.SUCCEEDED, ago=40 - n / 10, ended=0)
    assert await watch.look()
    assert [len(look.rows) for look in watch.looks] == [350]
    assert watch.position.watermark == now() - SETTLE


async def test_what_the_newest_page_showed_is_told_even_if_the_rest_cannot_be_read(watching):
    watch = watching()
    await watch.look()
    before = watch.position.watermark
    await anyio.sleep(60)
    for n in range(350):
        watch.tmc.put(f"r{n:03}", Phase.SUCCEEDED, ago=40 - n / 10, ended=0)
    watch.tmc.problems = [None, None, DOWN]
    assert not await watch.look()
    assert [len(look.rows) for look in watch.looks] == [100]
    assert watch.position.watermark == before


async def test_rows_newer_than_the_settled_stretch_are_believed_beside_it(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    await anyio.sleep(60)
    for n in range(150):
        watch.tmc.put(f"old{n:03}", Phase.SUCCEEDED, ago=30, ended=0)
    watch.tmc.put("new", Phase.FAILED, ago=2, ended=1)
    assert await watch.look()
    assert ("new", Phase.FAILED) in watch.ends()
    assert len(watch.ends()) == 151


async def test_an_unproven_look_is_believed_and_told_as_failed(watching):
    watch = watching()
    await watch.look()
    watch.tmc.total = lambda count: count + 1
    watch.tmc.put("bad", Phase.FAILED, ended=0)
    assert not await watch.look(after=10)
    assert watch.ends() == [("bad", Phase.FAILED)]
    (failed,) = watch.failed
    assert failed.problem is LookProblem.UNPROVEN
    assert "rows_missing" in failed.text


async def test_a_list_without_totals_proves_itself_by_a_short_page(watching, now):
    watch = watching(total=no_total)
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING)
    assert await watch.look(after=10)
    assert watch.position.watermark == now() - SETTLE


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (DOWN, LookProblem.UNREACHABLE),
        (Throttled("page", "slow down"), LookProblem.THROTTLED),
        (Unauthorized("page", "who"), LookProblem.UNAUTHORIZED),
        (Forbidden("page", "no"), LookProblem.FORBIDDEN),
        (BadRequest("page", "what"), LookProblem.REFUSED),
        (NotFound("page", "where"), LookProblem.REFUSED),
    ],
)
async def test_a_failed_look_is_an_observation(watching, error, problem):
    watch = watching()
    await watch.look()
    before = watch.position
    watch.tmc.problems = [error]
    # The budget has paused already for what was throttled: the next look need not wait longer.
    assert await watch.look(after=10) == (problem is LookProblem.THROTTLED)
    (failed,) = watch.failed
    assert (failed.problem, failed.text) == (problem, str(error))
    assert watch.position == before


async def test_a_first_look_that_fails_begins_nothing(watching):
    watch = watching()
    watch.tmc.problems = [DOWN]
    assert not await watch.look()
    assert await watch.look(after=10)
    assert watch.position.watched_from == watch.now()


async def test_what_turned_bad_is_told_with_its_details(watching):
    watch = watching()
    await watch.look()
    watch.tmc.put("r", Phase.FAILED, ended=0)
    await watch.look(after=10)
    assert [row.error for row in watch.looks[0].rows] == ["boom"]
    await watch.look(after=5)
    assert watch.tmc.count("completed") == 0


async def test_one_look_asks_for_a_few_details_and_tells_the_rest_without(watching):
    watch = watching()
    await watch.look()
    await anyio.sleep(10)
    for n in range(50):
        watch.tmc.put(f"r{n:02}", Phase.FAILED, ended=0)
    await watch.look()
    assert watch.tmc.count("completed") == DETAILS_AT_ONCE
    assert len(watch.ends()) == 50
    await watch.look(after=5)
    assert watch.tmc.count("completed") == DETAILS_AT_ONCE


async def test_a_detail_that_fails_does_not_hold_up_the_failure(watching):
    watch = watching()
    await watch.look()
    await anyio.sleep(10)
    watch.tmc.put("r1", Phase.FAILED, ended=0)
    watch.tmc.put("r2", Phase.FAILED, ended=0)
    watch.tmc.problems = [None, DOWN]
    assert await watch.look()
    assert sorted(watch.ends()) == [("r1", Phase.FAILED), ("r2", Phase.FAILED)]
    assert watch.tmc.count("completed") == 1


async def test_a_detail_that_is_missing_leaves_the_others_theirs(watching):
    watch = watching()
    await watch.look()
    await anyio.sleep(10)
    watch.tmc.put("r1", Phase.FAILED, ended=0)
    watch.tmc.put("r2", Phase.FAILED, ended=0)
    watch.tmc.missing = {"r2"}
    assert await watch.look()
    assert {row.id: row.error for row in watch.looks[0].rows} == {"r1": "boom", "r2": None}


async def test_a_plan_that_turned_bad_is_completed_even_if_it_was_read_by_its_id(watching):
    watch = watching(kind=Kind.PLAN, by_trigger=True)
    await watch.look()
    watch.tmc.put("p", Phase.RUNNING)
    await watch.look(after=30)
    watch.tmc.put("p", Phase.FAILED, ended=0)
    await watch.look(after=60)
    assert watch.tmc.asked[1:] == [("one", "p"), ("completed", "p")]
    assert watch.ends() == [("p", Phase.FAILED)]


async def test_history_is_never_asked_for_details(watching):
    watch = watching()
    watch.tmc.put("old", Phase.RUNNING, ago=90)
    await watch.look()
    watch.tmc.put("old", Phase.FAILED, ended=10)
    await watch.look(after=2)
    assert watch.tmc.count("completed") == 0
    assert watch.ends(quiet=True) == [("old", Phase.FAILED)]


async def test_strangers_are_named_before_they_are_told(watching):
    watch = watching()
    await watch.name_everything()
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING, subject=SubjectId("new"))
    await watch.look(after=10)
    assert [type(one) for one in watch.sent[:1]] == [NamesRead]
    assert ("named", "new") in watch.tmc.asked
    await watch.look(after=10)
    assert watch.tmc.count("named") == 0


async def test_before_the_names_were_read_nobody_is_a_stranger(watching):
    watch = watching()
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING, subject=SubjectId("new"))
    await watch.look(after=10)
    assert watch.tmc.count("named") == 0


async def test_a_stranger_that_tmc_does_not_know_is_asked_for_once(watching):
    watch = watching()
    await watch.name_everything()
    await watch.look()
    watch.tmc.missing = {"ghost"}
    watch.tmc.put("r", Phase.RUNNING, subject=SubjectId("ghost"))
    await watch.look(after=10)
    assert watch.tmc.count("named") == 1
    assert await watch.look(after=10)
    assert watch.tmc.count("named") == 0


async def test_a_stranger_that_stays_without_an_environment_is_asked_for_once(watching):
    watch = watching()
    await watch.name_everything()
    await watch.look()

    async def without_environment(subject):
        watch.tmc.asked.append(("named", subject))
        return type(LOAD)(**_facts(LOAD) | {"id": subject, "environment": "unknown"})

    watch.tmc.named = without_environment
    watch.tmc.put("r", Phase.RUNNING, subject=SubjectId("odd"))
    await watch.look(after=10)
    assert watch.tmc.count("named") == 1
    await watch.look(after=10)
    assert watch.tmc.count("named") == 0


def _facts(subject):
    return {name: getattr(subject, name) for name in subject.__dataclass_fields__}


async def test_names_that_cannot_be_read_hold_up_nothing(watching):
    watch = watching()
    await watch.name_everything()
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING, subject=SubjectId("new"))
    watch.tmc.problems = [None, DOWN]
    assert await watch.look(after=10)
    assert ("r", Phase.RUNNING) in watch.told
