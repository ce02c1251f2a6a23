"""Two who ask the same share one answer, as long as it was not sent before they asked."""

from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from tests.services.test_budget_client import Tmc, client_of
from tmcwatch.api.budget import Budget
from tmcwatch.api.errors import Forbidden
from tmcwatch.domain.budget import Family, Purpose


@pytest.fixture
async def slow(now):
    """A budget of one call in ten seconds, one of which was just made: so questions wait."""
    budget = Budget(6 / 1_800, now=now, random=lambda: 0.0)
    async with budget.slot(Family.ORCHESTRATION, Purpose.HEAD) as slot:
        slot.answered()
    return budget


async def ask(client, purpose=Purpose.NAMES, *, into=None):
    try:
        into.append(await client.workspaces(purpose=purpose))
    except Forbidden as error:
        into.append(error)


def empty(_: object) -> httpx.Response:
    return httpx.Response(200, json=[])


async def together(client, *purposes):
    answers: list[Any] = []
    async with anyio.create_task_group() as tasks:
        for purpose in purposes:
            tasks.start_soon(partial(ask, client, purpose, into=answers))
            await anyio.wait_all_tasks_blocked()
    return answers


async def test_those_who_ask_while_it_waits_share_the_answer(now, slow):
    tmc = Tmc(now, *[empty] * 9)
    answers = await together(client_of(tmc, now, budget=slow), *[Purpose.NAMES] * 5)
    assert len(tmc.asked) == 1
    assert len(answers) == 5


async def test_those_who_ask_share_the_refusal(now, slow):
    tmc = Tmc(now, httpx.Response(403, json={"message": "no"}))
    answers = await together(client_of(tmc, now, budget=slow), Purpose.NAMES, Purpose.NAMES)
    assert [type(answer) for answer in answers] == [Forbidden, Forbidden]
    assert answers[0] is not answers[1]
    assert len({str(answer) for answer in answers}) == 1
    assert answers[0].status == answers[1].status == 403


async def test_what_was_sent_before_is_not_shared(now):
    asked = anyio.Event()
    answers: list[Any] = []

    async def tmc(_: httpx.Request) -> httpx.Response:
        asked.set()
        await anyio.sleep(5)
        return httpx.Response(200, json=[])

    client = client_of(tmc, now)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(ask, client, into=answers))
        await asked.wait()
        asked = anyio.Event()
        tasks.start_soon(partial(ask, client, into=answers))
        with anyio.fail_after(4):
            await asked.wait()
    assert len(answers) == 2


async def test_the_more_urgent_asker_lends_its_urgency(now, slow):
    tmc = Tmc(now, *[empty] * 9)
    answers: list[Any] = []
    client = client_of(tmc, now, budget=slow)

    async def other():
        await client.environments(purpose=Purpose.ENDS)
        answers.append("other")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(ask, client, Purpose.AUDIT, into=answers))
        tasks.start_soon(other)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(partial(ask, client, Purpose.HEAD, into=answers))
    assert answers[-1] == "other"
    assert len(tmc.asked) == 2


async def test_another_goes_on_where_the_first_asker_gives_up(now, slow):
    tmc = Tmc(now, *[empty] * 9)
    answers: list[Any] = []
    client = client_of(tmc, now, budget=slow)
    async with anyio.create_task_group() as tasks:
        with anyio.move_on_after(1):
            async with anyio.create_task_group() as impatient:
                impatient.start_soon(partial(ask, client, into=[]))
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(partial(ask, client, into=answers))
                tasks.start_soon(partial(ask, client, into=answers))
    assert len(answers) == 2
    assert len(tmc.asked) == 1
