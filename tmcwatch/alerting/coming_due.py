"""Alerts whose rule has a `for`: told once it has run out and they still hold."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert
from tmcwatch.domain.execution import AccountName
from tmcwatch.store.alerts import next_due_at, pending_alerts
from tmcwatch.store.capture import heads_of
from tmcwatch.store.engine import Connection

LOOK_WITHIN = timedelta(minutes=1)
"""How long after a start is waited for a look at what has happened meanwhile."""

ASK_AGAIN_AFTER = timedelta(seconds=5)


def come_due(
    connection: Connection,
    *,
    undecided: Collection[AccountName],
    since: datetime | None,
    now: datetime,
    most: int,
) -> Iterator[Alert]:
    """Give the alerts that count from now on. Those that are held wait until they are let go.

    An alert waits while ends of its account are `undecided`, and in the first minute after this
    watching began, at `since`, until its lists were looked at: while nobody watched, it may have
    recovered.
    """
    for alert in pending_alerts(connection, now, most=most):
        account = AccountName(alert.labels["account"])
        if account in undecided or not _was_looked_at(connection, alert, since=since, now=now):
            continue
        yield replace(alert, due_at=None, changed_at=now)


def due_next(connection: Connection, now: datetime) -> datetime | None:
    """Answer with when to look again whether an alert has come due."""
    if pending_alerts(connection, now, most=1):
        return now + ASK_AGAIN_AFTER
    return next_due_at(connection, now)


def _was_looked_at(
    connection: Connection, alert: Alert, *, since: datetime | None, now: datetime
) -> bool:
    """Tell whether its lists were looked at since the watching began, unless that is long ago."""
    if since is None or now - since >= LOOK_WITHIN:
        return True
    heads = heads_of(connection, AccountName(alert.labels["account"]))
    kind = alert.labels["kind"]
    concerned = [heads[kind]] if kind in heads else list(heads.values())
    return all(head >= since for head in concerned)
