"""Windows: the stretch of time one list read covers, and the pages it takes."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

PAGE_LIMIT = 100
"""Rows TMC gives in one page at most."""

OFFSET_LIMIT = 1_000
"""The highest offset TMC takes for task executions."""

WIDEST = timedelta(days=10)
"""The widest window TMC takes for task executions since March 2026."""

WIDEST_EVER = timedelta(days=60)
"""The widest it took before, and perhaps still does where it was not yet changed."""

UNBOUNDED = 2**31 - 1
"""The highest offset of a list that takes any."""


class Reading(StrEnum):
    """What `from` and `to` of a list select; TMC's documentation and reports contradict."""

    OVERLAP = "overlap"
    """Runs that overlap the window: a running one is in every window until it ends."""
    TRIGGER = "trigger"
    """Runs triggered in the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What TMC takes in one question about a list, as far as it has shown."""

    widest: timedelta | None = None
    """None until a wider window than the narrowest ever documented was tried."""
    deepest: int | None = None
    """None until a higher offset than the lowest ever documented was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start` to `end`, on TMC's clock."""

    start: datetime
    end: datetime

    @property
    def width(self) -> timedelta:
        return self.end - self.start

    def halved(self) -> "Window":
        """Answer with the earlier half."""
        return Window(start=self.start, end=self.start + self.width / 2)


def offsets(total: int, *, page_limit: int = PAGE_LIMIT) -> tuple[int, ...]:
    """Answer with the offsets of the further pages, each sharing a row with the one before."""
    step = page_limit - 1
    return tuple(range(step, max(total - 1, step), step)) if total > page_limit else ()


def is_within_reach(total: int, *, page_limit: int = PAGE_LIMIT) -> bool:
    """Tell whether every row of a list of `total` rows can be paged to."""
    return total <= page_limit or offsets(total, page_limit=page_limit)[-1] <= OFFSET_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """An open execution that a look should refresh."""

    id: str
    triggered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """How to refresh open executions with the fewest requests."""

    windows: tuple[Window, ...]
    ids: tuple[str, ...]


def cheapest_cover(runs: Iterable[OpenRun], triggers: Sequence[datetime]) -> Cover:
    """Answer with list pages over where many runs began, and ids for the rest.

    `triggers` are the trigger times of all known executions, oldest first, as far back as it pays:
    a page shows a hundred neighbours of them, so one page serves every open run among those. A run
    that began before the first of them is read by its id.
    """
    pending = sorted(runs, key=lambda run: run.triggered_at)
    floor = triggers[0] if triggers else None
    ids = [run.id for run in pending if floor is None or run.triggered_at < floor]
    pending = pending[len(ids) :]
    windows: list[Window] = []
    while pending:
        count = _in_one_page(pending, triggers)
        if count == 1:
            ids.append(pending[0].id)
        else:
            last = pending[count - 1].triggered_at
            # The query counts in milliseconds: widen to both sides, so that none is cut off.
            windows.append(
                Window(
                    start=pending[0].triggered_at - timedelta(milliseconds=1),
                    end=last + timedelta(milliseconds=1),
                )
            )
        pending = pending[count:]
    return Cover(windows=tuple(windows), ids=tuple(ids))


ROOM = PAGE_LIMIT - 10
"""Known rows planned for one page; the rest is for neighbours that overlap the window."""


def _in_one_page(pending: Sequence[OpenRun], triggers: Sequence[datetime]) -> int:
    """Count how many of the first pending runs one page of a hundred rows would show."""
    last = _last_of_page(pending[0].triggered_at, triggers)
    count = 1
    while count < len(pending) and pending[count].triggered_at <= last:
        count += 1
    return count


def _last_of_page(first: datetime, triggers: Sequence[datetime]) -> datetime:
    begin = bisect_left(triggers, first)
    return triggers[min(begin + ROOM, len(triggers)) - 1] if triggers else first
