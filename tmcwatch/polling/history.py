"""History: what happened before an account was watched, read behind the head, newest first."""

from datetime import timedelta

import anyio
import structlog

from tmcwatch.api.errors import ApiError
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Page
from tmcwatch.domain.observation import Looked, LookFailed, LookProblem, Moment, Position
from tmcwatch.domain.window import PAGE_LIMIT, Window
from tmcwatch.polling.asking import problem_of
from tmcwatch.polling.looking import REACH_BACK, Looker
from tmcwatch.polling.reading import Read, read_provably

log = structlog.get_logger()

FIRST_WIDTH = timedelta(hours=1)
ROWS_WANTED = 8 * PAGE_LIMIT
"""Per window: many pages a window cost fewer overlapping rows, but not all that TMC allows."""

WAIT_FOR_FIRST_LOOK = 1.0
RETRY_AFTER = (5.0, 60.0)


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
            await _fail(looker, problem_of(error), str(error))
            await anyio.sleep(wait)
            wait = min(2 * wait, RETRY_AFTER[1])
            continue
        wait = RETRY_AFTER[0]
        width = max(read.window.width, timedelta(seconds=1)) * _growth(read.total)
        await _tell(looker, position.history, read)


async def _read(looker: Looker, position: Position, width: timedelta) -> Read:
    """Read the newest part of the history left. TMC forgets: what it no longer shows is left."""
    assert position.history is not None  # noqa: S101 - asked only where there is some
    rest = position.history
    start = max(rest.start, rest.end - width, looker.list.now() - REACH_BACK)
    if start >= rest.end:
        nothing = Window(start=rest.end, end=rest.end)
        return Read(window=nothing, rows=(), bad=(), doubt=None, total=0)

    async def ask(window: Window, offset: int) -> Page:
        return await looker.list.page(window, offset, purpose=Purpose.BACKFILL)

    whole = Window(start=start, end=rest.end)
    read = await read_provably(ask, whole, looker.rereads)
    while read.window.end < whole.end:
        # Cut in half from its end; the later part comes first here, so it is asked again.
        whole = Window(start=read.window.end, end=whole.end)
        read = await read_provably(ask, whole, looker.rereads)
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
    forgotten = read.window.start <= max(rest.start, looker.list.now() - REACH_BACK)
    left = None if forgotten else Window(start=rest.start, end=read.window.start)
    await looker.send(
        Looked(
            account=looker.account,
            kind=looker.list.kind,
            at=looker.now(),
            rows=read.rows,
            bad=read.bad,
            head=False,
            history=left,
            history_read=True,
        )
    )
    # The tracker has committed the history when it takes this.
    await looker.send(Moment(at=looker.now()))


async def _fail(looker: Looker, problem: LookProblem, text: str) -> None:
    await looker.send(
        LookFailed(
            account=looker.account,
            kind=looker.list.kind,
            at=looker.now(),
            problem=problem,
            text=f"history: {text}",
        )
    )


def _growth(total: int) -> float:
    return min(max(ROWS_WANTED / max(total, 1), 0.25), 4.0)
