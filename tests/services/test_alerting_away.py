"""After an outage: what has recovered meanwhile is one digest, the rest is told with its delay."""

from dataclasses import replace
from functools import partial

import pytest

from tests.domain.telling import PROD, at
from tests.services.deciding import SETTINGS, Deciding
from tmcwatch.alerting.settings import AccountLinks, Receiver
from tmcwatch.domain.built_in import AWAY
from tmcwatch.domain.execution import Kind, Phase, SubjectId
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.storm import StormLimit
from tmcwatch.domain.window import Window
from tmcwatch.store.alerts import held_alerts
from tmcwatch.store.conditions import lasting_conditions
from tmcwatch.tracking.absorbing import absorb

OUTAGE = Window(start=at(-200), end=at(0))


class Returning(Deciding):
    """An account that was out of sight for more than three hours, and is looked at again."""

    def __init__(self, store) -> None:
        super().__init__(store)
        self.watch()
        self.name()

    def look(self, minute: float, kind: Kind = Kind.TASK, **changes) -> None:
        look = Looked(account=PROD, kind=kind, at=at(minute), rows=(), **changes)
        self.store.write(partial(absorb, looked=look))

    def returned(self, minute: float = 0, kind: Kind = Kind.TASK) -> None:
        self.look(minute, kind, away=OUTAGE)

    def caught_up(self, minute: float, kind: Kind = Kind.TASK) -> None:
        self.look(minute, kind, head=False, watermark=at(0))

    def ran(self, task: str, phase: Phase, minute: float, *, seen: float = 1) -> None:
        self.see(phase, minute, seen=seen, subject=SubjectId(task))

    @property
    def summaries(self):
        return {a.rule: a.annotations["summary"] for a in self.alerts if a.count == 1}

    @property
    def held(self):
        return len(self.store.read(held_alerts))


@pytest.fixture
def returning(store):
    found = Returning(store)
    found.settings = replace(SETTINGS, accounts={PROD: AccountLinks()})
    found.round(-600)
    found.sent()
    return found


def told(deciding):
    return sorted(alerts for _, alerts in deciding.messages if alerts != [("watching", "firing")])


def test_what_recovered_is_one_digest_and_what_fails_is_told_with_its_delay(returning):
    returning.returned()
    for task in "abcde":
        returning.ran(task, Phase.FAILED, -190)
    returning.round(1.1)
    for task in "abc":
        returning.ran(task, Phase.SUCCEEDED, -100, seen=2)
    returning.round(2.1)
    assert (told(returning), returning.held) == ([], 5)
    returning.caught_up(3)
    returning.round(3.1)
    failed = [("failed", "firing")]
    assert told(returning) == [[("away", "firing")], failed, failed]
    assert returning.summaries["away"] == (
        "While prod was out of sight (2026-11-20 08:40 to 12:00 UTC): 5 failures, of which 3 have "
        "recovered; 2 are still failing and told separately."
    )
    assert returning.summaries["failed"].endswith("failed, found 3 h 11 min after it happened")
    assert returning.held == 0
    assert returning.store.read(lasting_conditions) == ()


def test_to_people_an_outage_is_one_message_however_many_groups_it_is(returning):
    team = Receiver(targets=("team/webhook",), storm=StormLimit())
    returning.settings = replace(returning.settings, receivers={"team": team})
    returning.returned()
    for task in "abcde":
        returning.ran(task, Phase.FAILED, -190)
    returning.ran("a", Phase.SUCCEEDED, -100)
    returning.caught_up(3)
    returning.round(3.1)
    assert told(returning) == [[("away", "firing"), *[("failed", "firing")] * 4]]
    returning.sent()
    returning.ran("b", Phase.SUCCEEDED, 9, seen=9)
    returning.round(10)
    assert told(returning)[-1] == [("failed", "resolved")]


