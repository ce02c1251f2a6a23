"""Ends that no run brings: what it is about is gone, or nobody follows it up."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, EndReason
from tmcwatch.domain.episode import ended, expired
from tmcwatch.domain.execution import AccountName, Kind, SubjectId
from tmcwatch.domain.usual import (
    EXPIRES_EARLIEST,
    EXPIRES_OTHERWISE,
    expires_after,
    usual_interval,
)
from tmcwatch.store.alerts import orphaned_alerts, stale_alerts
from tmcwatch.store.engine import Connection
from tmcwatch.store.recent import past_runs
from tmcwatch.store.transitions import cursor, save_cursor

LOOK_EVERY = timedelta(hours=1)
"""How often it is asked what has expired: a statement for each that is open for days."""

LOOKED = "expiry"
"""The cursor that says at which second that was."""

_KINDS = {kind.value for kind in Kind}


def gone(connection: Connection, *, now: datetime) -> Iterator[Alert]:
    """Give the alerts of tasks and plans that TMC no longer has, ended."""
    for alert in orphaned_alerts(connection):
        yield ended(alert, EndReason.SUBJECT_GONE, at=now, now=now)


def forgotten(connection: Connection, *, now: datetime) -> Iterator[Alert]:
    """Give the verdicts that nobody has followed up for too long, ended; asked once an hour."""
    moment = int(now.timestamp())
    if 0 <= moment - cursor(connection, LOOKED) < LOOK_EVERY.total_seconds():
        return
    save_cursor(connection, LOOKED, moment)
    for alert in stale_alerts(connection, now - EXPIRES_EARLIEST):
        over = expired(alert, after=_expires_after(connection, alert), now=now)
        if over is not None:
            yield over


def _expires_after(connection: Connection, alert: Alert) -> timedelta:
    labels = alert.labels
    if labels["kind"] not in _KINDS:
        return EXPIRES_OTHERWISE
    runs = past_runs(
        connection, AccountName(labels["account"]), Kind(labels["kind"]), SubjectId(labels["id"])
    )
    return expires_after(usual_interval(runs))
