"""The connection against real sockets: slow, cut and endless bodies, and a pool under stress."""

from random import Random

import anyio
import httpx
import pytest

from tests.contracts.sockets import (
    EMPTY_LIST,
    OK,
    answer_nothing_new,
    ask,
    ask_for_another,
    client_at,
    listening,
    serving,
)
from tmcwatch.api import body
from tmcwatch.api.budget import MOST_IN_FLIGHT, Room
from tmcwatch.api.connection import RENEW_AFTER, Connection, http_client
from tmcwatch.api.errors import Unavailable
from tmcwatch.api.proxy import ThroughProxy
from tmcwatch.api.token import bearer


@pytest.fixture
def anyio_backend():
    """Run on the loop of production: sockets do not know virtual time."""
    return "asyncio"


async def failure(answer):
    async with serving(answer) as url, http_client(verify=False) as http:
        with pytest.raises(Unavailable) as caught:
            await ask(client_at(url, http))
        return str(caught.value)


@pytest.mark.parametrize("address", ["http://999.1.1.1", "http://[v1.x]", "https://xn--"])
async def test_an_address_that_cannot_be_one_is_a_state(address):
    async with http_client(verify=False) as http:
        with pytest.raises(Unavailable, match="workspaces: no usable address: "):
            await ask(client_at(address, http))


async def test_a_body_that_trickles_does_not_last_for_ever(monkeypatch):
    monkeypatch.setattr(body, "BODY_WITHIN", 0.2)

    async def trickle(stream):
        await stream.send(OK + b"Content-Length: 1000\r\n\r\n")
        for _ in range(1_000):
            await stream.send(b" ")
            await anyio.sleep(0.01)

    assert "took over" in await failure(trickle)


async def test_a_body_that_is_cut_is_no_answer():
    async def cut(stream):
        await stream.send(OK + b"Content-Length: 1000\r\n\r\n[")
        await stream.aclose()

    assert "RemoteProtocolError" in await failure(cut)


async def test_a_connection_that_is_closed_without_an_answer_is_no_answer():
    async def close(stream):
        await stream.aclose()

    assert "RemoteProtocolError" in await failure(close)


async def test_a_body_that_is_too_large_is_refused_unread():
    async def large(stream):
        await stream.send(OK + b"Content-Length: 99999999999\r\n\r\n[")
        await anyio.sleep(60)

    with anyio.fail_after(30):
        assert "too large" in await failure(large)


async def test_nobody_listening_is_unavailable():
    async with http_client(verify=False) as http:
        with pytest.raises(Unavailable, match="ConnectError"):
            await ask(client_at("http://127.0.0.1:1", http))


@pytest.mark.uncounted
async def test_the_pool_survives_requests_cancelled_under_load():
    async def answer(stream):
        await anyio.sleep(0.002)
        await stream.send(EMPTY_LIST)

    async with serving(answer) as url, http_client(verify=False) as http:
        client = client_at(url, http)
        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(ask_without_patience, client, Random(number))
        async with anyio.create_task_group() as tasks:
            for _ in range(MOST_IN_FLIGHT):
                tasks.start_soon(ask_for_another, client)


async def ask_without_patience(client, random):
    for _ in range(40):
        with anyio.move_on_after(0.02 * random.random()):
            await ask_for_another(client)


def test_no_more_requests_are_in_flight_than_the_pool_has_places():
    direct = http_client()._transport
    assert isinstance(direct, httpx.AsyncHTTPTransport)
    proxied = http_client(proxy="http://proxy.example:3128")._transport
    assert isinstance(proxied, ThroughProxy)
    for transport in (direct, proxied._inner):
        assert Room().free <= transport._pool._max_connections


async def test_as_many_requests_as_may_be_are_in_flight_at_once_and_no_more():
    under_way, most = 0, 0
    all_here = anyio.Event()

    async def answer(stream):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way >= MOST_IN_FLIGHT:
            all_here.set()
        await all_here.wait()
        # Whoever comes too many has the time to come.
        await anyio.sleep(0.05)
        under_way -= 1
        await stream.send(EMPTY_LIST)

    async with serving(answer) as url, http_client(verify=False) as http:
        client = client_at(url, http)
        async with anyio.create_task_group() as tasks:
            for _ in range(3 * MOST_IN_FLIGHT):
                tasks.start_soon(ask_for_another, client)
    assert most == MOST_IN_FLIGHT


def pool_of(places, *, patience):
    """Make a client that waits no longer than that for one of few places."""
    timeout = httpx.Timeout(20, pool=patience)
    limits = httpx.Limits(max_connections=places)
    return httpx.AsyncClient(timeout=timeout, limits=limits, verify=False)


async def test_a_pool_whose_places_are_all_taken_heals_on_real_sockets():
    hanging = anyio.Event()

    async def hang(stream):
        await stream.receive()
        hanging.set()
        await anyio.sleep_forever()

    async with listening(hang) as port, serving(answer_nothing_new) as url:
        line = Connection(url, pool_of(1, patience=0.02), renew=lambda: pool_of(1, patience=5))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(line._http.get, f"http://127.0.0.1:{port}")
            await hanging.wait()
            for _ in range(RENEW_AFTER):
                with pytest.raises(Unavailable, match="no connection was free in time"):
                    await line.send("workspaces", request_of(line))
            answer = await line.send("workspaces", request_of(line))
            tasks.cancel_scope.cancel()
        await line.aclose()
    assert (answer.status, answer.body) == (200, b"[]")


def request_of(line):
    return line.request("ask", "/", query={}, body=None, credential=bearer("t"))


def no_place(_):
    raise httpx.PoolTimeout("")


async def test_a_lost_pool_is_replaced_after_a_few_timeouts():
    made = []

    def renew():
        made.append(http_client(httpx.MockTransport(no_place)))
        return made[-1]

    lost = http_client(httpx.MockTransport(no_place))
    line = Connection("http://tmc.example", lost, renew=renew)
    for _ in range(6):
        with pytest.raises(Unavailable, match="no connection was free"):
            await line.send("workspaces", request_of(line))
    assert (len(made), lost.is_closed, made[0].is_closed) == (2, True, False)
    await line.aclose()
    assert [http.is_closed for http in made] == [True, True]


async def test_single_pool_timeouts_replace_nothing():
    answers = [httpx.PoolTimeout(""), httpx.PoolTimeout(""), None] * 2

    def answer(_):
        error = answers.pop(0)
        if error is not None:
            raise error
        return httpx.Response(200, json=[])

    http = http_client(httpx.MockTransport(answer))
    client = client_at("http://tmc.example", http)
    for error in list(answers):
        if error is None:
            await ask(client)
        else:
            with pytest.raises(Unavailable):
                await ask(client)
    assert not http.is_closed
    await client.aclose()
    assert http.is_closed
