"""Accounts behind a proxy, which the config or the environment names, on real sockets."""

import base64
import os
import traceback
from contextlib import asynccontextmanager, suppress

import anyio
import httpx
import pytest

from tests.contracts.certificates import authority
from tests.contracts.sockets import (
    TOKEN,
    account_of,
    answer_nothing_new,
    ask,
    listening,
    serving,
    wired,
)
from tmcwatch.api.connection import UNUSABLE, http_client
from tmcwatch.api.errors import Unavailable
from tmcwatch.telemetry.redaction import without_secrets

PASSWORD = "pass w/rd@9"
USER = "watch:pass%20w%2Frd%409"
EXPECTED = b"Proxy-Authorization: Basic " + base64.b64encode(f"watch:{PASSWORD}".encode())


@pytest.fixture
def anyio_backend():
    """Run on the loop of production: sockets do not know virtual time."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("house"), "house")


class Proxy:
    """Forwards to one server, whatever host is asked for, those who know the password."""

    def __init__(self, *, to: str) -> None:
        self._port = int(to.rpartition(":")[2])
        self.heads: list[bytes] = []

    @property
    def lines(self) -> list[str]:
        return [head.split(b"\r\n")[0].decode() for head in self.heads]

    async def __call__(self, stream):
        head = await stream.receive()
        self.heads.append(head)
        if EXPECTED not in head:
            await stream.send(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\n" + head
            )
            return
        async with await anyio.connect_tcp("127.0.0.1", self._port) as beyond:
            if head.startswith(b"CONNECT "):
                await stream.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                await beyond.send(head)
            await _join(stream, beyond)


async def _join(one, other) -> None:
    """Pass on what either sends, until one of them ends."""
    async with anyio.create_task_group() as tasks:

        async def pass_on(source, target):
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                async for piece in source:
                    await target.send(piece)
            tasks.cancel_scope.cancel()

        tasks.start_soon(pass_on, one, other)
        tasks.start_soon(pass_on, other, one)


@asynccontextmanager
async def proxied(*, tls=None, proxy_tls=None):
    """A server, and a proxy that leads to it: answers with the proxy and its port."""
    async with serving(answer_nothing_new, tls=tls) as url:
        proxy = Proxy(to=url)
        async with listening(proxy, tls=proxy_tls) as port:
            yield proxy, port


async def failure(folder, keys, *, environ=None) -> Unavailable:
    async with wired(folder, keys, environ=environ) as client:
        with pytest.raises(Unavailable) as caught:
            await ask(client)
    told = "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in (PASSWORD, "w%2Frd", TOKEN) if secret in told]
    return caught.value


async def test_an_https_account_is_asked_through_a_tunnel_that_the_proxy_cannot_look_into(
    tmp_path, house
):
    async with proxied(tls=house.server("tmc.example")) as (proxy, port):
        keys = f"url: 'https://tmc.example', ca_file: {house.certificate}, proxy: '${{PROXY}}'"
        environ = {"PROXY": f"http://{USER}@127.0.0.1:{port}"}
        async with wired(tmp_path, keys, environ=environ) as client:
            assert await ask(client) == ()
    assert proxy.lines == ["CONNECT tmc.example:443 HTTP/1.1"]
    assert TOKEN.encode() not in proxy.heads[0]


async def test_the_certificate_behind_the_proxy_is_verified(tmp_path, house):
    async with proxied(tls=house.server("other.example")) as (_, port):
        keys = f"url: 'https://tmc.example', proxy: 'http://{USER}@127.0.0.1:{port}'"
        told = [
            str(await failure(tmp_path, keys)),
            str(await failure(tmp_path, f"{keys}, ca_file: {house.certificate}")),
        ]
    assert "certificate of the server is refused: unable to get local issuer" in told[0]
    assert "certificate of the server is refused: Hostname mismatch" in told[1]


async def test_an_http_account_is_asked_by_its_whole_address(tmp_path):
    async with proxied() as (proxy, port):
        keys = f"url: 'http://tmc.example', proxy: 'http://{USER}@127.0.0.1:{port}'"
        async with wired(tmp_path, keys) as client:
            assert await ask(client) == ()
    assert proxy.lines == ["GET http://tmc.example/orchestration/workspaces HTTP/1.1"]


async def test_a_proxy_may_speak_tls_itself_and_is_verified(tmp_path, house):
    at_proxy, at_end = house.server("127.0.0.1"), house.server("tmc.example")
    async with proxied(tls=at_end, proxy_tls=at_proxy) as (proxy, port):
        keys = f"url: 'https://tmc.example', proxy: 'https://{USER}@127.0.0.1:{port}'"
        async with wired(tmp_path, f"{keys}, ca_file: {house.certificate}") as client:
            assert await ask(client) == ()
        told = str(await failure(tmp_path, keys))
    assert proxy.lines == ["CONNECT tmc.example:443 HTTP/1.1"]
    assert "certificate of the server is refused" in told


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_refuses_the_password_is_told_without_it(tmp_path, scheme, house):
    tls = house.server("tmc.example") if scheme == "https" else None
    async with proxied(tls=tls) as (_, port):
        address = f"http://watch:w%2Frdwrong@127.0.0.1:{port}"
        keys = f"url: '{scheme}://tmc.example', proxy: '{address}'"
        told = str(await failure(tmp_path, keys))
    assert told == (f"workspaces: ProxyError: 127.0.0.1:{port}: 407 Proxy Authentication Required")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_told_without_its_password(tmp_path, scheme):
    keys = f"url: '{scheme}://tmc.example', proxy: '{scheme}://{USER}@127.0.0.1:1'"
    told = str(await failure(tmp_path, keys))
    assert told == "workspaces: ProxyError: 127.0.0.1:1: no connection to the proxy"


@pytest.mark.parametrize("host", ["999.1.1.1", "[v1.x]", "xn--"])
async def test_a_proxy_whose_host_cannot_be_one_is_a_state(tmp_path, host):
    told = str(await failure(tmp_path, f"region: eu, proxy: 'http://{USER}@{host}:3128'"))
    assert told == "workspaces: ProxyError: the proxy of the account has no usable address"


async def test_a_proxy_that_is_none_is_told(tmp_path):
    async def answer(stream):
        await stream.receive()
        await stream.send(b"220 mail.example ESMTP\r\n")

    async with listening(answer) as port:
        keys = f"url: 'https://tmc.example', proxy: 'http://{USER}@127.0.0.1:{port}'"
        assert "RemoteProtocolError" in str(await failure(tmp_path, keys))


def test_the_password_is_in_no_text_of_the_account_and_kept_out_of_the_log(tmp_path):
    account = account_of(tmp_path, f"region: eu, proxy: 'http://{USER}@proxy.example:3128'")
    texts = [repr(account), str(account), account.model_dump_json()]
    texts += [without_secrets(f"sent {text} on") for text in (PASSWORD, USER.split(":")[1])]
    assert not [text for text in texts if PASSWORD in text or "w%2Frd" in text]
    assert "sent [redacted] on" in texts


async def test_without_a_proxy_in_the_config_that_of_the_environment_is_asked(
    tmp_path, house, monkeypatch
):
    async with proxied(tls=house.server("tmc.example")) as (proxy, port):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{USER}@127.0.0.1:{port}")
        keys = f"url: 'https://tmc.example', ca_file: {house.certificate}"
        async with wired(tmp_path, keys) as client:
            assert await ask(client) == ()
    assert proxy.lines == ["CONNECT tmc.example:443 HTTP/1.1"]


async def test_the_proxy_of_the_config_goes_before_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "tmc.example")
    async with proxied() as (proxy, port):
        keys = f"url: 'http://tmc.example', proxy: 'http://{USER}@127.0.0.1:{port}'"
        async with wired(tmp_path, keys) as client:
            assert await ask(client) == ()
    assert len(proxy.heads) == 1


async def test_hosts_that_the_environment_excepts_are_asked_directly(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    # Another address of the loopback, which is not excepted of itself.
    async with listening(_answer_once, host="127.0.0.2") as port:
        keys = f"url: 'http://127.0.0.2:{port}'"
        assert "ConnectError" in str(await failure(tmp_path, keys))
        monkeypatch.setenv("NO_PROXY", "127.0.0.2")
        async with wired(tmp_path, keys) as client:
            assert await ask(client) == ()


async def test_a_proxy_of_the_environment_that_refuses_us_is_a_state_of_the_way(
    tmp_path, monkeypatch
):
    async with proxied() as (_, port):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        error = await failure(tmp_path, "url: 'http://tmc.example'")
    assert error.status == 407


@pytest.mark.parametrize("address", ["socks5://u:w%2Frd@h:1", "ftp://h", "http://u:w%2F/rd@h"])
async def test_a_proxy_of_the_environment_that_cannot_be_used_is_a_state(
    tmp_path, monkeypatch, address
):
    monkeypatch.setenv("HTTPS_PROXY", address)
    told = str(await failure(tmp_path, "region: eu"))
    assert told == f"workspaces: ProxyError: {UNUSABLE}"


async def test_our_own_loopback_is_behind_no_proxy_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with serving(answer_nothing_new) as url, wired(tmp_path, f"url: '{url}'") as client:
        assert await ask(client) == ()


async def test_a_transport_is_the_whole_network_and_stands_behind_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    there = httpx.MockTransport(lambda _: httpx.Response(200))
    async with http_client(there, proxy="http://127.0.0.1:1") as http:
        assert (await http.get("http://tmc.example")).status_code == 200


async def _answer_once(stream):
    await stream.receive()
    await answer_nothing_new(stream)
