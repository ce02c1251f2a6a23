"""Catching up: what an outage left unread, behind the live head, oldest first."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import anyio
import structlog

from tmcwatch.api.errors import ApiError, BadRequest
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Page
from tmcwatch.domain.observation import Position
from tmcwatch.domain.window import (
    PAGE_LIMIT,
    WHOLE,
    WIDEST,
    WIDEST_EVER,
    Limits,
    Part,
    Window,
)
from tmcwatch.polling.asking import problem_of
from tmcwatch.polling.looking import Looker
from tmcwatch.polling.reading import Read

log = structlog.get_logger()

FIRST_WIDTH = timedelta(hours=1)
ROWS_WANTED = 8 * PAGE_LIMIT
"""Per window: many pages a window cost fewer overlapping rows, but not all that TMC allows."""

NARROWEST_WIDTH = timedelta(seconds=1)

RETRY_AFTER = (5.0, 60.0)


async def catch_up(looker: Looker) -> None:
    """Catch up with outages until cancelled. Failed reads are told and repeated."""
    width, wait = FIRST_WIDTH, RETRY_AFTER[0]
    while True:
        await looker.outage.wait()
        position = await looker.memory.position()
        if position is None or position.away is None:
            # A look that finds another outage meanwhile sets it again with the next beat.
            looker.outage = anyio.Event()
            continue
        try:
            read = await _catch_up(looker, position, width)
        except ApiError as error:
            if isinstance(error, BadRequest):
                looker.reader.shorten_reach()
            await looker.teller.fail(problem_of(error), f"catching up: {error}")
            await looker.teller.end()
            await anyio.sleep(wait)
            wait = min(2 * wait, RETRY_AFTER[1])
            continue
        if read.doubt is not None:
            await anyio.sleep(wait)
            wait = min(2 * wait, RETRY_AFTER[1])
            continue
        wait = RETRY_AFTER[0]
        width = next_width(read)


def next_width(read: Read) -> timedelta:
    """Answer with how wide the next window is to be, to hold about as many rows as wanted."""
    growth = min(max(ROWS_WANTED / max(read.total, 1), 0.25), 4.0)
    return max(read.window.width, NARROWEST_WIDTH) * growth


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """What to read next, and what before it cannot be read any more."""

    window: Window
    gap: Window | None


async def _catch_up(looker: Looker, position: Position, width: timedelta) -> Read:
    """Read the oldest part that is left, and tell it; the watermark follows what is certified."""
    stretch = await _next(looker, position, width)

    async def ask(window: Window, offset: int, part: Part = WHOLE) -> Page:
        return await looker.list.page(window, offset, purpose=Purpose.BACKFILL, part=part)

    read = await looker.reader.read(ask, stretch.window)
    looked = replace(
        looker.teller.look(read.rows),
        bad=read.bad,
        watermark=read.window.end if read.doubt is None else None,
        gap=stretch.gap if read.doubt is None else None,
    )
    await looker.teller.tell(looked, watched_from=position.watched_from)
    if read.doubt is not None:
        await looker.teller.fail_to_prove(read)
    await looker.teller.end()
    return read


async def _next(looker: Looker, position: Position, width: timedelta) -> _Stretch:
    assert position.away is not None  # noqa: S101 - asked only while there is some
    now, start = looker.list.now(), position.watermark
    if start < now - Limits().reach and looker.reader.limits.widest is None:
        await _try_reach(looker, now)
    begin = max(start, now - looker.reader.reach)
    end = max(begin, position.away.end)
    gap = Window(start=start, end=min(begin, end)) if begin > start else None
    if gap is not None:
        log.error(
            "gap",
            account=looker.account,
            kind=looker.list.kind.value,
            start=gap.start.isoformat(),
            end=gap.end.isoformat(),
            problem="TMC no longer shows what ran then",
        )
    return _Stretch(window=Window(start=begin, end=min(end, begin + width)), gap=gap)


async def _try_reach(looker: Looker, now: datetime) -> None:
    """Find out, once, whether TMC shows more than the ten days that it promises."""
    furthest = Window(start=now - Limits(widest=WIDEST_EVER).reach, end=now)
    try:
        await looker.list.page(furthest, 0, purpose=Purpose.BACKFILL)
    except BadRequest:
        widest = WIDEST
    else:
        widest = WIDEST_EVER
    looker.reader.limits = replace(looker.reader.limits, widest=widest)
