"""The budget keeper: lets each request out when its turn has come and TMC bears it."""

import math
from bisect import insort
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

import anyio
import anyio.lowlevel

from tmcwatch.api.remembering import Remembering
from tmcwatch.domain.budget import (
    CEILINGS,
    PRIORITIES,
    Family,
    Pace,
    Purpose,
    RememberedPace,
    answered,
    called,
    fresh_pace,
    not_called,
    passed,
    throttled,
    wait,
    without_answer,
)

MOST_IN_FLIGHT = 8
"""No more than the connection pool has: httpx loses slots when requests wait for it."""


@dataclass(slots=True, eq=False)
class Room:
    """The places for requests in flight through one connection pool."""

    free: int = MOST_IN_FLIGHT


class FamilyState(NamedTuple):
    """How one family is asked at present, in requests per second."""

    rate: float
    ceiling: float
    paused_until: datetime | None


@dataclass(slots=True, order=True)
class _Waiter:
    priority: int
    number: int
    purpose: Purpose = field(compare=False)
    room: Room = field(compare=False)
    granted: bool = field(default=False, compare=False)
    pauses: int = field(default=0, compare=False)
    stir: anyio.Event = field(default_factory=anyio.Event, compare=False)


@dataclass(slots=True, kw_only=True)
class _Lane:
    family: Family
    ceiling: float
    pace: Pace | None = None
    paused_until: datetime | None = None
    waiters: list[_Waiter] = field(default_factory=list)


class Slot:
    """The right to send one request, and the way to report what TMC made of it."""

    def __init__(self, budget: "Budget", family: Family, *, pauses: int, waited: float) -> None:
        self._budget = budget
        self._family = family
        self._pauses = pauses
        self.waited = waited
        """Seconds."""

    def answered(self) -> None:
        self._budget.answered(self._family, pauses=self._pauses)

    def throttled(self, retry_after: timedelta | None) -> None:
        self._budget.throttled(self._family, retry_after, pauses=self._pauses)


