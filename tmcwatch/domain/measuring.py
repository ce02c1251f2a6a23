"""Verdicts on a run that did not fail: it began late, or its rows are not as they should be."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tmcwatch.domain.alert import Alert, EndReason
from tmcwatch.domain.episode import Ownership, alert_id, ended, latest_at
from tmcwatch.domain.execution import Phase, Row, Trigger
from tmcwatch.domain.lifecycle import ended_at
from tmcwatch.domain.limits import Limits
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.opening import Whose, opened, worded
from tmcwatch.domain.rule import Rule
from tmcwatch.domain.spoken import span

STARTED_LATE = "started_late"
ZERO_ROWS = "zero_rows"
REJECTED_RATIO = "rejected_ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one rule says of one run."""

    holds: bool
    at: datetime
    text: str = ""
    """What is wrong, after the subject's name."""


def measured(rule: Rule, row: Row) -> Measured | None:
    """Answer with what a rule says of a run, None where that is not known, or not its business."""
    inside_plan = row.plan is not None or row.trigger is Trigger.PLAN
    if inside_plan and not rule.inside_plans:
        return None
    return _MEASURES[rule.name](row, rule.limits)


def is_true_of(rule: Rule, row: Row) -> bool:
    """Tell whether a rule is known to hold of a run."""
    found = measured(rule, row)
    return found is not None and found.holds


def after_run(
    rule: Rule,
    row: Row,
    whose: Whose,
    ongoing: Alert | None,
    *,
    link: str,
    ownership: Iterable[Ownership],
    now: datetime,
) -> Alert | None:
    """Answer with the alert that a run opens, counts on or ends; None if it changes nothing.

    `ongoing` is the rule's open alert of the subject. The next run of which the rule does not
    hold ends it, and one that is older than what it knows does not.
    """
    found = measured(rule, row)
    if found is None or (ongoing is not None and _knows(ongoing, row, found)):
        return None
    if not found.holds:
        return ended(ongoing, EndReason.RECOVERED, at=found.at, now=now) if ongoing else None
    annotations = {
        "summary": f"{row.kind.value} {whose.subject.name} {found.text}",
        "execution_id": row.id,
        "latest_execution_id": row.id,
        "latest_at": moment_text(found.at),
        "engine": row.engine or "",
        "link": link,
    }
    if ongoing is not None:
        return _again(ongoing, rule, annotations, now=now)
    return opened(
        rule,
        whose,
        id_=alert_id(rule.name, whose.account, row.kind, whose.subject.id, row.id),
        annotations=annotations,
        starts_at=found.at,
        ownership=ownership,
        now=now,
    )


def _knows(ongoing: Alert, row: Row, found: Measured) -> bool:
    same_run = ongoing.annotations.get("latest_execution_id") == row.id
    return same_run or found.at < latest_at(ongoing)


def _again(alert: Alert, rule: Rule, annotations: Mapping[str, str], *, now: datetime) -> Alert:
    first = {"execution_id": alert.annotations["execution_id"]}
    count = alert.count + 1
    told = worded(rule, {**annotations, **first}, alert.labels, count=count)
    return replace(alert, annotations=told, count=count, changed_at=now)


def _started_late(row: Row, limits: Limits) -> Measured | None:
    if row.started_at is None:
        return None
    delay = row.started_at - row.triggered_at
    text = f"started {span(delay)} after its trigger"
    return Measured(holds=delay > limits.delay, at=row.started_at, text=text)


def _zero_rows(row: Row, _: Limits) -> Measured | None:
    if not _has_rows(row) or row.rows_processed is None:
        return None
    text = "processed no rows"
    return Measured(holds=row.rows_processed == 0, at=ended_at(row), text=text)


def _rejected_ratio(row: Row, limits: Limits) -> Measured | None:
    if not _has_rows(row) or row.rows_processed is None or row.rows_rejected is None:
        return None
    # Whether TMC counts rejected rows as processed is not documented: the ratio is at most 1.
    all_rows = max(row.rows_processed, row.rows_rejected)
    ratio = row.rows_rejected / all_rows if all_rows else 0.0
    text = f"rejected {row.rows_rejected:,} of {all_rows:,} rows ({ratio:.1%})"
    return Measured(holds=ratio > limits.ratio, at=ended_at(row), text=text)


def _has_rows(row: Row) -> bool:
    """Tell whether the run came to its end, with row counts to believe in."""
    return row.detailed and row.phase in {Phase.SUCCEEDED, Phase.REJECTED}


_MEASURES: Mapping[str, Callable[[Row, Limits], Measured | None]] = {
    STARTED_LATE: _started_late,
    ZERO_ROWS: _zero_rows,
    REJECTED_RATIO: _rejected_ratio,
}
