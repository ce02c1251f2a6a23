"""Open executions: followed to their end, by few requests, and never ended by an absence."""

from itertools import pairwise

import anyio

from tmcwatch.api.errors import Unavailable
from tmcwatch.domain.execution import Phase

DOWN = Unavailable("page", "no answer")


async def test_where_lists_go_by_trigger_an_open_run_is_read_by_its_id(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING)
    await watch.look(after=30)
    assert await watch.look(after=60)
    assert watch.tmc.asked[1:] == [("one", "r")]
    watch.tmc.put("r", Phase.FAILED, ended=1)
    await watch.look(after=10)
    assert watch.ends() == [("r", Phase.FAILED)]
    await watch.look(after=10)
    assert watch.tmc.count("one") == 0


async def test_many_open_runs_that_began_together_cost_one_page(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    for n in range(80):
        watch.tmc.put(f"r{n}", Phase.RUNNING)
    await watch.look(after=30)
    for n in range(80):
        watch.tmc.put(f"r{n}", Phase.SUCCEEDED, ended=1)
    await watch.look(after=60)
    assert (watch.tmc.count("page"), watch.tmc.count("one")) == (2, 0)
    assert len(watch.ends()) == 80


async def test_what_the_head_shows_is_not_asked_for_again(watching):
    watch = watching()
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING)
    await watch.look(after=30)
    await watch.look(after=600)
    assert watch.tmc.count("one") == 0


async def test_an_execution_that_tmc_does_not_know_is_never_ended(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING)
    await watch.look(after=30)
    watch.tmc.missing = {"r"}
    for _ in range(20):
        assert await watch.look(after=60)
    assert watch.ends() == []
    watch.tmc.missing = set()
    watch.tmc.put("r", Phase.SUCCEEDED, ended=0)
    await watch.look(after=3600)
    assert watch.ends() == [("r", Phase.SUCCEEDED)]


async def test_a_missing_execution_is_asked_for_more_and_more_rarely(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING)
    await watch.look(after=30)
    watch.tmc.missing = {"r"}
    asked = []
    for beat in (*[10] * 40, *[300] * 60):
        await watch.look(after=beat)
        if watch.tmc.count("one"):
            asked.append(anyio.current_time())
    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert waits[:5] == [10, 10, 20, 40, 80]
    assert max(waits) == 3600


async def test_what_is_not_due_costs_nothing(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING)
    await watch.look(after=30)
    watch.tmc.missing = {"r"}
    await watch.look(after=60)
    await watch.look(after=4)
    assert watch.tmc.count("one") == 0


async def follow_many(watch, *, apart=25):
    """Let eight runs begin, with so many others between two of them."""
    await watch.look()
    for n in range(8 * apart):
        watch.tmc.put(f"s{n:03}", Phase.SUCCEEDED, ago=0, ended=0)
        if n % apart == 0:
            watch.tmc.put(f"r{n:03}", Phase.RUNNING)
        await anyio.sleep(2)
        if n % 10 == 0:
            await watch.look()


async def test_refreshing_keeps_within_its_requests_and_serves_the_longest_unseen_first(watching):
    watch = watching(by_trigger=True, refreshes=3)
    await follow_many(watch)
    seen = set()
    for _ in range(4):
        await watch.look(after=10)
        assert len(watch.tmc.asked) - 1 <= 3
        seen |= {row.id for look in watch.looks[1:] for row in look.rows}
    assert seen == {f"r{n:03}" for n in range(0, 200, 25)}


async def test_what_was_refreshed_before_a_request_failed_is_kept(watching):
    watch = watching(by_trigger=True)
    watch.tmc.put("r1", Phase.RUNNING, ago=50)
    await watch.look()
    watch.tmc.put("r2", Phase.RUNNING)
    await watch.look(after=5)
    await anyio.sleep(600)
    for name in ("r1", "r2"):
        watch.tmc.put(name, Phase.FAILED, ended=1)
    # One page serves both here, so the list shows only one of them to leave one for its id.
    watch.tmc.problems = [None, None, None, None, DOWN]
    await watch.look()
    assert {name for name, _ in watch.ends()} <= {"r1", "r2"}
    watch.tmc.problems = []
    await watch.look(after=10)
    assert sorted(watch.ends()) == [("r1", Phase.FAILED), ("r2", Phase.FAILED)]


async def test_a_row_that_a_page_does_not_show_is_read_by_its_id(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    for name in ("r1", "r2"):
        watch.tmc.put(name, Phase.RUNNING)
    await watch.look(after=10)
    hidden = watch.tmc.rows.pop("r2")
    watch.tmc.missing = {"r2"}
    watch.tmc.put("r1", Phase.SUCCEEDED, ended=1)
    await watch.look(after=60)
    assert ("one", "r2") in watch.tmc.asked
    assert watch.ends() == [("r1", Phase.SUCCEEDED)]
    watch.tmc.rows["r2"] = hidden


async def test_a_failed_refresh_is_a_failed_look_but_the_head_is_believed(watching):
    watch = watching(by_trigger=True)
    await watch.look()
    watch.tmc.put("r", Phase.RUNNING)
    await watch.look(after=30)
    before = watch.position.watermark
    watch.tmc.problems = [None, DOWN]
    assert not await watch.look(after=60)
    assert watch.position.watermark > before
    assert len(watch.failed) == 1


async def test_a_look_that_takes_too_long_leaves_the_rest_for_the_next_head(watching):
    watch = watching(by_trigger=True, refreshes=50)
    await follow_many(watch, apart=110)
    await watch.look(after=10)
    usual = len(watch.tmc.asked)
    watch.tmc.seconds = 4.0
    await watch.look(after=10)
    # The head, one question after open runs, as the time is over then, and one after bad ends.
    assert len(watch.tmc.asked) == 3 < usual


async def test_where_little_may_be_asked_half_of_it_is_for_bad_ends_in_turn(watching):
    watch = watching(by_trigger=True, refreshes=2)
    await follow_many(watch, apart=110)
    statuses = []
    for _ in range(2 * len(watch.tmc.bad_statuses)):
        await watch.look(after=30)
        statuses += [what for what, _ in watch.tmc.asked if what.endswith(" page")]
    assert sorted(statuses[:2]) == sorted(f"{each} page" for each in watch.tmc.bad_statuses)
    assert statuses[:2] == statuses[2:]


async def test_where_only_one_may_be_asked_one_bad_end_is_looked_for_besides(watching):
    watch = watching(by_trigger=True, refreshes=1)
    await follow_many(watch, apart=110)
    statuses = set()
    for _ in watch.tmc.bad_statuses:
        await watch.look(after=30)
        found = [what for what, _ in watch.tmc.asked if what.endswith(" page")]
        assert len(watch.tmc.asked) == 3
        statuses |= set(found)
    assert statuses == {f"{each} page" for each in watch.tmc.bad_statuses}


async def test_what_the_pages_do_not_show_is_read_by_id_within_what_may_be_asked(watching):
    watch = watching(by_trigger=True, refreshes=10)
    await watch.look()
    for n in range(40):
        watch.tmc.put(f"r{n:02}", Phase.RUNNING)
    await watch.look(after=5)
    watch.tmc.hidden = set(watch.tmc.rows)
    for name in watch.tmc.rows:
        watch.tmc.put(name, Phase.SUCCEEDED, ended=0)
    for _ in range(8):
        await watch.look(after=600)
        assert 0 < watch.tmc.count("one") <= 10
        if len(watch.ends()) == 40:
            break
    assert len(watch.ends()) == 40
