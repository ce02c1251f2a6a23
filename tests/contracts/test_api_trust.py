"""Whom the client believes: certificates of servers, and no other host than the account's."""

import shutil

import anyio
import pytest
import structlog

from tests.contracts.certificates import authority, self_signed
from tests.contracts.sockets import (
    TOKEN,
    account_of,
    answer_nothing_new,
    ask,
    listening,
    serving,
    unlimited,
    wired,
)
from tmcwatch.api.errors import Unavailable
from tmcwatch.app import real_world
from tmcwatch.app.wiring import client_of
from tmcwatch.telemetry.metrics import Metrics


@pytest.fixture
def anyio_backend():
    """Run on the loop of production: sockets do not know virtual time."""
    return "asyncio"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """The authority of a company, which no other machine knows."""
    return authority(tmp_path_factory.mktemp("house"), "house")


def secure(url: str) -> str:
    return url.replace("http:", "https:")


async def failure(folder, keys) -> str:
    async with wired(folder, keys) as client:
        with pytest.raises(Unavailable) as caught:
            await ask(client)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


async def test_a_certificate_signed_by_itself_is_refused(tmp_path):
    async with serving(answer_nothing_new, tls=self_signed(tmp_path, "127.0.0.1")) as url:
        told = await failure(tmp_path, f"url: '{secure(url)}'")
    assert told == (
        "workspaces: the certificate of the server is refused: self-signed certificate"
    )


async def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path, house):
    async with serving(answer_nothing_new, tls=house.server("127.0.0.1")) as url:
        told = await failure(tmp_path, f"url: '{secure(url)}'")
    assert "certificate of the server is refused: unable to get local issuer" in told


async def test_an_authority_in_the_ca_file_is_trusted(tmp_path, house):
    async with serving(answer_nothing_new, tls=house.server("127.0.0.1")) as url:
        keys = f"url: '{secure(url)}', ca_file: {house.certificate}"
        async with wired(tmp_path, keys) as client:
            assert await ask(client) == ()


async def test_the_usual_authorities_are_trusted_besides_those_of_the_ca_file(
    tmp_path, house, monkeypatch
):
    usual = authority(tmp_path, "usual")
    # This is where a system says which are its usual ones.
    monkeypatch.setenv("SSL_CERT_FILE", str(usual.certificate))
    for signer in (usual, house):
        async with serving(answer_nothing_new, tls=signer.server("127.0.0.1")) as url:
            keys = f"url: '{secure(url)}', ca_file: {house.certificate}"
            async with wired(tmp_path, keys) as client:
                assert await ask(client) == ()


async def test_a_trusted_certificate_for_another_host_is_refused(tmp_path, house):
    async with serving(answer_nothing_new, tls=house.server("tmc.example")) as url:
        keys = f"url: '{secure(url)}', ca_file: {house.certificate}"
        told = await failure(tmp_path, keys)
    assert "certificate of the server is refused: IP address mismatch" in told


async def test_nothing_is_sent_to_a_server_that_is_not_trusted(tmp_path):
    received = []

    async def handle(stream):
        received.append(await stream.receive())

    async with listening(handle, tls=self_signed(tmp_path, "127.0.0.1")) as port:
        await failure(tmp_path, f"url: 'https://127.0.0.1:{port}'")
    assert received == []


async def test_a_client_made_after_the_ca_file_changed_trusts_the_new_authority(tmp_path, house):
    rotated = tmp_path / "ca.pem"
    shutil.copy(authority(tmp_path, "former").certificate, rotated)
    async with serving(answer_nothing_new, tls=house.server("127.0.0.1")) as url:
        keys = f"url: '{secure(url)}', ca_file: {rotated}"
        assert "refused" in await failure(tmp_path, keys)
        shutil.copy(house.certificate, rotated)
        async with wired(tmp_path, keys) as client:
            assert await ask(client) == ()


async def test_a_ca_file_that_breaks_after_its_check_is_a_state_and_no_crash(tmp_path):
    account = account_of(tmp_path, f"region: eu, ca_file: {tmp_path}/gone.pem")
    with structlog.testing.capture_logs() as logged:
        client = client_of(account, unlimited(), Metrics(version="test"), real_world({}))
    await client.aclose()
    assert [(line["event"], line["file"]) for line in logged] == [
        ("ca_file_unusable", f"{tmp_path}/gone.pem")
    ]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"])
async def test_a_redirect_to_another_host_is_told_and_not_followed(tmp_path, status):
    visits = []

    async def elsewhere(stream):
        visits.append("came")
        await stream.send(b"")

    async with listening(elsewhere) as port:
        redirect = f"HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:{port}/\r\n"

        async def answer(stream):
            await stream.send(f"{redirect}Content-Length: 0\r\n\r\n".encode())

        async with serving(answer) as url:
            told = await failure(tmp_path, f"url: '{url}'")
        # Whoever had come would have been let in by now.
        await anyio.wait_all_tasks_blocked()
    assert told == (f"workspaces: {status[:3]} redirects are not followed: is the address right?")
    assert visits == []
