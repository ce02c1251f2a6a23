"""Rows that could not be read: kept for a person to look at, the newest thousand."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from tmcwatch.domain.execution import AccountName, BadRow
from tmcwatch.store.moments import stored
from tmcwatch.store.schema import quarantine

KEPT = 1_000


def quarantine_rows(
    connection: Connection, account: AccountName, bad: Iterable[BadRow], at: datetime
) -> None:
    """Keep rows that could not be read, and forget the oldest beyond a thousand."""
    rows = [
        {
            "account": account,
            "kind": row.kind.value,
            "execution": row.id,
            "problem": row.problem,
            "row": row.text,
            "seen_at": stored(at),
        }
        for row in bad
    ]
    if not rows:
        return
    connection.execute(quarantine.insert(), rows)
    newest = connection.execute(select(func.max(quarantine.c.sequence))).scalar_one()
    connection.execute(delete(quarantine).where(quarantine.c.sequence <= newest - KEPT))
