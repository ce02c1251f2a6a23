"""The budget keeper: lets each request out when its turn has come and TMC bears it."""

import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

import anyio
import anyio.lowlevel

from tmcwatch.api.remembering import Remembering
from tmcwatch.domain.budget import (
    CEILINGS,
    Family,
    Pace,
    Purpose,
    RememberedPace,
    affords,
    answered,
    called,
    failed,
    fresh_pace,
    granting,
    is_slow,
    not_called,
    passed,
    pause_left,
    per_second,
    throttled,
    wait,
    without_answer,
)
from tmcwatch.domain.throttling import Calls
from tmcwatch.domain.turns import PRIORITIES, Turns, Waiting, by_urgency, next_turn, patience

MOST_IN_FLIGHT = 8
"""No more than the connection pool has: httpx loses slots when requests wait for it."""

USUAL_BEAT = timedelta(seconds=10)


@dataclass(slots=True, eq=False)
class Room:
    """The places for requests in flight through one connection pool: those of one account."""

    free: int = MOST_IN_FLIGHT
    beat: timedelta = USUAL_BEAT
    """How often its account is looked at, which decides by when a question is to have its turn."""


class FamilyState(NamedTuple):
    """How one family is asked at present, in requests per second."""

    rate: float
    granted: float
    """What the share allows; the rate is less while TMC refuses that."""
    ceiling: float
    paused_until: datetime | None


_head_due: ContextVar[float] = ContextVar("head_due", default=math.inf)


@contextmanager
def before_the_head(due: float) -> Generator[None]:
    """Ask here for what stands before the next head, which is due at a moment of this process.

    From then on whatever still waits for its turn is as urgent as the head that waits for it: the
    head would otherwise be as late as the least urgent thing that its look asks for.
    """
    token = _head_due.set(due)
    try:
        yield
    finally:
        _head_due.reset(token)


class Ticket:
    """A question's place in line; it may be hastened while it waits."""

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = self.asked_for = purpose
        self._head_due = _head_due.get()

    def hasten(self, purpose: Purpose) -> None:
        """Let it go for the more urgent of two purposes, and for a head that waits for it too."""
        self.purpose = min(self.purpose, purpose, key=PRIORITIES.__getitem__)
        self._head_due = min(self._head_due, _head_due.get())

    def urgency(self, at: float) -> Purpose:
        """Answer with the purpose it is as urgent as at a moment of this process."""
        return Purpose.HEAD if at >= self._head_due else self.purpose


@dataclass(slots=True, eq=False, kw_only=True)
class _Waiter:
    number: int
    ticket: Ticket
    room: Room
    since: float
    granted: bool = False
    pauses: int = 0
    stir: anyio.Event = field(default_factory=anyio.Event)

    @property
    def deadline(self) -> float:
        return self.since + patience(self.ticket.purpose, self.room.beat)

    def as_waiting(self, at: float) -> Waiting:
        return Waiting(
            purpose=self.ticket.urgency(at),
            account=id(self.room),
            deadline=self.deadline,
            number=self.number,
        )


@dataclass(slots=True, kw_only=True)
class _Lane:
    family: Family
    ceiling: float
    pace: Pace | None = None
    turns: Turns = field(default_factory=Turns)
    waiters: dict[int, _Waiter] = field(default_factory=dict)
    """By number: the first has waited longest, and keeps time for all."""
    served: int = 0
    refused: int = 0

    @property
    def first(self) -> _Waiter | None:
        return next(iter(self.waiters.values()), None)


class Slot:
    """The right to send one request, and the way to report what TMC made of it."""

    def __init__(self, budget: "Budget", lane: Family, waiter: _Waiter) -> None:
        self._budget = budget
        self._family = lane
        self._pauses = waiter.pauses
        self.waited = anyio.current_time() - waiter.since
        """Seconds."""
        self.is_late = self.waited > patience(waiter.ticket.asked_for, waiter.room.beat)
        """Whether the turn came after the deadline of the purpose that was asked for."""

    def answered(self) -> None:
        self._budget.answered(self._family, pauses=self._pauses)

    def failed(self) -> None:
        """Report that TMC gave no usable answer."""
        self._budget.failed(self._family, pauses=self._pauses)

    def throttled(self, retry_after: timedelta | None) -> None:
        self._budget.throttled(self._family, retry_after, pauses=self._pauses)


