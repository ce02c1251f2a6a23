"""Absorbing a look: its rows, transitions, counters and watermark in one transaction."""

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from tmcwatch.domain.execution import (
    BadRow,
    Execution,
    ExecutionId,
    Kind,
    Subject,
    Transition,
    ends_of,
)
from tmcwatch.domain.lifecycle import advance
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.domain.scope import EVERYTHING, Scope
from tmcwatch.store.capture import advance_capture, restart_checks, watched_since
from tmcwatch.store.counters import Counted, add_to_counters
from tmcwatch.store.engine import Connection
from tmcwatch.store.executions import load_executions, save_executions
from tmcwatch.store.promotions import mark_as_read
from tmcwatch.store.quarantine import quarantine_rows
from tmcwatch.store.subjects import is_any_outside, outside_subjects, save_names
from tmcwatch.store.transitions import append_transitions, names_cursor, save_cursor
from tmcwatch.tracking.auditing import repair
from tmcwatch.tracking.counting import count
from tmcwatch.tracking.notices import note_statuses, note_stretches
from tmcwatch.tracking.places import note_workspaces

log = structlog.get_logger()

ROWS_AT_ONCE = 1_000
"""Rows in one transaction: others get their turn in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absorbed:
    """What a look changed."""

    transitions: tuple[Transition, ...]
    quarantined: int
    missed: int = 0
    """Where this look checked what was certified before: how much had been missed."""


def absorb(connection: Connection, looked: Looked, *, is_scoped: bool = False) -> Absorbed:
    """Write what a look found: rows, transitions, counters and watermark together.

    Where only a part of the account is watched, `is_scoped`, rows of the rest are let go.
    """
    account, kind = looked.account, looked.kind
    if is_scoped:
        looked = _within_scope(connection, looked)
    known = load_executions(connection, account, kind, (row.id for row in looked.rows))
    believed = dict(known)
    found, poisoned = _advance_all(looked, believed)
    # Most looks of a quiet tenant find nothing to date.
    watched_from = _watched_from(connection, looked) if found or looked.check else None
    transitions = tuple(
        sorted((_history(step, watched_from) for step in found), key=lambda step: step.at)
    )
    changed = [one for id_, one in believed.items() if known.get(id_) is not one]
    save_executions(connection, changed)
    if kind is Kind.PROMOTION:
        mark_as_read(connection, account, believed, looked.at)
    append_transitions(connection, transitions)
    count(connection, looked, transitions, believed)
    bad = looked.bad + poisoned
    quarantine_rows(connection, account, bad, looked.at)
    if bad or looked.watched_from is not None:  # the counter exists at 0 from the first look
        quarantined = Counted(metric="quarantined_rows_total", account=account, kind=kind)
        add_to_counters(connection, Counter({quarantined: len(bad)}))
    note_stretches(connection, looked)
    note_statuses(connection, looked, changed)
    advance_capture(connection, looked)
    missed = repair(connection, looked, known, watched_from) if looked.check else 0
    return Absorbed(transitions=transitions, quarantined=len(bad), missed=missed)


def _watched_from(connection: Connection, looked: Looked) -> datetime | None:
    begun = looked.history_before or looked.watched_from
    return begun or watched_since(connection, looked.account, looked.kind)


def _within_scope(connection: Connection, looked: Looked) -> Looked:
    subjects = {row.subject for row in looked.rows if row.subject is not None}
    outside = outside_subjects(connection, looked.account, looked.kind, subjects)
    return replace(looked, rows=tuple(row for row in looked.rows if row.subject not in outside))


def portions(looked: Looked) -> Iterator[Looked]:
    """Cut a look into transactions of a thousand rows; the last one moves the watermark.

    Oldest first, so that what came later is not stored, and decided on, before it. All of them
    belong to the outage that the look may have found.
    """
    rows = looked.rows
    if len(rows) > ROWS_AT_ONCE:
        rows = tuple(sorted(rows, key=lambda row: row.ended_at or row.triggered_at))
    while len(rows) > ROWS_AT_ONCE:
        yield replace(
            looked,
            rows=rows[:ROWS_AT_ONCE],
            bad=(),
            watermark=None,
            head=False,
            history_read=False,
            learned=None,
            gap=None,
            check=replace(looked.check, done=False) if looked.check else None,
        )
        rows = rows[ROWS_AT_ONCE:]
    yield replace(looked, rows=rows)


def absorb_names(connection: Connection, names: NamesRead, scope: Scope = EVERYTHING) -> None:
    """Write names and workspaces; a complete list is remembered as such."""
    outside = {one for one in names.subjects if not scope.includes(one)}
    if is_any_outside(connection, names.account, set(names.subjects) - outside):
        restart_checks(connection, names.account, names.at)
    save_names(connection, names.account, names.subjects, complete=names.complete, outside=outside)
    add_to_counters(connection, Counter(dict.fromkeys(_zeros(names, outside), 0)))
    if names.complete:
        save_cursor(connection, names_cursor(names.account), 1)
    if names.workspaces is not None:
        note_workspaces(connection, names.account, names.workspaces, scope, at=names.at)


def _zeros(names: NamesRead, outside: Container[Subject]) -> Iterator[Counted]:
    """Give the counters that exist from the first look: a series born at 1 hides its increase."""
    watched = (one for one in names.subjects if one not in outside)
    places = {(one.environment, one.workspace, one.kind) for one in watched}
    for environment, workspace, kind in places:
        for phase in ends_of(kind):
            yield Counted(
                metric="executions_total",
                account=names.account,
                kind=kind,
                environment=environment,
                workspace=workspace,
                label=phase.value,
            )


def _advance_all(
    looked: Looked, believed: dict[ExecutionId, Execution]
) -> tuple[list[Transition], tuple[BadRow, ...]]:
    """Advance `believed` by every row; a row that breaks a rule is put aside, never a crash."""
    transitions: list[Transition] = []
    poisoned: list[BadRow] = []
    for row in looked.rows:
        try:
            execution, steps = advance(
                looked.account,
                believed.get(row.id),
                row,
                seen_at=looked.at,
                skew=looked.skew,
            )
        except Exception as error:
            log.exception("row_poisoned", account=looked.account, execution=row.id)
            poisoned.append(BadRow(kind=row.kind, id=row.id, problem=str(error), text=repr(row)))
            continue
        believed[row.id] = execution
        transitions.extend(steps)
    return transitions, tuple(poisoned)


def _history(transition: Transition, watched_from: datetime | None) -> Transition:
    if watched_from is not None and transition.at < watched_from:
        return replace(transition, quiet=True)
    return transition
