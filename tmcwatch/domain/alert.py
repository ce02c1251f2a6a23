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

    @property
    def status(self) -> Status:
        return Status.FIRING if self.ends_at is None else Status.RESOLVED
