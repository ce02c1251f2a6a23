"""Repeating: when an alert that a receiver knows of is told to it again."""

from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert
from tmcwatch.domain.built_in import LASTING

STATES_AFTER = timedelta(hours=4)
"""What is so right now is worth a second look the same day."""
VERDICTS_AFTER = timedelta(hours=24)
"""What is about a run that is over waits for the subject's next one."""


def told_again_at(
    alert: Alert, heard_at: datetime, repeat_interval: timedelta | None, *, now: datetime
) -> datetime | None:
    """Answer with when an alert that still fires is told again, or None: not before it changes.

    `heard_at` is when the receiver last heard of it. Without a configured interval the nature of
    its rule says how often. While it is snoozed it is not repeated, and while it is acknowledged
    only if it had more runs since; when either runs out, that is a reminder by itself.
    """
    attention = alert.attention
    if attention.is_snoozed(now):
        return attention.snoozed_until
    if attention.is_acknowledged(now) and alert.changed_at <= heard_at:
        return attention.acknowledged_until
    regular = heard_at + (repeat_interval or _usual(alert))
    return min([regular, *(moment for moment in _reminders(alert) if moment > heard_at)])


def _reminders(alert: Alert) -> list[datetime]:
    attention = alert.attention
    held = (
        (attention.acknowledged_at, attention.acknowledged_until),
        (attention.snoozed_at, attention.snoozed_until),
    )
    return [until for since, until in held if since is not None and until is not None]


def _usual(alert: Alert) -> timedelta:
    return STATES_AFTER if alert.rule in LASTING else VERDICTS_AFTER
