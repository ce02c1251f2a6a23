"""When the daemon first saw what happened, as its store tells."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from tmcwatch.domain.execution import Phase
from tmcwatch.store.moments import loaded
from tmcwatch.store.schema import transitions


def first_seen(
    connection: Connection, phases: Collection[Phase]
) -> dict[tuple[str, str], datetime]:
    """Answer with when each execution, by kind and id, was first seen to reach one of these."""
    query = (
        select(transitions.c.kind, transitions.c.execution, transitions.c.seen_at)
        .where(transitions.c.phase.in_([phase.value for phase in phases]))
        .order_by(transitions.c.sequence.desc())
    )
    rows = connection.execute(query)
    return {(kind, execution): loaded(seen_at) for kind, execution, seen_at in rows}
