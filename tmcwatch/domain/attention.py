"""What people do about an alert: take it on, put it off, write a note, close it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tmcwatch.domain.alert import AlertId


class Act(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    NOTED = "noted"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What someone did about an alert, and said of it; kept with the episode."""

    alert: AlertId
    at: datetime
    """On our clock."""
    author: str
    act: Act
    text: str