class Budget:
    """Owns every call: paced per family, the most urgent purpose first, then first come.

    Several clients may share one. Only a request that holds a slot may be sent.
    """

    def __init__(
        self,
        share: float,
        *,
        now: Callable[[], datetime],
        random: Callable[[], float],
        ceilings: Mapping[Family, float] | None = None,
        remembered: Mapping[Family, RememberedPace] | None = None,
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"the share of the ceiling must be above 0 and at most 1: {share}")
        self._share = share
        self._now = now
        self._random = random
        self._numbers = count()
        self._remembering = Remembering(remembered or {}, now=now)
        granted = ceilings or CEILINGS
        self._lanes = {
            family: _Lane(family=family, ceiling=granted.get(family, CEILINGS[family]))
            for family in Family
        }

    @asynccontextmanager
    async def slot(
        self, family: Family, purpose: Purpose, *, room: Room | None = None
    ) -> AsyncGenerator[Slot]:
        """Wait for the turn of a request, and hold its place in `room` until it has ended."""
        began = anyio.current_time()
        lane = self._lanes[family]
        waiter = _Waiter(PRIORITIES[purpose], next(self._numbers), purpose, room or Room())
        await self._turn(lane, waiter)
        waited = anyio.current_time() - began
        try:
            yield Slot(self, family, pauses=waiter.pauses, waited=waited)
        finally:
            waiter.room.free += 1
            lane.pace = without_answer(self._pace(lane), pauses=waiter.pauses)
            self._stir_all()

    def answered(self, family: Family, *, pauses: int | None = None) -> None:
        """Report that TMC served a call; `pauses` tells how many pauses it was let out after."""
        lane = self._lanes[family]
        pace = self._pace(lane)
        lane.pace = answered(pace, pauses=pace.pauses if pauses is None else pauses)
        self._remembering.note(family, lane.pace)
        _stir(lane)

    def throttled(
        self, family: Family, retry_after: timedelta | None, *, pauses: int | None = None
    ) -> None:
        """Report a 429; `pauses` tells how many pauses its call was let out after."""
        lane = self._lanes[family]
        pace = self._pace(lane)
        known = pace.pauses if pauses is None else pauses
        lane.pace = throttled(pace, pauses=known, asked=retry_after, jitter=self._random())
        lane.paused_until = self._now() + timedelta(seconds=lane.pace.paused_until - pace.at)
        self._remembering.note(family, lane.pace)
        _stir(lane)

    async def changed(self) -> Mapping[Family, RememberedPace]:
        """Wait until the rate or the pause of a family changes; answer with what to remember."""
        return await self._remembering.changed()

    def changes(self) -> Mapping[Family, RememberedPace]:
        """Answer with what changed and was not taken yet, without waiting."""
        return self._remembering.changes()

    def state(self) -> Mapping[Family, FamilyState]:
        now = self._now()
        return {family: self._state(lane, now) for family, lane in self._lanes.items()}

    def waiting(self) -> Mapping[Purpose, int]:
        """Count who waits for a turn, by purpose."""
        waiters = (waiter for lane in self._lanes.values() for waiter in lane.waiters)
        counted = Counter(waiter.purpose for waiter in waiters)
        return {purpose: counted[purpose] for purpose in Purpose}

    def _state(self, lane: _Lane, now: datetime) -> FamilyState:
        if lane.family in self._remembering:
            self._pace(lane)
        until = lane.paused_until
        return FamilyState(
            rate=lane.pace.rate if lane.pace else lane.ceiling * self._share / 60,
            ceiling=lane.ceiling / 60,
            paused_until=until if until is not None and until > now else None,
        )

    def _pace(self, lane: _Lane) -> Pace:
        """Bring the pace up to this moment; it begins with the first request."""
        at = anyio.current_time()
        lane.pace = passed(lane.pace, at) if lane.pace is not None else self._begun(lane, at)
        self._remembering.note(lane.family, lane.pace)
        return lane.pace

    def _begun(self, lane: _Lane, at: float) -> Pace:
        fresh = fresh_pace(lane.ceiling, self._share, at=at)
        pace = self._remembering.begun(lane.family, fresh)
        if pace.paused_until > at:
            lane.paused_until = self._now() + timedelta(seconds=pace.paused_until - at)
        return pace

    async def _turn(self, lane: _Lane, waiter: _Waiter) -> None:
        insort(lane.waiters, waiter)
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
        while (waiter := _next(lane)) is not None:
            if (seconds := wait(pace)) > 0:
                return seconds
            lane.pace = pace = called(pace)
            lane.waiters.remove(waiter)
            waiter.granted, waiter.pauses = True, pace.pauses
            waiter.room.free -= 1
            waiter.stir.set()
        return math.inf

    def _give_up(self, lane: _Lane, waiter: _Waiter) -> None:
        if not waiter.granted:
            lane.waiters.remove(waiter)
            return
        waiter.room.free += 1
        lane.pace = not_called(self._pace(lane), pauses=waiter.pauses)
        self._stir_all()

    def _stir_all(self) -> None:
        # A place in a room may be what the first of another family waits for.
        for lane in self._lanes.values():
            _stir(lane)


def _next(lane: _Lane) -> _Waiter | None:
    return next((waiter for waiter in lane.waiters if waiter.room.free > 0), None)


async def _wait_for_turn(lane: _Lane, waiter: _Waiter, seconds: float) -> None:
    """Wait until stirred; the first in line keeps time for all, and stirs whoever may go."""
    if seconds == math.inf or waiter.granted:
        await waiter.stir.wait()
    elif lane.waiters[0] is waiter:
        with anyio.move_on_after(seconds):
            await waiter.stir.wait()
    else:
        # The first may have found no room and keep no time: now there is something to wait for.
        _stir(lane)
        await waiter.stir.wait()


def _stir(lane: _Lane) -> None:
    """Let the first in line look again."""
    if lane.waiters:
        lane.waiters[0].stir.set()
