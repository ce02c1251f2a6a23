"""One look at a list: the head with its certificate, then the executions that are still open."""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto

import anyio
import structlog

from tmcwatch.api.budget import before_the_head
from tmcwatch.api.errors import ApiError
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import AccountName, Page
from tmcwatch.domain.observation import Learned, LookProblem, Observation, Position
from tmcwatch.domain.settling import SAMPLES, Bounds, HeadRead, lags, settle_lag
from tmcwatch.domain.window import WHOLE, Limits, Part, Reading, Window
from tmcwatch.polling.asking import List, Memory, problem_of
from tmcwatch.polling.following import Follower
from tmcwatch.polling.reading import Read, Reader, Rereads, single
from tmcwatch.polling.telling import Teller

log = structlog.get_logger()

CAUGHT_UP = timedelta(minutes=1)
"""How far the watermark may lag without another look at once: the beat catches up with it."""

OUTAGE = timedelta(minutes=10)
BEATS_OF_OUTAGE = 3
"""A watermark that lags by more, or by more beats, is caught up with behind the head, which stays
live meanwhile."""

CLOCK_STEADY = timedelta(seconds=2)
"""What TMC's clock may seem to go back by: it is told in whole seconds."""

STRETCH = 2
"""How many beats a look may take before it leaves the rest for the next: open runs end meanwhile,
and where TMC lists by trigger nothing else shows that."""

LEAST_REFRESH = 5.0
"""Seconds that a look may always spend, however short the beat."""

MARGIN = timedelta(minutes=1)
"""How much further back is read where it is not certain what the look before covered."""