def test_all_that_is_found_before_the_first_round_is_put_together_as_well(returning):
    returning.returned()
    returning.ran("a", Phase.FAILED, -190)
    returning.ran("a", Phase.SUCCEEDED, -100)
    returning.caught_up(2)
    returning.round(2.1)
    assert told(returning) == [[("away", "firing")]]


def test_a_failure_older_than_a_success_seen_before_belongs_to_the_digest(returning):
    returning.returned()
    returning.ran("a", Phase.SUCCEEDED, -1)
    returning.round(1.1)
    returning.ran("a", Phase.FAILED, -190, seen=2)
    returning.round(2.1)
    returning.caught_up(3)
    returning.round(3.1)
    assert told(returning) == [[("away", "firing")]]


def test_where_nothing_recovered_there_is_no_digest(returning):
    returning.returned()
    returning.ran("a", Phase.FAILED, -190)
    returning.caught_up(2)
    returning.round(2.1)
    assert told(returning) == [[("failed", "firing")]]


@pytest.mark.uncounted
def test_nothing_is_told_twice_whatever_rounds_and_restarts_follow(returning, store):
    returning.returned()
    returning.ran("a", Phase.FAILED, -190)
    returning.ran("b", Phase.FAILED, -190)
    returning.ran("a", Phase.SUCCEEDED, -100)
    returning.round(2)
    again = Deciding(store)
    again.settings = returning.settings
    again.round(3)
    returning.caught_up(4)
    for minute in range(5, 300):
        again.round(minute)
    assert told(returning) == [[("away", "firing")], [("failed", "firing")]]


def test_nothing_is_held_for_longer_than_a_quarter_of_an_hour(returning):
    returning.returned()
    returning.ran("a", Phase.FAILED, -190)
    returning.ran("b", Phase.FAILED, -190)
    returning.ran("b", Phase.SUCCEEDED, -180)
    returning.round(15)
    assert told(returning) == []
    returning.round(16.2)
    assert told(returning) == [[("away", "firing")], [("failed", "firing")]]
    returning.ran("c", Phase.FAILED, -90, seen=17)
    returning.round(17.2)
    assert returning.held == 1


def test_one_digest_waits_for_all_lists_of_the_account(returning):
    for kind in (Kind.TASK, Kind.PLAN):
        returning.returned(kind=kind)
    returning.ran("a", Phase.FAILED, -190)
    returning.ran("a", Phase.SUCCEEDED, -100)
    returning.caught_up(2)
    returning.round(2.1)
    assert told(returning) == []
    returning.caught_up(3, Kind.PLAN)
    returning.round(3.1)
    assert told(returning) == [[("away", "firing")]]


def test_a_failure_of_just_now_is_told_at_once(returning):
    returning.returned()
    returning.ran("a", Phase.FAILED, -190)
    returning.ran("b", Phase.FAILED, 0.9)
    returning.round(1.1)
    assert told(returning) == [[("failed", "firing")]]
    returning.ran("a", Phase.FAILED, 2, seen=2)
    returning.round(2.2)
    assert (len(told(returning)), returning.held) == (2, 0)


def test_a_recovery_of_what_was_told_before_the_outage_is_told_as_ever(returning):
    returning.ran("a", Phase.FAILED, -210, seen=-209)
    returning.round(-208)
    returning.sent()
    returning.returned()
    returning.ran("a", Phase.SUCCEEDED, -100)
    returning.round(1.1)
    assert told(returning) == [[("failed", "firing")], [("failed", "resolved")]]


def test_a_late_find_without_an_outage_is_told_at_once(returning):
    returning.ran("a", Phase.FAILED, -190)
    returning.round(1.1)
    assert told(returning) == [[("failed", "firing")]]


def test_with_the_digest_switched_off_each_is_told_by_itself(returning):
    rules = tuple(replace(rule, enabled=rule.name != AWAY) for rule in returning.settings.rules)
    returning.settings = replace(returning.settings, rules=rules)
    returning.returned()
    returning.ran("a", Phase.FAILED, -190)
    returning.round(1.1)
    assert told(returning) == [[("failed", "firing")]]
