"""Windows: the stretch of time one list read covers, and the pages it takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tmcwatch.domain.execution import SubjectId

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

    @property
    def reach(self) -> timedelta:
        """How far back a window may begin, less what TMC's clock and ours may differ.

        A narrower bound than the promised one is of windows, wherever they begin.
        """
        return max(self.widest or WIDEST, WIDEST) - timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start` to `end`, on TMC's clock."""

    start: datetime
    end: datetime

    @property
    def width(self) -> timedelta:
        return self.end - self.start

    def halved(self, times: int = 1) -> "Window":
        """Answer with the earlier half, or the earlier half of that, so many times."""
        return Window(start=self.start, end=self.start + self.width / 2**times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of one workspace or of one task: what a list can be asked for by itself."""

    workspace: str | None = None
    subject: SubjectId | None = None


WHOLE = Part()
"""The rows of everything."""


def halvings(total: int, *, deepest: int) -> int:
    """Answer with how often a window of `total` rows is to be halved to come within reach.

    As if the rows were spread evenly: where they are not, the part is halved again.
    """
    times = 1
    while times < _MOST_HALVINGS and not is_within_reach(total >> times, deepest=deepest):
        times += 1
    return times


_MOST_HALVINGS = 16


def offsets(total: int, *, page_limit: int = PAGE_LIMIT) -> tuple[int, ...]:
    """Answer with the offsets of the further pages, each sharing a row with the one before."""
    step = page_limit - 1
    return tuple(range(step, max(total - 1, step), step)) if total > page_limit else ()


def is_within_reach(
    total: int, *, page_limit: int = PAGE_LIMIT, deepest: int = OFFSET_LIMIT
) -> bool:
    """Tell whether every row of a list of `total` rows can be paged to by offsets to `deepest`."""
    return total <= page_limit or offsets(total, page_limit=page_limit)[-1] <= deepest
