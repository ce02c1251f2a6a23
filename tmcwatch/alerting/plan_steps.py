"""Deciding on tasks that fail inside a plan: their plan is told of at once."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from tmcwatch.alerting.linking import link_to
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.execution import ExecutionId, Kind, SubjectId, Transition, Trigger
from tmcwatch.domain.opening import Whose, rule_for
from tmcwatch.domain.plan_step import PLAN_STEP_FAILED, PlanRun, after_task, is_of_a_step
from tmcwatch.domain.scope import EVERYTHING
from tmcwatch.store.alerts import known_ids, ongoing_alerts
from tmcwatch.store.engine import Connection
from tmcwatch.store.executions import load_executions
from tmcwatch.store.recent import plan_of_run, plan_run_at
from tmcwatch.store.subjects import load_subjects, name_of, unnamed


def decide_on_step(
    connection: Connection,
    settings: Settings,
    transition: Transition,
    watched_from: Mapping[str, datetime],
) -> Iterator[Alert]:
    """Give the alert of a plan that a transition of a task in it opens or counts in."""
    if not is_of_a_step(transition) or Kind.PLAN not in settings.kinds:
        return
    plan = _plan_run(connection, transition)
    if plan is None or transition.at < watched_from.get(PLAN_STEP_FAILED, transition.at):
        return
    whose = plan.whose
    rule = rule_for(settings.rules, PLAN_STEP_FAILED, whose, settings.ownership)
    if rule is None or not settings.scopes.get(whose.account, EVERYTHING).includes(whose.subject):
        return
    run = plan.execution
    ongoing = ongoing_alerts(connection, whose.account, Kind.PLAN, whose.subject.id)
    alert = after_task(
        rule,
        transition,
        task=name_of(connection, transition.account, Kind.TASK, transition.subject),
        plan=plan,
        ongoing=ongoing,
        link=link_to(settings, whose.account, whose.subject, run) if run else "",
        ownership=settings.ownership,
    )
    if alert is not None and not _was_over(connection, alert, ongoing):
        yield alert


def _was_over(connection: Connection, alert: Alert, ongoing: Iterable[Alert]) -> bool:
    """Tell whether this run of the plan was told of before, and ended, as by a person."""
    return all(one.id != alert.id for one in ongoing) and bool(known_ids(connection, [alert.id]))


def _plan_run(connection: Connection, transition: Transition) -> PlanRun | None:
    """Answer with the run of the plan that is still going on; None where its end tells already."""
    account, id_ = transition.account, transition.execution
    execution = load_executions(connection, account, Kind.TASK, [id_]).get(id_)
    if execution is None or execution.row.plan is None:
        return None
    plan = _plan_of(connection, transition, execution.row.plan)
    if plan is None:
        return None
    run = plan_run_at(connection, account, plan, execution.row.triggered_at)
    if run is not None and not run.is_open:
        return None
    found = load_subjects(connection, account, Kind.PLAN, [plan]).get(plan)
    return PlanRun(
        whose=Whose(
            account=account,
            subject=found[0] if found else unnamed(plan, Kind.PLAN),
            trigger=run.trigger if run else Trigger.UNKNOWN,
        ),
        execution=run.execution if run else None,
    )


def _plan_of(connection: Connection, transition: Transition, named: str) -> SubjectId | None:
    """Answer with the plan: lists name the plan itself, details its execution."""
    account = transition.account
    if load_subjects(connection, account, Kind.PLAN, [SubjectId(named)]):
        return SubjectId(named)
    return plan_of_run(connection, account, ExecutionId(named))
