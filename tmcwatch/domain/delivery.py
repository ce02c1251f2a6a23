"""Deliveries: a message owed to one target, and when to try again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from tmcwatch.domain.message import Message

DeliveryId = NewType("DeliveryId", str)

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=10)
GIVE_UP_AFTER = timedelta(hours=72)
MOST_TOGETHER = 32
"""Messages of one target that are claimed, and their receipts written, together."""
SIDE_BY_SIDE = 4
"""Messages on their way to one target at once."""
HELD = "unknown"
"""The receipt of a dead letter that may have arrived, and is held back for that."""
_MOST_DOUBLINGS = 20  # clamps the exponent: weeks of attempts must not overflow


class State(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Failure(StrEnum):
    """Why an attempt to send a message failed."""

    AUTHENTICATION = "authentication"
    CRASHED = "crashed"
    PERMANENT = "permanent"
    TEMPORARY = "temporary"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message owed to one target, a row of the outbox."""

    id: DeliveryId
    target: str
    number: int
    message: Message
    state: State
    attempts: int
    due_at: datetime


def delivery_id(target: str, group_key: str, number: int) -> DeliveryId:
    """Answer with an id that the same decision always gives, so that it is owed once."""
    text = "\0".join((target, group_key, str(number)))
    return DeliveryId(hashlib.sha256(text.encode()).hexdigest()[:32])


def retry_wait(attempts: int, *, jitter: float) -> timedelta:
    """Answer with the wait before the next attempt.

    `attempts` made so far; `jitter` in [0, 1) spreads it over the upper half of the back-off.
    """
    whole = min(FIRST_RETRY * float(2 ** min(attempts, _MOST_DOUBLINGS)), LONGEST_RETRY)
    return whole * (0.5 + jitter / 2)


def together_after(sent: int, *, is_all: bool, failed: bool, may_repeat: bool) -> int:
    """Answer with how many messages to claim next, after so many of what was claimed were sent.

    A target that takes everything is sent twice as many, a slow one, for which some were left, as
    many as it took, and one that failed a single one. So is one that cannot drop what it has seen:
    after a crash only one message may be in doubt.
    """
    if failed or not may_repeat:
        return 1
    return min(max(2 * sent, 1), MOST_TOGETHER) if is_all else sent
