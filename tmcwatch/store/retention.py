"""What is forgotten, and when: a bounded clean-up that never stops the daemon for long."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.schema import Table

from tmcwatch.store import outbox, promotions
from tmcwatch.store.moments import stored
from tmcwatch.store.schema import (
    alerts,
    conditions,
    deliveries,
    executions,
    gaps,
    groups,
    members,
    notes,
    silences,
    transitions,
)

MOST_AT_ONCE = 1_000
"""Rows of each table in one transaction."""


def forget(connection: Connection, before: datetime, *, told: int) -> int:
    """Delete what ended before `before`, a thousand rows of each table at most.

    Open executions and alerts stay, and so do transitions beyond the cursor `told` and whatever
    is still owed. Answers with how many rows went.
    """
    limit = stored(before)
    old = {**_old_runs(limit, told), **_old_alerts(limit)}
    return (
        sum(_forget(connection, table, condition) for table, condition in old.items())
        + outbox.forget(connection, before, MOST_AT_ONCE)
        + promotions.forget(connection, before, MOST_AT_ONCE)
    )


def _old_runs(limit: int, told: int) -> dict[Table, ColumnElement[bool]]:
    """Answer with what is old of what was seen."""
    return {
        executions: (
            ~executions.c.open
            & (executions.c.triggered_at < limit)
            & (executions.c.seen_at < limit)
        ),
        transitions: (transitions.c.seen_at < limit) & (transitions.c.sequence <= told),
        conditions: (conditions.c.until < limit) & conditions.c.told,
        gaps: gaps.c.end < limit,
    }


def _old_alerts(limit: int) -> dict[Table, ColumnElement[bool]]:
    """Answer with what is old of what was decided, the alerts before their notes."""
    has_members = select(members.c.alert).where(members.c.group_key == groups.c.key).exists()
    is_owed = select(deliveries.c.id).where(deliveries.c.group_key == groups.c.key).exists()
    return {
        alerts: (
            (alerts.c.ends_at < limit)
            & (alerts.c.changed_at < limit)
            & alerts.c.id.not_in(select(members.c.alert))
        ),
        notes: (notes.c.at < limit) & notes.c.alert.not_in(select(alerts.c.id)),
        silences: silences.c.ends_at < limit,
        # A group that comes again counts its messages from 1, under the ids that it had before: so
        # it stays for as long as a receiver may remember one of them.
        groups: (
            groups.c.flush_at.is_(None)
            & (func.coalesce(groups.c.flushed_at, 0) < limit)
            & ~has_members
            & ~is_owed
        ),
    }


def _forget(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    key = list(table.primary_key)
    found = connection.execute(select(*key).where(condition).limit(MOST_AT_ONCE)).all()
    for values in found:
        same = [column == value for column, value in zip(key, values, strict=True)]
        connection.execute(delete(table).where(*same))
    return len(found)
