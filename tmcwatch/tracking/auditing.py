"""What a check of certified stretches found missing: counted, and the settle lag widened."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from tmcwatch.domain.execution import ENDS, OPEN, Execution, ExecutionId, Row
from tmcwatch.domain.lifecycle import ended_at
from tmcwatch.domain.observation import Check, Looked, Pass
from tmcwatch.store.capture import widen_settle
from tmcwatch.store.counters import Counted, add_to_counters
from tmcwatch.store.engine import Connection
from tmcwatch.tracking.notices import discrepancy_found

log = structlog.get_logger()

END_KNOWN_WITHIN = timedelta(minutes=10)
"""How long after an end it may be unknown without having been missed."""


def repair(
    connection: Connection,
    looked: Looked,
    known: Mapping[ExecutionId, Execution],
    watched_from: datetime | None,
) -> int:
    """Count what a check shows and was not known; answers with how much that is.

    The rows themselves are stored with the look, as any are. An end that TMC has changed since is
    a correction, not something missed. A row that came too late for the first reading widens the
    settle lag.
    """
    assert looked.check is not None  # noqa: S101 - asked only for a check
    seen_at = looked.at + looked.skew
    strangers = [row for row in looked.rows if _is_missing(row, known, watched_from)]
    unended = [row for row in looked.rows if _is_unended(row, known, seen_at)]
    if strangers:
        widen_settle(connection, looked.account, looked.kind, looked.check.settle_if_late)
    missed = len(strangers) + len(unended)
    metric = _METRICS[looked.check.kind]
    counted = Counted(metric=metric, account=looked.account, kind=looked.kind)
    add_to_counters(connection, Counter({counted: missed}))
    if missed:
        _tell(connection, looked, looked.check, strangers=strangers, unended=unended)
    return missed


_METRICS = {
    Pass.SECOND: "late_rows_total",
    Pass.SAMPLE: "audit_discrepancies_total",
    Pass.DAY: "audit_discrepancies_total",
}


def _is_missing(
    row: Row, known: Mapping[ExecutionId, Execution], watched_from: datetime | None
) -> bool:
    is_watched = watched_from is not None and row.triggered_at >= watched_from
    return is_watched and row.id not in known


def _is_unended(row: Row, known: Mapping[ExecutionId, Execution], seen_at: datetime) -> bool:
    believed = known.get(row.id)
    return (
        believed is not None
        and believed.row.phase in OPEN
        and row.phase in ENDS
        and seen_at - ended_at(row) > END_KNOWN_WITHIN
    )


def _tell(
    connection: Connection,
    looked: Looked,
    check: Check,
    *,
    strangers: Sequence[Row],
    unended: Sequence[Row],
) -> None:
    if check.kind is not Pass.SECOND:  # which is there to find late rows
        discrepancy_found(
            connection,
            looked.account,
            looked.kind,
            window=check.window,
            number=len(strangers) + len(unended),
            at=looked.at,
        )
    log.warning(
        "late_rows_found" if check.kind is Pass.SECOND else "audit_discrepancy",
        account=looked.account,
        kind=looked.kind.value,
        check=check.kind.value,
        start=check.window.start.isoformat(),
        end=check.window.end.isoformat(),
        executions=[row.id for row in (*strangers, *unended)][:10],
        missing=len(strangers),
        unended=len(unended),
    )
