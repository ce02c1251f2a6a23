"""Transactions for whoever asks over HTTP: a store that fails is shown, and said to them."""

from collections.abc import Callable
from typing import TypeVar

from tmcwatch.app.parts import Parts, store_fails
from tmcwatch.app.world import World
from tmcwatch.serving.operations import Unavailable
from tmcwatch.store.engine import Connection, StoreError

Result = TypeVar("Result")


async def read(parts: Parts, world: World, work: Callable[[Connection], Result]) -> Result:
    """Run `work` on a consistent view. Raises Unavailable."""
    return await _run(parts, world, parts.store.read, work)


async def write(parts: Parts, world: World, work: Callable[[Connection], Result]) -> Result:
    """Run `work` in one transaction. Raises Unavailable."""
    return await _run(parts, world, parts.store.write, work)


async def _run(
    parts: Parts,
    world: World,
    transaction: Callable[[Callable[[Connection], Result]], Result],
    work: Callable[[Connection], Result],
) -> Result:
    try:
        return await world.in_thread(transaction, work)
    except StoreError as error:
        store_fails(parts.health, error)
        raise Unavailable(str(error)) from error
