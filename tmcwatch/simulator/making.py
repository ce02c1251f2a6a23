"""From a wish to a run: the arithmetic of trigger, dispatch, start, stop and end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tmcwatch.simulator.execution import (
    FOREVER,
    OPEN_TASK_STATES,
    PlanRun,
    StepRun,
    TaskRun,
    plan_execution_id,
)
from tmcwatch.simulator.tenant import Plan, Step, Task

STOPPING_TAKES = 1500
STEP_GAP = 100
MISFIRE_TAKES = 400
GOES_ON = frozenset({"EXECUTION_SUCCESS", "EXECUTION_REJECTED"})
STOPPED_ENDS = frozenset(
    {
        "EXECUTION_TERMINATED",
        "EXECUTION_TERMINATED_TIMEOUT",
        "EXECUTION_TERMINATED_SHUTDOWN",
        "STOPPING_FLOW_EXECUTION",
    }
)
WAITING = frozenset({"EXECUTION_EVENT_RECEIVED", "DISPATCHING_FLOW"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWish:
    """What one task run shall be like; times in milliseconds.

    `lasts=None` never starts. An `end` that is an open state is where the run gets stuck.
    """

    task: Task
    at: int
    execution_type: str
    dispatch: int
    lasts: int | None
    end: str
    reason: str | None = None
    error: str | None = None
    lag: int = 0
    own_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWish:
    """What one plan run shall be like; a `reason` makes it misfire."""

    plan: Plan
    at: int
    execution_type: str
    reason: str | None = None
    lag: int = 0
    own_id: str | None = None


WishOf = Callable[[Task, int, int], TaskWish]


def make_task_run(
    wish: TaskWish, number: int, *, plan: Plan | None = None, plan_execution: str | None = None
) -> TaskRun:
    ready = wish.at + wish.dispatch
    starts = wish.lasts is not None and wish.end not in WAITING
    finished = ready + (wish.lasts or 0) if starts else ready
    stopping = max(ready + 1, finished - STOPPING_TAKES) if wish.end in STOPPED_ENDS else None
    dispatched = (
        FOREVER if wish.end == "EXECUTION_EVENT_RECEIVED" else wish.at + wish.dispatch // 3
    )
    return TaskRun(
        number=number,
        task=wish.task,
        execution_type=wish.execution_type,
        triggered=wish.at,
        dispatched=dispatched,
        started=ready if starts else None,
        stopping=stopping if starts else None,
        finished=FOREVER if wish.end in OPEN_TASK_STATES else finished,
        end=wish.end,
        reason=wish.reason,
        error=wish.error,
        plan=plan,
        plan_execution_id=plan_execution,
        lag=wish.lag,
        own_id=wish.own_id,
    )


def make_plan_run(
    wish: PlanWish, number: int, step_numbers: Iterator[int], *, wish_of: WishOf
) -> PlanRun:
    """Play the steps one after the other until one fails; `wish_of` says what each task does."""
    execution_id = wish.own_id or plan_execution_id(number)
    if wish.reason is not None:
        return _plan_run(wish, number, (), "EXECUTION_MISFIRED")

    def play(step: Step, at: int, position: int) -> StepRun:
        runs = tuple(
            make_task_run(
                wish_of(task, at, position),
                next(step_numbers),
                plan=wish.plan,
                plan_execution=execution_id,
            )
            for task in step.tasks
        )
        return StepRun(
            step=step,
            execution_id=f"{execution_id[:9]}{abs(position):04x}{step.id[13:23]}-{number:012x}",
            runs=runs,
            started=at,
            finished=max(run.finished for run in runs) + STEP_GAP,
            succeeded=all(run.end in GOES_ON for run in runs),
        )

    steps: list[StepRun] = []
    at = wish.at + STEP_GAP
    for position, step in enumerate(wish.plan.steps, start=1):
        played = play(step, at, position)
        if not played.succeeded and step.handler is not None:
            # The handler's position is negative, so that a script can tell it from its step.
            handler = play(step.handler, played.finished, -position)
            played = played._replace(handler=handler)
        steps.append(played)
        at = played.finished
        if not played.succeeded:
            return _plan_run(wish, number, tuple(steps), "EXECUTION_FAILED")
    return _plan_run(wish, number, tuple(steps), "EXECUTION_SUCCESS")


def _plan_run(wish: PlanWish, number: int, steps: tuple[StepRun, ...], end: str) -> PlanRun:
    last = steps[-1] if steps else None
    finished = (last.handler or last).finished if last else wish.at + MISFIRE_TAKES
    return PlanRun(
        number=number,
        plan=wish.plan,
        execution_type=wish.execution_type,
        triggered=wish.at,
        finished=min(finished, FOREVER),
        end=end,
        steps=steps,
        reason=wish.reason,
        lag=wish.lag,
        own_id=wish.own_id,
    )
