"""What the HTTP server may ask of the daemon and do to it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

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
class Operations:
    """Each may raise Unavailable, and `notify_test` NotKnown. None of them calls TMC."""

    health: Health
    metrics: Callable[[str | None], Awaitable[tuple[bytes, str]]]
    """By the `Accept` header: the exposition and its content type."""
    fresh: Callable[[], Awaitable[Verdict]]
    status: Callable[[], Awaitable[Json]]
    alerts: Callable[[], Awaitable[Json]]
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
