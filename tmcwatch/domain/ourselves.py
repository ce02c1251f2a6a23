"""Alerts about the watching itself: what a condition opens and ends, and notices of an account."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tmcwatch.domain.alert import Alert, AlertId, EndReason
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.episode import Ownership, alert_id, ended, owned
from tmcwatch.domain.execution import AccountName
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.rule import Nature, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What an alert about ourselves is about."""

    account: AccountName
    kind: str = "account"
    """Of a list, else of the account as a whole."""
    id: str = ""
    """The account's name unless something else is given."""
    name: str = ""
    workspace: str = ""


def changed_by(
    condition: Condition,
    place: int,
    rule: Rule,
    known: Alert | None,
    *,
    ownership: Iterable[Ownership],
    now: datetime,
) -> Alert | None:
    """Answer with the alert that a condition opens or ends, None where it changes nothing.

    `known` is the alert of this condition, which has its place in the store; one that ended is
    never opened again. A state that is over before it was told opens and ends at once.
    """
    if known is not None and (known.ends_at is not None or condition.until is None):
        return None
    alert = known or opened(
        rule,
        _concern(condition),
        condition.text,
        starts_at=condition.since,
        id_=id_of(condition, place),
        ownership=ownership,
        now=now,
    )
    if condition.until is None or rule.nature is not Nature.STATE:
        return alert
    return ended(alert, EndReason.RECOVERED, at=condition.until, now=now)


def opened(
    rule: Rule,
    concern: Concern,
    text: str,
    *,
    id_: AlertId,
    starts_at: datetime,
    ownership: Iterable[Ownership],
    now: datetime,
) -> Alert:
    """Answer with a new alert about ourselves that says `text`."""
    subject = concern.id or concern.account
    labels = {
        "alertname": rule.name,
        "rule": rule.name,
        "severity": rule.severity.value,
        "account": concern.account,
        "environment": "",
        "workspace": concern.workspace,
        "kind": concern.kind,
        "id": subject,
        "name": concern.name or subject,
        "trigger": "",
    }
    return Alert(
        id=id_,
        rule=rule.name,
        severity=rule.severity,
        labels=owned(labels, ownership),
        annotations={"summary": text, "latest_at": moment_text(starts_at)},
        starts_at=starts_at,
        opened_at=now,
        changed_at=now,
    )


def id_of(condition: Condition, place: int) -> AlertId:
    """Answer with the id of the alert that the condition at this place of the store opens."""
    return alert_id(condition.rule, condition.account, condition.since.isoformat(), str(place))


def _concern(condition: Condition) -> Concern:
    return Concern(
        account=condition.account,
        kind=condition.kind or "account",
        id=condition.subject,
        name=condition.name,
        workspace="" if condition.kind else condition.name,
    )
