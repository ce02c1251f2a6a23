"""Observations: what one look told us, and what a poller may ask of what is believed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tmcwatch.domain.execution import (
    AccountName,
    BadRow,
    ExecutionId,
    Kind,
    Row,
    Subject,
    Workspace,
)
from tmcwatch.domain.window import Limits, Reading, Window


class LookProblem(StrEnum):
    """Why a look failed: the decision a caller can take."""

    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    UNPROVEN = "unproven"
    """Read, but no certificate held."""


class Pass(StrEnum):
    """Which further reading of what was certified before."""

    SECOND = "second"
    """Each stretch once more, an hour later."""
    SAMPLE = "sample"
    """A random window, hourly."""
    DAY = "day"
    """The last day, daily."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A further reading of what was certified before: what it shows ought to be known."""

    kind: Pass
    window: Window
    done: bool
    """Whether it brings its pass forward: a second pass at each window, an audit at its last."""
    settle_if_late: timedelta
    """The settle lag to work with from now on if it shows a row that had been missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a look showed of how TMC keeps a list; None where it showed nothing new."""

    settle: timedelta | None = None
    reading: Reading | None = None
    limits: Limits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A look that succeeded: rows to believe, and how far it proves that nothing is missing."""

    account: AccountName
    kind: Kind
    at: datetime
    """Our time."""
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...] = ()
    watermark: datetime | None = None
    """TMC's time up to which everything is certified, or None if this look proves nothing."""
    head: bool = True
    """Whether the newest rows were read."""
    history: Window | None = None
    """What of the time before the account was watched is still to be read, after this look."""
    history_read: bool = False
    """Whether this look was about history."""
    watched_from: datetime | None = None
    """At the first look at all: TMC's time from which the account is watched."""
    skew: timedelta = timedelta()
    """How far TMC's clock is ahead of ours."""
    learned: Learned | None = None
    away: Window | None = None
    """At the first look after an outage: the stretch to catch up with, behind the head."""
    gap: Window | None = None
    """A stretch that TMC no longer shows: what ran then stays unknown."""
    check: Check | None = None
    """Where this is a further reading of what was certified before."""
    history_before: datetime | None = None
    """Of a promotion: what ended before this is history. Its other ends are told, however old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookFailed:
    """A look that failed: a result, not an exception."""

    account: AccountName
    kind: Kind | None
    """None for the names."""
    at: datetime
    problem: LookProblem
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesRead:
    """The tasks and plans that TMC lists, with their names; `complete` if these are all."""

    account: AccountName
    at: datetime
    subjects: tuple[Subject, ...]
    complete: bool
    workspaces: tuple[Workspace, ...] | None = None
    """All that the account sees; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Time has passed."""

    at: datetime


Observation = Looked | LookFailed | NamesRead | Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far one list of one account was read, as committed."""

    watched_from: datetime
    watermark: datetime
    history: Window | None
    away: Window | None = None
    """The outage that is being caught up with; over once the watermark has passed it."""
    settle: timedelta | None = None
    """The settle lag, as learned."""
    reading: Reading | None = None
    limits: Limits = field(default_factory=Limits)
    checked_from: datetime | None = None
    """Nothing before it is checked, as not all of that could or should be seen then."""
    checked_to: datetime | None = None
    """Up to where everything was certified a second time."""
    audited_at: datetime | None = None
    audited_day_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An open execution as a poller needs it."""

    id: ExecutionId
    triggered_at: datetime
