"""The request budget: how fast TMC may be asked, and how long to pause when it says no."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum


class Family(StrEnum):
    """The APIs of TMC, each with a ceiling of its own."""

    PROCESSING = "processing"
    ORCHESTRATION = "orchestration"
    MONITORING = "monitoring"
    SECURITY = "security"


CEILINGS: Mapping[Family, int] = {
    Family.PROCESSING: 1_800,
    Family.ORCHESTRATION: 1_800,
    Family.MONITORING: 600,
    Family.SECURITY: 600,
}
"""Published calls per minute and source address."""


class Purpose(StrEnum):
    """What a request is for, the most urgent first."""

    HEAD = "head"
    ENDS = "ends"
    DETAIL = "detail"
    NAMES = "names"
    BACKFILL = "backfill"
    AUDIT = "audit"


PRIORITIES: Mapping[Purpose, int] = {purpose: rank for rank, purpose in enumerate(Purpose)}

BURST = 5.0
"""Calls that may go at once after a quiet time."""

FIRST_TOKENS = 2.0
"""What a fresh budget holds: enough for a first look, too little for a ban after each restart."""

CUT = 0.8
CUT_AT_MOST_EVERY = timedelta(seconds=5).total_seconds()
RAISE = 0.05
"""The part of the share that a quiet minute gives back."""
SLOWEST = 0.1
"""The part of the share below which no cut goes."""

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
LONGEST_OBEYED = timedelta(hours=1)
"""A longer Retry-After is taken for a mistake."""

_MINUTE = 60.0
_MOST_DOUBLINGS = 10  # clamps the exponent: weeks of refusals must not overflow
_ALMOST_ONE = 1 - 1e-6  # a wait computed in floats may end a hair too early


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one family may be asked. Moments are seconds of a monotonic clock."""

    share: float
    """Calls per second that the configuration grants."""
    rate: float
    """Calls per second that TMC bears at present."""
    tokens: float
    at: float
    """The moment up to which `tokens` and `rate` are reckoned."""
    raised_at: float
    cut_at: float = -math.inf
    paused_until: float = -math.inf
    pauses: int = 0
    """Counts the pauses, to tell answers to calls of before a pause from news."""
    strikes: int = 0
    """Refusals in a row; while there are any, one call at a time is let out as a probe."""
    probing: bool = False


def fresh_pace(ceiling: float, share: float, *, at: float) -> Pace:
    """Answer with the pace of a family whose `ceiling` is in calls per minute."""
    granted = ceiling * share / _MINUTE
    return Pace(share=granted, rate=granted, tokens=FIRST_TOKENS, at=at, raised_at=at)


