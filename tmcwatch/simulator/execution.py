"""The lives of executions: everything that will happen to a run, fixed when it is triggered."""

from typing import NamedTuple

from tmcwatch.simulator.tenant import Plan, Step, Task

# The end of what has no end: the year 9999.
FOREVER = 253_370_764_800_000

TASK_STATUS = {
    "EXECUTION_EVENT_RECEIVED": "dispatching",
    "DISPATCHING_FLOW": "dispatching",
    "STARTING_FLOW_EXECUTION": "executing",
    # Undocumented in TMC: a run being stopped is still executing, as far as one can tell.
    "STOPPING_FLOW_EXECUTION": "executing",
    "DEPLOY_FAILED": "deploy_failed",
    "EXECUTION_SUCCESS": "execution_successful",
    "EXECUTION_REJECTED": "execution_rejected",
    "EXECUTION_FAILED": "execution_failed",
    "EXECUTION_TERMINATED": "terminated",
    "EXECUTION_TERMINATED_TIMEOUT": "terminated_timeout",
    "EXECUTION_TERMINATED_SHUTDOWN": "terminated_shutdown",
}
OPEN_TASK_STATES = frozenset(list(TASK_STATUS)[:4])
PLAN_STATUS = {
    "STARTED": "executing",
    "EXECUTION_SUCCESS": "execution_successful",
    "EXECUTION_FAILED": "execution_failed",
    "EXECUTION_MISFIRED": "execution_misfired",
}


class Change(NamedTuple):
    """A change of an execution's state: when, status, executionStatus, and a misfire's reason."""

    at: int
    status: str
    state: str
    reason: str | None


class TaskRun(NamedTuple):
    """One execution of a task; times are epoch milliseconds.

    A tuple, not a dataclass: a large tenant has a quarter of a million, made at the start.
    """

    number: int
    task: Task
    execution_type: str
    triggered: int
    dispatched: int
    started: int | None
    stopping: int | None
    finished: int
    end: str
    reason: str | None = None
    error: str | None = None
    plan: Plan | None = None
    plan_execution_id: str | None = None
    lag: int = 0
    own_id: str | None = None

    @property
    def execution_id(self) -> str:
        return self.own_id or task_execution_id(self.number)

    @property
    def kind(self) -> str:
        return "task"

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def subject_id(self) -> str:
        return self.task.id

    @property
    def workspace_id(self) -> str:
        return self.task.workspace.id

    @property
    def shows_finish(self) -> bool:
        # As reported from the field: what is rejected before it starts never gets a finish.
        return not (self.end == "EXECUTION_REJECTED" and self.started is None)

    def begin(self, at: int) -> int:
        """Where the run begins for a window, as far as is known at that time."""
        return self.started if self.started is not None and self.started <= at else self.triggered

    def state(self, at: int) -> str:
        """Return the executionStatus at that time."""
        if at >= self.finished:
            return self.end
        if self.stopping is not None and at >= self.stopping:
            return "STOPPING_FLOW_EXECUTION"
        if self.started is not None and at >= self.started:
            return "STARTING_FLOW_EXECUTION"
        return "DISPATCHING_FLOW" if at >= self.dispatched else "EXECUTION_EVENT_RECEIVED"

    def status(self, at: int) -> str:
        return TASK_STATUS[self.state(at)]

    def changes(self) -> list[Change]:
        """Return every change of state."""
        moments = (self.triggered, self.dispatched, self.started, self.stopping, self.finished)
        known = sorted({moment for moment in moments if moment is not None})
        # Ended early, a run does not change any more by what was to come.
        return [_change(self, moment) for moment in known if moment <= self.finished]


class StepRun(NamedTuple):
    """One reached step of a plan run, or one error handler that ran."""

    step: Step
    execution_id: str
    runs: tuple[TaskRun, ...]
    started: int
    finished: int
    succeeded: bool
    handler: "StepRun | None" = None


class PlanRun(NamedTuple):
    """One execution of a plan; `triggered` is its start, for plans have no other clock."""

    number: int
    plan: Plan
    execution_type: str
    triggered: int
    finished: int
    end: str
    steps: tuple[StepRun, ...] = ()
    reason: str | None = None
    lag: int = 0
    own_id: str | None = None

    @property
    def execution_id(self) -> str:
        return self.own_id or plan_execution_id(self.number)

    @property
    def kind(self) -> str:
        return "plan"

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def subject_id(self) -> str:
        return self.plan.id

    @property
    def workspace_id(self) -> str:
        return self.plan.workspace.id

    @property
    def task_runs(self) -> tuple[TaskRun, ...]:
        """Return the runs of all steps and error handlers."""
        parts = [part for step in self.steps for part in (step, step.handler) if part]
        return tuple(run for part in parts for run in part.runs)

    @property
    def started(self) -> int | None:
        return None if self.reason else self.triggered

    @property
    def shows_finish(self) -> bool:
        return True

    def begin(self, at: int) -> int:  # noqa: ARG002
        """Where the run begins for a window: always its start."""
        return self.triggered

    def state(self, at: int) -> str:
        """Return the executionStatus at that time."""
        return self.end if at >= self.finished else "STARTED"

    def status(self, at: int) -> str:
        return PLAN_STATUS[self.state(at)]

    def changes(self) -> list[Change]:
        """Return every change of state."""
        return [_change(self, moment) for moment in sorted({self.triggered, self.finished})]


def _change(run: TaskRun | PlanRun, at: int) -> Change:
    state = run.state(at)
    return Change(at, run.status(at), state, run.reason if state == run.end else None)


def task_execution_id(number: int) -> str:
    return f"{scattered(number):08x}-0000-4000-8000-{number:012x}"


def plan_execution_id(number: int) -> str:
    return f"{scattered(number):08x}-0000-4000-9000-{number:012x}"


def number_of(execution_id: str) -> int:
    return int(execution_id[-12:], 16)


def falls_under(number: int, share: float) -> bool:
    """Say whether an execution belongs to a share of all, the same at every request."""
    return scattered(number) < share * 0x1_0000_0000


def scattered(number: int) -> int:
    return number * 2_654_435_761 % 0x1_0000_0000
