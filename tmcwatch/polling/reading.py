"""Reading a window to its end, with the certificate that nothing is missing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import anyio

from tmcwatch.api.errors import BadRequest
from tmcwatch.domain.certificate import Doubt, doubt_of, seen
from tmcwatch.domain.execution import BadRow, Page, Row, SubjectId
from tmcwatch.domain.window import (
    OFFSET_LIMIT,
    PAGE_LIMIT,
    UNBOUNDED,
    WHOLE,
    Limits,
    Part,
    Window,
    halvings,
    is_within_reach,
    offsets,
)

TRIES = 3
REREAD_AFTER = 0.5
"""Seconds before the second try; each further one waits twice as long."""

NARROWEST = timedelta(seconds=1)

NARROWEST_WIDEST = timedelta(days=1)
"""No TMC was ever said to take less: what it refuses of a narrower window has another reason."""

BARELY_LESS = 0.75
"""Of the rows before: a cut that leaves more does not help, as most of them run all the while."""

DEEP_ENOUGH = 5 * OFFSET_LIMIT
"""Where TMC takes any offset: so many rows in one read, as each further page may spoil it."""


class AskPage(Protocol):
    """Ask for one page of a window; with a part, of its rows alone."""

    async def __call__(self, window: Window, offset: int, part: Part = WHOLE, /) -> Page: ...


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


Places = Callable[[], Awaitable[Mapping[str, tuple[SubjectId, ...]]]]
"""The workspaces known by id, with the tasks or plans of each."""


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads windows of one list, and learns on the way what TMC takes."""

    rereads: Rereads
    places: Places
    limits: Limits
    _refused_beyond: timedelta | None = None

    @property
    def reach(self) -> timedelta:
        """How far back to ask."""
        if self._refused_beyond is None:
            return self.limits.reach
        return min(self.limits.reach, self._refused_beyond)

    def shorten_reach(self) -> None:
        """Ask less far back, as TMC refused even a narrow window there."""
        self._refused_beyond = max(self.reach / 2, NARROWEST_WIDEST)

    @property
    def deepest(self) -> int:
        """The highest offset to ask for."""
        return min(self.limits.deepest or OFFSET_LIMIT, DEEP_ENOUGH)

    async def read(self, ask: AskPage, window: Window) -> Read:
        """Read the earliest part of `window` that TMC lets us read whole, a few times if need be.

        Answers with what it read; `window` there is the part. Raises ApiError as the pages do.
        """
        tried = 0
        window = self._taken(window)
        while True:
            try:
                read = await self._once(ask, window)
            except BadRequest:
                if window.width <= NARROWEST_WIDEST:
                    raise
                window = self._refused(window)
                continue
            if read.doubt is Doubt.OUT_OF_REACH:
                read = await self._within_reach(ask, read)
                window = read.window
            if read.doubt is None or read.doubt is Doubt.OUT_OF_REACH:
                return read
            tried += 1
            if tried == TRIES:
                return read
            self.rereads.reread(read.doubt)
            await anyio.sleep(REREAD_AFTER * 2 ** (tried - 1))

    async def _within_reach(self, ask: AskPage, beyond: Read) -> Read:
        """Read a part of a window that holds too much: cut by time, or else by places.

        Cutting time helps little where most of the rows are of runs that run all the while.
        """
        parts: Read | None = None
        while beyond.window.width > NARROWEST:
            read = await self._once(ask, self._narrowed(beyond.window, beyond.total))
            if read.doubt is not Doubt.OUT_OF_REACH:
                return read
            if parts is None and read.total > BARELY_LESS * beyond.total:
                parts = await self._in_parts(ask, beyond)
                if parts.doubt is None:
                    return parts
            beyond = read
        return await self._in_parts(ask, beyond)

    async def _once(self, ask: AskPage, window: Window, part: Part = WHOLE) -> Read:
        first = await ask(window, 0, part)
        if first.total is None:
            return await self._uncounted(ask, window, first, part)
        if not is_within_reach(first.total, deepest=self.deepest) and self.limits.deepest is None:
            await self._try_depth(ask, window, part)
        pages = [first]
        if is_within_reach(first.total, deepest=self.deepest):
            try:
                for offset in offsets(first.total):
                    pages.append(await ask(window, offset, part))  # noqa: PERF401 - one by one
            except BadRequest:
                if self.deepest <= OFFSET_LIMIT:
                    raise
                # TMC takes less than it once did.
                self.limits = replace(self.limits, deepest=OFFSET_LIMIT)
        return read_of(window, pages, doubt_of([*map(seen, pages)], deepest=self.deepest))

    def _taken(self, window: Window) -> Window:
        """Answer with as much of the beginning of a window as TMC is known to take at once."""
        widest = self.limits.widest
        if widest is None or window.width <= widest:
            return window
        return Window(start=window.start, end=window.start + widest)

    def _refused(self, window: Window) -> Window:
        """Remember that a window was too wide, and answer with the earlier half of it."""
        half = window.halved()
        self.limits = replace(self.limits, widest=half.width)
        return half

    async def _try_depth(self, ask: AskPage, window: Window, part: Part) -> None:
        """Find out, once, whether TMC takes higher offsets than the lowest bound documented."""
        try:
            await ask(window, OFFSET_LIMIT + 1, part)
        except BadRequest:
            self.limits = replace(self.limits, deepest=OFFSET_LIMIT)
        else:
            self.limits = replace(self.limits, deepest=UNBOUNDED)

    async def _uncounted(self, ask: AskPage, window: Window, first: Page, part: Part) -> Read:
        """Read a list without a total: to a short page, and then the first page again."""
        pages = [first]
        offset = 0
        while pages[-1].size >= PAGE_LIMIT and is_within_reach(offset + 2 * PAGE_LIMIT):
            offset += PAGE_LIMIT - 1
            pages.append(await ask(window, offset, part))
        doubt = doubt_of([seen(page) for page in pages])
        if doubt is Doubt.NO_END:
            doubt = Doubt.OUT_OF_REACH
        elif len(pages) > 1 and seen(await ask(window, 0, part)).ids != seen(first).ids:
            doubt = Doubt.TOTAL_CHANGED
        return read_of(window, pages, doubt)

    def _narrowed(self, window: Window, total: int) -> Window:
        times = halvings(total, deepest=self.deepest)
        while times > 1 and window.halved(times).width < NARROWEST / 2:
            times -= 1
        self.rereads.bisected()
        return window.halved(times)

    async def _in_parts(self, ask: AskPage, whole: Read) -> Read:
        """Read a window that time cannot cut: each workspace by itself, then each task.

        The parts prove the whole if each is certified and together they are as many as TMC
        counts: a workspace that we do not know would be missing from the sum.
        """
        reads = []
        for workspace, subjects in (await self.places()).items():
            read = await self._once(ask, whole.window, Part(workspace=workspace))
            if read.doubt is not Doubt.OUT_OF_REACH:
                reads.append(read)
                continue
            for subject in subjects:
                part = Part(workspace=workspace, subject=subject)
                reads.append(await self._once(ask, whole.window, part))
        return _together(whole, reads)


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


def _together(whole: Read, parts: list[Read]) -> Read:
    doubts = [read.doubt for read in parts if read.doubt is not None]
    rows = {row.id: row for read in (whole, *parts) for row in read.rows}
    if doubts:
        doubt: Doubt | None = doubts[0]
    elif sum(read.total for read in parts) < whole.total:
        doubt = Doubt.OUT_OF_REACH
    else:
        doubt = None
    return Read(
        window=whole.window,
        rows=tuple(rows.values()),
        bad=whole.bad + tuple(row for read in parts for row in read.bad),
        doubt=doubt,
        total=whole.total,
    )
