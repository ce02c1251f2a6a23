"""The client within its budget, on virtual time: what a 429 of any style does."""

from datetime import timedelta
from email.utils import format_datetime
from itertools import count

import anyio
import httpx
import pytest

from tmcwatch.api.asking import TRIES_WHEN_THROTTLED, Call, ignore
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client
from tmcwatch.api.errors import ApiError, Throttled, Unavailable
from tmcwatch.api.token import TokenText
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName

PAGE = {"items": [], "offset": 0, "limit": 100, "total": 0}
HTML = "<html>Too many requests</html>"


class Tmc:
    """Answers each request with the next answer, and remembers when it was asked."""

    def __init__(self, now, *answers):
        self.now, self.answers, self.asked = now, list(answers), []

    async def __call__(self, _):
        self.asked.append(anyio.current_time())
        await anyio.sleep(0.01)
        answer = self.answers.pop(0) if self.answers else httpx.Response(200, json=PAGE)
        return answer(self.now()) if callable(answer) else answer


def client_of(tmc, now, *, budget=None, observe=ignore):
    return Client(
        AccountName("acme"),
        base_url="https://tmc.example",
        http=http_client(httpx.MockTransport(tmc)),
        budget=budget or Budget(0.2, now=now, random=lambda: 0.5),
        token=TokenText("secret"),
        now=now,
        observe=observe,
    )


NUMBERS = count()


async def ask(client, purpose=Purpose.HEAD):
    """Ask for something else each time, as equal questions share an answer."""
    return await client.tasks(next(NUMBERS), purpose=purpose)


def date(now, *, seconds=0.0, ahead=0.0):
    return format_datetime((now + timedelta(seconds=seconds + ahead)), usegmt=True)


STYLES = {
    "none": (httpx.Response(429, json={"status": 429}), None, 1.5),
    "seconds": (httpx.Response(429, headers={"Retry-After": "7"}), 7, 7),
    "html": (httpx.Response(429, text=HTML), None, 1.5),
    "senseless": (httpx.Response(429, headers={"Retry-After": "later"}), None, 1.5),
}


@pytest.mark.parametrize("style", STYLES)
async def test_a_429_of_any_style_pauses_the_family(style, now):
    answer, _, pause = STYLES[style]
    tmc = Tmc(now, answer)
    await ask(client_of(tmc, now))
    assert tmc.asked[1] - tmc.asked[0] == pytest.approx(pause, abs=0.02)


@pytest.mark.parametrize("style", STYLES)
async def test_what_is_throttled_again_and_again_is_given_up(style, now):
    answer, asked, _ = STYLES[style]
    tmc = Tmc(now, *[answer] * TRIES_WHEN_THROTTLED)
    with pytest.raises(Throttled) as caught:
        await ask(client_of(tmc, now))
    assert caught.value.retry_after == (asked and timedelta(seconds=asked))
    assert len(tmc.asked) == TRIES_WHEN_THROTTLED


async def test_a_date_to_retry_after_is_read_on_the_servers_clock(now):
    tmc = Tmc(
        now,
        lambda at: httpx.Response(
            429,
            headers={
                "Date": date(at, ahead=1_000),
                "Retry-After": date(at, ahead=1_000, seconds=20),
            },
        ),
    )
    await ask(client_of(tmc, now))
    assert tmc.asked[1] - tmc.asked[0] == pytest.approx(20, abs=0.02)


async def broken(_):
    raise httpx.ConnectError("nobody there")


@pytest.mark.parametrize("is_silent", [False, True], ids=["5xx", "silence"])
async def test_a_server_that_fails_is_left_alone_for_a_while_at_the_same_rate(is_silent, now):
    failure = httpx.Response(503, headers={"Retry-After": "60"})
    tmc = Tmc(now, *[failure] * 5)
    budget = Budget(0.2, now=now, random=lambda: 1.0)
    client = client_of(broken if is_silent else tmc, now, budget=budget)
    began = anyio.current_time()
    for _ in range(5):
        with pytest.raises(Unavailable):
            await ask(client)
    # Four pauses lie between five calls: 1, 2, 4 and 8 seconds.
    assert anyio.current_time() - began == pytest.approx(15, abs=0.3)
    assert budget.state()[Family.ORCHESTRATION].rate == pytest.approx(6)