def passed(pace: Pace, at: float) -> Pace:
    """Answer with the pace at a later moment: tokens refilled, quiet minutes rewarded."""
    tokens = min(BURST, pace.tokens + max(0.0, at - pace.at) * pace.rate)
    rate, raised_at = pace.rate, pace.raised_at
    if pace.strikes or rate >= pace.share:
        raised_at = at
    elif (minutes := (at - raised_at) // _MINUTE) > 0:
        rate = min(pace.share, rate + minutes * RAISE * pace.share)
        raised_at += minutes * _MINUTE
    return replace(pace, tokens=tokens, at=at, rate=rate, raised_at=raised_at)


def wait(pace: Pace) -> float:
    """Answer with the seconds until a call may go; infinite while a probe is out."""
    if pace.probing:
        return math.inf
    pause = pace.paused_until - pace.at
    short = 0.0 if pace.tokens >= _ALMOST_ONE else (1 - pace.tokens) / pace.rate
    return max(pause, short, 0.0)


def called(pace: Pace) -> Pace:
    """Answer with the pace after a call went out."""
    return replace(pace, tokens=max(0.0, pace.tokens - 1), probing=pace.strikes > 0)


def not_called(pace: Pace, *, pauses: int) -> Pace:
    """Answer with the pace after a call that was let out, after so many pauses, never went."""
    returned = min(BURST, pace.tokens + 1)
    return replace(without_answer(pace, pauses=pauses), tokens=returned)


def without_answer(pace: Pace, *, pauses: int) -> Pace:
    """Answer with the pace after a call ended without a verdict, so that another may probe."""
    return replace(pace, probing=False) if pauses == pace.pauses else pace


def answered(pace: Pace, *, pauses: int) -> Pace:
    """Answer with the pace after TMC served a call that was let out after so many pauses."""
    if pauses != pace.pauses or not pace.strikes:
        return pace
    # The pause has filled the bucket: a full burst at once would be refused again.
    tokens = min(pace.tokens, 1.0)
    return replace(pace, strikes=0, probing=False, tokens=tokens, raised_at=pace.at)


def throttled(pace: Pace, *, pauses: int, asked: timedelta | None, jitter: float) -> Pace:
    """Answer with the pace after a 429 to a call that was let out after so many pauses.

    `asked` is TMC's Retry-After; `jitter` in [0, 1) spreads the pause where it gave none.
    """
    if pauses != pace.pauses:
        # Refusals of calls that were under way together are one refusal.
        until = pace.at + (asked or timedelta()).total_seconds()
        return replace(pace, paused_until=max(pace.paused_until, until))
    strikes = pace.strikes + 1
    pause = pause_after(strikes, jitter=jitter) if asked is None else asked
    # A refused probe says nothing about the rate.
    cuts = not pace.strikes and pace.at - pace.cut_at >= CUT_AT_MOST_EVERY
    return replace(
        pace,
        rate=max(SLOWEST * pace.share, CUT * pace.rate) if cuts else pace.rate,
        cut_at=pace.at if cuts else pace.cut_at,
        raised_at=pace.at,
        paused_until=pace.at + pause.total_seconds(),
        pauses=pace.pauses + 1,
        strikes=strikes,
        probing=False,
    )


def pause_after(strikes: int, *, jitter: float) -> timedelta:
    """Answer with the pause after so many refusals in a row that asked for none."""
    doubled = SHORTEST_PAUSE * float(2 ** min(strikes, _MOST_DOUBLINGS))
    return SHORTEST_PAUSE + (min(doubled, LONGEST_PAUSE) - SHORTEST_PAUSE) * jitter


def retry_after(text: str | None, *, served_at: datetime) -> timedelta | None:
    """Answer with the pause a Retry-After header asks for, None where it asks for none.

    A date in it is on the server's clock, as is `served_at`.
    """
    if text is None:
        return None
    number = text.strip()  # takes away more than `float` overlooks
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", number):
        seconds = min(float(number), LONGEST_OBEYED.total_seconds())
        return timedelta(seconds=seconds)
    moment = http_date(text)
    if moment is None:
        return None
    return max(timedelta(), min(moment - served_at, LONGEST_OBEYED))


def http_date(text: str | None) -> datetime | None:
    """Answer with the moment an HTTP date names, None where it is none."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedPace:
    """What of a family's pace outlives the process."""

    rate: float
    """Calls per second that TMC bore."""
    paused_until: datetime | None
    """The end of the last pause, on our clock; None once TMC served a call after it."""


def resumed(pace: Pace, remembered: RememberedPace, *, now: datetime) -> Pace:
    """Answer with a fresh pace that goes on from what was remembered.

    It begins with nothing saved up, and a pause ends with one probe: restarts never burst.
    """
    rate = max(SLOWEST * pace.share, min(remembered.rate, pace.share))
    begun = replace(pace, rate=rate, tokens=0.0)
    if remembered.paused_until is None:
        return begun
    # A clock that was put back must not make a pause of days.
    pause = max(timedelta(), min(remembered.paused_until - now, LONGEST_OBEYED))
    return replace(begun, paused_until=pace.at + pause.total_seconds(), strikes=1)
