"""The bell: no ring between looking and waiting is lost, whoever else listens."""

import anyio

from tmcwatch.supervisor import Bell


async def test_a_wait_without_a_ring_ends_at_its_timeout():
    bell = Bell()
    bell.reset()
    started = anyio.current_time()
    await bell.wait(30)
    assert anyio.current_time() - started == 30


async def test_a_ring_wakes_the_one_who_waits():
    bell = Bell()
    started = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bell.wait, 30)
        await anyio.sleep(5)
        bell.ring()
    assert anyio.current_time() - started == 5


async def test_a_ring_while_looking_is_not_lost():
    bell = Bell()
    bell.reset()
    bell.ring()
    started = anyio.current_time()
    await bell.wait(30)
    assert anyio.current_time() == started


async def test_a_ring_before_the_reset_wakes_nobody():
    bell = Bell()
    bell.ring()
    bell.reset()
    started = anyio.current_time()
    await bell.wait(30)
    assert anyio.current_time() - started == 30


async def test_one_listener_does_not_take_the_ring_of_another():
    bell = Bell()
    slow = bell.reset()
    bell.ring()
    bell.reset()  # the quick listener looks again, before the slow one waits
    started = anyio.current_time()
    await bell.wait(30, since=slow)
    assert anyio.current_time() == started