class Outcome(Enum):
    """What became of a look."""

    PROVEN = auto()
    BEHIND = auto()
    """Proven, but there is more to read at once."""
    THROTTLED = auto()
    """Failed, but TMC answers, and the budget sees to the pause."""
    FAILED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class LookSettings:
    bounds: Bounds
    """Of the settle lag: how long a row may take to show in the list."""
    history: timedelta
    """How much of the time before the first look is read."""
    beat: timedelta = timedelta()
    judges_rows: bool = False
    """Whether the row counts of successes are wanted, each of which costs a request."""

    @property
    def outage(self) -> timedelta:
        return max(OUTAGE, BEATS_OF_OUTAGE * self.beat)

    @property
    def refresh_within(self) -> float:
        """Seconds after which a look leaves the rest for the next: the head comes first."""
        return max(STRETCH * self.beat.total_seconds(), LEAST_REFRESH)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What was read at the head, and what it proves."""

    read: Read
    asked_at: datetime
    proven: datetime | None
    """Up to where it proves that nothing is missing."""


@dataclass(slots=True, kw_only=True)
class Looker:
    """Looks at one list of one account, and remembers between looks only what saves requests."""

    account: AccountName
    list: List
    memory: Memory
    settings: LookSettings
    rereads: Rereads
    affords: Callable[[int], int]
    """How many of so many requests a look may spend on open executions, as things are now."""
    now: Callable[[], datetime]
    send: Callable[[Observation], Awaitable[None]]
    outage: anyio.Event = field(default_factory=anyio.Event)
    """Set while an outage is to be caught up with; whoever catches up puts a new one here."""
    reader: Reader = field(init=False)
    teller: Teller = field(init=False)
    _follower: Follower = field(init=False)
    _before: HeadRead | None = None
    """The head read before this one, if it succeeded."""
    _samples: deque[timedelta] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _samples_since_lowered: int = 0
    _live: Window | None = None
    """Beyond an outage that is being caught up with: what is proven at the head already."""
    _until: float = math.inf
    """When the next head is due, on the clock of this process."""
    _proven_at: float | None = None
    """When a look proved something last, on the clock of this process."""

    def __post_init__(self) -> None:
        self.reader = Reader(rereads=self.rereads, places=self.memory.places, limits=Limits())
        self.teller = Teller(
            account=self.account,
            list=self.list,
            memory=self.memory,
            now=self.now,
            send=self.send,
            judges_rows=self.settings.judges_rows,
        )
        self._follower = Follower(
            list=self.list,
            memory=self.memory,
            teller=self.teller,
            most=self.affords,
        )

    async def look(self) -> bool:
        """Look once and send what it told; answers whether the next look may come with the beat.

        While it lags behind it goes on at once, stretch by stretch, until it has caught up.
        """
        outcome = Outcome.BEHIND
        while outcome is Outcome.BEHIND:
            self._until = anyio.current_time() + self.settings.refresh_within
            try:
                with before_the_head(self._until):
                    outcome = await self._look()
            except ApiError as error:
                self._before = None
                problem = problem_of(error)
                await self.teller.fail(problem, str(error))
                is_throttled = problem is LookProblem.THROTTLED
                outcome = Outcome.THROTTLED if is_throttled else Outcome.FAILED
            finally:
                # Committed before the next look, which builds on it.
                await self.teller.end()
        return outcome is not Outcome.FAILED

    def settle(self, position: Position) -> timedelta:
        """Answer with the settle lag to work with."""
        return self.settings.bounds.clamped(position.settle or self.settings.bounds.floor)

    async def _look(self) -> Outcome:
        position = await self.memory.position()
        if position is None:
            await self._first_look()
            return Outcome.PROVEN
        self._learn_limits(position)
        settle = self.settle(position)
        await self._set_clock(position)
        start = self._start(position, settle)
        head = await self._read_head(position, start, settle)
        await self._tell_head(position, head)
        by_trigger = await self._follower.refresh(
            position, head.read, settle=settle, until=self._until
        )
        if by_trigger and position.reading is not Reading.TRIGGER:
            await self._tell_learned(position, Learned(reading=Reading.TRIGGER))
        if head.proven is None:
            await self.teller.fail_to_prove(head.read)
            return Outcome.FAILED
        is_behind = head.proven < self.list.now() - settle - CAUGHT_UP
        return Outcome.BEHIND if is_behind else Outcome.PROVEN

    async def _set_clock(self, position: Position) -> None:
        """Let TMC's first answer set the clock, before an outage is given an end by it."""
        now = self.list.now()
        if self._before is None and now - position.watermark > self.settings.outage:
            await self._ask(Window(start=now - MARGIN, end=now), 0)

    async def _first_look(self) -> None:
        """Begin to watch from now on; what was before is history, read behind the head."""
        around = Window(start=self.list.now() - timedelta(minutes=1), end=self.list.now())
        page = await self._ask(around, 0)
        start = self.list.now()  # the answer has set the clock
        history = Window(start=start - self.settings.history, end=start)
        looked = replace(
            self.teller.look(page.rows),
            bad=page.bad,
            head=True,
            watermark=start - self.settings.bounds.floor,
            watched_from=start,
            history=history if self.settings.history else None,
            learned=Learned(settle=self.settings.bounds.floor),
        )
        await self.send(looked)

    def _start(self, position: Position, settle: timedelta) -> datetime:
        """Answer with where to read the head from: usually the watermark."""
        now = self.list.now()
        settled = now - settle
        if self._live is not None and now - self._live.end > self.settings.outage:
            self._live = None  # the head itself was lost for too long
        if self._live is not None:
            if position.watermark < self._live.start:
                return self._live.end
            # Caught up: from the watermark to the end of the live stretch all is proven.
            proven, self._live = self._live.end, None
            return max(proven, position.watermark)
        if now - position.watermark > self.settings.outage:
            begin = settled - MARGIN
            self._live = Window(start=begin, end=begin)
            return begin
        if settled < position.watermark - CLOCK_STEADY:
            return settled - self._since_proven() - MARGIN
        return position.watermark

    def _since_proven(self) -> timedelta:
        """Answer with how long ago something was proven: TMC's clock has gone back since."""
        if self._proven_at is None:
            return self.settings.outage
        return timedelta(seconds=anyio.current_time() - self._proven_at)

    async def _read_head(self, position: Position, start: datetime, settle: timedelta) -> _Head:
        """Read what is new; answer with it and how far it proves that nothing is missing.

        Usually one page holds everything. Where it does not, the newest page is believed as far
        as it goes, and the stretch that has settled is read beside it with its certificate.
        """
        now, began = self.list.now(), anyio.current_time()
        window = Window(start=start, end=max(now, start))
        newest = single(window, await self._ask(window, 0))
        # The first answer of a process sets the clock: what lies in TMC's future is not proven.
        asked_at = self.list.now() - timedelta(seconds=anyio.current_time() - began)
        settled = min(now, asked_at) - settle
        if newest.doubt is None:
            return _Head(read=newest, asked_at=asked_at, proven=settled)
        try:
            closed = await self.reader.read(
                self._ask, Window(start=start, end=max(settled, start))
            )
        except ApiError:
            # Told together if it can be, in the order of TMC's times; but told.
            newest_rows = self.teller.look(newest.rows)
            await self.teller.tell(
                newest_rows, watched_from=position.watched_from, until=self._until
            )
            raise
        rows = {row.id: row for row in (*closed.rows, *newest.rows)}
        together = Read(
            window=closed.window,
            rows=tuple(rows.values()),
            bad=newest.bad + closed.bad,
            doubt=closed.doubt,
            total=closed.total,
        )
        proven = closed.window.end if closed.doubt is None else None
        return _Head(read=together, asked_at=asked_at, proven=proven)

    async def _tell_head(self, position: Position, head: _Head) -> None:
        read, live = head.read, self._live
        if head.proven is not None:
            self._proven_at = anyio.current_time()
            if live is not None:
                self._live = Window(start=live.start, end=max(head.proven, live.end))
        looked = replace(
            self.teller.look(read.rows),
            bad=read.bad,
            head=True,
            watermark=head.proven if live is None else None,
            learned=self._learned(position, head),
            away=None if live is None else _away(position, live),
        )
        await self.teller.tell(looked, watched_from=position.watched_from, until=self._until)
        if live is not None:
            self.outage.set()

    def _learned(self, position: Position, head: _Head) -> Learned | None:
        """Answer with what a head read showed of how TMC keeps the list, None for nothing new."""
        read = head.read
        is_proven = read.doubt is None
        if is_proven and self._before is not None:
            fresh = [*lags(read.rows, before=self._before, asked_at=head.asked_at)]
            self._samples.extend(fresh)
            self._samples_since_lowered += len(fresh)
        ids = frozenset(row.id for row in read.rows)
        before = HeadRead(window=read.window, asked_at=head.asked_at, ids=ids)
        self._before = before if is_proven else None
        settle = self._new_settle(self.settle(position))
        earlier = read.window.start - CLOCK_STEADY
        overlaps = is_proven and any(row.triggered_at < earlier for row in read.rows)
        is_news = overlaps and position.reading is not Reading.OVERLAP
        learned = Learned(
            settle=settle if settle != self.settle(position) else None,
            reading=Reading.OVERLAP if is_news else None,
            limits=self.reader.limits if self.reader.limits != position.limits else None,
        )
        return None if learned == Learned() else learned

    def _new_settle(self, current: timedelta) -> timedelta:
        is_full = self._samples_since_lowered >= SAMPLES
        settle = settle_lag(current, self._samples, self.settings.bounds, is_full=is_full)
        if is_full:
            self._samples_since_lowered = 0
        return settle

    async def _tell_learned(self, position: Position, learned: Learned) -> None:
        looked = replace(self.teller.look(), learned=learned)
        await self.teller.tell(looked, watched_from=position.watched_from)

    def _learn_limits(self, position: Position) -> None:
        """Take up what was learned before this process began."""
        limits = self.reader.limits
        self.reader.limits = Limits(
            widest=limits.widest or position.limits.widest,
            deepest=limits.deepest or position.limits.deepest,
        )

    async def _ask(self, window: Window, offset: int, part: Part = WHOLE) -> Page:
        return await self.list.page(window, offset, purpose=Purpose.HEAD, part=part)


def _away(position: Position, live: Window) -> Window | None:
    """Answer with the outage to catch up with, None where that is known already."""
    if position.away is not None and position.away.end == live.start:
        return None
    began = position.watermark if position.away is None else position.away.start
    return Window(start=min(began, position.watermark), end=live.start)
