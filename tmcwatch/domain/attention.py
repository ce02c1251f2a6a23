"""What people do about an alert: take it on, put it off, write a note, close it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tmcwatch.domain.alert import Alert, AlertId, Attention


class Act(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    NOTED = "noted"
    CLOSED = "closed"


class State(StrEnum):
    """How an alert stands with people."""

    RESOLVED = "resolved"
    PENDING = "pending"
    """Its rule's `for` still runs."""
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    MUTED = "muted"
    """A silence, a cause, a window or an interval keeps it from being told."""
    FIRING = "firing"


OPEN = frozenset({State.ACKNOWLEDGED, State.SNOOZED, State.MUTED, State.FIRING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What someone did about an alert, and said of it; kept with the episode."""

    alert: AlertId
    at: datetime
    """On our clock."""
    author: str
    act: Act
    text: str


def states_of(alert: Alert, *, is_muted: bool, now: datetime) -> tuple[State, ...]:
    """Answer with every state that the alert is in; the first is what to call it."""
    if alert.ends_at is not None:
        return (State.RESOLVED,)
    if alert.due_at is not None:
        return (State.PENDING,)
    holding = (
        (State.ACKNOWLEDGED, alert.attention.is_acknowledged(now)),
        (State.SNOOZED, alert.attention.is_snoozed(now)),
        (State.MUTED, is_muted),
    )
    return tuple(state for state, holds in holding if holds) or (State.FIRING,)


def attended(attention: Attention, note: Note, *, until: datetime | None) -> Attention:
    """Answer with what is said of an alert after someone did this; without `until`, to its end."""
    match note.act:
        case Act.ACKNOWLEDGED:
            return replace(
                attention,
                acknowledged_by=note.author,
                acknowledged_at=note.at,
                acknowledged_until=until,
            )
        case Act.SNOOZED:
            return replace(attention, snoozed_at=note.at, snoozed_until=until)
        case Act.NOTED | Act.CLOSED:
            return attention
