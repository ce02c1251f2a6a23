"""Read what is known in a few statements, for metrics and for people who ask."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, case, false, func, select

from tmcwatch.domain.delivery import State
from tmcwatch.domain.execution import AccountName, Kind, Phase, Subject, SubjectId
from tmcwatch.domain.snapshot import (
    CounterState,
    ListState,
    OutboxState,
    Snapshot,
    SubjectState,
)
from tmcwatch.domain.window import Reading
from tmcwatch.store.capture import away_of
from tmcwatch.store.moments import loaded, span, stored
from tmcwatch.store.parked import failing_targets, parked_targets
from tmcwatch.store.schema import (
    alerts,
    capture,
    counters,
    deliveries,
    executions,
    silences,
    subjects,
)

_SUBJECT = (
    subjects.c.account,
    subjects.c.kind,
    subjects.c.id,
    subjects.c.name,
    subjects.c.workspace_id,
    subjects.c.workspace,
    subjects.c.environment_id,
    subjects.c.environment,
    subjects.c.last_phase,
    subjects.c.last_success_at,
    subjects.c.last_completion_at,
    subjects.c.failing_since,
    subjects.c.consecutive_failures,
    subjects.c.succeeded,
    subjects.c.failed,
    subjects.c.other,
)
_WATCHED = select(*_SUBJECT).where(subjects.c.listed, subjects.c.outside == false())
_COUNTER = (
    counters.c.metric,
    counters.c.account,
    counters.c.environment,
    counters.c.workspace,
    counters.c.kind,
    counters.c.label,
    counters.c.value,
)
_AT_ONCE = 1_000
_OWED = (State.PENDING.value, State.SENDING.value)


def read_snapshot(connection: Connection, now: datetime) -> Snapshot:
    """Read the whole state.

    Subjects that TMC no longer lists, or that are not watched, are left out; their counters stay.

    Call it inside one read transaction, so that the parts agree with each other.
    """
    return Snapshot(
        at=now,
        lists=_lists(connection),
        subjects=_subjects(connection),
        counters=tuple(_counter_state(row) for row in _rows(connection, select(*_COUNTER))),
        alerts_firing=_alerts_firing(connection),
        outbox=_outbox(connection, now),
        silences=_silences(connection, now),
    )


@dataclass(slots=True)
class _Open:
    count: dict[Phase, int] = field(default_factory=dict)
    oldest: dict[Phase, datetime] = field(default_factory=dict)


def _rows(connection: Connection, statement: Select[*tuple[Any, ...]]) -> Sequence[Row[Any]]:
    return connection.execute(statement).all()


def _lists(connection: Connection) -> tuple[ListState, ...]:
    found = _open_executions(connection)
    statement = select(capture).order_by(capture.c.account, capture.c.kind)
    return tuple(
        ListState(
            account=AccountName(row.account),
            kind=Kind(row.kind),
            watermark=loaded(row.watermark),
            head_at=loaded(row.head_at),
            history_from=loaded(row.history_from),
            history_to=loaded(row.history_to),
            open=found[row.account, row.kind].count,
            oldest_open=found[row.account, row.kind].oldest,
            away=away_of(row),
            settle=span(row.settle),
            reading=None if row.reading is None else Reading(row.reading),
            checked_to=loaded(row.checked_to),
            skew=timedelta(microseconds=row.skew),
        )
        for row in _rows(connection, statement)
    )


def _open_executions(connection: Connection) -> Mapping[tuple[str, str], _Open]:
    table = executions.c
    statement = (
        select(
            table.account,
            table.kind,
            table.phase,
            func.count().label("number"),
            func.min(table.triggered_at).label("oldest"),
        )
        .where(table.open)
        .group_by(table.account, table.kind, table.phase)
    )
    found: defaultdict[tuple[str, str], _Open] = defaultdict(_Open)
    for row in _rows(connection, statement):
        one = found[row.account, row.kind]
        one.count[Phase(row.phase)] = row.number
        one.oldest[Phase(row.phase)] = loaded(row.oldest)
    return found


def _subjects(connection: Connection) -> tuple[SubjectState, ...]:
    """Read tasks and plans, a portion at a time: of a large tenant there are tens of thousands."""
    found = connection.execute(_WATCHED.execution_options(yield_per=_AT_ONCE))
    shared: dict[Any, Any] = {}
    return tuple(_subject_state(row, shared) for row in found)


def _subject_state(row: Sequence[Any], shared: dict[Any, Any]) -> SubjectState:
    """Answer with one; the names of workspaces are `shared` with those before it."""
    # By position: looking up names takes too long for thousands of rows at each scrape.
    account, kind, id_, name, *row_names = row[:8]
    account = shared.setdefault(account, account)
    workspace_id, workspace, environment_id, environment = (
        shared.setdefault(name, name) for name in row_names
    )
    phase, success, completion, failing, failures, succeeded, failed, other = row[8:]
    return SubjectState(
        account=AccountName(account),
        subject=Subject(
            kind=Kind(kind),
            id=SubjectId(id_),
            name=name,
            workspace_id=workspace_id,
            workspace=workspace,
            environment_id=environment_id,
            environment=environment,
        ),
        last_success_at=loaded(success),
        last_completion_at=loaded(completion),
        last_phase=None if phase is None else Phase(phase),
        failing_since=loaded(failing),
        consecutive_failures=failures,
        succeeded=succeeded,
        failed=failed,
        other=other,
    )


def _counter_state(row: Sequence[Any]) -> CounterState:
    metric, account, environment, workspace, kind, label, value = row
    return CounterState(
        metric=metric,
        account=AccountName(account),
        environment=environment,
        workspace=workspace,
        kind=Kind(kind),
        label=label,
        value=value,
    )


def _alerts_firing(connection: Connection) -> Mapping[tuple[str, str], int]:
    table = alerts.c
    statement = (
        select(table.rule, table.severity, func.count().label("number"))
        .where(
            table.ends_at.is_(None), table.due_at.is_(None)
        )  # what is pending may yet be nothing
        .group_by(table.rule, table.severity)
    )
    return {(row.rule, row.severity): row.number for row in _rows(connection, statement)}


def _outbox(connection: Connection, now: datetime) -> tuple[OutboxState, ...]:
    table = deliveries.c
    is_owed = table.state.in_(_OWED)
    statement = (
        select(
            table.receiver,
            func.sum(case((is_owed, 1), else_=0)).label("pending"),
            func.min(case((is_owed, table.created_at))).label("oldest"),
            func.sum(case((is_owed, 0), else_=1)).label("dead"),
        )
        # Naming the targets lets the index on target and state be used: the delivered messages,
        # which are most of the table and long, are not read.
        .where(
            table.target.in_(select(table.target).distinct()),
            table.state.in_((*_OWED, State.DEAD.value)),
        )
        .group_by(table.receiver)
        .order_by(table.receiver)
    )
    parked = parked_targets(connection, now)
    failing = {condition.name for condition in failing_targets(connection)}
    return tuple(
        OutboxState(
            receiver=row.receiver,
            pending=row.pending,
            oldest_at=loaded(row.oldest),
            dead=row.dead,
            parked_until=max(
                (until for one, until in parked.items() if one.startswith(f"{row.receiver}/")),
                default=None,
            ),
            is_failing=row.receiver in failing,
        )
        for row in _rows(connection, statement)
    )


def _silences(connection: Connection, now: datetime) -> Mapping[str, int]:
    begun = silences.c.starts_at <= stored(now)
    state = case((begun, "active"), else_="pending").label("state")
    statement = (
        select(state, func.count().label("number"))
        .where(silences.c.ends_at > stored(now))
        .group_by(state)
    )
    return {row.state: row.number for row in _rows(connection, statement)}
