"""How a task or plan stands: what the ends of its runs say together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tmcwatch.domain.execution import FAILURES, Phase

DURATION_BOUNDS = (1, 5, 15, 60, 300, 900, 3600, 14400, 86400)
"""Upper bounds, in seconds, of the buckets of run times."""

START_DELAY_BOUNDS = (1, 5, 15, 30, 60, 120, 300, 900)
"""Upper bounds, in seconds, of the buckets of the time from trigger to start."""


class Result(StrEnum):
    """What a run of one task or plan counts as; each of them is a series."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The last runs and the counters of one task or plan. Counters never go down."""

    last_success_at: datetime | None = None
    last_completion_at: datetime | None = None
    last_phase: Phase | None = None
    failing_since: datetime | None = None
    consecutive_failures: int = 0
    succeeded: int = 0
    failed: int = 0
    other: int = 0


NEVER_RAN = Standing()


def after_end(standing: Standing, phase: Phase, at: datetime) -> Standing:
    """Answer with the standing after one more run ended; ends may come in any order.

    The one thing this cannot tell is how many failures followed a success that is told after
    them: see `needs_recount`.
    """
    # One copy in the end: this runs for every row of a large tenant.
    changes: dict[str, Any] = {}
    if standing.last_completion_at is None or at >= standing.last_completion_at:
        changes = {"last_completion_at": at, "last_phase": phase}
    if phase is Phase.SUCCEEDED:
        changes |= _after_success(standing, at)
    elif phase in FAILURES:
        changes |= _after_failure(standing, at)
    return replace(standing, **changes) if changes else standing


def needs_recount(standing: Standing, phase: Phase, at: datetime) -> bool:
    """Tell whether this end is a success that stands between failures already counted."""
    since = standing.failing_since
    last = standing.last_completion_at
    return (
        phase is Phase.SUCCEEDED and since is not None and last is not None and since <= at < last
    )


def counted(standing: Standing, phase: Phase) -> Standing:
    """Answer with the standing after its counters took one more run."""
    match result_of(phase):
        case Result.SUCCEEDED:
            return replace(standing, succeeded=standing.succeeded + 1)
        case Result.FAILED:
            return replace(standing, failed=standing.failed + 1)
        case Result.OTHER:
            return replace(standing, other=standing.other + 1)


def result_of(phase: Phase) -> Result:
    """Answer with what an end counts as."""
    if phase is Phase.SUCCEEDED:
        return Result.SUCCEEDED
    return Result.FAILED if phase in FAILURES else Result.OTHER


def bucket(seconds: float, bounds: tuple[int, ...]) -> str:
    """Answer with the name of the bucket that `seconds` fall into: its upper bound."""
    return next((str(bound) for bound in bounds if seconds <= bound), "+Inf")


def histogram(seconds: float, bounds: tuple[int, ...]) -> Iterator[tuple[str, float]]:
    """Give what one value adds to a stored histogram: its bucket and the sum."""
    yield bucket(seconds, bounds), 1
    yield "sum", seconds


def _after_success(standing: Standing, at: datetime) -> Mapping[str, Any]:
    if standing.last_success_at is not None and at <= standing.last_success_at:
        return {}
    since = standing.failing_since
    if since is None or since > at:
        return {"last_success_at": at}
    return {"last_success_at": at, "consecutive_failures": 0, "failing_since": None}


def _after_failure(standing: Standing, at: datetime) -> Mapping[str, Any]:
    success, since = standing.last_success_at, standing.failing_since
    if success is not None and at <= success:
        return {}
    return {
        "consecutive_failures": standing.consecutive_failures + 1,
        "failing_since": at if since is None else min(at, since),
    }
