"""Alerts: one episode of one rule on one subject, with its labels, annotations and end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

AlertId = NewType("AlertId", str)


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class EndReason(StrEnum):
    """Why an episode ended; only `recovered` is told as a recovery."""

    RECOVERED = "recovered"
    SUPERSEDED = "superseded"
    SUBJECT_GONE = "subject_gone"
    PAUSED = "paused"
    CLOSED = "closed"
    EXPIRED = "expired"


class Status(StrEnum):
    """What a message says of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What people said of an alert: that someone is on it, or to hear no more of it for a while.

    Times are ours; without an `until` it holds until the alert ends.
    """

    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_until: datetime | None = None
    snoozed_at: datetime | None = None
    snoozed_until: datetime | None = None

    def is_acknowledged(self, now: datetime) -> bool:
        """Tell whether someone is on it: what still fires is then not repeated."""
        return self.acknowledged_at is not None and _holds(self.acknowledged_until, now)

    def is_snoozed(self, now: datetime) -> bool:
        """Tell whether nothing but its end is to be told."""
        return self.snoozed_at is not None and _holds(self.snoozed_until, now)


def _holds(until: datetime | None, now: datetime) -> bool:
    return until is None or now < until


UNATTENDED = Attention()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One episode. Labels are frozen when it opens; `starts_at` and `ends_at` are TMC's times."""

    id: AlertId
    rule: str
    severity: Severity
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime
    ends_at: datetime | None = None
    end_reason: EndReason | None = None
    count: int = 1
    """How many runs it is about so far."""
    opened_at: datetime
    """On our clock."""
    changed_at: datetime
    """On our clock."""
    due_at: datetime | None = None
    """Its rule's `for` runs until then: it is not told before. None once it counts."""
    attention: Attention = UNATTENDED

    @property
    def status(self) -> Status:
        return Status.FIRING if self.ends_at is None else Status.RESOLVED
