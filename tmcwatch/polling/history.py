"""History: what happened before an account was watched, read behind the head, newest first."""

from dataclasses import replace
from datetime import timedelta

import anyio
import structlog

from tmcwatch.api.errors import ApiError, BadRequest
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Page
from tmcwatch.domain.observation import Position
from tmcwatch.domain.window import WHOLE, Part, Window
from tmcwatch.polling.asking import problem_of
from tmcwatch.polling.catching_up import FIRST_WIDTH, RETRY_AFTER, next_width
from tmcwatch.polling.looking import Looker
from tmcwatch.polling.reading import Read

log = structlog.get_logger()

WAIT_FOR_FIRST_LOOK = 1.0


async def read_history(looker: Looker) -> None:
    """Read a list's history to its end, and return. Failed looks are told and repeated."""
    width, wait = FIRST_WIDTH, RETRY_AFTER[0]
    while True:
        position = await looker.memory.position()
        if position is None:
            await anyio.sleep(WAIT_FOR_FIRST_LOOK)
            continue
        if position.history is None:
            return
        try:
            read = await _read(looker, position, width)
        except ApiError as error:
            if isinstance(error, BadRequest):
                looker.reader.shorten_reach()
            await looker.teller.fail(problem_of(error), f"history: {error}")
            await anyio.sleep(wait)
            wait = min(2 * wait, RETRY_AFTER[1])
            continue
        wait = RETRY_AFTER[0]
        width = next_width(read)
        await _tell(looker, position.history, read)


async def _read(looker: Looker, position: Position, width: timedelta) -> Read:
    """Read the newest part of the history left. TMC forgets: what it no longer shows is left."""
    assert position.history is not None  # noqa: S101 - asked only where there is some
    rest = position.history
    start = max(rest.start, rest.end - width, looker.list.now() - looker.reader.reach)
    if start >= rest.end:
        nothing = Window(start=rest.end, end=rest.end)
        return Read(window=nothing, rows=(), bad=(), doubt=None, total=0)

    async def ask(window: Window, offset: int, part: Part = WHOLE) -> Page:
        return await looker.list.page(window, offset, purpose=Purpose.BACKFILL, part=part)

    whole = Window(start=start, end=rest.end)
    read = await looker.reader.read(ask, whole)
    while read.window.end < whole.end:
        # Cut from its end; the later part comes first here, so it is asked again.
        whole = Window(start=read.window.end, end=whole.end)
        read = await looker.reader.read(ask, whole)
    return read


async def _tell(looker: Looker, rest: Window, read: Read) -> None:
    if read.doubt is not None:
        log.warning(
            "history_unproven",
            account=looker.account,
            kind=looker.list.kind.value,
            start=read.window.start.isoformat(),
            end=read.window.end.isoformat(),
            doubt=read.doubt.value,
        )
    oldest = looker.list.now() - looker.reader.reach
    is_over = read.window.start <= max(rest.start, oldest)
    left = None if is_over else Window(start=rest.start, end=read.window.start)
    looked = replace(looker.teller.look(read.rows), bad=read.bad, history=left, history_read=True)
    await looker.send(looked)
    await looker.teller.end()
