"""A step that failed in a plan that still runs: told at once, and then by the plan's own end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tmcwatch.domain.alert import Alert, EndReason
from tmcwatch.domain.episode import Ownership, alert_id, ended, latest_at
from tmcwatch.domain.execution import (
    BAD_ENDS,
    FAILURES,
    ExecutionId,
    Kind,
    Phase,
    Transition,
    Trigger,
)
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.opening import Whose, opened, worded
from tmcwatch.domain.rule import Rule, is_excused
from tmcwatch.domain.superseding import naming

PLAN_STEP_FAILED = "plan_step_failed"
PLAN_FAILED = "plan_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRun:
    """The run of a plan that a task belongs to."""

    whose: Whose
    """The plan."""
    execution: ExecutionId | None
    """None where it was not seen yet."""


def is_of_a_step(transition: Transition) -> bool:
    """Tell whether a transition is the failure of a task inside a plan."""
    return (
        transition.kind is Kind.TASK
        and transition.trigger is Trigger.PLAN
        and transition.phase in FAILURES
        and not transition.quiet
        and not is_excused(transition)
    )


def after_task(
    rule: Rule,
    transition: Transition,
    *,
    task: str,
    plan: PlanRun,
    ongoing: Sequence[Alert],
    link: str,
    ownership: Iterable[Ownership],
) -> Alert | None:
    """Answer with the plan's alert after the task named so failed in it.

    `ongoing` are the open alerts of the plan. One that is known to fail is not told of again.
    """
    known = {alert.rule: alert for alert in ongoing}
    if PLAN_FAILED in known:
        return None
    if PLAN_STEP_FAILED in known:
        return _another(known[PLAN_STEP_FAILED], rule, transition, task)
    return opened(
        rule,
        plan.whose,
        id_=alert_id(
            rule.name,
            transition.account,
            Kind.PLAN,
            plan.whose.subject.id,
            plan.execution or transition.execution,
        ),
        annotations=_annotations(transition, task, plan) | {"link": link},
        starts_at=transition.at,
        ownership=ownership,
        now=transition.seen_at,
    )


def _annotations(transition: Transition, task: str, plan: PlanRun) -> dict[str, str | None]:
    return {
        "summary": _summary(plan.whose.subject.name, [task]),
        "plan_execution_id": plan.execution,
        "execution_id": transition.execution,
        "latest_execution_id": transition.execution,
        "latest_at": moment_text(transition.at),
        "failed_tasks": task,
        "reason": transition.reason,
        "error": transition.error,
    }


def superseded_by_its_plan(
    transition: Transition, before: Iterable[Alert], after: Iterable[Alert]
) -> tuple[Alert, ...]:
    """Answer with what the bad end of a plan changes of what was told of its steps.

    `before` are the plan's alerts that were open, `after` those that this end opened or counts
    in. What was told of a step ends silently for whoever is told of the plan, which names it.
    """
    if transition.kind is not Kind.PLAN or transition.phase not in BAD_ENDS - {Phase.MISFIRED}:
        return ()
    steps = [alert for alert in before if _is_step_of(alert, transition)]
    if not steps:
        return ()
    told = [alert for alert in after if alert.ends_at is None]
    over = [
        ended(one, EndReason.SUPERSEDED, at=transition.at, now=transition.seen_at) for one in steps
    ]
    return (
        *(_naming(alert, steps[0]) for alert in told),
        *((naming(one, told[0].id) for one in over) if told else over),
    )


def _is_step_of(alert: Alert, transition: Transition) -> bool:
    if alert.rule != PLAN_STEP_FAILED:
        return False
    execution = alert.annotations.get("plan_execution_id")
    if execution is not None:
        return execution == transition.execution
    return latest_at(alert) <= transition.at


def _naming(alert: Alert, step: Alert) -> Alert:
    summary = f"{alert.annotations.get('summary', '')}, after a step of it had failed"
    added = {"summary": summary, "supersedes": step.id}
    return replace(alert, annotations={**alert.annotations, **added})


def _another(alert: Alert, rule: Rule, transition: Transition, task: str) -> Alert:
    tasks = [*alert.annotations["failed_tasks"].split(", "), task]
    names = list(dict.fromkeys(tasks))
    added = {
        "failed_tasks": ", ".join(names),
        "summary": _summary(alert.labels["name"], names),
        "latest_execution_id": transition.execution,
        "latest_at": moment_text(max(latest_at(alert), transition.at)),
    }
    count = alert.count + 1
    return replace(
        alert,
        annotations=worded(rule, {**alert.annotations, **added}, alert.labels, count=count),
        starts_at=min(alert.starts_at, transition.at),
        count=count,
        changed_at=transition.seen_at,
    )


def _summary(plan: str, tasks: Sequence[str]) -> str:
    return f"a step of plan {plan} failed ({', '.join(tasks)}); the plan still runs"
