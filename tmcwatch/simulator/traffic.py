"""The background traffic: runs drawn from the scenario's dice, in the order of their triggers."""

import math
import random
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, count

from tmcwatch.simulator.execution import PlanRun, TaskRun
from tmcwatch.simulator.making import PlanWish, TaskWish, make_plan_run, make_task_run
from tmcwatch.simulator.scenario import Burst, Durations, Endings, Scenario
from tmcwatch.simulator.tenant import Plan, Task, Tenant

DAY = 86_400_000.0
HOUR = 3_600_000.0
DISPATCH_SIGMA = 0.5
LONGEST_DISPATCH = 60_000.0
TYPES = ("SCHEDULED",) * 17 + ("MANUAL",) * 2 + ("WEBHOOK",)
NEVER_STARTED_REJECTIONS = 0.2
TASK_MISFIRES = (
    "PARALLEL_EXECUTION_FORBIDDEN",
    "TASK_IS_PAUSED",
    "REMOTE_ENGINE_UNAVAILABLE",
    "MAX_PARALLEL_TASKS_LIMIT_REACHED",
    "UNKNOWN",
)
PLAN_MISFIRES = (
    "PARALLEL_EXECUTIONS_FORBIDDEN",
    "SIMULTANEOUS_EXECUTIONS_LIMIT_REACHED",
    "PLAN_EXECUTIONS_PAUSED",
)
ERRORS = (
    "component tDBInput_1: connection refused",
    "component tFileInputDelimited_3: /data/in/orders.csv (No such file or directory)",
    "component tRESTClient_1: 503 Service Unavailable",
    "java.lang.OutOfMemoryError: Java heap space",
)
MISFIRED = "misfired"


