"""The simulator on real sockets: connections that reset, stall, trickle and break."""

import socket
from datetime import UTC, datetime

import anyio
import httpx
import pytest

from tests.simulator.conftest import RUNS, quiet
from tmcwatch.simulator import Simulator, served

AUTHORIZED = {"Authorization": "Bearer demo"}


@pytest.fixture
def anyio_backend():
    """The real thing: uvicorn runs on asyncio only."""
    return "asyncio"


@pytest.fixture
def simulator():
    scenario = quiet(executions_per_day=5000)
    return Simulator(scenario, now=lambda: datetime.now(UTC))


@pytest.fixture
async def api(simulator):
    async with (
        served(simulator) as addresses,
        httpx.AsyncClient(base_url=addresses.api, headers=AUTHORIZED, timeout=5) as client,
    ):
        yield client


async def test_a_page_comes_over_the_wire_with_the_simulated_date(simulator):
    async with served(simulator) as addresses, httpx.AsyncClient(headers=AUTHORIZED) as client:
        answer = await client.get(addresses.api + RUNS)
        world = await client.get(addresses.control + "/world")
    assert len(answer.json()["items"]) == 100
    assert answer.headers.get_list("date")[0].endswith("GMT")
    assert len(answer.headers.get_list("date")) == 1
    assert "server" not in answer.headers
    assert world.json()["requests"] == 1


async def test_a_reset_is_a_read_error(simulator, api):
    simulator.faults.put("reset", times=1)
    with pytest.raises(httpx.ReadError):
        await api.get(RUNS)
    assert (await api.get(RUNS)).status_code == 200


async def test_a_cut_connection_is_a_protocol_error(simulator, api):
    simulator.faults.put("cut", connection=True, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await api.get(RUNS)
    assert (await api.get(RUNS)).status_code == 200


async def test_a_cut_body_arrives_as_a_whole(simulator, api):
    simulator.faults.put("cut", keep=0.3)
    answer = await api.get(RUNS)
    assert int(answer.headers["content-length"]) == len(answer.content)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()


async def test_a_stall_shows_its_head_and_then_nothing(simulator, api):
    simulator.faults.put("stall")
    async with api.stream("GET", RUNS, timeout=0.2) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            await answer.aread()


async def test_a_stall_ends_after_its_seconds(simulator, api):
    simulator.faults.put("stall", seconds=0.1)
    with pytest.raises(httpx.RemoteProtocolError):
        await api.get(RUNS)


async def test_a_slow_answer_trickles_in(simulator, api):
    simulator.faults.put("slow", seconds=0.4)
    before = anyio.current_time()
    async with api.stream("GET", RUNS) as answer:
        parts = [part async for part in answer.aiter_raw()]
    assert len(parts) > 5
    assert anyio.current_time() - before > 0.3


async def test_a_stalled_client_does_not_hold_up_the_end(simulator):
    simulator.faults.put("stall")
    with anyio.fail_after(30):
        async with httpx.AsyncClient(headers=AUTHORIZED) as client:
            async with served(simulator) as addresses:
                request = client.build_request("GET", addresses.api + RUNS)
                answer = await client.send(request, stream=True)
            with pytest.raises(httpx.TransportError):
                await answer.aread()


async def test_cancelling_the_block_closes_the_servers(simulator):
    with anyio.move_on_after(0.2):
        async with served(simulator) as addresses:
            await anyio.sleep_forever()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(addresses.api)


async def test_a_port_in_use_is_a_clear_error(simulator):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with served(simulator, port=port):
                pass
