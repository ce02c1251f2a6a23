"""Episodes: what one transition does to the alerts of its task or plan."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.execution import ENDS, Phase, Subject, Transition
from tmcwatch.domain.matcher import Matcher, all_match
from tmcwatch.domain.rule import LASTING, Nature, Rule
from tmcwatch.domain.spoken import span

EXPIRES_AFTER = timedelta(days=7)
"""A verdict that nobody follows up ends after this long."""

_GRAVITY = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Labels that the config adds to alerts that match."""

    matchers: tuple[Matcher, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What must be known beside a transition to decide on it."""

    subject: Subject
    success_after: datetime | None
    """The first success of the subject that ended after the transition, where one is known."""
    link: str
    """To the run in TMC; empty without one."""
    broken_tasks: tuple[str, ...] = ()
    """Names of the tasks that failed in a plan's failing step."""
    plan: str = ""
    """That the task ran in, where it did."""


def alert_id(*parts: str) -> AlertId:
    """Answer with an id that the same opening always gives."""
    return AlertId(hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16])


def changed_alerts(
    transition: Transition,
    ongoing: Iterable[Alert],
    rules: Iterable[Rule],
    *,
    ownership: Iterable[Ownership],
    circumstances: Circumstances,
) -> tuple[Alert, ...]:
    """Answer with the alerts that `transition` opens, changes or ends.

    `ongoing` are the subject's open alerts. History changes nothing. A success ends the verdicts
    it follows; a bad end opens an alert or is counted in the open one; one that is older than a
    success already seen opens and ends at once; an end that TMC takes back ends what it opened.
    """
    if transition.quiet or transition.phase not in ENDS:
        return ()
    ongoing = tuple(ongoing)
    if transition.phase is Phase.SUCCEEDED:
        return tuple(_recovered(transition, ongoing))
    by_rule = {rule.name: rule for rule in rules if rule.matches(transition)}
    withdrawn = tuple(_withdrawn(transition, ongoing, by_rule))
    running = {alert.rule: alert for alert in ongoing}
    ownership = tuple(ownership)
    told = tuple(
        _again(running[name], rule, transition, circumstances)
        if name in running
        else _opened(rule, transition, ownership, circumstances)
        for name, rule in by_rule.items()
    )
    return withdrawn + told


def expired(alert: Alert, *, now: datetime) -> Alert | None:
    """Answer with the alert ended, if nobody has followed it up for too long.

    A state is over when it is over: nobody needs to follow it up.
    """
    latest = latest_at(alert)
    if alert.rule in LASTING or now - latest < EXPIRES_AFTER:
        return None
    return ended(alert, EndReason.EXPIRED, at=latest + EXPIRES_AFTER, now=now)


def ended(alert: Alert, reason: EndReason, *, at: datetime, now: datetime) -> Alert:
    return replace(alert, ends_at=max(at, alert.starts_at), end_reason=reason, changed_at=now)


def latest_at(alert: Alert) -> datetime:
    """Answer with the end of the newest run that the alert is about."""
    return datetime.fromisoformat(alert.annotations["latest_at"])


def _recovered(transition: Transition, ongoing: Iterable[Alert]) -> Iterator[Alert]:
    for alert in ongoing:
        taken_back = (
            transition.corrects and alert.annotations.get("execution_id") == transition.execution
        )
        if taken_back or latest_at(alert) <= transition.at:
            yield ended(alert, EndReason.RECOVERED, at=transition.at, now=transition.seen_at)


def _withdrawn(
    transition: Transition, ongoing: Iterable[Alert], by_rule: Mapping[str, Rule]
) -> Iterator[Alert]:
    if transition.corrects is None:
        return
    for alert in ongoing:
        same_run = alert.annotations.get("execution_id") == transition.execution
        if same_run and alert.count == 1 and alert.rule not in by_rule:
            yield ended(alert, EndReason.SUPERSEDED, at=transition.at, now=transition.seen_at)


def _again(
    alert: Alert, rule: Rule, transition: Transition, circumstances: Circumstances
) -> Alert:
    """Count one more run in an open alert; its severity may only rise."""
    severity = max(alert.severity, rule.severity_of(transition), key=_GRAVITY.index)
    newest = latest_at(alert) <= transition.at
    annotations = _annotations(rule, transition, circumstances) if newest else alert.annotations
    return replace(
        alert,
        severity=severity,
        labels={**alert.labels, "severity": severity.value},
        annotations={**annotations, "execution_id": alert.annotations["execution_id"]},
        starts_at=min(alert.starts_at, transition.at),
        count=alert.count + 1,
        changed_at=transition.seen_at,
    )


def _opened(
    rule: Rule,
    transition: Transition,
    ownership: Iterable[Ownership],
    circumstances: Circumstances,
) -> Alert:
    severity = rule.severity_of(transition)
    subject = circumstances.subject
    alert = Alert(
        id=alert_id(
            rule.name, transition.account, transition.kind, subject.id, transition.execution
        ),
        rule=rule.name,
        severity=severity,
        labels=owned(_labels(rule, severity, transition, subject), ownership),
        annotations=_annotations(rule, transition, circumstances),
        starts_at=transition.at,
        opened_at=transition.seen_at,
        changed_at=transition.seen_at,
    )
    success = circumstances.success_after
    if success is None or rule.nature is not Nature.VERDICT:
        return alert
    return ended(alert, EndReason.RECOVERED, at=success, now=transition.seen_at)


def _labels(
    rule: Rule, severity: Severity, transition: Transition, subject: Subject
) -> dict[str, str]:
    labels = {
        "alertname": rule.name,
        "rule": rule.name,
        "severity": severity.value,
        "account": transition.account,
        "environment": subject.environment,
        "workspace": subject.workspace,
        "kind": transition.kind.value,
        "id": subject.id,
        "name": subject.name,
        "trigger": transition.trigger.value,
    }
    return labels | ({"reason": transition.reason} if transition.reason else {})


def owned(labels: dict[str, str], ownership: Iterable[Ownership]) -> dict[str, str]:
    """Answer with `labels` and what every matching entry of the config adds, in order."""
    for owner in ownership:
        if all_match(owner.matchers, labels):
            labels = labels | dict(owner.labels)
    return labels


def _annotations(
    rule: Rule, transition: Transition, circumstances: Circumstances
) -> dict[str, str]:
    subject, breakage = circumstances.subject, transition.breakage
    tasks = f" ({', '.join(circumstances.broken_tasks)})" if circumstances.broken_tasks else ""
    where = f" at {breakage.step}{tasks}" if breakage else ""
    why = f": {transition.reason}" if transition.reason else ""
    late = span(transition.seen_at - transition.at) if transition.backfilled else ""
    found = f", found {late} after it happened" if late else ""
    error = transition.error or (breakage.error if breakage else None)
    texts = {
        "summary": f"{transition.kind.value} {subject.name} {rule.summary}{where}{why}{found}",
        "execution_id": transition.execution,
        "latest_execution_id": transition.execution,
        "latest_at": transition.at.isoformat(),
        "reason": transition.reason,
        "step": breakage.step if breakage else None,
        "failed_tasks": ", ".join(circumstances.broken_tasks),
        "error_handler": "ran" if breakage and breakage.handled else None,
        "error": error,
        "plan": circumstances.plan,
        "link": circumstances.link,
    }
    return {name: text for name, text in texts.items() if text}
