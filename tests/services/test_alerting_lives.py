"""Alerting over drawn lives: each receiver is told of each alert as one story."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from tests.domain.telling import NOON, alert
from tests.services.deciding import route, tree
from tmcwatch.alerting.flushing import flush_groups
from tmcwatch.alerting.grouping import put_into_groups, wake_groups_of
from tmcwatch.alerting.regrouping import regroup
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert, Attention, EndReason, Severity
from tmcwatch.domain.episode import ended
from tmcwatch.domain.message import Message
from tmcwatch.domain.storm import StormLimit
from tmcwatch.store import schema
from tmcwatch.store.alerts import load_alert, save_alerts
from tmcwatch.store.attention import save_attention
from tmcwatch.store.engine import Connection
from tmcwatch.store.facts import message_from

WAITS: dict[str, Any] = {
    "group_wait": timedelta(seconds=30),
    "group_interval": timedelta(minutes=5),
}
DAY = timedelta(days=1)


def ways(*group_by: str, storm: StormLimit | None = None) -> Settings:
    """Warnings go to `oncall` too; all that is of `PROD` to `audit`, whatever becomes of it."""
    waits = WAITS | {"group_by": group_by}
    made = tree(
        route("audit", 'environment="PROD"', goes_on=True, **waits),
        route("oncall", 'severity!="info"', goes_on=True, **waits),
        route("team", **waits),
    )
    receivers = {name: replace(one, storm=storm) for name, one in made.receivers.items()}
    return replace(made, root=replace(made.root, **waits), receivers=receivers)


class Life:
    """A store in memory, in which alerts open, change and end, and everything told is accepted."""

    def __init__(self, connection: Connection, now: Settings) -> None:
        self.connection, self.settings = connection, now
        self.now, self.born = NOON, 0
        self.told: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self.messages: list[Message] = []

    def open(self) -> None:
        self.born += 1
        place = "PROD" if self.born % 2 else "TEST"
        labels = {"account": "prod", "kind": "task", "id": f"t{self.born}", "environment": place}
        self.change(
            alert(
                f"a{self.born}",
                severity=Severity.INFO,
                labels=labels | {"severity": "info"},
                changed_at=self.now,
                opened_at=self.now,
            )
        )

    def change(self, one: Alert) -> None:
        save_alerts(self.connection, [one])
        put_into_groups(self.connection, self.settings, [one], now=self.now)

    def act(self, act: str, number: int) -> None:
        one = load_alert(self.connection, alert(f"a{number}").id)
        if one is None or one.ends_at is not None:
            return
        match act:
            case "rise":
                labels = {**one.labels, "severity": "warning"}
                worse = replace(one, severity=Severity.WARNING, labels=labels)
                self.change(replace(worse, changed_at=self.now))
            case "fail":
                self.change(replace(one, count=one.count + 1, changed_at=self.now))
            case "end":
                self.change(ended(one, EndReason.RECOVERED, at=self.now, now=self.now))
            case "close":
                save_alerts(
                    self.connection, [ended(one, EndReason.CLOSED, at=self.now, now=self.now)]
                )
                wake_groups_of(self.connection, one.id, self.now)
            case _:
                self.attend(one, act)

    def attend(self, one: Alert, act: str) -> None:
        attention = {
            "acknowledge": Attention(acknowledged_at=self.now),
            "snooze": Attention(snoozed_at=self.now, snoozed_until=self.now + DAY),
            "mind": Attention(),
        }[act]
        save_attention(self.connection, one.id, attention)
        wake_groups_of(self.connection, one.id, self.now)

    def reload(self, number: int) -> None:
        group_by = (("rule",), ("environment",), ("...",), ("severity",), ())[number % 5]
        self.settings = ways(*group_by, storm=self.settings.receivers["team"].storm)
        regroup(self.connection, self.settings, now=self.now)

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        flush_groups(self.connection, self.settings, now=self.now, most=99)
        rows = schema.deliveries
        for facts in self.connection.scalars(select(rows.c.facts)).all():
            self.hear(message_from(facts))
        self.connection.execute(rows.delete())

    def hear(self, message: Message) -> None:
        self.messages.append(message)
        for one in message.alerts:
            kind = "new"
            if one.ends_at is not None:
                kind = "over"
            elif one.id in message.updates | message.repeats:
                kind = "update" if one.id in message.updates else "repeat"
            self.told[message.receiver, one.id].append(kind)


ACTS = ("rise", "fail", "end", "close", "acknowledge", "snooze", "mind")
STEP = st.tuples(
    st.sampled_from(("open", "reload", "wait", *ACTS)),
    st.integers(1, 4),
    st.integers(1, 400) | st.integers(1, 200_000),
)


def lived(steps, limit: StormLimit | None = None) -> Life:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.begin() as connection:
        life = Life(connection, ways("rule", storm=limit))
        for act, number, seconds in steps:
            if act == "open":
                life.open()
            elif act == "reload":
                life.reload(number)
            elif act != "wait":
                life.act(act, number)
            life.pass_by(seconds)
        for number in range(1, life.born + 1):
            life.act("end", number)
        for _ in range(5):
            life.pass_by(400)
        assert connection.scalar(select(schema.members.c.alert)) is None
        life.pass_by(30 * DAY.total_seconds())
    engine.dispose()
    return life


@pytest.mark.parametrize("limit", [None, StormLimit(above=3)])
@pytest.mark.uncounted
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=25))
def test_each_receiver_is_told_of_an_alert_once_as_new_and_once_as_over_and_nothing_after(
    limit, steps
):
    crowd = [("open", 1, 1)] * (8 if limit else 0)
    life = lived([*crowd, *steps], limit)
    assert not crowd or any(message.storm for message in life.messages)
    for kinds in life.told.values():
        assert all(kinds.count(kind) <= 1 for kind in ("new", "update", "over"))
        # What was over before it was told is one message that says both.
        assert kinds == ["over"] or (kinds[0], kinds[-1]) == ("new", "over")


def test_the_receivers_of_these_lives_are_told():
    life = lived([("open", 1, 60), ("rise", 1, 600)])
    assert {who: kinds for (who, _), kinds in life.told.items()} == {
        "audit": ["new", "update", "over"],
        "team": ["new", "update", "over"],
        "oncall": ["new", "over"],
    }
