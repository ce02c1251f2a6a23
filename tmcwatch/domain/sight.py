"""Sight: whether a list is seen and proven up to lately, or whether we are blind to it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from tmcwatch.domain.observation import Looked, LookFailed, LookProblem

LEAST_PATIENCE = timedelta(minutes=5)
BEATS_OF_PATIENCE = 10

FIRST_MINUTE = timedelta(minutes=1)
"""After a start, one failed look does not yet make blind, however long nobody looked before."""

REFUSED_FOR = timedelta(minutes=1)
"""How long TMC must refuse a token before that is told: one refusal may be a slip of TMC's."""


class Sight(Enum):
    SEEING = auto()
    BLIND = auto()
    UNDECIDED = auto()
    """Neither is shown yet: what was told last holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """When and how far one list was read; times are ours, but for the watermark."""

    counted_from: datetime
    """Silence before it does not count: the start of the process, or a token accepted again."""
    is_heard: bool = False
    """Whether a look at the head ended since then, well or badly."""
    head_at: datetime | None = None
    """Of the last look that succeeded; None if there never was one."""
    watermark: datetime | None = None
    """On TMC's clock."""
    moved_at: datetime | None = None
    """When the watermark last moved, None if not since the start of the process."""
    skew: timedelta = timedelta()
    """How far TMC's clock is ahead of ours."""
    settle: timedelta = timedelta()
    """The watermark keeps this far behind by itself."""
    failed: LookFailed | None = None
    """The last look, where it failed."""

    @property
    def read_at(self) -> datetime:
        return self.head_at or self.counted_from

    @property
    def proven_at(self) -> datetime:
        return self.counted_from if self.watermark is None else self.watermark - self.skew


def patience(beat: timedelta) -> timedelta:
    """Answer with how old head and watermark may become before we count as blind."""
    return max(LEAST_PATIENCE, BEATS_OF_PATIENCE * beat)


def after_look(marks: Marks, looked: Looked) -> Marks:
    """Answer with the marks after a look that succeeded."""
    if looked.watermark is not None and (
        marks.watermark is None or looked.watermark > marks.watermark
    ):
        marks = replace(marks, watermark=looked.watermark, moved_at=looked.at)
    if looked.learned is not None and looked.learned.settle is not None:
        marks = replace(marks, settle=looked.learned.settle)
    if not looked.head:
        return marks
    # A look that proved nothing says why only afterwards: until then the reason before holds.
    unproven = marks.failed is not None and marks.failed.problem is LookProblem.UNPROVEN
    keeps_reason = unproven and looked.watermark is None
    return replace(
        marks,
        is_heard=True,
        head_at=looked.at,
        skew=looked.skew,
        failed=marks.failed if keeps_reason else None,
    )


def after_failure(marks: Marks, failed: LookFailed) -> Marks:
    """Answer with the marks after a look that failed."""
    return replace(marks, is_heard=True, failed=failed)


def sight(marks: Marks, limit: timedelta, *, now: datetime) -> Sight:
    """Judge whether a list is seen, when head and watermark may be as old as `limit`.

    A watermark that is old but moves belongs to an outage that is being caught up with.
    """
    is_read = now - marks.read_at <= limit
    is_proven = now - marks.proven_at <= limit + marks.settle
    moves = marks.moved_at is not None and now - marks.moved_at <= limit
    counted = now - marks.counted_from
    if not is_read and counted > (FIRST_MINUTE if marks.is_heard else limit):
        return Sight.BLIND
    if not is_proven and not moves and counted > limit:
        return Sight.BLIND
    is_shown = marks.head_at is not None and marks.head_at >= marks.counted_from
    is_seeing = is_shown and is_read and (is_proven or moves)
    return Sight.SEEING if is_seeing else Sight.UNDECIDED


def blind_since(marks: Marks, limit: timedelta, *, now: datetime) -> datetime:
    """Answer with the last moment at which a list that we are blind to was seen."""
    return marks.proven_at if now - marks.read_at <= limit else marks.read_at


def blind_text(lists: str, marks: Marks, limit: timedelta, *, now: datetime) -> str:
    """Say what is wrong with a list, such as `tasks of prod`."""
    since = f"{blind_since(marks, limit, now=now):%Y-%m-%d %H:%M} UTC"
    why = f": {marks.failed.text}" if marks.failed else ""
    if now - marks.read_at > limit:
        return f"No look at {lists} succeeded since {since}{why}"
    changes = marks.failed is not None and marks.failed.problem is LookProblem.UNPROVEN
    what = " changes while it is read" if changes else ""
    return f"TMC's list of {lists}{what}: nothing after {since} is proven to be complete{why}"


def refused_text(account: str, failed: LookFailed) -> str:
    since = f"{failed.at:%Y-%m-%d %H:%M} UTC"
    return f"TMC refuses the credential of {account} since {since}: {failed.text}"
