"""The loop that runs a poller: on its beat, slower while TMC does not answer."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio

SLOWEST = 30.0
"""Seconds between two tries while nothing answers, unless the beat itself is slower."""

_MOST_DOUBLINGS = 10


def ignore(_: timedelta) -> None:
    """Observe nothing."""


async def keep_beat(
    look: Callable[[], Awaitable[bool]],
    beat: timedelta,
    *,
    retry: timedelta | None = None,
    observe: Callable[[timedelta], None] = ignore,
) -> None:
    """Look on every beat until cancelled; a look that took longer than a beat is not made up for.

    `look` answers whether it succeeded. After failed looks the next comes after `retry` (by
    default a beat), doubled with each failure up to half a minute. `observe` is told how long
    after the look before each look began.
    """
    seconds = beat.total_seconds()
    failures = 0
    before: float | None = None
    while True:
        began = anyio.current_time()
        if before is not None:
            observe(timedelta(seconds=began - before))
        before = began
        failures = 0 if await look() else failures + 1
        wait = seconds if not failures else _after(failures, retry or beat)
        await anyio.sleep(max(began + wait - anyio.current_time(), 0.0))


def _after(failures: int, retry: timedelta) -> float:
    first = retry.total_seconds()
    return min(first * float(2 ** min(failures - 1, _MOST_DOUBLINGS)), max(SLOWEST, first))
