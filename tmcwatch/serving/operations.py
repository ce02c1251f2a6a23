"""What the HTTP server may ask of the daemon and do to it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from tmcwatch.domain.alert import Severity
from tmcwatch.domain.attention import Act, State
from tmcwatch.domain.matcher import Matcher
from tmcwatch.telemetry.health import Health, Verdict

Json = Mapping[str, object] | Sequence[object]
"""What JSON can say; times are text by then."""


class NotKnown(Exception):
    """Someone asked for what does not exist; the text names it."""


class WrongRequest(Exception):
    """Someone asked for what makes no sense; the text says why."""


class Unavailable(Exception):
    """It cannot be answered now, as when the store cannot be read; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Dead letters that are meant: those with these ids, those of a receiver, or else all."""

    ids: tuple[str, ...] | None = None
    receiver: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts are asked for, the newest so many; what is empty restricts nothing."""

    rules: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    accounts: tuple[str, ...] = ()
    matchers: tuple[Matcher, ...] = ()
    states: frozenset[State] = frozenset()
    most: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody wants to do about an alert."""

    alert: str
    """Its id, or the beginning of it."""
    act: Act
    author: str
    text: str = ""
    lasts: str | None = None
    """A duration as people write it; None for until the alert ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """A silence that somebody wants."""

    matchers: tuple[Matcher, ...]
    author: str
    comment: str
    lasts: str
    """A duration as people write it."""
    starts_at: str | None = None
    """A moment as people write it; None for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attending:
    """What people ask and do about alerts. Each may raise Unavailable.

    An id may be the beginning of one; NotKnown where there is none, WrongRequest where there are
    several, where a duration or a moment is none, or where what is wanted makes no sense.
    """

    alerts: Callable[[Wanted], Awaitable[Sequence[Mapping[str, object]]]]
    """Those that changed last first."""
    alert: Callable[[str], Awaitable[Mapping[str, object]]]
    """With who was told what."""
    attend: Callable[[Deed], Awaitable[Mapping[str, object]]]
    """Answers with the alert as it is then."""
    silences: Callable[[bool], Awaitable[Json]]
    """Those that hold or will, or also those that are over; the last to end first."""
    add_silence: Callable[[Hush], Awaitable[Mapping[str, object]]]
    expire_silence: Callable[[str], Awaitable[Mapping[str, object]]]
    external_url: Callable[[], str]
    """Where people reach us; empty where that is not configured."""
    time_zone: Callable[[], tzinfo]
    """Of the times on pages."""
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Each may raise Unavailable, and `notify_test` NotKnown. None of them calls TMC."""

    health: Health
    metrics: Callable[[str | None], Awaitable[tuple[bytes, str]]]
    """By the `Accept` header: the exposition and its content type."""
    fresh: Callable[[], Awaitable[Verdict]]
    status: Callable[[], Awaitable[Json]]
    attending: Attending
    transitions: Callable[[int], Awaitable[Json]]
    """The newest ones, at most so many."""
    deliveries: Callable[[int], Awaitable[Json]]
    """The newest ones, at most so many."""
    owed_deliveries: Callable[[str | None, int], Awaitable[Json]]
    """Those of one receiver or all, oldest first, at most so many. Raises NotKnown."""
    dead_deliveries: Callable[[str | None, int], Awaitable[Json]]
    """Those of one receiver or all, the last first, at most so many. Raises NotKnown."""
    replay_deliveries: Callable[[Letters], Awaitable[Json]]
    """Owes dead ones again. Raises NotKnown."""
    promotions: Callable[[], Awaitable[Json]]
    """Those that are followed or were."""
    follow_promotion: Callable[[str | None, str], Awaitable[tuple[Json, bool]]]
    """By account and execution; answers also whether it is new. Raises WrongRequest."""
    reload: Callable[[], Awaitable[Sequence[str]]]
    """Answers with the problems of the new configuration; none means that it is in use."""
    notify_test: Callable[[str], Awaitable[Json]]
    """Sends a test message to the receiver of this name."""
