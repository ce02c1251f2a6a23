"""Where rules judge row counts, successes are told with their details."""

import anyio
import pytest

from tmcwatch.domain.execution import Kind, Phase
from tmcwatch.polling.telling import DETAILS_AT_ONCE


@pytest.fixture
def judging(watching):
    def make(**facts):
        watch = watching(**facts)
        watch.judges_rows = True
        watch.restart()
        return watch

    return make


async def test_a_success_is_told_with_its_details_once(judging):
    watch = judging()
    await watch.look()
    watch.tmc.put("r", Phase.SUCCEEDED, ended=0)
    await watch.look(after=10)
    assert watch.tmc.count("completed") == 1
    assert [row.detailed for row in watch.looks[0].rows] == [True]
    await watch.look(after=5)
    assert watch.tmc.count("completed") == 0


async def test_otherwise_a_success_costs_nothing(watching):
    watch = watching()
    await watch.look()
    watch.tmc.put("r", Phase.SUCCEEDED, ended=0)
    await watch.look(after=10)
    assert watch.tmc.count("completed") == 0


async def test_of_a_plan_no_success_is_asked(judging):
    watch = judging(kind=Kind.PLAN)
    await watch.look()
    watch.tmc.put("p", Phase.SUCCEEDED, ended=0)
    await watch.look(after=10)
    assert watch.tmc.count("completed") == 0


async def test_bad_ends_come_first(judging):
    watch = judging()
    await watch.look()
    await anyio.sleep(10)
    for n in range(DETAILS_AT_ONCE):
        watch.tmc.put(f"good{n:02}", Phase.SUCCEEDED, ended=0)
    for n in range(3):
        watch.tmc.put(f"bad{n}", Phase.FAILED, ended=0)
    await watch.look()
    asked = [what for how, what in watch.tmc.asked if how == "completed"]
    assert sorted(asked[:3]) == ["bad0", "bad1", "bad2"]
    assert len(asked) == DETAILS_AT_ONCE


async def test_a_success_that_turns_out_to_be_bad_is_asked_again(judging):
    watch = judging()
    await watch.look()
    watch.tmc.put("r", Phase.SUCCEEDED, ended=0)
    await watch.look(after=10)
    watch.tmc.put("r", Phase.FAILED, ended=0)
    await watch.look(after=5)
    assert [row.error for row in watch.looks[-1].rows] == ["boom"]
