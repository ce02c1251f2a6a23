"""Real sockets on loopback: servers that answer as a test will have it, and clients of them."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener

from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.token import TokenText
from tmcwatch.app import real_world
from tmcwatch.app.wiring import client_of
from tmcwatch.config import load
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName, ExecutionId
from tmcwatch.telemetry.metrics import Metrics

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
NUMBERS = count()
EMPTY_LIST = OK + b"Content-Length: 2\r\n\r\n[]"
TOKEN = "a-token-that-nobody-else-may-see"
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


@asynccontextmanager
async def listening(handle, *, tls=None, host="127.0.0.1"):
    """Handle each connection by a function of the stream; answers with the port."""

    async def handled(stream):
        async with stream:
            try:
                await handle(stream)
            except _GONE:
                return

    listener = await anyio.create_tcp_listener(local_host=host)
    port = listener.extra(SocketAttribute.local_port)
    served = TLSListener(listener, tls, standard_compatible=False) if tls else listener
    async with served, anyio.create_task_group() as tasks:
        tasks.start_soon(served.serve, handled)
        yield port
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def serving(answer, *, tls=None):
    """Serve each request of each connection by a function of the stream."""

    async def handle(stream):
        while True:
            await stream.receive()
            await answer(stream)

    async with listening(handle, tls=tls) as port:
        yield f"http://127.0.0.1:{port}"


async def answer_nothing_new(stream):
    await stream.send(EMPTY_LIST)


def unlimited():
    return Budget(1, now=lambda: NOW, random=lambda: 0.0, ceilings=dict.fromkeys(Family, 1e12))


def client_at(url, http):
    return Client(
        AccountName("acme"),
        base_url=url,
        http=http,
        budget=unlimited(),
        token=TokenText("secret"),
        now=lambda: NOW,
    )


async def ask(client):
    return await client.workspaces(purpose=Purpose.HEAD)


async def ask_for_another(client):
    """Ask for something else each time, as equal questions share an answer."""
    return await client.plan_steps(ExecutionId(str(next(NUMBERS))), purpose=Purpose.HEAD)


def account_of(folder, keys, *, environ=None):
    """Load a config whose one account has these keys, besides a token."""
    file = folder / "tmcwatch.yaml"
    file.write_text(f"""
accounts:
  - {{name: prod, token: {TOKEN}, {keys}}}
route: {{receiver: team}}
receivers: [{{name: team, log: {{}}}}]
""")
    return load(file, environ=environ or {}).accounts[0]


@asynccontextmanager
async def wired(folder, keys, *, environ=None):
    """Make the client of an account as the daemon does."""
    account = account_of(folder, keys, environ=environ)
    client = client_of(account, unlimited(), Metrics(version="test"), real_world({}))
    try:
        yield client
    finally:
        await client.aclose()
