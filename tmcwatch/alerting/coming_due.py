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
"""How long is waited for a look at what has happened until the `for` ran out."""

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

    An alert waits while ends of its account are `undecided`, and until its lists were looked at
    after its `for` ran out, but for no more than a minute: from then, or `since` this watching
    began, as after a restart nobody has looked yet.
    """
    for alert in pending_alerts(connection, now, most=most):
        account = AccountName(alert.labels["account"])
        if account in undecided or not _is_known(connection, alert, since=since, now=now):
            continue
        yield replace(alert, due_at=None, changed_at=now)


def due_next(connection: Connection, now: datetime) -> datetime | None:
    """Answer with when to look again whether an alert has come due."""
    if pending_alerts(connection, now, most=1):
        return now + ASK_AGAIN_AFTER
    return next_due_at(connection, now)


def _is_known(
    connection: Connection, alert: Alert, *, since: datetime | None, now: datetime
) -> bool:
    """Tell whether what happened until the alert came due would have been seen."""
    due_at = alert.due_at or now
    if now - max(due_at, since or due_at) >= LOOK_WITHIN:
        return True
    heads = heads_of(connection, AccountName(alert.labels["account"]))
    kind = alert.labels["kind"]
    concerned = [heads[kind]] if kind in heads else list(heads.values())
    return all(head >= due_at for head in concerned)