async def test_what_tmc_refuses_for_a_reason_pauses_nobody(now):
    tmc = Tmc(now, httpx.Response(403, json={}), httpx.Response(404, json={}))
    client = client_of(tmc, now)
    for _ in range(2):
        with pytest.raises(ApiError):
            await ask(client)
    await ask(client)
    assert tmc.asked[-1] - tmc.asked[0] < 0.5


async def test_a_call_tells_whether_it_came_too_late(now):
    calls: list[Call] = []
    tmc = Tmc(now, httpx.Response(429, headers={"Retry-After": "30"}))
    client = client_of(tmc, now, observe=calls.append)
    await ask(client)
    assert [(call.code, call.is_late) for call in calls] == [("429", False), ("200", True)]


async def test_a_pause_of_one_account_holds_for_all_that_share_its_budget(now):
    budget = Budget(0.2, now=now, random=lambda: 0.5)
    tmc = Tmc(now, httpx.Response(429, headers={"Retry-After": "30"}))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, client_of(tmc, now, budget=budget))
        await anyio.sleep(1)
        await ask(client_of(tmc, now, budget=budget))
    assert tmc.asked[1] - tmc.asked[0] == pytest.approx(30, abs=0.02)


async def test_refusals_under_way_together_count_once(now):
    refusals = [httpx.Response(429) for _ in range(2)]
    tmc = Tmc(now, *refusals)
    budget = Budget(0.2, now=now, random=lambda: 1.0, saved=2)
    client = client_of(tmc, now, budget=budget)
    async with anyio.create_task_group() as tasks:
        for _ in refusals:
            tasks.start_soon(_ask_and_bear, client)
    await ask(client)
    # One strike: at most two seconds, where two would have been four.
    assert tmc.asked[2] - tmc.asked[0] == pytest.approx(2, abs=0.02)


async def _ask_and_bear(client):
    try:
        await ask(client)
    except ApiError:
        return


async def test_no_more_than_eight_requests_are_in_flight(now):
    under_way, most = 0, 0

    async def slow(_):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(60)
        under_way -= 1
        return httpx.Response(200, json=PAGE)

    client = client_of(slow, now)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask, client)
    assert most == 8


async def test_the_sliding_minute_holds_for_two_accounts_on_one_budget(now):
    budget = Budget(0.01, now=now, random=lambda: 0.5)
    tmc = Tmc(now)
    async with anyio.create_task_group() as tasks:
        for client in (client_of(tmc, now, budget=budget), client_of(tmc, now, budget=budget)):
            for _ in range(30):
                tasks.start_soon(ask, client)
    most = 1_800 * 0.01
    counts = [sum(start <= at < start + 59.999 for at in tmc.asked) for start in tmc.asked]
    assert max(counts) <= most
    assert len(tmc.asked) == 60


async def test_the_skew_does_not_count_the_time_on_the_way(now):
    async def distant(_):
        served = now() + timedelta(seconds=4)
        await anyio.sleep(4)
        moment = served.replace(microsecond=0)
        answer = httpx.Response(
            200, json=PAGE, headers={"Date": format_datetime(moment, usegmt=True)}
        )
        await anyio.sleep(4)
        return answer

    client = client_of(distant, now)
    await ask(client)
    assert abs(client.skew) <= timedelta(seconds=0.5)


async def test_each_family_has_its_own_pause(now):
    tmc = Tmc(now, httpx.Response(429, headers={"Retry-After": "30"}))
    budget = Budget(0.2, now=now, random=lambda: 0.5)
    client = client_of(tmc, now, budget=budget)
    with anyio.move_on_after(1):
        await ask(client)
    state = budget.state()
    assert state[Family.ORCHESTRATION].paused_until is not None
    assert state[Family.PROCESSING].paused_until is None
