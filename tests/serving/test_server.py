"""The real server: where it listens, how it starts and how it stops."""

import errno
import signal
import socket
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio
import httpx
import pytest
import uvicorn

from tmcwatch.serving import server
from tmcwatch.serving.application import application
from tmcwatch.serving.server import ListenError, address_of, bind, serve


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def sock():
    with bind("127.0.0.1:0") as sock:
        yield sock


@pytest.fixture
def app(operations):
    return application(operations, lambda: ())


def unused_port():
    with bind("127.0.0.1:0") as sock:
        return sock.getsockname()[1]


async def status_at(address, path="/livez"):
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        return (await client.get(f"http://{address}{path}")).status_code


def test_a_free_port_is_taken_for_port_0(sock):
    host, _, port = address_of(sock).rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


def test_without_a_host_every_address_is_listened_on():
    with bind(f":{unused_port()}") as sock:
        port = sock.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        assert address_of(sock) in {f"[::]:{port}", f"0.0.0.0:{port}"}


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_an_ipv6_address_stands_in_brackets():
    try:
        with bind("[::1]:0") as sock:
            assert address_of(sock).startswith("[::1]:")
    except ListenError as error:
        assert "address" in str(error)  # noqa: PT017 - compiled in, but switched off here


def test_where_ipv6_is_off_every_address_means_ipv4(monkeypatch):
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with bind(":0") as sock:
        assert address_of(sock).startswith("0.0.0.0:")


def test_where_ipv6_is_switched_off_every_address_means_ipv4(monkeypatch):
    create = socket.create_server

    def without_ipv6(address, **options):
        if options.get("family") is socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "not here")
        return create(address, **options)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(socket, "create_server", without_ipv6)
    with bind(":0") as sock:
        assert address_of(sock).startswith("0.0.0.0:")


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_port_in_use_is_named(host):
    with bind(f"{host}:0") as sock:
        listen = f"{host}:{sock.getsockname()[1]}"
        with pytest.raises(ListenError) as raised:
            bind(listen)
    assert str(raised.value) == f"http.listen {listen}: address already in use"


@pytest.mark.parametrize(
    "listen",
    [
        "",
        "10477",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "::1:80",
        "a:65536",
        "a:" + "9" * 9,
    ],
)
def test_what_is_no_address_is_refused(listen):
    with pytest.raises(ListenError, match="not an address such as"):
        bind(listen)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 300])
def test_a_host_that_does_not_exist_is_refused(host):
    with pytest.raises(ListenError, match=r"http\.listen .*: (no such host|not a host name)"):
        bind(f"{host}:0")


@asynccontextmanager
async def serving(app, sock):
    """Serve inside the block; leaving it stops the server and waits until it has."""
    async with anyio.create_task_group() as tasks:
        yield await tasks.start(partial(serve_reporting, app, sock))
        tasks.cancel_scope.cancel()


async def serve_reporting(app, sock, task_status):
    await serve(app, sock=sock, task_status=task_status)


async def test_the_server_answers_until_it_is_cancelled(app, sock):
    async with serving(app, sock) as address:
        assert await status_at(address) == 200
        assert await status_at(address, "/nowhere") == 404
    sock.close()
    with pytest.raises(httpx.ConnectError):
        await status_at(address)


async def test_a_stopped_server_can_be_started_again_on_its_socket(app, sock):
    for _ in range(2):
        async with serving(app, sock) as address:
            assert await status_at(address) == 200


async def test_a_stop_lets_an_answer_under_way_finish(app, sock):
    asked, go_on, answers = anyio.Event(), anyio.Event(), []

    async def slow(scope, receive, send):
        asked.set()
        await go_on.wait()
        await app(scope, receive, send)

    async def ask(address):
        answers.append(await status_at(address))

    async with anyio.create_task_group() as clients, serving(slow, sock) as address:
        clients.start_soon(ask, address)
        await asked.wait()
        clients.start_soon(wait_then_set, go_on)
    assert answers == [200]


async def wait_then_set(event):
    await anyio.sleep(0.3)  # the server is stopping by then
    event.set()


async def test_an_answer_that_never_ends_does_not_hold_up_a_stop(sock, monkeypatch):
    monkeypatch.setattr(server, "FINISH_WITHIN", 1.0)
    asked = anyio.Event()

    async def endless(_scope, _receive, _send):
        asked.set()
        await anyio.sleep_forever()

    async def ask(address):
        with suppress(httpx.HTTPError):
            await status_at(address)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as clients, serving(endless, sock) as address:
            clients.start_soon(ask, address)
            await asked.wait()


async def test_a_server_that_ends_by_itself_is_a_crash(app, sock, monkeypatch):
    async def ended(_self, sockets):
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "serve", ended)
    with pytest.raises(ExceptionGroup) as raised:
        await serve(app, sock=sock)
    assert "ended by itself" in str(raised.value.exceptions[0])


async def test_the_server_leaves_the_signals_alone(app, sock):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with serving(app, sock):
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
