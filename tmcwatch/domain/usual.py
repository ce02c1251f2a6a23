"""What is usual of a task or plan: how long its runs take, and how far apart they are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from math import ceil
from statistics import median

from tmcwatch.domain.execution import Phase

RUNS = 20
"""How many of the newest runs say what is usual."""

MOST_OF_THEM = 0.95

FOLLOWED_UP_WITHIN = 3
"""Usual intervals in which a verdict is followed up by a further run."""

EXPIRES_EARLIEST = timedelta(days=3)
EXPIRES_LATEST = timedelta(days=35)
EXPIRES_OTHERWISE = timedelta(days=7)
"""Without a usual interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run that ended, as much of it as says what is usual."""

    phase: Phase
    triggered_at: datetime
    started_at: datetime | None
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTimes:
    """How long runs of a task or plan take; None where no run tells."""

    usual: timedelta | None
    """The median of the newest successes."""
    longest_usual: timedelta | None
    """That 19 of 20 of the newest successes do not exceed."""
    last: timedelta | None
    """Of the newest run that began and ended, however it ended."""


def run_times(runs: Sequence[PastRun]) -> RunTimes:
    """Answer with how long runs take; `runs` are newest first."""
    times = _times_of_successes(runs)
    return RunTimes(
        usual=_middle(times),
        longest_usual=sorted(times)[ceil(MOST_OF_THEM * len(times)) - 1] if times else None,
        last=next(_times(runs), None),
    )


def usual_run_time(runs: Iterable[PastRun]) -> timedelta | None:
    """Answer with the median run time of the newest successes; `runs` are newest first."""
    return _middle(_times_of_successes(runs))


def usual_interval(runs: Sequence[PastRun]) -> timedelta | None:
    """Answer with the median time between the starts of the newest runs."""
    starts = sorted(run.started_at or run.triggered_at for run in runs)[-RUNS:]
    return _middle([after - before for before, after in pairwise(starts)])


def expires_after(interval: timedelta | None) -> timedelta:
    """Answer with how long after its last run a verdict that nobody follows up ends."""
    if interval is None:
        return EXPIRES_OTHERWISE
    return min(max(FOLLOWED_UP_WITHIN * interval, EXPIRES_EARLIEST), EXPIRES_LATEST)


def _times_of_successes(runs: Iterable[PastRun]) -> list[timedelta]:
    return list(islice(_times(run for run in runs if run.phase is Phase.SUCCEEDED), RUNS))


def _times(runs: Iterable[PastRun]) -> Iterator[timedelta]:
    return (run.ended_at - run.started_at for run in runs if run.started_at is not None)


def _middle(lengths: Sequence[timedelta]) -> timedelta | None:
    if not lengths:
        return None
    return timedelta(seconds=median(length.total_seconds() for length in lengths))
