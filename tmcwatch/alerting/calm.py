"""Rounds that find nothing to decide on: one glance tells so, and when to look again."""

from datetime import datetime, timedelta

from tmcwatch.alerting.ending import LOOK_EVERY, LOOKED
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.built_in import AWAY
from tmcwatch.domain.expiring import reminder
from tmcwatch.domain.stuck import STUCK
from tmcwatch.store.calm import Calm, Glance, calm
from tmcwatch.store.engine import Connection

CURSOR = "alerting"
"""Up to where the transition log was decided on."""


def watching_mark(account: str) -> str:
    """Answer with the cursor that says that an account's opening digest was told."""
    return f"watching:{account}"


def calm_round(
    connection: Connection, settings: Settings, *, now: datetime, is_thorough: bool
) -> Calm | None:
    """Answer with how long it is calm, None where a round may find something to decide on.

    In doubt it is not: only where a round would change nothing, none is needed.
    """
    # Whether one is due was told already is found by the round.
    if is_thorough and any(reminder(expires, now) for expires in settings.expiries.values()):
        return None
    limits = [one.storm.within for one in settings.receivers.values() if one.storm]
    news_within = max(limits, default=timedelta())
    glance = Glance(
        now=now,
        decided=CURSOR,
        marks=frozenset(watching_mark(account) for account in settings.accounts),
        outage=AWAY,
        flushed_by=now + news_within,
        opened_since=now - news_within,
        is_thorough=is_thorough,
        stuck=STUCK,
        expired=LOOKED,
        expired_since=int(now.timestamp() - LOOK_EVERY.total_seconds()),
        silences_until=now + settings.mutes.silence_reminder,
    )
    return calm(connection, glance)
