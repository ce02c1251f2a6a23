"""The life of an execution: what a status means, and what changes when a row is seen."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from tmcwatch.domain.execution import (
    ENDS,
    OPEN,
    AccountName,
    Execution,
    Phase,
    Row,
    Transition,
)

BACKFILLED_AFTER = timedelta(minutes=10)

_TASK_STATES: Mapping[str, Phase] = {
    "EXECUTION_EVENT_RECEIVED": Phase.WAITING,
    "DISPATCHING_FLOW": Phase.WAITING,
    # TMC has no word for running: an execution keeps this one from its start to its end.
    "STARTING_FLOW_EXECUTION": Phase.RUNNING,
    "STOPPING_FLOW_EXECUTION": Phase.STOPPING,
    "EXECUTION_SUCCESS": Phase.SUCCEEDED,
    "EXECUTION_REJECTED": Phase.REJECTED,
    "EXECUTION_FAILED": Phase.FAILED,
    "DEPLOY_FAILED": Phase.DEPLOY_FAILED,
    "EXECUTION_TERMINATED": Phase.TERMINATED,
    "EXECUTION_TERMINATED_TIMEOUT": Phase.TIMED_OUT,
    "EXECUTION_TERMINATED_SHUTDOWN": Phase.SHUT_DOWN,
}
_TASK_STATUSES: Mapping[str, Phase] = {
    "dispatching": Phase.WAITING,
    "executing": Phase.RUNNING,
    "execution_successful": Phase.SUCCEEDED,
    "execution_rejected": Phase.REJECTED,
    "execution_failed": Phase.FAILED,
    "deploy_failed": Phase.DEPLOY_FAILED,
    "terminated": Phase.TERMINATED,
    "terminated_timeout": Phase.TIMED_OUT,
    "terminated_shutdown": Phase.SHUT_DOWN,
}
_PLAN_STATUSES: Mapping[str, Phase] = {
    "executing": Phase.RUNNING,
    "execution_successful": Phase.SUCCEEDED,
    "execution_failed": Phase.FAILED,
    "execution_misfired": Phase.MISFIRED,
}
_PLAN_STATES: Mapping[str, Phase] = {
    "UNDEFINED": Phase.WAITING,
    "STARTED": Phase.RUNNING,
    "EXECUTION_SUCCESS": Phase.SUCCEEDED,
    "EXECUTION_FAILED": Phase.FAILED,
    "EXECUTION_MISFIRED": Phase.MISFIRED,
}
_PROMOTION_STATUSES: Mapping[str, Phase] = {
    "PROMOTION_STARTED": Phase.RUNNING,
    "PROMOTED": Phase.SUCCEEDED,
    # It came to its end, but not everything was taken over.
    "PROMOTION_WARNING": Phase.REJECTED,
    "PROMOTION_FAILED": Phase.FAILED,
    "ANALIZED": Phase.ANALYSED,  # as TMC spells it
}


def task_phase(
    status: str | None, state: str | None, *, reason: str | None, started: bool
) -> Phase:
    """Answer with the phase that TMC's `status` and `executionStatus` of a task mean.

    The fine state speaks first, but `status` is finer about a stop: `EXECUTION_TERMINATED` covers
    its timeout and shutdown. A run that ended without
    starting and names a misfire reason misfired.
    """
    phase = _TASK_STATES.get(state or "") or _TASK_STATUSES.get(status or "", Phase.UNRECOGNISED)
    if phase is Phase.TERMINATED:
        phase = {
            "terminated_timeout": Phase.TIMED_OUT,
            "terminated_shutdown": Phase.SHUT_DOWN,
        }.get(status or "", phase)
    never_ran = phase in {Phase.DEPLOY_FAILED, Phase.FAILED, Phase.TERMINATED} and not started
    return Phase.MISFIRED if never_ran and reason else phase


def plan_phase(status: str | None, state: str | None) -> Phase:
    """Answer with the phase that TMC's `status` and `executionStatus` of a plan mean.

    `status` gives the verdict: `FINISHED` says that a plan ended, not how.
    """
    if status == "executing" and state == "UNDEFINED":
        return Phase.WAITING
    return _PLAN_STATUSES.get(status or "") or _PLAN_STATES.get(state or "", Phase.UNRECOGNISED)


def promotion_phase(status: str | None, *, defective: bool) -> Phase:
    """Answer with the phase that TMC's `status` of a promotion means.

    A promotion with defects is no success, whatever its status says.
    """
    phase = _PROMOTION_STATUSES.get(status or "", Phase.UNRECOGNISED)
    return Phase.DEFECTIVE if defective and phase is Phase.SUCCEEDED else phase


def advance(
    account: AccountName,
    believed: Execution | None,
    row: Row,
    *,
    seen_at: datetime,
    skew: timedelta = timedelta(),
) -> tuple[Execution, tuple[Transition, ...]]:
    """Answer with the belief after seeing `row`, and the transitions it makes, oldest first.

    `seen_at` is on our clock, which TMC's is ahead of by `skew`.
    A duplicate changes nothing. A row that is older than what is believed (open after an end seen
    earlier than TMC could correct it) completes, but never reopens. An end that differs from the
    believed end is a correction. Phases skipped between two looks are taken from the timestamps.
    """
    if believed is None:
        execution = Execution(account=account, row=row, first_seen_at=seen_at, seen_at=seen_at)
        steps = tuple(_life(row))
    else:
        merged = _merge(believed.row, row)
        if merged == believed.row:
            return believed, ()
        steps = tuple(_steps(believed.row, merged))
        execution = replace(believed, row=merged, seen_at=seen_at)
    corrects = _corrected(believed, execution.row)
    transitions = tuple(
        _transition(execution, phase, at, corrects if phase in ENDS else None, skew=skew)
        for phase, at in steps
    )
    return execution, transitions


def ended_at(row: Row) -> datetime:
    """Answer with the end of a row that ended: some carry none and never started."""
    return row.ended_at or row.started_at or row.triggered_at


def _transition(
    execution: Execution, phase: Phase, at: datetime, corrects: Phase | None, *, skew: timedelta
) -> Transition:
    row, ends = execution.row, phase in ENDS
    return Transition(
        account=execution.account,
        kind=row.kind,
        execution=row.id,
        subject=row.subject,
        phase=phase,
        at=at,
        seen_at=execution.seen_at,
        trigger=row.trigger,
        reason=row.reason if ends else None,
        error=row.error if ends else None,
        breakage=row.breakage if ends else None,
        corrects=corrects,
        backfilled=ends and execution.seen_at + skew - at > BACKFILLED_AFTER,
    )


def _life(row: Row) -> Iterator[tuple[Phase, datetime]]:
    """Give every phase that the timestamps prove, and the one the row is in."""
    yield Phase.WAITING, row.triggered_at
    if row.started_at is not None or row.phase is Phase.RUNNING:
        yield Phase.RUNNING, row.started_at or row.triggered_at
    if row.phase in {Phase.STOPPING, Phase.UNRECOGNISED}:
        yield row.phase, row.started_at or row.triggered_at
    if row.phase in ENDS:
        yield row.phase, ended_at(row)


def _steps(before: Row, after: Row) -> Iterator[tuple[Phase, datetime]]:
    """Give the phases of `after` that `before` had not reached."""
    if before.phase in ENDS:
        if after.phase is not before.phase:
            yield after.phase, ended_at(after)
        return
    reached = {phase for phase, _ in _life(before)}
    yield from ((phase, at) for phase, at in _life(after) if phase not in reached)


def _corrected(believed: Execution | None, row: Row) -> Phase | None:
    if believed is None or believed.row.phase in OPEN or believed.row.phase is row.phase:
        return None
    return believed.row.phase


_RANKS = {Phase.WAITING: 0, Phase.RUNNING: 1, Phase.STOPPING: 2}


def _is_behind(before: Phase, after: Phase) -> bool:
    """Tell whether a row in `after` is older news than one in `before`."""
    if before in ENDS:
        return after in OPEN
    return _RANKS.get(after, 3) < _RANKS.get(before, 0)


def _merge(before: Row, after: Row) -> Row:
    """Join two rows of one execution: the later phase, and everything either of them knows."""
    behind = _is_behind(before.phase, after.phase)
    newer, older = (before, after) if behind else (after, before)
    # A list row of an execution whose detail was read must not take back what only details have.
    unclear = not newer.detailed and newer.phase is not Phase.SUCCEEDED
    keeps_reason = newer.phase is older.phase or unclear
    # The detail of an open execution has no error text: it does not complete its end.
    still_complete = older.detailed and (older.phase in ENDS or newer.phase in OPEN)
    return replace(
        newer,
        subject=newer.subject or older.subject,
        triggered_at=min(newer.triggered_at, older.triggered_at),
        started_at=newer.started_at or older.started_at,
        ended_at=newer.ended_at or (older.ended_at if newer.phase in ENDS else None),
        reason=newer.reason or (older.reason if keeps_reason else None),
        error=newer.error or (older.error if keeps_reason else None),
        engine=newer.engine or older.engine,
        plan=before.plan or after.plan,
        workspace=newer.workspace or older.workspace,
        rows_processed=_known(newer.rows_processed, older.rows_processed),
        rows_rejected=_known(newer.rows_rejected, older.rows_rejected),
        breakage=newer.breakage or (older.breakage if newer.phase is older.phase else None),
        detailed=newer.detailed or still_complete,
    )


def _known(newer: int | None, older: int | None) -> int | None:
    return older if newer is None else newer
