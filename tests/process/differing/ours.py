"""The same timelines through our routing and grouping, in virtual time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import yaml
from sqlalchemy import select

from tests.conftest import EPOCH
from tests.process.differing.timetables import Step, Timeline, Verb
from tests.process.differing.told import Notification, Told, labels_of
from tmcwatch.alerting.flushing import flush_groups
from tmcwatch.alerting.grouping import put_into_groups
from tmcwatch.alerting.settings import Settings
from tmcwatch.app.wiring import settings_of
from tmcwatch.config import load
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.episode import ended
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.message import Message
from tmcwatch.domain.silence import Silence
from tmcwatch.store import schema
from tmcwatch.store.alerts import save_alerts
from tmcwatch.store.engine import Connection, Store
from tmcwatch.store.facts import message_from
from tmcwatch.store.groups import next_flush_at
from tmcwatch.store.silences import add_silence


def settings_for(timeline: Timeline, folder: Path) -> Settings:
    """Read the routes of a timeline as a configuration of ours."""
    config = {
        "accounts": [{"name": "acme", "region": "eu", "token": "a-token"}],
        "route": dict(timeline.route),
        "receivers": [
            {"name": name, "log": {}, "send_resolved": name not in timeline.deaf_to_ends}
            for name in timeline.receivers
        ],
        **timeline.muting,
    }
    file = folder / f"{timeline.name}.yaml"
    file.write_text(yaml.safe_dump(config))
    return settings_of(load(file, environ={}))


class Ours:
    """One timeline told to our alerting."""

    def __init__(self, timeline: Timeline, store: Store, folder: Path) -> None:
        self._timeline = timeline
        self._store = store
        self._settings = settings_for(timeline, folder)
        self._alerts: dict[str, Alert] = {}
        self._told = Told()

    def told(self) -> Told:
        steps = sorted(self._timeline.steps, key=lambda step: step.at)
        until = _moment(self._timeline.until)
        while moment := self._next(steps, until):
            now = [step for step in steps if _moment(step.at) <= moment]
            steps = steps[len(now) :]
            self._store.write(partial(self._pass, steps=now, now=moment))
        return self._told

    def _next(self, steps: Sequence[Step], until: datetime) -> datetime | None:
        due_at = self._store.read(next_flush_at)
        moments = [_moment(step.at) for step in steps[:1]] + ([due_at] if due_at else [])
        return min((moment for moment in moments if moment <= until), default=None)

    def _pass(self, connection: Connection, *, steps: Sequence[Step], now: datetime) -> None:
        for step in steps:
            if step.verb is Verb.SILENCE:
                add_silence(connection, _silence(step, now))
                continue
            changed = self._after(step, now)
            save_alerts(connection, [changed])
            put_into_groups(connection, self._settings, [changed], now=now)
        flush_groups(connection, self._settings, now=now, most=100)
        column = schema.deliveries.c
        owed = select(column.facts).where(column.state == "pending").order_by(column.group_key)
        for facts in connection.execute(owed).scalars().all():
            self._told.add(*_notification(message_from(facts)))
        # Accepted at once, so that what comes later is a message of its own.
        connection.execute(schema.deliveries.update().values(state="delivered"))

    def _after(self, step: Step, now: datetime) -> Alert:
        match step.verb:
            case Verb.FAILS:
                self._alerts[step.what] = _failing(step, now)
            case Verb.RECOVERS:
                known = self._alerts[step.what]
                self._alerts[step.what] = ended(known, EndReason.RECOVERED, at=now, now=now)
            case Verb.RISES:
                known = self._alerts[step.what]
                self._alerts[step.what] = replace(
                    known,
                    severity=Severity(step.labels["severity"]),
                    labels=dict(known.labels) | dict(step.labels),
                    changed_at=now,
                )
            case Verb.SILENCE:
                raise AssertionError(step)  # it is no alert
        return self._alerts[step.what]


def _moment(second: float) -> datetime:
    return EPOCH + timedelta(seconds=second)


def _failing(step: Step, now: datetime) -> Alert:
    labels = labels_of(step)
    return Alert(
        id=AlertId(f"{step.what}-{now.isoformat()}"),
        rule="failed",
        severity=Severity(labels["severity"]),
        labels=labels,
        annotations={"latest_at": now.isoformat()},
        starts_at=now,
        opened_at=now,
        changed_at=now,
    )


def _silence(step: Step, now: datetime) -> Silence:
    return Silence(
        id=f"silence-{step.at}",
        matchers=(matcher_from(step.what),),
        created_by="a test",
        comment="compared",
        created_at=now,
        starts_at=now,
        ends_at=_moment(step.until),
    )


def _notification(message: Message) -> tuple[str, frozenset[tuple[str, str]], Notification]:
    firing = frozenset(one.labels["name"] for one in message.alerts if one.ends_at is None)
    over = frozenset(one.labels["name"] for one in message.alerts if one.ends_at is not None)
    notification = Notification(
        firing=firing, resolved=over, number_firing=len(firing) + message.told_before
    )
    return message.receiver, frozenset(message.group_labels.items()), notification
