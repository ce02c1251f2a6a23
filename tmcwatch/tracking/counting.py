"""What the ends of runs add up to: how tasks and plans stand, and the counters."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

from tmcwatch.domain.execution import (
    ENDS,
    AccountName,
    Execution,
    ExecutionId,
    Kind,
    Phase,
    Row,
    Subject,
    SubjectId,
    Transition,
)
from tmcwatch.domain.misfire import UNKNOWN_REASON
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
from tmcwatch.store.executions import failures_after, newest_success
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
    changed: set[SubjectId] = set()
    recount: set[SubjectId] = set()
    increments: Counter[_Place] = Counter()
    for step in ends:
        row = believed[step.execution].row
        subject, standing = _standing_of(step, row, subjects)
        if step.corrects is not None or needs_recount(standing, step.phase, step.at):
            recount.add(subject.id)
        if step.corrects is Phase.SUCCEEDED:
            before = newest_success(connection, account, kind, subject=subject.id)
            standing = replace(standing, last_success_at=before)
        standing = after_end(standing, step.phase, step.at)
        standing = counted(standing, step.phase) if _counts(step) else standing
        subjects[subject.id] = subject, standing
        changed.add(subject.id)
        for metric, label, value in _increments(step, row):
            place = metric, subject.environment, subject.workspace, label
            increments[place] += value  # type: ignore[assignment] # sums are fractional
    increments.update(
        ("unrecognised_statuses_total", "", "", believed[step.execution].row.status[:100])
        for step in transitions
        if step.phase is Phase.UNRECOGNISED
    )
    for id_ in recount:
        subjects[id_] = _recounted(connection, account, *subjects[id_])
    save_standings(connection, account, dict(subjects[id_] for id_ in changed))
    add_to_counters(connection, _counters(account, kind, increments))


_Place: TypeAlias = tuple[str, str, str, str]
"""Metric, environment, workspace and label: a tuple, as every end makes half a dozen of them."""


def _counters(account: AccountName, kind: Kind, increments: Counter[_Place]) -> Counter[Counted]:
    return Counter(
        {
            Counted(
                metric=metric,
                account=account,
                kind=kind,
                environment=environment,
                workspace=workspace,
                label=label,
            ): value
            for (metric, environment, workspace, label), value in increments.items()
        }
    )


def _counts(step: Transition) -> bool:
    """Tell whether an end is counted: history, corrections and late finds are not."""
    return not step.quiet and not step.backfilled and step.corrects is None


def _standing_of(
    step: Transition,
    row: Row,
    subjects: Mapping[SubjectId, tuple[Subject, Standing]],
) -> tuple[Subject, Standing]:
    id_ = step.subject or SubjectId("")
    return subjects.get(id_) or (unnamed(id_, step.kind, row.workspace), Standing())


def _recounted(
    connection: Connection, account: AccountName, subject: Subject, standing: Standing
) -> tuple[Subject, Standing]:
    failures, since = failures_after(
        connection, account, subject.kind, subject=subject.id, moment=standing.last_success_at
    )
    return subject, replace(standing, consecutive_failures=failures, failing_since=since)


def _increments(step: Transition, row: Row) -> Iterator[tuple[str, str, float]]:
    """Give metric, label and value of what one end adds to the counters of its workspace."""
    if _counts(step):
        yield from _measures(step, row)
    elif not step.quiet and step.corrects is None:
        yield "backfilled_executions_total", "", 1


def _measures(step: Transition, row: Row) -> Iterator[tuple[str, str, float]]:
    """Give metric, label and value of everything that one counted end is worth."""
    yield "executions_total", step.phase.value, 1
    if step.phase is Phase.MISFIRED:
        yield "misfires_total", step.reason or UNKNOWN_REASON, 1
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
