"""The world outside the daemon, so that tests can hand in another one."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
import httpx

MOST_SENDING_THREADS = 200
"""Each is made when it is needed first: so many receivers may hang at once."""

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class InThread(Protocol):
    """Runs what blocks where it stops nobody else."""

    def __call__(
        self, work: Callable[[*Arguments], Result], /, *args: *Arguments
    ) -> Awaitable[Result]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Clock, threads, chance and network."""

    now: Callable[[], datetime]
    in_thread: InThread
    """The one seam for everything that blocks: in virtual time it runs inline."""
    random: Callable[[], float]
    transport: Callable[[], httpx.AsyncBaseTransport | None] = lambda: None
    """The network to TMC and to receivers; None for the real one."""
    environ: Mapping[str, str]
    sending_threads: anyio.CapacityLimiter | None = None
    """Of notifiers, so that receivers that hang take none from the rest; None for the same."""

    async def in_sending_thread(
        self, work: Callable[[*Arguments], Result], /, *args: *Arguments
    ) -> Result:
        """Run what a notifier blocks on."""
        if self.sending_threads is None:
            return await self.in_thread(work, *args)
        return await anyio.to_thread.run_sync(work, *args, limiter=self.sending_threads)


async def in_thread(work: Callable[[*Arguments], Result], /, *args: *Arguments) -> Result:
    """Run `work` on a worker thread; a cancellation waits for its end, as it may have effects."""
    return await anyio.to_thread.run_sync(work, *args)


def real_world(environ: Mapping[str, str]) -> World:
    return World(
        now=lambda: datetime.now(UTC),
        in_thread=in_thread,
        random=random.random,
        environ=environ,
        sending_threads=anyio.CapacityLimiter(MOST_SENDING_THREADS),
    )
