"""What every baseline has: patience, paging within TMC's limits, and a beat."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import anyio

from tests.benchmarks.comparing.knowing import Memory
from tmcwatch.api.client import Client
from tmcwatch.api.errors import ApiError, NotFound, Throttled, Unavailable
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import ExecutionId, Kind, Page, Row
from tmcwatch.domain.window import OFFSET_LIMIT, PAGE_LIMIT, Window

TRIES = 3
FIRST_WAIT = 1.0
SLOWEST = timedelta(seconds=60)
MOST_DOUBLINGS = 10
NARROWEST = timedelta(seconds=1)
REACH = OFFSET_LIMIT + PAGE_LIMIT

AskPage = Callable[[Window, int], Awaitable[Page]]
Value = TypeVar("Value")


async def patiently(ask: Callable[[], Awaitable[Value]]) -> Value:
    """Ask until TMC answers; after three times without an answer raise Unavailable.

    A 429 costs no try: the budget has paused already when the next request goes.
    """
    tried = 0
    while True:
        try:
            return await ask()
        except Throttled:
            continue
        except Unavailable:
            tried += 1
            if tried == TRIES:
                raise
            await anyio.sleep(FIRST_WAIT * 2 ** (tried - 1))


def lister(client: Client, kind: Kind, **filters: Any) -> AskPage:
    """Answer with how to ask for one page of a list."""
    listed = client.task_executions if kind is Kind.TASK else client.plan_executions

    async def ask(window: Window, offset: int) -> Page:
        asked = partial(listed, window, offset=offset, purpose=Purpose.HEAD, **filters)
        return await patiently(asked)

    return ask


async def read_all(ask: AskPage, window: Window, learn: Callable[[Row], None]) -> None:
    """Read a window to its end, newest first; one that is beyond TMC's offsets is cut in half.

    Rows are learned page by page, so that what breaks off has told what it read.
    """
    page = await ask(window, 0)
    _learn(page, learn)
    if (page.total or 0) > REACH and window.width > NARROWEST:
        earlier = window.halved()
        await read_all(ask, Window(start=earlier.end, end=window.end), learn)
        await read_all(ask, earlier, learn)
        return
    offset = PAGE_LIMIT
    while page.size == PAGE_LIMIT and offset <= OFFSET_LIMIT:
        page = await ask(window, offset)
        _learn(page, learn)
        offset += PAGE_LIMIT


async def read_one(client: Client, kind: Kind, id_: ExecutionId, memory: Memory) -> None:
    """Read one execution; one that TMC does not know is left open, and asked for again."""
    asked = client.task_execution if kind is Kind.TASK else client.plan_execution
    try:
        memory.learn(await patiently(partial(asked, id_, purpose=Purpose.ENDS)))
    except NotFound:
        return


async def keep_polling(poll: Callable[[], Awaitable[None]], beat: timedelta) -> None:
    """Poll on every beat until cancelled; at once where a poll took longer than a beat.

    After a failed poll the next waits a beat, doubled with each failure up to a minute.
    """
    failures = 0
    while True:
        began = anyio.current_time()
        try:
            await poll()
        except ApiError:
            failures += 1
        else:
            failures = 0
        doubled = beat * 2 ** min(max(failures - 1, 0), MOST_DOUBLINGS)
        wait = max(beat, min(doubled, SLOWEST))
        await anyio.sleep(max(began + wait.total_seconds() - anyio.current_time(), 0.0))


def _learn(page: Page, learn: Callable[[Row], None]) -> None:
    for row in page.rows:
        learn(row)
