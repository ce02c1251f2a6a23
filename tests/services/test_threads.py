"""Threads of the real world: what hangs in some leaves enough for the rest."""

from functools import partial
from threading import Event

import anyio
import pytest

from tmcwatch.app import real_world

MANY = 60


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_receivers_that_hang_take_no_thread_from_the_store():
    world, answer = real_world({}), Event()
    async with anyio.create_task_group() as sends:
        for _ in range(MANY):
            sends.start_soon(partial(world.in_sending_thread, answer.wait))
        try:
            with anyio.fail_after(5):
                assert await world.in_thread(str.upper, "read") == "READ"
                assert await world.in_sending_thread(str.upper, "sent") == "SENT"
        finally:
            answer.set()
