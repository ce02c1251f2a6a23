"""The world of one tenant: what has run up to now, what is staged, and the truth about it."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from tmcwatch.simulator.changing import GENERIC_ERROR, Veil, corrected, ended, rewritten
from tmcwatch.simulator.execution import (
    FOREVER,
    OPEN_TASK_STATES,
    TASK_STATUS,
    Change,
    PlanRun,
    TaskRun,
    number_of,
)
from tmcwatch.simulator.index import Index
from tmcwatch.simulator.making import PlanWish, TaskWish, make_plan_run, make_task_run
from tmcwatch.simulator.promotions import PromotionRun, Promotions
from tmcwatch.simulator.scenario import Scenario, StagedPlanRun, StagedTaskRun
from tmcwatch.simulator.slots import Slots
from tmcwatch.simulator.tenant import Task, tenant_of
from tmcwatch.simulator.traffic import Traffic

SCRIPTED = 1 << 30
DISPATCH = timedelta(seconds=1)
LASTS = timedelta(seconds=30)
STEP_LASTS = timedelta(seconds=5)
NEVER_STARTED = frozenset({"DEPLOY_FAILED", "EXECUTION_EVENT_RECEIVED", "DISPATCHING_FLOW"})


class UnknownSubject(LookupError):
    """There is no such task, plan, promotion or execution in this tenant."""


class World:
    """A tenant's executions, made lazily as time advances; old ones are forgotten.

    Everything about a run is fixed when it is made, so its state is a function of time; one that
    is ended early or corrected is replaced by another.
    """

    def __init__(self, scenario: Scenario, *, start: datetime) -> None:
        self.scenario = scenario
        self.tenant = tenant_of(scenario)
        self.start = start
        self.now = start
        self.tasks: Index[TaskRun] = Index()
        self.plans: Index[PlanRun] = Index()
        self.tasks_of: dict[str, Index[TaskRun]] = {}
        self.plans_of: dict[str, Index[PlanRun]] = {}
        self._by_id: dict[str | int, TaskRun] = {}
        self._plan_by_id: dict[str | int, PlanRun] = {}
        self._slots = Slots(scenario.at_once) if scenario.at_once else None
        begin = milliseconds(start - scenario.history)
        self._traffic = Traffic(scenario, self.tenant, start=begin)
        self._pending: list[tuple[int, int, TaskRun]] = []
        self._pending_plans: list[tuple[int, int, PlanRun]] = []
        base = ((scenario.seed & 0xFFFF) << 32) + SCRIPTED
        self._numbers = count(base)
        self._plan_numbers = count(base)
        self.promotions = Promotions(scenario, self.tenant, first_number=base)
        self._claimed: set[str] = set()
        # What truly happened to the runs that were replaced.
        self._pasts: dict[str, tuple[TaskRun | PlanRun, list[Change]]] = {}
        self._hidden = Veil()
        self._delayed = Veil()
        self._next_script: datetime | None = start
        self._forgotten = milliseconds(start - scenario.history)
        self._happen(milliseconds(start))

    def advance(self, to: datetime) -> None:
        """Let time pass; an earlier time changes nothing."""
        if to <= self.now:
            return
        self._stage(to)
        self.now = to
        moment = milliseconds(to)
        self._happen(moment)
        keeps = milliseconds(to - self.scenario.keeps)
        # By tenths, because forgetting costs a walk over everything.
        if keeps - self._forgotten > self.scenario.keeps.total_seconds() * 100:
            self._forget(keeps)

    def task_run(self, execution_id: str) -> TaskRun | None:
        run = self._by_id.get(execution_id) or self._by_id.get(number_of(execution_id))
        return run if run is not None and run.execution_id == execution_id else None

    def plan_run(self, execution_id: str) -> PlanRun | None:
        run = self._plan_by_id.get(execution_id) or self._plan_by_id.get(number_of(execution_id))
        return run if run is not None and run.execution_id == execution_id else None

    def start_task_run(  # noqa: PLR0913 - every detail of a run may be scripted, all but one by name
        self,
        task_id: str,
        *,
        at: datetime | None = None,
        lasts: timedelta = LASTS,
        ends: str = "EXECUTION_SUCCESS",
        error: str | None = None,
        reason: str | None = None,
        execution_id: str | None = None,
        dispatch: timedelta = DISPATCH,
    ) -> str:
        """Stage a run of a task (id or name) and return its execution id.

        Triggered `at` (default: now; the past is allowed), it starts after `dispatch` and ends
        after `lasts` more with the executionStatus `ends`. An open state as `ends` means stuck
        there for ever. `DEPLOY_FAILED` never starts: it ends after `dispatch`; with a `reason`
        it is a misfire.
        """
        self._claim(execution_id)
        task = self.tenant.task(task_id)
        if task is None:
            raise UnknownSubject(f"no task {task_id!r}")
        if ends not in TASK_STATUS:
            raise ValueError(f"{ends!r} is no executionStatus of tasks")
        wish = TaskWish(
            task=task,
            at=milliseconds(at or self.now),
            execution_type="MANUAL",
            dispatch=_length(dispatch),
            lasts=None if ends in NEVER_STARTED else _length(lasts),
            end=ends,
            reason=reason,
            error=error or (GENERIC_ERROR if ends == "EXECUTION_FAILED" else None),
            own_id=execution_id,
        )
        run = make_task_run(wish, next(self._numbers))
        self._expect(run)
        return run.execution_id

    def start_plan_run(
        self,
        plan_id: str,
        *,
        at: datetime | None = None,
        fails_at_step: int | None = None,
        step_lasts: timedelta = STEP_LASTS,
        error: str | None = None,
        reason: str | None = None,
        execution_id: str | None = None,
    ) -> str:
        """Stage a run of a plan (id or name) and return its execution id.

        Steps count from 1; the first task of the failing step fails. A `reason` is a misfire.
        """
        self._claim(execution_id)
        plan = self.tenant.plan(plan_id)
        if plan is None:
            raise UnknownSubject(f"no plan {plan_id!r}")
        if fails_at_step is not None and not 1 <= fails_at_step <= len(plan.steps):
            raise ValueError(f"plan {plan.name!r} has {len(plan.steps)} steps")
        failing = fails_at_step and plan.steps[fails_at_step - 1].tasks[0].id

        def wish_of(task: Task, moment: int, position: int) -> TaskWish:
            fails = position == fails_at_step and task.id == failing
            return TaskWish(
                task=task,
                at=moment,
                execution_type="PLAN",
                dispatch=_length(step_lasts) // 10,
                lasts=_length(step_lasts) * 9 // 10,
                end="EXECUTION_FAILED" if fails else "EXECUTION_SUCCESS",
                error=(error or GENERIC_ERROR) if fails else None,
            )

        wish = PlanWish(
            plan=plan,
            at=milliseconds(at or self.now),
            execution_type="MANUAL",
            reason=reason,
            own_id=execution_id,
        )
        run = make_plan_run(wish, next(self._plan_numbers), self._numbers, wish_of=wish_of)
        self._expect_plan(run)
        return run.execution_id

    def finish(
        self,
        execution_id: str,
        *,
        ends: str = "EXECUTION_SUCCESS",
        error: str | None = None,
        reason: str | None = None,
    ) -> None:
        """End an open run of a task now; one that has not started never will."""
        run = self._happened(execution_id)
        if not isinstance(run, TaskRun):
            raise ValueError(f"{execution_id!r} is a plan run: it ends with its steps")  # noqa: TRY004
        now = milliseconds(self.now)
        self._alter(run, ended(run, now, ends=ends, error=error, reason=reason))

    def correct(
        self,
        execution_id: str,
        *,
        ends: str,
        finished: datetime | None = None,
        error: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Let TMC think again about how a run ended, and when: from now on it shows that."""
        run, now = self._happened(execution_id), milliseconds(self.now)
        at = run.finished if finished is None else milliseconds(finished)
        if max(run.finished, at) > now:
            raise ValueError(f"{execution_id!r} has not ended by then")
        self._alter(run, corrected(run, ends=ends, finished=at, error=error, reason=reason))

    def hide(self, execution_id: str, *, until: datetime | None = None) -> None:
        """Leave a run out of every list until then (default: for good); it stays to be had by id.

        The row of a plan run, say: not those of its tasks.
        """
        self._check_made(execution_id)
        self._hidden.put(execution_id, milliseconds(until) if until else FOREVER)

    def delay(self, execution_id: str, *, until: datetime) -> None:
        """Let a run be unknown, in lists and by id, until then; it runs all the same."""
        self._check_made(execution_id)
        self._delayed.put(execution_id, milliseconds(until))

    def hidden(self) -> frozenset[str]:
        """Return the executions that lists leave out now."""
        return self._hidden.over(milliseconds(self.now))

    def unseen(self) -> frozenset[str]:
        """Return the executions that are not to be had at all now."""
        return self._delayed.over(milliseconds(self.now))

    def start_promotion(  # noqa: PLR0913 - every detail of a run may be scripted, all but one by name
        self,
        promotion_id: str,
        *,
        at: datetime | None = None,
        lasts: timedelta = LASTS,
        ends: str = "PROMOTED",
        error: str | None = None,
        broken: Sequence[str] = (),
        defective: bool = False,
        execution_id: str | None = None,
    ) -> str:
        """Stage a run of a promotion (id or name) and return its execution id.

        It ends after `lasts` with the status `ends`; `PROMOTION_STARTED` means that it never
        does. `broken` names the tasks and plans that are not promoted, `error` says why.
        """
        self._claim(execution_id)
        promotion = self.promotions.definition(promotion_id)
        if promotion is None:
            raise UnknownSubject(f"no promotion {promotion_id!r}")
        run = self.promotions.start(
            promotion,
            at=milliseconds(at or self.now),
            lasts=_length(lasts),
            ends=ends,
            error=error,
            broken=broken,
            defective=defective,
            execution_id=execution_id,
        )
        return run.execution_id

    def truth(self, since: datetime | None = None) -> list[dict[str, Any]]:
        """Return every transition up to now (after `since`), in the order it truly happened."""
        earliest = milliseconds(since) if since else -1
        moment = milliseconds(self.now)
        found = sorted(
            (
                (change.at, run.kind, run.number, run, change)
                for run in self._alive_since(earliest)
                for change in self._changes(run)
                if earliest < change.at <= moment
            ),
            key=lambda entry: entry[:3],
        )
        return [
            {
                "kind": run.kind,
                "execution_id": run.execution_id,
                "id": run.subject_id,
                "name": run.name,
                "status": change.status,
                "execution_status": change.state,
                "reason": change.reason,
                "at": moment_of(change.at),
            }
            for *_, run, change in found
        ]

    def _alive_since(self, earliest: int) -> Iterator[TaskRun | PlanRun | PromotionRun]:
        yield from self.tasks.alive_since(earliest)
        yield from self.plans.alive_since(earliest)
        # A correction comes after the end.
        yield from (run for run, _ in self._pasts.values() if run.finished < earliest)
        yield from self.promotions.alive_since(earliest)

    def _changes(self, run: TaskRun | PlanRun | PromotionRun) -> list[Change]:
        past = self._pasts.get(run.execution_id) if self._pasts else None
        return past[1] if past else run.changes()

    def open_count(self) -> int:
        moment = milliseconds(self.now)
        return sum(run.state(moment) in OPEN_TASK_STATES for run in self.tasks.alive_since(moment))

    def _happened(self, execution_id: str) -> TaskRun | PlanRun:
        """Return a run that was triggered."""
        UUID(execution_id)
        run = self.task_run(execution_id) or self.plan_run(execution_id)
        if run is None:
            raise UnknownSubject(f"no execution {execution_id!r} up to now")
        return run

    def _check_made(self, execution_id: str) -> None:
        staged = {run.execution_id for _, _, run in self._pending}
        staged |= {run.execution_id for _, _, run in self._pending_plans}
        if execution_id not in staged:
            self._happened(execution_id)

    def _alter(self, before: TaskRun | PlanRun, after: TaskRun | PlanRun) -> None:
        """Put a run in the place of another, and keep what had happened to that."""
        at = milliseconds(self.now)
        changes = rewritten(self._changes(before), after, at=at)
        self._pasts[after.execution_id] = (after, changes)
        if isinstance(after, TaskRun):
            self._by_id[after.own_id or after.number] = after
            for index in (self.tasks, *(self.tasks_of[key] for key in _places(after))):
                index.replace(after)
        else:
            self._plan_by_id[after.own_id or after.number] = after
            for plan_index in (self.plans, *(self.plans_of[key] for key in _places(after))):
                plan_index.replace(after)

    def _claim(self, execution_id: str | None) -> None:
        if execution_id is None:
            return
        if str(UUID(execution_id)) != execution_id or execution_id in self._claimed:
            raise ValueError(f"{execution_id!r} is taken, or not written as a UUID is")
        self._claimed.add(execution_id)

    def _happen(self, until: int) -> None:
        for plan_run in self._traffic.plan_runs(until):
            self._expect_plan(plan_run)
        for run in self._traffic.task_runs(until):
            heapq.heappush(self._pending, (run.triggered, run.number, run))
        while self._pending_plans and self._pending_plans[0][0] <= until:
            self._enter_plan(heapq.heappop(self._pending_plans)[2])
        while self._pending and self._pending[0][0] <= until:
            self._enter(heapq.heappop(self._pending)[2])

    def _expect(self, run: TaskRun) -> None:
        heapq.heappush(self._pending, (run.triggered, run.number, run))
        self._happen(milliseconds(self.now))

    def _expect_plan(self, run: PlanRun) -> None:
        heapq.heappush(self._pending_plans, (run.triggered, run.number, run))
        for child in run.task_runs:
            heapq.heappush(self._pending, (child.triggered, child.number, child))

    def _enter(self, run: TaskRun) -> None:
        if self._slots is not None:
            run = self._slots.taken_by(run)
        self.tasks.add(run)
        for key in _places(run):
            self.tasks_of.setdefault(key, Index()).add(run)
        self._by_id[run.own_id or run.number] = run

    def _enter_plan(self, run: PlanRun) -> None:
        self.plans.add(run)
        for key in _places(run):
            self.plans_of.setdefault(key, Index()).add(run)
        self._plan_by_id[run.own_id or run.number] = run

    def _stage(self, until: datetime) -> None:
        """Stage the rounds of the script that begin by then."""
        while self._next_script is not None and self._next_script <= until:
            for act in self.scenario.script:
                self._stage_act(act, self._next_script + act.after)
            every = self.scenario.script_every
            self._next_script = self._next_script + every if every else None

    def _stage_act(self, act: StagedTaskRun | StagedPlanRun, at: datetime) -> None:
        match act:
            case StagedTaskRun():
                self.start_task_run(
                    act.task,
                    at=at,
                    lasts=act.lasts,
                    ends=act.ends,
                    error=act.error,
                    reason=act.reason,
                )
            case StagedPlanRun():
                self.start_plan_run(
                    act.plan,
                    at=at,
                    fails_at_step=act.fails_at_step,
                    step_lasts=act.step_lasts,
                    error=act.error,
                    reason=act.reason,
                )

    def _forget(self, before: int) -> None:
        self._forgotten = before
        self.promotions.forget(before)
        for index in (self.tasks, *self.tasks_of.values()):
            index.forget(before)
        for plan_index in (self.plans, *self.plans_of.values()):
            plan_index.forget(before)
        self._by_id = {run.own_id or run.number: run for run in self.tasks.runs}
        self._plan_by_id = {run.own_id or run.number: run for run in self.plans.runs}
        self._pasts = {
            id_: past for id_, past in self._pasts.items() if past[0].finished >= before
        }


def _places(run: TaskRun | PlanRun) -> tuple[str, str, str]:
    """Return what has a list of its own that the run is in."""
    workspace = run.task.workspace if isinstance(run, TaskRun) else run.plan.workspace
    return run.subject_id, workspace.id, workspace.environment.id


def milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment_of(value: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=value)


def _length(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
