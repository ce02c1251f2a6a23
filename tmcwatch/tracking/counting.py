"""What the ends of runs add up to: how tasks and plans stand, and the counters."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from tmcwatch.domain.execution import (
    ENDS,
    AccountName,
    Execution,
    ExecutionId,
    Phase,
    Row,
    Subject,
    SubjectId,
    Transition,
)
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.standing import (
    DURATION_BOUNDS,
    START_DELAY_BOUNDS,
    Standing,
    after_end,
    counted,
    histogram,
    needs_recount,
)
from tmcwatch.store.counters import Counted, add_to_counters
from tmcwatch.store.engine import Connection
from tmcwatch.store.executions import failures_after
from tmcwatch.store.subjects import load_subjects, save_standings, unnamed


def count(
    connection: Connection,
    looked: Looked,
    transitions: Sequence[Transition],
    believed: Mapping[ExecutionId, Execution],
) -> None:
    """Update how tasks and plans stand, and the counters of their workspaces."""
    account, kind = looked.account, looked.kind
    ends = [step for step in transitions if step.phase in ENDS and step.subject is not None]
    subjects = load_subjects(
        connection, account, kind, (step.subject for step in ends if step.subject is not None)
    )
    standings: dict[Subject, Standing] = {}
    recount: set[Subject] = set()
    increments: Counter[Counted] = Counter()
    for step in ends:
        row = believed[step.execution].row
        subject, standing = _standing_of(step, row, subjects, standings)
        if needs_recount(standing, step.phase, step.at):
            recount.add(subject)
        standing = after_end(standing, step.phase, step.at)
        standings[subject] = counted(standing, step.phase) if _counts(step) else standing
        for counter, value in _increments(step, row, subject):
            increments[counter] += value  # type: ignore[assignment] # sums are fractional
    increments.update(
        _unrecognised(step, believed[step.execution].row)
        for step in transitions
        if step.phase is Phase.UNRECOGNISED
    )
    for subject in recount:
        standings[subject] = _recounted(connection, account, subject, standings[subject])
    save_standings(connection, account, standings)
    add_to_counters(connection, increments)


def _counts(step: Transition) -> bool:
    """Tell whether an end is counted: history, corrections and late finds are not."""
    return not step.quiet and not step.backfilled and step.corrects is None


def _standing_of(
    step: Transition,
    row: Row,
    subjects: Mapping[SubjectId, tuple[Subject, Standing]],
    standings: Mapping[Subject, Standing],
) -> tuple[Subject, Standing]:
    id_ = step.subject or SubjectId("")
    subject, standing = subjects.get(id_) or (unnamed(id_, step.kind, row.workspace), Standing())
    return subject, standings.get(subject, standing)


def _recounted(
    connection: Connection, account: AccountName, subject: Subject, standing: Standing
) -> Standing:
    if standing.last_success_at is None:
        return standing
    failures, since = failures_after(
        connection, account, subject.kind, subject=subject.id, moment=standing.last_success_at
    )
    return replace(standing, consecutive_failures=failures, failing_since=since)


def _increments(step: Transition, row: Row, subject: Subject) -> Iterator[tuple[Counted, float]]:
    """Give what one end adds to the counters of its workspace."""
    place = Counted(
        metric="",
        account=step.account,
        kind=step.kind,
        environment=subject.environment,
        workspace=subject.workspace,
    )
    if _counts(step):
        for metric, label, value in _measures(step, row):
            yield replace(place, metric=metric, label=label), value
    elif not step.quiet and step.corrects is None:
        yield replace(place, metric="backfilled_executions_total"), 1


def _measures(step: Transition, row: Row) -> Iterator[tuple[str, str, float]]:
    """Give metric, label and value of everything that one counted end is worth."""
    yield "executions_total", step.phase.value, 1
    if step.phase is Phase.MISFIRED:
        yield "misfires_total", step.reason or "UNKNOWN", 1
    yield from _times(step, row)
    yield "rows_processed_total", "", row.rows_processed or 0
    yield "rows_rejected_total", "", row.rows_rejected or 0


def _times(step: Transition, row: Row) -> Iterator[tuple[str, str, float]]:
    if row.started_at is None:
        return
    ran = max(step.at - row.started_at, timedelta()).total_seconds()
    waited = max(row.started_at - row.triggered_at, timedelta()).total_seconds()
    for label, value in histogram(ran, DURATION_BOUNDS):
        yield "execution_duration_seconds", label, value
    for label, value in histogram(waited, START_DELAY_BOUNDS):
        yield "execution_start_delay_seconds", label, value


def _unrecognised(step: Transition, row: Row) -> Counted:
    return Counted(
        metric="unrecognised_statuses_total",
        account=step.account,
        kind=step.kind,
        label=row.status[:100],
    )
