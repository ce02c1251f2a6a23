"""Alerting, told as people want it: who was told stays told, and who is on it hears no more."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.domain.telling import at
from tests.services.deciding import SETTINGS, WATCHED, Deciding, route, tree
from tmcwatch.alerting.deciding import decide
from tmcwatch.alerting.grouping import put_into_groups, wake_groups_of
from tmcwatch.domain.alert import AlertId, Attention, EndReason
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.episode import ended
from tmcwatch.domain.execution import Phase, Trigger
from tmcwatch.store.alerts import save_alerts
from tmcwatch.store.attention import save_attention
from tmcwatch.store.groups import groups_of

FAILED, OVER = ("failed", "firing"), ("failed", "resolved")
DAY = 24 * 60


@pytest.fixture
def deciding(store):
    deciding = Deciding(store)
    deciding.watch()
    deciding.name()
    deciding.store.write(lambda c: decide(c, SETTINGS, now=WATCHED))
    return deciding


def told(deciding: Deciding, minute: float) -> list[tuple[str, list[tuple[str, str]]]]:
    """Decide, and answer with what is owed for it; it is accepted at once."""
    before = len(deciding.messages)
    deciding.round(minute)
    new = deciding.messages[before:]
    deciding.sent()
    return new


def attend(deciding: Deciding, minute: float, **attention: Any) -> None:
    (alert,) = deciding.alerts

    def act(connection):
        save_attention(connection, alert.id, Attention(**attention))
        wake_groups_of(connection, alert.id, at(minute))

    deciding.store.write(act)


def fail_by_hand(deciding: Deciding) -> None:
    """Let a run fail that a person started, which is not so bad, and be told."""
    deciding.see(Phase.FAILED, 0, trigger=Trigger.MANUAL)
    deciding.round(0.2)
    deciding.sent()


def test_a_rise_is_told_to_those_who_know_of_it_as_an_update_and_to_others_as_new(deciding):
    deciding.settings = tree(route("mild", "severity=info"), route("bad", "severity=warning"))
    fail_by_hand(deciding)
    deciding.see(Phase.FAILED, 1)
    assert sorted(told(deciding, 1.2)) == [("bad", [FAILED]), ("mild", [FAILED])]
    updates = {message.receiver: len(message.updates) for message in deciding.facts[1:]}
    assert updates == {"mild": 1, "bad": 0}
    deciding.see(Phase.SUCCEEDED, 2)
    assert sorted(told(deciding, 2.2)) == [("bad", [OVER]), ("mild", [OVER])]


def test_a_receiver_of_both_severities_is_told_of_a_rise_and_of_the_end_once(deciding):
    deciding.settings = tree(route("all", "severity=info"), route("all", "severity=warning"))
    fail_by_hand(deciding)
    deciding.see(Phase.FAILED, 1)
    assert told(deciding, 1.2) == [("all", [FAILED])]
    deciding.see(Phase.SUCCEEDED, 2)
    assert told(deciding, 2.2) == [("all", [OVER])]


def test_a_receiver_that_two_routes_lead_to_is_told_once(deciding):
    deciding.settings = tree(
        route("all", "rule=failed", goes_on=True), route("all", "severity=warning", group_by=())
    )
    deciding.see(Phase.FAILED, 0)
    assert told(deciding, 0.2) == [("all", [FAILED])]


def test_what_rises_before_it_was_told_is_told_where_its_severity_belongs(deciding):
    wait = timedelta(minutes=5)
    deciding.settings = tree(
        route("mild", "severity=info", group_wait=wait), route("bad", "severity=warning")
    )
    deciding.see(Phase.FAILED, 0, trigger=Trigger.MANUAL)
    assert told(deciding, 0.2) == []
    deciding.see(Phase.FAILED, 1)
    assert told(deciding, 1.2) == [("bad", [FAILED])]
    assert told(deciding, 9) == []


def test_what_waits_for_its_rules_clock_is_in_no_group(deciding):
    deciding.see(Phase.FAILED, 0)
    (alert,) = deciding.round(0.2).alerts
    pending = replace(alert, id=AlertId("pending"), due_at=at(15))
    deciding.store.write(lambda c: put_into_groups(c, deciding.settings, [pending], now=at(0.3)))
    assert deciding.store.read(lambda c: groups_of(c, pending.id)) == set()


def test_states_are_repeated_every_four_hours(deciding):
    deciding.see(Phase.FAILED, 0)
    (alert,) = deciding.round(0.2).alerts
    state = replace(alert, id=AlertId("s"), rule="blind")
    deciding.settings = tree(rules=tuple(BUILT_IN.values()))

    def open_state(connection):
        save_alerts(connection, [state])
        put_into_groups(connection, deciding.settings, [state], now=at(0.3))

    deciding.store.write(open_state)
    deciding.sent()
    repeats = [
        (minute, rule)
        for minute in range(60, DAY + 61, 60)
        for _, alerts in told(deciding, minute)
        for rule, _ in alerts
    ]
    hours = [minute for minute, rule in repeats if rule == "blind"]
    assert hours == [60, 300, 540, 780, 1020, 1260, 1500]
    assert [minute for minute, rule in repeats if rule == "failed"] == [1500]


def test_what_is_acknowledged_is_not_repeated_until_that_runs_out(deciding):
    deciding.see(Phase.FAILED, 0)
    told(deciding, 0.2)
    attend(deciding, 10, acknowledged_at=at(10), acknowledged_until=at(3 * DAY))
    days = [minute for minute in range(60, 5 * DAY, 60) if told(deciding, minute)]
    assert days == [3 * DAY, 4 * DAY]


def test_what_is_acknowledged_is_told_again_the_next_day_if_it_failed_again(deciding):
    deciding.see(Phase.FAILED, 0)
    told(deciding, 0.2)
    attend(deciding, 10, acknowledged_at=at(10))
    assert told(deciding, DAY + 10) == []
    deciding.see(Phase.FAILED, DAY + 20)
    assert told(deciding, DAY + 21) == [("team", [FAILED])]
    assert told(deciding, 4 * DAY) == []


def test_nothing_but_its_end_is_told_of_what_is_snoozed(deciding):
    deciding.see(Phase.FAILED, 0)
    told(deciding, 0.2)
    attend(deciding, 10, snoozed_at=at(10))
    deciding.see(Phase.FAILED, 20)
    assert [told(deciding, minute) for minute in range(20, 3 * DAY, 60)].count([]) == 72
    deciding.see(Phase.SUCCEEDED, 3 * DAY)
    assert told(deciding, 3 * DAY + 1) == [("team", [OVER])]


def test_a_snooze_that_runs_out_or_is_taken_back_is_a_reminder(deciding):
    deciding.see(Phase.FAILED, 0)
    told(deciding, 0.2)
    attend(deciding, 10, snoozed_at=at(10), snoozed_until=at(100))
    assert told(deciding, 11) == []
    assert told(deciding, 99) == []
    assert told(deciding, 100) == [("team", [FAILED])]
    attend(deciding, 110, snoozed_at=at(110))
    assert told(deciding, 2 * DAY) == []
    attend(deciding, 2 * DAY + 10)
    assert told(deciding, 2 * DAY + 11) == [("team", [FAILED])]


def test_what_a_person_closes_is_told_as_closed(deciding):
    deciding.see(Phase.FAILED, 0)
    told(deciding, 0.2)
    (alert,) = deciding.alerts

    def close(connection):
        save_alerts(connection, [ended(alert, EndReason.CLOSED, at=at(10), now=at(10))])
        wake_groups_of(connection, alert.id, at(10))

    deciding.store.write(close)
    assert told(deciding, 10.05) == []  # there may be more to close
    assert told(deciding, 10.2) == [("team", [OVER])]
    assert [one.end_reason for one in deciding.facts[-1].alerts] == [EndReason.CLOSED]
    assert told(deciding, 5 * DAY) == []
