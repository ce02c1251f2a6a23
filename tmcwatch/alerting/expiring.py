"""Tokens whose end the config names: a notice some days before, once each."""

from collections.abc import Iterator
from datetime import datetime

from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.built_in import EXPIRING
from tmcwatch.domain.episode import alert_id
from tmcwatch.domain.expiring import expiry_text, reminder
from tmcwatch.domain.ourselves import Concern, opened
from tmcwatch.store.alerts import load_alert
from tmcwatch.store.engine import Connection


def expiring_tokens(
    connection: Connection, settings: Settings, *, now: datetime
) -> Iterator[Alert]:
    """Give a notice for each token that is due to be reminded of and was not yet."""
    rules = (rule for rule in settings.rules if rule.name == EXPIRING and rule.enabled)
    rule = next(rules, None)
    for account, expires in settings.expiries.items() if rule else ():
        ahead = reminder(expires, now)
        if rule is None or ahead is None:
            continue
        id_ = alert_id(EXPIRING, account, expires.isoformat(), str(ahead.days))
        if load_alert(connection, id_) is None:
            yield opened(
                rule,
                Concern(account=account),
                expiry_text(account, expires, now),
                id_=id_,
                starts_at=now,
                ownership=settings.ownership,
                now=now,
            )
