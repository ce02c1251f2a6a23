"""Following open executions: which to read, and by the fewest requests."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tmcwatch.domain.execution import ExecutionId
from tmcwatch.domain.window import PAGE_LIMIT, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """An open execution that a look should refresh."""

    id: ExecutionId
    triggered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """How to refresh open executions with the fewest requests."""

    windows: tuple[Window, ...]
    ids: tuple[ExecutionId, ...]

    @property
    def requests(self) -> int:
        return len(self.windows) + len(self.ids)


def part_of(wanted: int, *, by_all: int, afforded: float) -> int:
    """Answer with how many of the requests that one list wants it may make, at least one.

    What is afforded is dealt out by need among all that draw on it.
    """
    if by_all <= afforded:
        return wanted
    return max(int(afforded * wanted / by_all), 1)


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


def in_turn(
    runs: Iterable[OpenRun], read_at: Mapping[ExecutionId, float]
) -> Iterator[ExecutionId]:
    """Give the ids of open runs in the order to read them, where not all can be read.

    By turns the youngest, as most runs are short and end soon, and the one unseen for longest, so
    that none waits for ever. `read_at` is when each was read last, on any clock.
    """
    youngest = sorted(runs, key=lambda run: run.triggered_at, reverse=True)
    longest_unseen = sorted(youngest, key=lambda run: read_at.get(run.id, float("-inf")))
    given: set[ExecutionId] = set()
    for pair in zip(longest_unseen, youngest, strict=True):
        for run in pair:
            if run.id not in given:
                given.add(run.id)
                yield run.id


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
