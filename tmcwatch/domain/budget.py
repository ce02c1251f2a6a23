"""The request budget: how fast TMC may be asked, and how long to pause when it says no."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum


class Family(StrEnum):
    """What TMC counts together: the APIs, each with a ceiling of its own, and their exceptions."""

    PROCESSING = "processing"
    ORCHESTRATION = "orchestration"
    MONITORING = "monitoring"
    COMPONENT_METRICS = "component_metrics"
    SECURITY = "security"
    OTHER = "other"


CEILINGS: Mapping[Family, int] = {
    Family.PROCESSING: 1_800,
    Family.ORCHESTRATION: 1_800,
    Family.MONITORING: 600,
    Family.COMPONENT_METRICS: 5,
    Family.SECURITY: 60,
    Family.OTHER: 60,
}
"""Calls per minute and source address, as published; where nothing is, the least of any API."""

_PATHS: Mapping[str, Family] = {
    "/processing": Family.PROCESSING,
    "/orchestration": Family.ORCHESTRATION,
    "/monitoring": Family.MONITORING,
    "/monitoring/observability/metrics/component": Family.COMPONENT_METRICS,
    "/security": Family.SECURITY,
}


def family_of(path: str) -> Family:
    """Answer with what a call to a path counts as: the longest known beginning of it decides."""
    parts = path.split("/")
    beginnings = ("/".join(parts[:length]) for length in range(len(parts), 1, -1))
    return next((_PATHS[each] for each in beginnings if each in _PATHS), Family.OTHER)


class Purpose(StrEnum):
    """What a request is for, the most urgent first."""

    HEAD = "head"
    ENDS = "ends"
    DETAIL = "detail"
    NAMES = "names"
    BACKFILL = "backfill"
    AUDIT = "audit"


BURST = 4.0
"""The most calls that may go at once after a quiet time."""
BURSTS_PER_MINUTE = 20
"""No burst is more than this part of what a minute allows."""

SLOW = 1.0
"""Calls per second below which a family is slow."""

CUT = 0.85
CUT_AT_MOST_EVERY = timedelta(seconds=5).total_seconds()
SLOWEST = 0.1
"""The part of the share below which no cut goes."""
CALLS_TO_CLIMB = 500
"""What it may cost to find out what TMC bears: one refusal in so many calls."""
PAUSES_TO_CLIMB = 20
"""A climb lasts so many times the pause before it: long ones must be rare."""
SHORTEST_CLIMB = timedelta(minutes=1)
LONGEST_CLIMB = timedelta(minutes=20)

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
LONGEST_OBEYED = timedelta(hours=1)
"""A longer Retry-After is taken for a mistake."""
FIRST_PAUSE_AFTER_FAILURE = timedelta(seconds=1)
LONGEST_PAUSE_AFTER_FAILURE = timedelta(seconds=16)
"""No longer: whoever asks waits for the next beat besides."""

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
    refused: float
    """The rate that TMC refused last."""
    climb: float
    """Seconds in which the rate returns to what was refused."""
    climbs_from: float
    """The moment at which the climb began, later by as long as there was trouble since."""
    tokens: float
    at: float
    """The moment up to which `tokens` and `rate` are reckoned."""
    cut_at: float = -math.inf
    paused_until: float = -math.inf
    pauses: int = 0
    """Counts the pauses, to tell answers to calls of before a pause from news."""
    strikes: int = 0
    """Refusals in a row; while there are any, one call at a time is let out as a probe."""
    failures: int = 0
    """Calls in a row that TMC did not serve, though it refused none; probed like refusals."""
    probing: bool = False

    @property
    def is_troubled(self) -> bool:
        """Whether one call at a time is let out, as a probe."""
        return self.strikes > 0 or self.failures > 0


def per_second(ceiling: float, share: float) -> float:
    """Answer with the calls per second that a share of a ceiling in calls per minute grants."""
    return ceiling * share / _MINUTE


def fresh_pace(ceiling: float, share: float, *, at: float, tokens: float = 0.0) -> Pace:
    """Answer with the pace of a family whose `ceiling` is in calls per minute.

    Without `tokens` no two beginnings, however close, let out more than one pace would.
    """
    granted = per_second(ceiling, share)
    # As if just cut to what is granted: the climb begins there.
    refused = granted / CUT
    return Pace(
        share=granted,
        rate=granted,
        refused=refused,
        climb=_climb(refused, timedelta()),
        climbs_from=at,
        tokens=min(tokens, burst(granted)),
        at=at,
    )


def burst(rate: float) -> float:
    """Answer with how many calls may go at once after a quiet time."""
    return min(max(rate * _MINUTE / BURSTS_PER_MINUTE, 1.0), BURST)


def refill(rate: float) -> float:
    """Answer with the tokens that a second brings.

    It is less than the rate by what a burst adds, so that no sliding minute has more calls than
    the rate allows.
    """
    return rate - (burst(rate) - 1) / _MINUTE


def passed(pace: Pace, at: float) -> Pace:
    """Answer with the pace at a later moment: tokens refilled, the rate further up its climb."""
    gained = max(0.0, at - pace.at) * refill(pace.rate)
    later = replace(pace, tokens=min(burst(pace.rate), pace.tokens + gained), at=at)
    if pace.is_troubled:
        return replace(later, climbs_from=pace.climbs_from + at - pace.at)  # it stands still
    return replace(later, rate=_climbed(later))


def granting(pace: Pace, ceiling: float, share: float) -> Pace:
    """Answer with the pace once the configuration grants another share."""
    granted = per_second(ceiling, share)
    if granted == pace.share:
        return pace
    changed = replace(pace, share=granted)
    rate = _climbed(changed)
    return replace(changed, rate=rate, tokens=min(pace.tokens, burst(rate)))


def _climbed(pace: Pace) -> float:
    """Answer with the rate on a curve that is flat where TMC refused last, and steep beyond."""
    way = (pace.at - pace.climbs_from) / pace.climb - 1  # -1 after the cut, 0 at what was refused
    gain = (1 - CUT) * way**3 if way < 0 else (2 * way) ** 3
    return max(SLOWEST * pace.share, min(pace.share, pace.refused * (1 + gain)))


def _climb(refused: float, pause: timedelta) -> float:
    wanted = max(CALLS_TO_CLIMB / refused, PAUSES_TO_CLIMB * pause.total_seconds())
    return min(max(wanted, SHORTEST_CLIMB.total_seconds()), LONGEST_CLIMB.total_seconds())


def wait(pace: Pace) -> float:
    """Answer with the seconds until a call may go; infinite while a probe is out."""
    if pace.probing:
        return math.inf
    pause = pace.paused_until - pace.at
    short = 0.0 if pace.tokens >= _ALMOST_ONE else (1 - pace.tokens) / refill(pace.rate)
    return max(pause, short, 0.0)


def pause_left(pace: Pace) -> float:
    """Answer with the seconds for which nothing is asked because TMC refused, 0 where it did not.

    A pause after failures is ours alone, and too short to tell of.
    """
    return max(pace.paused_until - pace.at, 0.0) if pace.strikes else 0.0


def affords(pace: Pace, seconds: float) -> float:
    """Answer with how many calls may go within the next `seconds`."""
    paused = max(pace.paused_until - pace.at, 0.0)
    return 0.0 if paused >= seconds else pace.tokens + (seconds - paused) * refill(pace.rate)


def called(pace: Pace) -> Pace:
    """Answer with the pace after a call went out."""
    return replace(pace, tokens=max(0.0, pace.tokens - 1), probing=pace.is_troubled)


def not_called(pace: Pace, *, pauses: int) -> Pace:
    """Answer with the pace after a call that was let out, after so many pauses, never went."""
    returned = min(burst(pace.rate), pace.tokens + 1)
    return replace(without_answer(pace, pauses=pauses), tokens=returned)


def without_answer(pace: Pace, *, pauses: int) -> Pace:
    """Answer with the pace after a call ended without a verdict, so that another may probe."""
    return replace(pace, probing=False) if pauses == pace.pauses else pace


def answered(pace: Pace, *, pauses: int) -> Pace:
    """Answer with the pace after TMC served a call that was let out after so many pauses."""
    if pauses != pace.pauses or not pace.is_troubled:
        return pace
    # The pause has filled the bucket: a full burst at once would be refused again.
    tokens = min(pace.tokens, 1.0)
    return replace(pace, strikes=0, failures=0, probing=False, tokens=tokens)


def failed(pace: Pace, *, pauses: int, jitter: float) -> Pace:
    """Answer with the pace after TMC gave no usable answer to a call of so many pauses ago.

    That says nothing about the rate, but to go on asking does not help either: full jitter, as
    for refusals, and then one probe.
    """
    if pauses != pace.pauses:
        return pace  # calls that were under way together fail together
    doubled = FIRST_PAUSE_AFTER_FAILURE * float(2 ** min(pace.failures, _MOST_DOUBLINGS))
    pause = min(doubled, LONGEST_PAUSE_AFTER_FAILURE) * jitter
    return replace(
        pace,
        paused_until=max(pace.paused_until, pace.at + pause.total_seconds()),
        pauses=pace.pauses + 1,
        failures=pace.failures + 1,
        probing=False,
    )


def throttled(pace: Pace, *, pauses: int, asked: timedelta | None, jitter: float) -> Pace:
    """Answer with the pace after a 429 to a call that was let out after so many pauses.

    `asked` is TMC's Retry-After; `jitter` in [0, 1) spreads the pause where it gave none.
    """
    if pauses != pace.pauses:
        # Refusals of calls that were under way together are one refusal.
        until = pace.at + (asked or timedelta()).total_seconds()
        return replace(pace, paused_until=max(pace.paused_until, until))
    strikes = pace.strikes + 1
    # To come back at once after each refusal would be to ask for nothing but refusals.
    pause = asked or pause_after(strikes, jitter=jitter)
    paused = replace(
        pace,
        climbs_from=pace.at,
        paused_until=pace.at + pause.total_seconds(),
        pauses=pace.pauses + 1,
        strikes=strikes,
        probing=False,
    )
    # A refused probe says nothing about the rate.
    if pace.strikes or pace.at - pace.cut_at < CUT_AT_MOST_EVERY:
        return paused
    return replace(
        paused,
        refused=pace.rate,
        climb=_climb(pace.rate, pause),
        rate=max(SLOWEST * pace.share, CUT * pace.rate),
        cut_at=pace.at,
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
    asked_at: datetime | None = None
    """When it was asked last, on our clock, where it may be asked only slowly."""


def is_slow(rate: float) -> bool:
    """Tell whether a family is asked so rarely that to wait for a first call takes long.

    There each call is remembered, so that a restart need not wait as if one had just been made.
    """
    return rate < SLOW


def resumed(pace: Pace, remembered: RememberedPace, *, now: datetime) -> Pace:
    """Answer with a fresh pace that goes on from what was remembered.

    It begins with nothing saved up but, where it is slow, what the time since its last call makes
    of one call, and a pause ends with one probe: restarts never burst.
    """
    rate = max(SLOWEST * pace.share, min(remembered.rate, pace.share))
    refused = rate / CUT
    climb = _climb(refused, timedelta())
    tokens = 0.0
    if remembered.asked_at is not None and is_slow(rate):
        since = max((now - remembered.asked_at).total_seconds(), 0.0)
        tokens = min(since * refill(rate), 1.0)
    begun = replace(pace, rate=rate, refused=refused, climb=climb, tokens=tokens)
    if remembered.paused_until is None:
        return begun
    # A clock that was put back must not make a pause of days.
    pause = max(timedelta(), min(remembered.paused_until - now, LONGEST_OBEYED))
    return replace(begun, paused_until=pace.at + pause.total_seconds(), strikes=1)