class Budget:
    """Owns every call: paced per family, the most urgent purpose first, accounts in turn.

    Several clients may share one. Only a request that holds a slot may be sent. `saved` calls may
    go at once in the beginning: none in a daemon, which may have asked until a moment ago.
    """

    def __init__(
        self,
        share: float,
        *,
        now: Callable[[], datetime],
        random: Callable[[], float],
        ceilings: Mapping[Family, float] | None = None,
        saved: float = 0.0,
        remembered: Mapping[Family, RememberedPace] | None = None,
    ) -> None:
        self._share = _checked(share)
        self._now = now
        self._random = random
        self._saved = saved
        self._numbers = count()
        self._remembering = Remembering(remembered or {}, now=now)
        granted = ceilings or CEILINGS
        self._lanes = {
            family: _Lane(family=family, ceiling=granted.get(family, CEILINGS[family]))
            for family in Family
        }

    def grant(self, share: float) -> None:
        """Go on with another share of the ceiling."""
        self._share = _checked(share)
        for lane in self._lanes.values():
            if lane.pace is not None:
                lane.pace = granting(self._pace(lane), lane.ceiling, share)
                _stir(lane)

    @asynccontextmanager
    async def slot(
        self,
        family: Family,
        purpose: Purpose | Ticket,
        *,
        room: Room | None = None,
    ) -> AsyncGenerator[Slot]:
        """Wait for the turn of a request, and hold its place in `room` until it has ended."""
        lane = self._lanes[family]
        waiter = _Waiter(
            number=next(self._numbers),
            ticket=purpose if isinstance(purpose, Ticket) else Ticket(purpose),
            room=room or Room(),
            since=anyio.current_time(),
        )
        await self._turn(lane, waiter)
        try:
            yield Slot(self, family, waiter)
        finally:
            waiter.room.free += 1
            lane.pace = without_answer(self._pace(lane), pauses=waiter.pauses)
            self._stir_all()

    def answered(self, family: Family, *, pauses: int | None = None) -> None:
        """Report that TMC served a call; `pauses` tells how many pauses it was let out after."""
        lane = self._lanes[family]
        pace = self._pace(lane)
        lane.served += 1
        lane.pace = answered(pace, pauses=pace.pauses if pauses is None else pauses)
        self._remembering.note(family, lane.pace)
        _stir(lane)

    def failed(self, family: Family, *, pauses: int | None = None) -> None:
        """Report a call without a usable answer; `pauses` as for `answered`."""
        lane = self._lanes[family]
        pace = self._pace(lane)
        known = pace.pauses if pauses is None else pauses
        lane.pace = failed(pace, pauses=known, jitter=self._random())
        _stir(lane)

    def throttled(
        self, family: Family, retry_after: timedelta | None, *, pauses: int | None = None
    ) -> None:
        """Report a 429; `pauses` as for `answered`."""
        lane = self._lanes[family]
        pace = self._pace(lane)
        known = pace.pauses if pauses is None else pauses
        lane.refused += known == pace.pauses  # those of calls that were under way together are one
        lane.pace = throttled(pace, pauses=known, asked=retry_after, jitter=self._random())
        self._remembering.note(family, lane.pace)
        _stir(lane)

    def affords(self, family: Family, within: timedelta) -> float:
        """Answer with how many calls may go within a time, as things are now."""
        return affords(self._pace(self._lanes[family]), within.total_seconds())

    async def changed(self) -> Mapping[Family, RememberedPace]:
        """Wait until the rate or the pause of a family changes; answer with what to remember."""
        return await self._remembering.changed()

    def changes(self) -> Mapping[Family, RememberedPace]:
        """Answer with what changed and was not taken yet, without waiting."""
        return self._remembering.changes()

    def owe(self, changes: Mapping[Family, RememberedPace]) -> None:
        """Take back changes that could not be written: they are answered again."""
        self._remembering.owe(changes)

    def state(self) -> Mapping[Family, FamilyState]:
        now = self._now()
        return {family: self._state(lane, now) for family, lane in self._lanes.items()}

    def calls(self) -> Mapping[Family, Calls]:
        """Answer with what TMC made of the calls so far."""
        return {
            family: Calls(
                served=lane.served,
                refused=lane.refused,
                is_paused=lane.pace is not None and pause_left(self._pace(lane)) > 0,
            )
            for family, lane in self._lanes.items()
        }

    def waiting(self) -> Mapping[Purpose, int]:
        """Count who waits for a turn, by purpose."""
        waiters = (waiter for lane in self._lanes.values() for waiter in lane.waiters.values())
        counted = Counter(waiter.ticket.purpose for waiter in waiters)
        return {purpose: counted[purpose] for purpose in Purpose}

    def _state(self, lane: _Lane, now: datetime) -> FamilyState:
        if lane.pace is not None or lane.family in self._remembering:
            self._pace(lane)
        pace, granted = lane.pace, per_second(lane.ceiling, self._share)
        left = pause_left(pace) if pace else 0.0
        return FamilyState(
            rate=pace.rate if pace else granted,
            granted=granted,
            ceiling=lane.ceiling / 60,
            paused_until=now + timedelta(seconds=left) if left > 0 else None,
        )

    def _pace(self, lane: _Lane) -> Pace:
        """Bring the pace up to this moment; it begins with the first request."""
        at = anyio.current_time()
        lane.pace = passed(lane.pace, at) if lane.pace is not None else self._begun(lane, at)
        self._remembering.note(lane.family, lane.pace)
        return lane.pace

    def _begun(self, lane: _Lane, at: float) -> Pace:
        # The first life of a family: nothing was asked before it.
        saved = (
            max(self._saved, 1.0)
            if is_slow(per_second(lane.ceiling, self._share))
            else self._saved
        )
        fresh = fresh_pace(lane.ceiling, self._share, at=at, tokens=saved)
        return self._remembering.begun(lane.family, fresh)

    async def _turn(self, lane: _Lane, waiter: _Waiter) -> None:
        lane.waiters[waiter.number] = waiter
        try:
            await anyio.lowlevel.checkpoint()
            while not waiter.granted:
                # Renewed before looking: what is stirred while we look must not be lost.
                waiter.stir = anyio.Event()
                seconds = self._let_out(lane)
                await _wait_for_turn(lane, waiter, seconds)
        except BaseException:
            self._give_up(lane, waiter)
            raise
        finally:
            _stir(lane)

    def _let_out(self, lane: _Lane) -> float:
        """Grant every turn that has come; answer with the seconds until the next one."""
        pace = self._pace(lane)
        while (turn := _next(lane, pace)) is not None:
            if (seconds := wait(pace)) > 0:
                return seconds
            waiting, lane.turns = turn
            lane.pace = pace = called(pace)
            self._remembering.called(lane.family, pace)
            waiter = lane.waiters.pop(waiting.number)
            waiter.granted, waiter.pauses = True, pace.pauses
            waiter.room.free -= 1
            waiter.stir.set()
        return math.inf

    def _give_up(self, lane: _Lane, waiter: _Waiter) -> None:
        if not waiter.granted:
            del lane.waiters[waiter.number]
            return
        waiter.room.free += 1
        lane.pace = not_called(self._pace(lane), pauses=waiter.pauses)
        self._stir_all()

    def _stir_all(self) -> None:
        # A place in a room may be what the first of another family waits for.
        for lane in self._lanes.values():
            _stir(lane)


def _checked(share: float) -> float:
    if not 0 < share <= 1:
        raise ValueError(f"the share of the ceiling must be above 0 and at most 1: {share}")
    return share


def _next(lane: _Lane, pace: Pace) -> tuple[Waiting, Turns] | None:
    at = pace.at
    line = (waiter.as_waiting(at) for waiter in lane.waiters.values() if waiter.room.free > 0)
    # In trouble only probes go: one that TMC serves should be what is most urgent.
    turns = by_urgency(lane.turns) if pace.is_troubled else lane.turns
    return next_turn(line, turns, at=at)


async def _wait_for_turn(lane: _Lane, waiter: _Waiter, seconds: float) -> None:
    """Wait until stirred; the first in line keeps time for all, and stirs whoever may go."""
    if seconds == math.inf or waiter.granted:
        await waiter.stir.wait()
    elif lane.first is waiter:
        with anyio.move_on_after(seconds):
            await waiter.stir.wait()
    else:
        # The first may have found no room and keep no time: now there is something to wait for.
        _stir(lane)
        await waiter.stir.wait()


def _stir(lane: _Lane) -> None:
    """Let the first in line look again."""
    if lane.first is not None:
        lane.first.stir.set()