class Traffic:
    """Draws task runs and plan runs, each from dice of their own.

    What comes out does not depend on how far one asks at a time, only on the scenario.
    """

    def __init__(self, scenario: Scenario, tenant: Tenant, *, start: int) -> None:
        staged = {name for act in scenario.script for name in _names(act)}
        self._scenario = scenario
        self._tasks = [task for task in tenant.tasks if task.name not in staged]
        self._plans = [plan for plan in tenant.plans if plan.name not in staged]
        of_plans = sum(plan.planned for plan in self._plans) / max(1, len(self._plans))
        alone = scenario.executions_per_day - scenario.plan_runs_per_day * of_plans
        self._endings = _Endings(scenario.endings)
        self._task_gap = DAY / alone if alone > 0 and self._tasks else math.inf
        plans_run = scenario.plan_runs_per_day > 0 and self._plans
        self._plan_gap = DAY / scenario.plan_runs_per_day if plans_run else math.inf
        base = (scenario.seed & 0xFFFF) << 32
        self._numbers = count(base)
        self._step_numbers = count(base + (1 << 29))
        self._plan_numbers = count(base)
        opened = start + _milliseconds(scenario.history)
        self._bursts = [_Stretch.of(burst, opened) for burst in scenario.bursts]
        self._task_dice = random.Random(f"{scenario.seed}/tasks")
        self._plan_dice = random.Random(f"{scenario.seed}/plans")
        self._next_task = self._later(start, self._gap(self._task_dice, self._task_gap))
        self._next_plan = self._later(start, self._gap(self._plan_dice, self._plan_gap))

    def task_runs(self, until: int) -> Iterator[TaskRun]:
        dice = self._task_dice
        while self._next_task <= until:
            task = self._tasks[int(dice.random() * len(self._tasks))]
            kind = TYPES[int(dice.random() * len(TYPES))]
            wish = self._wish(dice, task, int(self._next_task), execution_type=kind)
            yield make_task_run(wish, next(self._numbers))
            self._next_task = self._later(self._next_task, self._gap(dice, self._task_gap))

    def plan_runs(self, until: int) -> Iterator[PlanRun]:
        dice = self._plan_dice
        while self._next_plan <= until:
            yield self._plan_run(dice, dice.choice(self._plans), int(self._next_plan))
            self._next_plan = self._later(self._next_plan, self._gap(dice, self._plan_gap))

    def _plan_run(self, dice: random.Random, plan: Plan, at: int) -> PlanRun:
        def wish_of(task: Task, moment: int, _position: int) -> TaskWish:
            return self._wish(dice, task, moment, execution_type="PLAN")

        misfires = dice.random() < self._scenario.endings.misfired
        wish = PlanWish(
            plan=plan,
            at=at,
            execution_type="SCHEDULED",
            reason=dice.choice(PLAN_MISFIRES) if misfires else None,
            lag=self._lag(dice),
        )
        return make_plan_run(wish, next(self._plan_numbers), self._step_numbers, wish_of=wish_of)

    def _wish(self, dice: random.Random, task: Task, at: int, *, execution_type: str) -> TaskWish:
        end = self._endings.draw(dice)
        durations = self._scenario.durations
        starts = end not in {MISFIRED, "DEPLOY_FAILED"} and not (
            end == "EXECUTION_REJECTED" and dice.random() < NEVER_STARTED_REJECTIONS
        )
        return TaskWish(
            task=task,
            at=at,
            execution_type=execution_type,
            dispatch=_dispatch(dice, durations),
            lasts=_duration(dice, durations) if starts else None,
            end="DEPLOY_FAILED" if end == MISFIRED else end,
            reason=dice.choice(TASK_MISFIRES) if end == MISFIRED else None,
            error=dice.choice(ERRORS) if end == "EXECUTION_FAILED" else None,
            lag=self._lag(dice),
        )

    def _lag(self, dice: random.Random) -> int:
        scenario = self._scenario
        if not scenario.late_share or dice.random() >= scenario.late_share:
            return 0
        return int(dice.random() * _milliseconds(scenario.late_by))

    def _later(self, moment: float, gap: float) -> float:
        """Answer with the end of a gap of usual traffic, which a burst goes through faster."""
        for burst in self._bursts:
            if moment >= burst.ends or moment + gap <= burst.begins:
                continue
            usual = max(burst.begins - moment, 0.0)
            moment, gap = moment + usual, gap - usual
            if gap <= (burst.ends - moment) * burst.times:
                return moment + gap / burst.times
            gap -= (burst.ends - moment) * burst.times
            moment = burst.ends
        return moment + gap

    @staticmethod
    def _gap(dice: random.Random, mean: float) -> float:
        return mean if math.isinf(mean) else dice.expovariate(1 / mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A burst on the clock of the traffic."""

    begins: float
    ends: float
    times: float

    @classmethod
    def of(cls, burst: Burst, opened: float) -> "_Stretch":
        begins = opened + _milliseconds(burst.after)
        return cls(begins=begins, ends=begins + _milliseconds(burst.lasts), times=burst.times)


class _Endings:
    """The dice of how runs end."""

    def __init__(self, endings: Endings) -> None:
        shares = {
            "EXECUTION_FAILED": endings.failed,
            "EXECUTION_REJECTED": endings.rejected,
            "DEPLOY_FAILED": endings.deploy_failed,
            "EXECUTION_TERMINATED": endings.terminated,
            "EXECUTION_TERMINATED_TIMEOUT": endings.timed_out,
            "EXECUTION_TERMINATED_SHUTDOWN": endings.shut_down,
            MISFIRED: endings.misfired,
        }
        self._bounds = list(accumulate(shares.values()))
        self._ends = [*shares, "EXECUTION_SUCCESS"]

    def draw(self, dice: random.Random) -> str:
        return self._ends[bisect(self._bounds, dice.random())]


def _duration(dice: random.Random, durations: Durations) -> int:
    if durations.long_share and dice.random() < durations.long_share:
        drawn = HOUR + dice.expovariate(1 / HOUR)
    else:
        drawn = dice.lognormvariate(math.log(_milliseconds(durations.median)), durations.sigma)
    low, high = _milliseconds(durations.minimum), _milliseconds(durations.maximum)
    return int(min(max(drawn, low), high))


def _dispatch(dice: random.Random, durations: Durations) -> int:
    median = _milliseconds(durations.dispatch)
    return int(min(dice.lognormvariate(math.log(median), DISPATCH_SIGMA), LONGEST_DISPATCH))


def _milliseconds(span: timedelta) -> float:
    return span.total_seconds() * 1000


def _names(act: object) -> Iterator[str]:
    for field in ("task", "plan"):
        if name := getattr(act, field, None):
            yield name
