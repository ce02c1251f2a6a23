"""Checking what was certified before: a second pass, hourly samples and a daily audit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from tmcwatch.api.errors import ApiError
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import Page
from tmcwatch.domain.observation import Check, Pass, Position
from tmcwatch.domain.settling import widened
from tmcwatch.domain.window import WHOLE, Part, Window
from tmcwatch.polling.asking import problem_of
from tmcwatch.polling.catching_up import ROWS_WANTED, next_width
from tmcwatch.polling.looking import Looker

log = structlog.get_logger()

SECOND_PASS_AFTER = timedelta(hours=1)
SECOND_PASS_WIDTH = timedelta(minutes=20)
"""How much has to have come together: a closed, wide window costs few requests."""

SAMPLE_EVERY = timedelta(hours=1)
SAMPLE_WIDTH = timedelta(minutes=10)
SAMPLE_WITHIN = timedelta(days=7)
DAY_EVERY = timedelta(days=1)
DAY = timedelta(days=1)
SETTLED_FOR = SECOND_PASS_AFTER + 2 * SECOND_PASS_WIDTH
"""What is older than this was certified twice: what an audit finds there was truly missed."""

CHECK_EVERY = timedelta(minutes=1)


@dataclass(slots=True, kw_only=True)
class Checker:
    """Checks one list. `random` gives numbers from 0 to 1, and says which window is sampled."""

    looker: Looker
    random: Callable[[], float]
    _width: timedelta = SECOND_PASS_WIDTH
    _left: dict[Pass, Window] = field(default_factory=dict)
    """What is left of an audit that broke off: a long one would hardly ever end from the start."""

    async def check(self) -> bool:
        """Check what is due, and return; answers whether that succeeded."""
        position = await self.looker.memory.position()
        if position is None or position.away is not None:
            return True  # the outage first: until it is read, everything would be missing
        try:
            for window, check in self._due(position):
                await self._read(position, window, check)
        except ApiError as error:
            text = f"checking again: {error}"
            await self.looker.teller.fail(problem_of(error), text)
            await self.looker.teller.end()
            return False
        return True

    def _due(self, position: Position) -> Iterator[tuple[Window, Pass]]:
        now = self.looker.list.now()
        begun = position.checked_from or position.watched_from
        oldest = max(begun, now - self.looker.reader.reach)
        begin = max(position.checked_to or oldest, oldest)
        end = min(position.watermark, now - SECOND_PASS_AFTER)
        if end - begin >= SECOND_PASS_WIDTH:
            yield Window(start=begin, end=end), Pass.SECOND
        proven = min(position.checked_to or oldest, now - SETTLED_FOR)
        if proven - oldest >= SAMPLE_WIDTH and is_due(position.audited_at, SAMPLE_EVERY, now):
            start = max(oldest, proven - SAMPLE_WITHIN)
            begin = start + (proven - SAMPLE_WIDTH - start) * self.random()
            sample = Window(start=begin, end=begin + SAMPLE_WIDTH)
            yield self._rest(Pass.SAMPLE, sample, oldest), Pass.SAMPLE
        if proven - oldest >= DAY and is_due(position.audited_day_at, DAY_EVERY, now):
            day = Window(start=proven - DAY, end=proven)
            yield self._rest(Pass.DAY, day, oldest), Pass.DAY

    def _rest(self, kind: Pass, whole: Window, oldest: datetime) -> Window:
        """Answer with what is left of an audit that broke off, unless it is out of bounds now."""
        left = self._left.get(kind, whole)
        return left if left.start >= oldest else whole

    async def _read(self, position: Position, whole: Window, kind: Pass) -> None:
        """Read a stretch window by window, and tell each as what it is."""
        begin = whole.start
        while begin < whole.end:
            self._left[kind] = Window(start=begin, end=whole.end)
            window = Window(start=begin, end=min(begin + self._width, whole.end))
            read = await self.looker.reader.read(self._ask, window)
            if read.doubt is not None:
                await self.looker.teller.fail_to_prove(read)
                await self.looker.teller.end()
                return
            if read.window.width >= self._width or read.total > ROWS_WANTED:
                self._width = next_width(read)  # a last short window says little
            begin = read.window.end
            settle = self.looker.settle(position)
            check = Check(
                kind=kind,
                window=read.window,
                done=kind is Pass.SECOND or begin >= whole.end,
                settle_if_late=widened(settle, self.looker.settings.bounds),
            )
            looked = replace(self.looker.teller.look(read.rows), bad=read.bad, check=check)
            await self.looker.teller.tell(looked, watched_from=position.watched_from)
            await self.looker.teller.end()
        self._left.pop(kind, None)

    async def _ask(self, window: Window, offset: int, part: Part = WHOLE) -> Page:
        return await self.looker.list.page(window, offset, purpose=Purpose.AUDIT, part=part)


def is_due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    return last is None or now - last >= every
