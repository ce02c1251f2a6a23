"""The digest after an outage: what happened and recovered while an account was out of sight."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, EndReason, Severity, Status
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.episode import Ownership, alert_id
from tmcwatch.domain.execution import AccountName, Transition
from tmcwatch.domain.ourselves import Concern, opened
from tmcwatch.domain.rule import Rule

HOLD_AT_MOST = timedelta(minutes=15)
"""However long it takes to catch up: what is still failing then is told."""


def is_opened_late(transition: Transition, alert: Alert) -> bool:
    """Tell whether `transition` opened `alert`, long after it happened."""
    by_this = alert.annotations.get("execution_id") == transition.execution
    return transition.backfilled and by_this and alert.opened_at == transition.seen_at


def may_be_told(held: Iterable[Alert], *, is_caught_up: bool, now: datetime) -> bool:
    """Tell whether alerts that were held back may be told."""
    return is_caught_up or any(now - alert.opened_at >= HOLD_AT_MOST for alert in held)


def digest(
    rule: Rule,
    account: AccountName,
    outages: Sequence[Condition],
    held: Sequence[Alert],
    *,
    ownership: Iterable[Ownership],
    now: datetime,
) -> Alert | None:
    """Answer with the one alert that tells of those among `held` that have recovered.

    None where there is nothing to put together. What TMC took back did not happen.
    """
    recovered = sum(alert.end_reason is EndReason.RECOVERED for alert in held)
    failing = sum(alert.status is Status.FIRING for alert in held)
    if not recovered or not outages:
        return None
    first = min(outages, key=lambda outage: outage.since)
    harmless = all(alert.severity is Severity.INFO for alert in held)
    return opened(
        replace(rule, severity=Severity.INFO) if harmless else rule,
        Concern(account=account),
        f"While {account} was out of sight ({first.text}): {_counts(recovered, failing)}",
        id_=alert_id(rule.name, account, first.since.isoformat(), now.isoformat()),
        starts_at=first.since,
        ownership=ownership,
        now=now,
    )


def _counts(recovered: int, failing: int) -> str:
    total = recovered + failing
    what = "1 failure" if total == 1 else f"{total:,} failures"
    if not failing:
        whole = "which has" if total == 1 else "which have all"
        return f"{what}, {whole} recovered."
    over = "has" if recovered == 1 else "have"
    still = "is" if failing == 1 else "are"
    return (
        f"{what}, of which {recovered:,} {over} recovered; "
        f"{failing:,} {still} still failing and told separately."
    )
