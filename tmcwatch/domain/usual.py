"""What is usual of a task or plan: how long its runs take, and how far apart they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from tmcwatch.domain.execution import Phase

RUNS = 20
"""How many of the newest runs say what is usual."""

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


def usual_run_time(runs: Iterable[PastRun]) -> timedelta | None:
    """Answer with the median run time of the newest successes; `runs` are newest first."""
    times = [
        run.ended_at - run.started_at
        for run in runs
        if run.phase is Phase.SUCCEEDED and run.started_at is not None
    ]
    return _middle(times[:RUNS])


def usual_interval(runs: Sequence[PastRun]) -> timedelta | None:
    """Answer with the median time between the starts of the newest runs."""
    starts = sorted(run.started_at or run.triggered_at for run in runs)[-RUNS:]
    return _middle([after - before for before, after in pairwise(starts)])


def expires_after(interval: timedelta | None) -> timedelta:
    """Answer with how long after its last run a verdict that nobody follows up ends."""
    if interval is None:
        return EXPIRES_OTHERWISE
    return min(max(FOLLOWED_UP_WITHIN * interval, EXPIRES_EARLIEST), EXPIRES_LATEST)


def _middle(lengths: Sequence[timedelta]) -> timedelta | None:
    if not lengths:
        return None
    return timedelta(seconds=median(length.total_seconds() for length in lengths))
