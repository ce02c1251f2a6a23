"""A config that changes: what was told stays known, what waited is told, nobody is told twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.telling import at
from tests.services.deciding import (
    SETTINGS,
    TEAM,
    WATCHED,
    WATCHED_ACCOUNTS,
    Deciding,
    route,
    tree,
)
from tmcwatch.alerting.deciding import decide, settle
from tmcwatch.alerting.settings import Receiver, Settings
from tmcwatch.domain.execution import Phase, Trigger

FAILED, OVER = ("failed", "firing"), ("failed", "resolved")


@pytest.fixture
def deciding(store):
    deciding = Deciding(store)
    deciding.watch()
    deciding.name()
    deciding.store.write(lambda c: decide(c, SETTINGS, now=WATCHED))
    return deciding


def reload(deciding: Deciding, settings: Settings, minute: float) -> None:
    deciding.settings = settings
    watching = replace(settings, accounts=WATCHED_ACCOUNTS)
    deciding.store.write(lambda c: settle(c, watching, now=at(minute)))


def told(deciding: Deciding, minute: float) -> list[tuple[str, list[tuple[str, str]]]]:
    """Decide, and answer with what is owed for it; it is accepted at once."""
    before = len(deciding.messages)
    deciding.round(minute)
    new = deciding.messages[before:]
    deciding.sent()
    return new


def test_an_end_is_told_by_the_group_that_a_changed_route_puts_its_alert_into(deciding):
    deciding.see(Phase.FAILED, 0)
    assert told(deciding, 0.2) == [("team", [FAILED])]
    reload(deciding, replace(SETTINGS, root=replace(TEAM, group_by=("rule",))), 1)
    assert told(deciding, 2) == []
    deciding.see(Phase.SUCCEEDED, 5)
    assert told(deciding, 5.2) == [("team", [OVER])]


def test_what_waited_in_a_group_that_is_gone_is_told_by_the_new_one(deciding):
    slow = replace(TEAM, group_wait=timedelta(minutes=5))
    deciding.settings = replace(SETTINGS, root=slow)
    deciding.see(Phase.FAILED, 0)
    assert told(deciding, 0.2) == []
    reload(deciding, replace(SETTINGS, root=replace(slow, group_by=("rule",))), 1)
    assert told(deciding, 5.9) == []
    assert told(deciding, 6) == [("team", [FAILED])]


def test_what_only_a_receiver_that_is_gone_was_told_of_is_told_to_todays(deciding):
    deciding.settings = tree(route("other", "rule=failed"))
    deciding.see(Phase.FAILED, 0)
    assert told(deciding, 0.2) == [("other", [FAILED])]
    reload(deciding, tree(), 1)
    assert told(deciding, 1.1) == [("team", [FAILED])]
    deciding.see(Phase.SUCCEEDED, 5)
    assert told(deciding, 5.2) == [("team", [OVER])]


def test_a_repeat_keeps_its_time_in_the_new_group(deciding):
    deciding.see(Phase.FAILED, 0)
    told(deciding, 0)
    reload(deciding, replace(SETTINGS, root=replace(TEAM, group_by=("rule",))), 60)
    told_at = [minute for minute in range(120, 3 * 24 * 60, 60) if deciding.round(minute).owed]
    assert told_at == [24 * 60, 48 * 60]


def test_a_config_that_did_not_change_moves_nothing(deciding):
    deciding.settings = tree(route("mild", "severity=info"), route("bad", "severity=warning"))
    deciding.see(Phase.FAILED, 0, trigger=Trigger.MANUAL)
    told(deciding, 0.2)
    deciding.see(Phase.FAILED, 1)
    told(deciding, 1.2)
    reload(deciding, deciding.settings, 2)
    assert told(deciding, 3) == []


def test_two_targets_instead_of_one_are_told_the_rest(deciding):
    deciding.see(Phase.FAILED, 0)
    told(deciding, 0.2)
    both = Receiver(targets=("team/webhook", "team/log"))
    reload(deciding, replace(SETTINGS, receivers={"team": both}), 1)
    deciding.see(Phase.SUCCEEDED, 5)
    assert told(deciding, 5.2) == [("team", [OVER]), ("team", [OVER])]
