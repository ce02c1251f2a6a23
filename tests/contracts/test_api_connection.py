"""The connection against real sockets: slow, cut and endless bodies, and a pool under stress."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute

from tmcwatch.api import connection
from tmcwatch.api.budget import MOST_IN_FLIGHT, Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import Connection, http_client
from tmcwatch.api.errors import Unavailable
from tmcwatch.api.token import TokenText, bearer
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EMPTY_LIST = OK + b"Content-Length: 2\r\n\r\n[]"


@pytest.fixture
def anyio_backend():
    """Run on the loop of production: sockets do not know virtual time."""
    return "asyncio"


@asynccontextmanager
async def serving(answer):
    """Serve each request of each connection by a function of the stream."""

    async def handle(stream):
        async with stream:
            try:
                while True:
                    await stream.receive()
                    await answer(stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


def client_of(url, http):
    unlimited = dict.fromkeys(Family, 1e12)
    return Client(
        AccountName("acme"),
        base_url=url,
        http=http,
        budget=Budget(1, now=lambda: NOW, random=lambda: 0.0, ceilings=unlimited),
        token=TokenText("secret"),
        now=lambda: NOW,
    )


async def ask(client):
    return await client.workspaces(purpose=Purpose.HEAD)


async def failure(answer):
    async with serving(answer) as url, http_client(verify=False) as http:
        with pytest.raises(Unavailable) as caught:
            await ask(client_of(url, http))
        return str(caught.value)


async def test_a_body_that_trickles_does_not_last_for_ever(monkeypatch):
    monkeypatch.setattr(connection, "BODY_WITHIN", 0.2)

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
            await ask(client_of("http://127.0.0.1:1", http))


async def test_the_pool_survives_requests_cancelled_under_load():
    async def answer(stream):
        await anyio.sleep(0.002)
        await stream.send(EMPTY_LIST)

    async with serving(answer) as url, http_client(verify=False) as http:
        client = client_of(url, http)
        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(ask_without_patience, client, Random(number))
        async with anyio.create_task_group() as tasks:
            for _ in range(MOST_IN_FLIGHT):
                tasks.start_soon(ask, client)


async def ask_without_patience(client, random):
    for _ in range(40):
        with anyio.move_on_after(0.02 * random.random()):
            await ask(client)


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
        request = line.request("/", query={}, body=None, credential=bearer("secret"))
        with pytest.raises(Unavailable, match="no connection was free"):
            await line.send("workspaces", request)
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
    client = client_of("http://tmc.example", http)
    for error in list(answers):
        if error is None:
            await ask(client)
        else:
            with pytest.raises(Unavailable):
                await ask(client)
    assert not http.is_closed
    await client.aclose()
    assert http.is_closed
