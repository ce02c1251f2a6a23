"""Episodes: what the end of one run does to the alerts that it is about."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.built_in import LASTING, NOT_BY_SUCCESS
from tmcwatch.domain.execution import ENDS, Kind, Phase, Subject, Transition
from tmcwatch.domain.matcher import Matcher, all_match
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.repetition import Run, repeated, run_of
from tmcwatch.domain.rule import About, Nature, Rule, holding
from tmcwatch.domain.sentence import CALLED, filled, times
from tmcwatch.domain.spoken import span
from tmcwatch.domain.standing import NEVER_RAN, Standing

MOST_TASKS = 5
"""Names of tasks that an alert about an engine or an account gives."""

_GRAVITY = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)
_SUBJECTS = frozenset(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Labels that the config adds to alerts that match."""

    matchers: tuple[Matcher, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What must be known beside a transition to decide on it."""

    subject: Subject
    standing: Standing = NEVER_RAN
    success_after: datetime | None
    """The first success of the subject that ended after the transition, where one is known."""
    link: str
    """To the run in TMC; empty without one."""
    broken_tasks: tuple[str, ...] = ()
    """Names of the tasks that failed in a plan's failing step."""
    plan: str | None = None
    """That the task ran in, where it did."""
    engine: str | None = None
    """That ran it, or was to; as TMC names it."""
    started_at: datetime | None = None
    """When the run began, where it did."""
    recent: tuple[Run, ...] = ()
    """Ends of the subject that were decided on before, for rules that count."""
    watched_from: Mapping[str, datetime] = field(default_factory=dict)
    """From when on a rule is watched: what happened before is not told by it."""
    counted_from: Mapping[str, datetime] = field(default_factory=dict)
    """When the last episode of a rule that counts ended: it counts anew from then on."""
    shared_success: datetime | None = None
    """The end of a run of the same engine, or account, that began after the transition and was
    good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One rule that is about one transition."""

    rule: Rule
    transition: Transition
    labels: Mapping[str, str]
    """Of its alert."""
    ownership: tuple[Ownership, ...]
    circumstances: Circumstances

    @property
    def run(self) -> Run:
        return run_of(self.transition, self.circumstances.engine)


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

    `ongoing` are the open alerts of the subject and of what it shares some with. History changes
    nothing. A success ends the verdicts it follows; a bad end opens an alert or is counted in the
    open one; one that is older than a success already seen opens and ends at once; an end that
    TMC takes back ends what it opened. One that ends with its `due_at` was never told.
    """
    if transition.quiet or transition.phase not in ENDS:
        return ()
    ongoing = tuple(ongoing)
    if transition.phase is Phase.SUCCEEDED:
        return tuple(_recovered(transition, ongoing, circumstances))
    ownership = tuple(ownership)
    labels = owned(run_labels(transition, circumstances), ownership)
    cases = tuple(
        _Case(
            rule=rule,
            transition=transition,
            labels=_labels(rule, transition, ownership, circumstances),
            ownership=ownership,
            circumstances=circumstances,
        )
        for rule in holding(rules, transition, labels)
        if transition.at >= circumstances.watched_from.get(rule.name, transition.at)
    )
    withdrawn = _withdrawn(transition, ongoing, {case.rule.name for case in cases})
    told = (_told(case, ongoing) for case in cases)
    return (*withdrawn, *(alert for alert in told if alert is not None))


def expired(alert: Alert, *, after: timedelta, now: datetime) -> Alert | None:
    """Answer with the alert ended, if nobody has followed it up for too long.

    A state is over when it is over: nobody needs to follow it up.
    """
    latest = latest_at(alert)
    if alert.rule in LASTING or now - latest < after:
        return None
    return ended(alert, EndReason.EXPIRED, at=latest + after, now=now)


def ended(alert: Alert, reason: EndReason, *, at: datetime, now: datetime) -> Alert:
    """Answer with the alert ended; it keeps its `due_at` if it ended before it counted."""
    at = max(at, alert.starts_at)
    has_counted = alert.due_at is None or at > alert.due_at
    return replace(
        alert,
        ends_at=at,
        end_reason=reason,
        changed_at=now,
        due_at=None if has_counted else alert.due_at,
    )


def latest_at(alert: Alert) -> datetime:
    """Answer with the end of the newest run that the alert is about."""
    return datetime.fromisoformat(alert.annotations["latest_at"])


def is_shared(alert: Alert) -> bool:
    """Tell whether an alert about runs is about an engine or account, not one task or plan."""
    return alert.labels["kind"] not in _SUBJECTS


def _recovered(
    transition: Transition, ongoing: Iterable[Alert], circumstances: Circumstances
) -> Iterator[Alert]:
    for alert in ongoing:
        if alert.rule in NOT_BY_SUCCESS | LASTING:
            continue
        # Of several runs the newest counts: TMC may correct the end of an older one.
        first, run = alert.annotations.get("execution_id"), transition.execution
        same_run = alert.annotations.get("latest_execution_id", first) == run
        taken_back = transition.corrects is not None and same_run
        if is_shared(alert):
            over = _works_again(alert, circumstances) or (taken_back and alert.count == 1)
        else:
            over = taken_back or latest_at(alert) <= transition.at
        if over:
            yield ended(alert, EndReason.RECOVERED, at=transition.at, now=transition.seen_at)


def _works_again(alert: Alert, circumstances: Circumstances) -> bool:
    """Tell whether the engine or account took a run after what the alert is about."""
    began = circumstances.started_at
    concerned = alert.labels["kind"] == "account" or alert.labels["id"] == circumstances.engine
    return concerned and began is not None and began > latest_at(alert)


def _withdrawn(
    transition: Transition, ongoing: Iterable[Alert], rules: Collection[str]
) -> Iterator[Alert]:
    if transition.corrects is None:
        return
    for alert in ongoing:
        same_run = alert.annotations.get("execution_id") == transition.execution
        if same_run and alert.count == 1 and alert.rule not in rules:
            yield ended(alert, EndReason.SUPERSEDED, at=transition.at, now=transition.seen_at)


def _told(case: _Case, ongoing: Iterable[Alert]) -> Alert | None:
    labels = case.labels
    for alert in ongoing:
        same = (alert.labels["kind"], alert.labels["id"]) == (labels["kind"], labels["id"])
        if alert.rule == case.rule.name and same:
            return _again(alert, case)
    runs = _counted(case) if case.rule.counts else (case.run,)
    return _opened(case, runs) if runs else None


def _counted(case: _Case) -> tuple[Run, ...]:
    """Answer with the runs that open the alert of a rule that counts; none if too few."""
    rule, known = case.rule, case.circumstances
    sinces = (known.watched_from, known.counted_from)
    since = max((one[rule.name] for one in sinces if rule.name in one), default=None)

    def counts(run: Run) -> bool:
        one = replace(case.transition, phase=run.phase, trigger=run.trigger, reason=run.reason)
        labels = run_labels(one, replace(known, engine=run.engine))
        return rule.matches(one) and (
            not rule.matchers or all_match(rule.matchers, owned(labels, case.ownership))
        )

    return repeated(rule, case.run, known.recent, since=since, counts=counts)


def _again(alert: Alert, case: _Case) -> Alert:
    """Count one more run in an open alert; its severity may only rise."""
    transition, count = case.transition, alert.count + 1
    severity = max(alert.severity, case.rule.severity_of(transition), key=_GRAVITY.index)
    labels = {**alert.labels, "severity": severity.value}
    tasks = _tasks(alert, case.circumstances.subject.name) if is_shared(alert) else ""
    kept = {"execution_id": alert.annotations["execution_id"]} | (
        {"tasks": tasks} if tasks else {}
    )
    annotations = alert.annotations
    if latest_at(alert) <= transition.at:
        often = times(case.rule, count, is_opening=False)
        annotations = _annotations(
            replace(case, labels=labels), count=count, tasks=tasks, often=often
        )
    return replace(
        alert,
        severity=severity,
        labels=labels,
        annotations={**annotations, **kept},
        starts_at=min(alert.starts_at, transition.at),
        count=count,
        changed_at=transition.seen_at,
    )


def _tasks(alert: Alert, name: str) -> str:
    """Answer with the names of the tasks that an alert is about, of which only some fit."""
    known = alert.annotations.get("tasks", "").split(", ")
    if name in known or known[-1] == "…":
        return ", ".join(known)
    return ", ".join([*known, name if len(known) < MOST_TASKS else "…"])


def _opened(case: _Case, runs: tuple[Run, ...]) -> Alert:
    rule, transition, labels, latest = case.rule, case.transition, case.labels, runs[-1]
    shares = labels["kind"] not in _SUBJECTS
    alert = Alert(
        id=_id_of(case),
        rule=rule.name,
        severity=rule.severity_of(transition),
        labels=labels,
        annotations=_annotations(
            case,
            count=len(runs),
            tasks=case.circumstances.subject.name if shares else "",
            often=times(rule, len(runs), is_opening=True),
        )
        | {"latest_execution_id": latest.execution, "latest_at": moment_text(latest.at)},
        starts_at=runs[0].at,
        count=len(runs),
        opened_at=transition.seen_at,
        changed_at=transition.seen_at,
        due_at=latest.at + rule.for_ if rule.for_ else None,
    )
    success = case.circumstances.shared_success if shares else case.circumstances.success_after
    if success is None or success < latest.at or rule.nature is not Nature.VERDICT:
        return alert
    return ended(alert, EndReason.RECOVERED, at=success, now=transition.seen_at)


def _id_of(case: _Case) -> AlertId:
    rule, transition, labels = case.rule, case.transition, case.labels
    parts = [rule.name, transition.account, labels["kind"], labels["id"], transition.execution]
    if transition.corrects is not None:
        # An end that TMC takes back and gives again is news of its own: nothing opens twice.
        parts.append(transition.seen_at.isoformat())
    return alert_id(*parts)


def run_labels(transition: Transition, circumstances: Circumstances) -> dict[str, str]:
    """Answer with the labels that say of a run what ran, where and why: what rules match."""
    subject = circumstances.subject
    labels = {
        "account": transition.account,
        "environment": subject.environment,
        "workspace": subject.workspace,
        "kind": transition.kind.value,
        "id": subject.id,
        "name": subject.name,
        "trigger": transition.trigger.value,
    }
    known = {"engine": circumstances.engine, "reason": transition.reason}
    return labels | {name: text for name, text in known.items() if text}


def _labels(
    rule: Rule,
    transition: Transition,
    ownership: Iterable[Ownership],
    circumstances: Circumstances,
) -> dict[str, str]:
    """Answer with the labels of an alert: those of the run, or of what it shares one with."""
    named = {"alertname": rule.name, "rule": rule.name}
    named["severity"] = rule.severity_of(transition).value
    labels = run_labels(transition, circumstances)
    if rule.about is not About.SUBJECT:
        labels |= {"workspace": "", "trigger": "", **_concern(rule, transition, circumstances)}
    return {**owned({**named, **labels, **rule.labels}, ownership), **rule.labels}


def _concern(rule: Rule, transition: Transition, circumstances: Circumstances) -> dict[str, str]:
    engine = circumstances.engine
    if rule.about is About.ENGINE and engine:
        return {"kind": "engine", "id": engine, "name": engine}
    account = transition.account
    return {"kind": "account", "id": account, "name": account, "environment": ""}


def owned(labels: dict[str, str], ownership: Iterable[Ownership]) -> dict[str, str]:
    """Answer with `labels` and what every matching entry of the config adds, in order."""
    for owner in ownership:
        if all_match(owner.matchers, labels):
            labels = labels | dict(owner.labels)
    return labels


def _annotations(case: _Case, *, count: int, tasks: str, often: str) -> dict[str, str]:
    transition, known = case.transition, case.circumstances
    breakage = transition.breakage
    texts = {
        "summary": _sentence(case, tasks, often),
        "execution_id": transition.execution,
        "latest_execution_id": transition.execution,
        "latest_at": moment_text(transition.at),
        "reason": transition.reason,
        "step": breakage.step if breakage else None,
        "failed_tasks": ", ".join(known.broken_tasks),
        "tasks": tasks,
        "error_handler": "ran" if breakage and breakage.handled else None,
        "error": transition.error or (breakage.error if breakage else None),
        "plan": known.plan,
        "link": known.link,
    }
    given = {name: text for name, text in texts.items() if text}
    if case.rule.text:
        values = given | {"sentence": given["summary"], "count": f"{count:,}"}
        given["summary"] = filled(case.rule.text, values, case.labels)
    return given


def _sentence(case: _Case, tasks: str, often: str) -> str:
    """Say what happened to what the alert is about: by the newest name, unless it shares one."""
    transition, labels, known = case.transition, case.labels, case.circumstances
    what = case.rule.summary or CALLED.get(transition.phase, transition.phase.value)
    broken = f" ({', '.join(known.broken_tasks)})" if known.broken_tasks else ""
    step = f" at {transition.breakage.step}{broken}" if transition.breakage else ""
    name, where = (labels["name"], f" ({tasks})") if tasks else (known.subject.name, step)
    why = f": {transition.reason}" if transition.reason else ""
    late = span(transition.seen_at - transition.at) if transition.backfilled else ""
    found = f", found {late} after it happened" if late else ""
    return f"{labels['kind']} {name} {what}{where}{often}{why}{found}"
