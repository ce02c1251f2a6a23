"""Stuck: an execution that waits, or is being stopped, for too long."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, AlertId, EndReason
from tmcwatch.domain.episode import Ownership, alert_id, ended
from tmcwatch.domain.execution import (
    BAD_ENDS,
    AccountName,
    ExecutionId,
    Kind,
    Phase,
    Row,
    SubjectId,
    Trigger,
)
from tmcwatch.domain.lifecycle import ended_at
from tmcwatch.domain.limits import Limits
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.opening import Whose, opened
from tmcwatch.domain.rule import Rule
from tmcwatch.domain.spoken import span

STUCK = "stuck"


LOOK_AGAIN_AFTER = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How lately one list was seen."""

    account: AccountName
    kind: Kind
    head_at: datetime
    """On our clock."""
    skew: timedelta
    """How far TMC's clock is ahead of ours."""
    watched_from: datetime
    """On TMC's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """An execution that waits or is being stopped, perhaps for too long."""

    account: AccountName
    kind: Kind
    execution: ExecutionId
    subject: SubjectId
    phase: Phase
    """Waiting or stopping."""
    trigger: Trigger
    since: datetime
    """When it was triggered, or seen to be stopping, on our clock."""
    engine: str | None = None
    inside_plan: bool = False

    @property
    def id(self) -> AlertId:
        """Of its alert: one for each time that one execution is stuck."""
        return _id(self.account, self.kind, self.subject, self.execution, self.phase)


def stuck_id(whose: Whose, row: Row) -> AlertId:
    """Answer with the id that an alert has if this run waited for too long."""
    return _id(whose.account, row.kind, whose.subject.id, row.id, Phase.WAITING)


def _id(
    account: AccountName, kind: Kind, subject: SubjectId, *rest: ExecutionId | Phase
) -> AlertId:
    return alert_id(STUCK, account, kind, subject, *rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Since when executions wait, and are being stopped, on our clock."""

    waiting: datetime | None
    stopping: datetime | None


def limit_of(phase: Phase, limits: Limits) -> timedelta:
    return limits.stopping if phase is Phase.STOPPING else limits.waiting


def seen_by(seen: Seen, begun: datetime | None) -> Seen:
    """Answer with the list as it is seen by a rule that was switched on then, on our clock."""
    if begun is None:
        return seen
    return replace(seen, watched_from=max(seen.watched_from, begun + seen.skew))


def long_since(rules: Iterable[Rule], seen: Seen) -> Since:
    """Answer with since when one must wait, or be stopped, to be stuck by any of the rules."""
    limits = [rule.limits for rule in rules]
    return Since(
        waiting=seen.head_at - min(limit.waiting for limit in limits),
        stopping=seen.head_at - min(limit.stopping for limit in limits),
    )


def look_again_at(
    rules: Iterable[Rule], oldest_others: Since, *, now: datetime
) -> datetime | None:
    """Answer with when the next one may be stuck by any of the rules.

    A time that has passed counts only once a look has shown that the execution still is so.
    """
    limits = [rule.limits for rule in rules]
    found = []
    if oldest_others.waiting is not None:
        found.append(oldest_others.waiting + min(limit.waiting for limit in limits))
    if oldest_others.stopping is not None:
        found.append(oldest_others.stopping + min(limit.stopping for limit in limits))
    if not found:
        return None
    return due if (due := min(found)) > now else now + LOOK_AGAIN_AFTER


def is_stuck(rule: Rule, stuck: Stuck, seen: Seen) -> bool:
    """Tell whether an execution is stuck by this rule, as the last look at its list showed.

    What was stuck when the list was first looked at is history. Inside a plan, the plan tells.
    """
    due = stuck.since + limit_of(stuck.phase, rule.limits)
    is_told = rule.inside_plans or not stuck.inside_plan
    return is_told and seen.watched_from - seen.skew <= due <= seen.head_at


def opened_stuck(
    rule: Rule,
    stuck: Stuck,
    whose: Whose,
    *,
    link: str,
    ownership: Iterable[Ownership],
    now: datetime,
) -> Alert:
    """Answer with the alert of an execution that is stuck; it began when its limit was passed."""
    limit = limit_of(stuck.phase, rule.limits)
    subject = whose.subject
    return opened(
        rule,
        whose,
        id_=stuck.id,
        annotations={
            "summary": f"{subject.kind.value} {subject.name} {_what(stuck.phase)} {span(limit)}",
            "execution_id": stuck.execution,
            "phase": stuck.phase.value,
            "stuck_since": moment_text(stuck.since),
            "engine": stuck.engine,
            "link": link,
        },
        starts_at=stuck.since + limit,
        ownership=ownership,
        now=now,
    )


def _what(phase: Phase) -> str:
    if phase is Phase.STOPPING:
        return "is being stopped for more than"
    return "has been waiting to start for more than"


def unstuck(alert: Alert, row: Row | None, *, now: datetime) -> Alert | None:
    """Answer with the alert ended if its execution has gone on, None while it has not.

    Without a row nobody can tell any more. One that is being stopped will not start any more.
    """
    if row is None:
        return ended(alert, EndReason.CLOSED, at=now, now=now)
    was = Phase(alert.annotations["phase"])
    if row.phase is Phase.RUNNING:
        return ended(alert, EndReason.RECOVERED, at=row.started_at or now, now=now)
    if row.phase in BAD_ENDS:
        return ended(alert, EndReason.SUPERSEDED, at=ended_at(row), now=now)
    if row.phase is Phase.STOPPING and was is Phase.WAITING:
        return ended(alert, EndReason.SUPERSEDED, at=now, now=now)
    # An unrecognised phase says nothing, and one that stops waits no more.
    is_good = row.phase in {Phase.SUCCEEDED, Phase.ANALYSED}
    return ended(alert, EndReason.RECOVERED, at=ended_at(row), now=now) if is_good else None
