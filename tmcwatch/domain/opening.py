"""Opening an alert about a task, plan or promotion: the labels that are frozen from then on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tmcwatch.domain.alert import Alert, AlertId, Severity
from tmcwatch.domain.episode import Ownership, owned
from tmcwatch.domain.execution import AccountName, Subject, Trigger
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.rule import Rule, rule_named
from tmcwatch.domain.sentence import filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whom an alert is about, and what its run says of the circumstances."""

    account: AccountName
    subject: Subject
    trigger: Trigger
    engine: str | None = None


def opened(
    rule: Rule,
    whose: Whose,
    *,
    id_: AlertId,
    annotations: Mapping[str, str | None],
    starts_at: datetime,
    ownership: Iterable[Ownership],
    now: datetime,
) -> Alert:
    """Answer with a new alert; annotations without a text are left out."""
    is_manual = whose.trigger is Trigger.MANUAL
    severity = (rule.manual_severity if is_manual else None) or rule.severity
    labels = _labels(rule, severity, whose, ownership)
    texts = {"latest_at": moment_text(starts_at), **annotations}
    return Alert(
        id=id_,
        rule=rule.name,
        severity=severity,
        labels=labels,
        annotations=worded(rule, texts, labels, count=1),
        starts_at=starts_at,
        opened_at=now,
        changed_at=now,
        due_at=starts_at + rule.for_ if rule.for_ else None,
    )


def worded(
    rule: Rule, texts: Mapping[str, str | None], labels: Mapping[str, str], *, count: int
) -> dict[str, str]:
    """Answer with annotations that say what the rule's own template says, where it has one."""
    known = {name: text for name, text in texts.items() if text}
    if rule.text:
        values = known | {"sentence": known.get("summary", ""), "count": f"{count:,}"}
        known["summary"] = filled(rule.text, values, labels)
    return known


def rule_for(
    rules: Iterable[Rule], name: str, whose: Whose, ownership: Iterable[Ownership]
) -> Rule | None:
    """Answer with the rule of a name that holds for a run, None where it is switched off."""
    rule = rule_named(rules, name, owned(run_labels(whose), ownership))
    return rule if rule is not None and rule.enabled else None


def run_labels(whose: Whose) -> dict[str, str]:
    """Answer with the labels that say whose run it is, and where: what rules match."""
    subject = whose.subject
    labels = {
        "account": whose.account,
        "environment": subject.environment,
        "workspace": subject.workspace,
        "kind": subject.kind.value,
        "id": subject.id,
        "name": subject.name,
        "trigger": whose.trigger.value,
    }
    return labels | ({"engine": whose.engine} if whose.engine else {})


def _labels(
    rule: Rule, severity: Severity, whose: Whose, ownership: Iterable[Ownership]
) -> dict[str, str]:
    named = {"alertname": rule.name, "rule": rule.name, "severity": severity.value}
    return {**owned({**named, **run_labels(whose), **rule.labels}, ownership), **rule.labels}
