"""Reading a window to its end, with the certificate that nothing is missing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import anyio

from tmcwatch.domain.certificate import Doubt, doubt_of, seen
from tmcwatch.domain.execution import BadRow, Page, Row
from tmcwatch.domain.window import PAGE_LIMIT, Window, is_within_reach, offsets

AskPage = Callable[[Window, int], Awaitable[Page]]

TRIES = 3
REREAD_AFTER = 0.5
"""Seconds before the second try; each further one waits twice as long."""

NARROWEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a window showed. Its rows may be believed; only without a doubt it proves more."""

    window: Window
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]
    doubt: Doubt | None
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rereads:
    """Told when a window had to be read again or cut in half."""

    reread: Callable[[Doubt], None]
    bisected: Callable[[], None]


async def read_provably(ask: AskPage, window: Window, rereads: Rereads) -> Read:
    """Read the earliest part of `window` that TMC lets us read whole, a few times if need be.

    Answers with what it read; `window` there is the part. Raises ApiError as the pages do.
    """
    tried = 0
    while True:
        read = await _read_once(ask, window)
        if read.doubt is None:
            return read
        if read.doubt is Doubt.OUT_OF_REACH:
            if window.width <= NARROWEST:
                return read
            rereads.bisected()
            window = window.halved()
            continue
        tried += 1
        if tried == TRIES:
            return read
        rereads.reread(read.doubt)
        await anyio.sleep(REREAD_AFTER * 2 ** (tried - 1))


def read_of(window: Window, pages: list[Page], doubt: Doubt | None) -> Read:
    rows = {row.id: row for page in pages for row in page.rows}
    return Read(
        window=window,
        rows=tuple(rows.values()),
        bad=tuple(row for page in pages for row in page.bad),
        doubt=doubt,
        total=pages[0].total or len(rows),
    )


def single(window: Window, page: Page) -> Read:
    """Answer with what one page of a window shows; a snapshot certifies itself."""
    whole = page.total is None or page.total <= PAGE_LIMIT
    return read_of(window, [page], doubt_of([seen(page)]) if whole else Doubt.PAGES_APART)


async def _read_once(ask: AskPage, window: Window) -> Read:
    first = await ask(window, 0)
    if first.total is None:
        return await _read_uncounted(ask, window, first)
    pages = [first]
    if is_within_reach(first.total):
        for offset in offsets(first.total):
            pages.append(await ask(window, offset))  # noqa: PERF401 - one after the other
    return read_of(window, pages, doubt_of([seen(page) for page in pages]))


async def _read_uncounted(ask: AskPage, window: Window, first: Page) -> Read:
    """Read a list whose total TMC left out: to a short page, and then the first page again."""
    pages = [first]
    offset = 0
    while pages[-1].size >= PAGE_LIMIT and is_within_reach(offset + 2 * PAGE_LIMIT):
        offset += PAGE_LIMIT - 1
        pages.append(await ask(window, offset))
    doubt = doubt_of([seen(page) for page in pages])
    if doubt is Doubt.NO_END:
        doubt = Doubt.OUT_OF_REACH
    elif len(pages) > 1 and seen(await ask(window, 0)).ids != seen(first).ids:
        doubt = Doubt.TOTAL_CHANGED
    return read_of(window, pages, doubt)
