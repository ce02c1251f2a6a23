"""What of a budget's paces is worth remembering: where each begins, and what changed since."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import anyio
import anyio.lowlevel

from tmcwatch.domain.budget import Family, Pace, RememberedPace, is_slow, resumed

STEP = 0.05
"""The part of the share by which a rate has to change to be written: it climbs all the time."""


class _Noted(NamedTuple):
    rate: float
    paused_until: float | None
    """Of the monotonic clock."""

    def is_like(self, other: "_Noted", *, share: float) -> bool:
        same_rate = abs(self.rate - other.rate) < STEP * share
        return same_rate and self.paused_until == other.paused_until


class Remembering:
    """Begins each pace where it was remembered, and collects what is to be written of it."""

    def __init__(
        self, remembered: Mapping[Family, RememberedPace], *, now: Callable[[], datetime]
    ) -> None:
        self._remembered = remembered
        self._now = now
        self._noted: dict[Family, _Noted] = {}
        self._asked_at = {
            family: one.asked_at for family, one in remembered.items() if one.asked_at is not None
        }
        self._changes: dict[Family, RememberedPace] = {}
        self._news = anyio.Event()

    def __contains__(self, family: Family) -> bool:
        return family in self._remembered

    def begun(self, family: Family, fresh: Pace) -> Pace:
        """Answer with the pace that a family begins with in this process."""
        remembered = self._remembered.get(family)
        if remembered is None:
            return fresh
        pace = resumed(fresh, remembered, now=self._now())
        # What is written already is no news: written again, the moment would drift.
        self._noted[family] = _noted(pace)
        return pace

    def note(self, family: Family, pace: Pace) -> None:
        """Take note of a pace; where its rate or pause is another, that is to be written."""
        noted = _noted(pace)
        before = self._noted.get(family)
        if before is not None and noted.is_like(before, share=pace.share):
            return
        self._change(family, pace, noted)

    def called(self, family: Family, pace: Pace) -> None:
        """Take note of a call, where each counts."""
        if is_slow(pace.rate):
            self._asked_at[family] = self._now()
            self._change(family, pace, _noted(pace))

    def _change(self, family: Family, pace: Pace, noted: _Noted) -> None:
        self._noted[family] = noted
        until = noted.paused_until
        self._changes[family] = RememberedPace(
            rate=noted.rate,
            paused_until=None
            if until is None
            else self._now() + timedelta(seconds=until - pace.at),
            asked_at=self._asked_at.get(family),
        )
        self._news.set()

    async def changed(self) -> Mapping[Family, RememberedPace]:
        """Wait until something is to be written, and answer with it."""
        await anyio.lowlevel.checkpoint()
        await self._news.wait()
        return self.changes()

    def changes(self) -> Mapping[Family, RememberedPace]:
        """Answer with what is to be written now; it is not answered again."""
        changes, self._changes = self._changes, {}
        self._news = anyio.Event()
        return changes

    def owe(self, changes: Mapping[Family, RememberedPace]) -> None:
        """Take back what could not be written, but for what changed again meanwhile."""
        self._changes = {**changes, **self._changes}
        self._news.set()


def _noted(pace: Pace) -> _Noted:
    # A pause that is over counts until TMC served a call: a restart goes on with the probe. Those
    # after failures are short, and TMC asked for none of them.
    return _Noted(pace.rate, pace.paused_until if pace.strikes else None)
