"""Reminders of silences that are about to end while something is muted by them."""

from collections.abc import Iterator
from datetime import datetime

from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.built_in import SILENCE_ENDING
from tmcwatch.domain.silence import is_worth_a_reminder, reminder
from tmcwatch.store.alerts import open_alerts
from tmcwatch.store.engine import Connection
from tmcwatch.store.silences import ending_silences, take_note_of_reminder


def silences_ending(
    connection: Connection, settings: Settings, *, now: datetime
) -> Iterator[Alert]:
    """Give a reminder of each silence that ends soon; once, whether or not it mutes anything."""
    ahead = settings.mutes.silence_reminder
    rules = (rule for rule in settings.rules if rule.name == SILENCE_ENDING and rule.enabled)
    rule = next(rules, None)
    if rule is None or not ahead:
        return
    found = ending_silences(connection, now=now, before=now + ahead)
    ending = [silence for silence in found if is_worth_a_reminder(silence, ahead)]
    if not ending:
        return
    take_note_of_reminder(connection, (silence.id for silence in ending))
    firing = [alert for alert in open_alerts(connection) if alert.due_at is None]
    for silence in ending:
        told = reminder(silence, rule, firing, ownership=settings.ownership, now=now)
        if told is not None:
            yield told
