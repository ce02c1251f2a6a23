"""Alerting begins: names are waited for, and an account is told as watched, once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.domain.telling import PROD, at
from tests.services.deciding import SETTINGS, WATCHED, Deciding, route, tree
from tmcwatch.alerting.calm import CURSOR
from tmcwatch.alerting.settings import AccountLinks
from tmcwatch.domain.alert import Status
from tmcwatch.domain.execution import (
    Phase,
)
from tmcwatch.domain.window import Window
from tmcwatch.store.alerts import open_alerts
from tmcwatch.store.transitions import cursor


def unnamed(store) -> Deciding:
    deciding = Deciding(store)
    deciding.watch()
    return deciding


def test_before_the_first_names_a_transition_waits_for_them_for_a_minute(store):
    deciding = unnamed(store)
    deciding.see(Phase.FAILED, 0)
    assert deciding.round(0.5).alerts == ()
    (alert,) = deciding.round(1.1).alerts
    assert alert.labels["name"] == "t1"


def test_names_that_come_in_time_are_in_the_labels(store):
    deciding = unnamed(store)
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.5)
    deciding.name()
    alerts = {alert.rule: alert.labels["name"] for alert in deciding.round(0.6).alerts}
    assert alerts["failed"] == "load"


def test_history_does_not_wait_for_names(store):
    deciding = unnamed(store)
    deciding.see(Phase.FAILED, -700, seen=0)
    deciding.round(0.1)
    assert deciding.store.read(lambda c: cursor(c, CURSOR)) == 3


NOTICE = [("watching", "firing")]


def opening(store, **changes: Any) -> Deciding:
    deciding = Deciding(store)
    deciding.settings = replace(SETTINGS, accounts={PROD: AccountLinks()}, **changes)
    return deciding


def test_an_account_is_told_as_watched_once_its_history_and_names_are_read(store):
    deciding = opening(store)
    deciding.watch(history=Window(start=at(-999), end=WATCHED))
    deciding.name()
    assert deciding.round(0).owed == 0
    deciding.see(Phase.FAILED, -700)
    deciding.watch(history_read=True, watched_from=None)
    deciding.round(1)
    assert deciding.messages == [("team", NOTICE)]
    (alert,) = deciding.alerts
    assert alert.annotations["summary"] == (
        "Now watching prod: 1 tasks and 0 plans, 1 of them failing, "
        "the oldest since 20 November 2026."
    )


def test_the_opening_is_not_told_without_names(store):
    deciding = opening(store)
    deciding.watch()
    assert deciding.round(0).owed == 0
    deciding.name()
    assert deciding.round(0).owed == 1
    assert "none failing." in deciding.alerts[0].annotations["summary"]


def test_the_opening_is_told_once_and_not_after_a_restart(store):
    deciding = opening(store)
    deciding.watch()
    deciding.name()
    for minute in range(0, 60 * 24 * 9, 60):
        deciding.round(minute)
    again = Deciding(store)
    again.settings = deciding.settings
    again.watch()
    again.round(60 * 24 * 10)
    assert deciding.messages == [("team", NOTICE)]
    assert [alert.status for alert in deciding.alerts] == [Status.RESOLVED]


def test_the_opening_reaches_every_receiver_of_its_routes(store):
    both = tree(route("one", goes_on=True), route("two", group_wait=timedelta(minutes=5)))
    deciding = opening(store, root=both.root, receivers=both.receivers)
    deciding.watch()
    deciding.name()
    for minute in range(10):
        deciding.round(minute)
    assert deciding.messages == [("one", NOTICE), ("two", NOTICE)]
    assert deciding.store.read(open_alerts) == ()
