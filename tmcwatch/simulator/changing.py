"""What befalls a run after it was made: an end of another kind or at another time, or no sight."""

from tmcwatch.simulator.execution import (
    OPEN_TASK_STATES,
    PLAN_STATUS,
    TASK_STATUS,
    Change,
    PlanRun,
    TaskRun,
)

GENERIC_ERROR = "component tDBInput_1: connection refused"
TASK_ENDS = frozenset(TASK_STATUS) - OPEN_TASK_STATES
PLAN_ENDS = frozenset(PLAN_STATUS) - {"STARTED"}
ONLY_STARTED = frozenset({"EXECUTION_SUCCESS", "EXECUTION_FAILED"})
NEVER_STARTED = frozenset({"DEPLOY_FAILED", "EXECUTION_MISFIRED"})


class Veil:
    """Executions kept from sight until some time each."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}

    def put(self, execution_id: str, until: int) -> None:
        self._until[execution_id] = until

    def over(self, moment: int) -> frozenset[str]:
        """Return those kept from sight at that time; it must not run backwards."""
        if not self._until:
            return frozenset()
        self._until = {id_: until for id_, until in self._until.items() if until > moment}
        return frozenset(self._until)


def ended(run: TaskRun, at: int, *, ends: str, error: str | None, reason: str | None) -> TaskRun:
    """Return an open run as it is if it ends at that time; without a start yet, it never starts.

    Raise ValueError where no such run can end so.
    """
    if run.plan is not None:
        raise ValueError("a task run inside a plan run ends as its plan was made")
    if not run.triggered <= at < run.finished:
        raise ValueError(f"{run.execution_id!r} is not running")
    begun = run._replace(started=run.started if run.started and run.started <= at else None)
    stopping = run.stopping if run.stopping is not None and run.stopping < at else None
    return _ended(begun, ends, at, error=error, reason=reason)._replace(stopping=stopping)


def corrected(
    run: TaskRun | PlanRun, *, ends: str, finished: int, error: str | None, reason: str | None
) -> TaskRun | PlanRun:
    """Return a run with another end.

    Raise ValueError where no such run can end so, or at that time.
    """
    if finished < (run.started or run.triggered):
        raise ValueError("a run does not finish before it begins")
    if isinstance(run, TaskRun):
        if run.plan is not None:
            raise ValueError("a task run inside a plan run stays as its plan was made")
        return _ended(run, ends, finished, error=error, reason=reason)
    _check(run, ends, PLAN_ENDS)
    return run._replace(end=ends, finished=finished, reason=reason or run.reason)


def rewritten(changes: list[Change], after: TaskRun | PlanRun, *, at: int) -> list[Change]:
    """Return what truly happened to a run in whose place `after` comes at that time."""
    happened = [change for change in changes if change.at <= at]
    return [*happened, Change(at, after.status(at), after.state(at), after.reason)]


def _ended(
    run: TaskRun, ends: str, finished: int, *, error: str | None, reason: str | None
) -> TaskRun:
    _check(run, ends, TASK_ENDS)
    text = error or (GENERIC_ERROR if ends == "EXECUTION_FAILED" else None)
    return run._replace(end=ends, finished=finished, error=text, reason=reason)


def _check(run: TaskRun | PlanRun, ends: str, known: frozenset[str]) -> None:
    if ends not in known:
        raise ValueError(f"{ends!r} is no end of a {run.kind} run")
    if ends in (ONLY_STARTED if run.started is None else NEVER_STARTED):
        without = "without" if run.started is None else "after"
        raise ValueError(f"a run does not end as {ends} {without} a start")
