"""A rule with a `for`: what recovers before is never told, and its clock outlives a restart."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import anyio
import pytest
from structlog.testing import capture_logs

from tests.domain.telling import PROD, at
from tests.services.deciding import SETTINGS, WATCHED, WATCHED_ACCOUNTS, Deciding
from tests.services.test_alerting_away import Returning
from tests.threads import inline
from tmcwatch.alerting.deciding import decide, settle
from tmcwatch.alerting.service import Alerter
from tmcwatch.alerting.settings import AccountLinks
from tmcwatch.domain.alert import EndReason
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.execution import Kind, Phase
from tmcwatch.domain.observation import Looked
from tmcwatch.store.opening import open_store
from tmcwatch.supervisor import Bell
from tmcwatch.tracking.absorbing import absorb

QUARTER = timedelta(minutes=15)
RULES = tuple(replace(rule, for_=QUARTER) for rule in BUILT_IN.values() if rule.phases)
PATIENT = replace(SETTINGS, rules=(*RULES, BUILT_IN["away"]))
WATCHING = replace(PATIENT, accounts=WATCHED_ACCOUNTS)
FAILED, OVER = ("failed", "firing"), ("failed", "resolved")


class Patient(Deciding):
    """An account of which a failure is told if it still holds after a quarter of an hour."""

    def __init__(self, store) -> None:
        super().__init__(store)
        self.watch()
        self.name()
        self.settings = PATIENT
        self.store.write(partial(settle, settings=WATCHING, now=WATCHED))
        self.round(-600)

    def look(self, minute: float) -> None:
        for kind in (Kind.TASK, Kind.PLAN):
            look = Looked(account=PROD, kind=kind, at=at(minute), rows=())
            self.store.write(partial(absorb, looked=look))


@pytest.fixture
def patient(store):
    return Patient(store)


def test_a_failure_is_told_once_it_is_still_the_latest_outcome_that_much_later(patient):
    patient.see(Phase.FAILED, 0)
    assert patient.round(0.2).next_at == at(15)
    patient.look(14.9)
    assert patient.round(14.9).owed == 0
    patient.look(15)
    decided = patient.round(15)
    assert (decided.owed, [alert.due_at for alert in decided.alerts]) == (1, [None])
    assert patient.messages == [("team", [FAILED])]


def test_a_pending_alert_is_there_with_its_due_time_and_starts_with_the_failure(patient):
    patient.see(Phase.FAILED, 0)
    assert patient.round(0.2).alerts == ()
    (alert,) = patient.alerts
    assert (alert.starts_at, alert.due_at) == (at(0), at(15))


@pytest.mark.parametrize("minute", [1, 14, 15])
def test_what_recovers_before_is_never_told(patient, minute):
    patient.see(Phase.FAILED, 0)
    patient.round(0.2)
    patient.see(Phase.SUCCEEDED, minute)
    patient.round(minute + 0.2)
    for later in range(16, 60 * 24, 30):
        patient.look(later)
        assert patient.round(later).alerts == ()
    (alert,) = patient.alerts
    assert (alert.end_reason, patient.messages) == (EndReason.RECOVERED, [])


def test_what_recovers_after_it_was_told_is_told_as_over(patient):
    patient.see(Phase.FAILED, 0)
    patient.round(0.2)
    patient.look(15.1)
    patient.round(15.1)
    patient.sent()
    patient.see(Phase.SUCCEEDED, 20)
    patient.round(20.2)
    assert patient.messages == [("team", [FAILED]), ("team", [OVER])]


def test_a_further_failure_counts_and_does_not_move_the_clock(patient):
    patient.see(Phase.FAILED, 0)
    patient.round(0.2)
    patient.see(Phase.FAILED, 10)
    assert patient.round(10.2).next_at == at(15)
    patient.look(15)
    (alert,) = patient.round(15).alerts
    assert alert.count == 2


def test_a_failure_found_late_that_recovered_in_time_is_never_told(patient):
    patient.see(Phase.SUCCEEDED, 10, seen=40)
    patient.round(40.2)
    patient.see(Phase.FAILED, 0, seen=41)
    patient.round(41.2)
    assert patient.messages == []


def test_a_failure_found_late_that_lasted_longer_is_one_message_that_says_both(patient):
    patient.see(Phase.FAILED, 0, seen=40)
    patient.see(Phase.SUCCEEDED, 20, seen=40)
    patient.round(40.2)
    assert patient.messages == [("team", [OVER])]


def test_a_failure_found_when_its_time_is_over_already_is_told_at_once(patient):
    patient.see(Phase.FAILED, 0, seen=40)
    assert patient.round(40.2).owed == 1


def test_its_clock_outlives_a_restart(patient, tmp_path):
    patient.see(Phase.FAILED, 0)
    patient.round(0.2)
    patient.store.close()
    with_restart = Deciding(open_store(f"sqlite:///{tmp_path / 'watch.db'}"))
    again = partial(decide, settings=PATIENT, since=at(14))
    with_restart.store.write(partial(settle, settings=WATCHING, now=at(14)))
    assert with_restart.store.write(partial(again, now=at(14))).next_at == at(15)
    look = Looked(account=PROD, kind=Kind.TASK, at=at(15), rows=())
    with_restart.store.write(partial(absorb, looked=look))
    assert with_restart.store.write(partial(again, now=at(15))).owed == 1
    with_restart.store.close()


def test_after_a_restart_past_its_time_the_first_look_may_still_show_that_it_recovered(patient):
    patient.see(Phase.FAILED, 0)
    patient.round(0.2)
    again = partial(decide, settings=PATIENT, since=at(60))
    decided = patient.store.write(partial(again, now=at(60.1)))
    assert (decided.owed, decided.next_at) == (0, at(60.1) + timedelta(seconds=5))
    patient.see(Phase.SUCCEEDED, 10, seen=60.2)
    for minute in (60.3, 62):
        assert patient.store.write(partial(again, now=at(minute))).owed == 0
    assert patient.messages == []


@pytest.mark.parametrize(("looked", "minute"), [(True, 60.3), (False, 61)])
def test_after_a_restart_it_is_told_once_it_was_looked_at_or_after_a_minute(
    patient, looked, minute
):
    patient.see(Phase.FAILED, 0)
    patient.round(0.2)
    again = partial(decide, settings=PATIENT, since=at(60))
    assert patient.store.write(partial(again, now=at(60.2))).owed == 0
    if looked:
        patient.look(60.25)
    assert patient.store.write(partial(again, now=at(minute))).owed == 1


def test_a_rule_that_is_switched_off_meanwhile_tells_nothing(patient):
    patient.see(Phase.FAILED, 0)
    patient.round(0.2)
    patient.settings = replace(PATIENT, rules=(BUILT_IN["rejected"],))
    patient.store.write(
        partial(settle, settings=replace(patient.settings, accounts=WATCHED_ACCOUNTS), now=at(5))
    )
    patient.look(16)
    assert patient.round(16).alerts == ()
    assert [alert.end_reason for alert in patient.alerts] == [EndReason.CLOSED]


@pytest.fixture
def returning(store):
    found = Returning(store)
    found.settings = replace(PATIENT, accounts={PROD: AccountLinks()})
    found.round(-600)
    found.sent()
    return found


def rules_told(deciding):
    return sorted(alerts for _, alerts in deciding.messages if alerts != [("watching", "firing")])


def test_what_an_outage_hid_waits_until_it_is_caught_up_with_and_then_is_told(returning):
    returning.returned()
    returning.ran("a", Phase.FAILED, -190)
    returning.ran("b", Phase.FAILED, -190)
    returning.round(1.2)
    assert (rules_told(returning), returning.held) == ([], 2)
    returning.ran("b", Phase.SUCCEEDED, -180, seen=2)
    returning.round(2.2)
    returning.caught_up(3)
    returning.round(3.2)
    assert rules_told(returning) == [[FAILED]]


def test_the_digest_counts_only_what_lasted_long_enough(returning):
    returning.returned()
    for task, minute in (("a", -180), ("b", -100)):
        returning.ran(task, Phase.FAILED, -190)
        returning.ran(task, Phase.SUCCEEDED, minute)
    returning.caught_up(2)
    returning.round(2.2)
    assert rules_told(returning) == [[("away", "firing")]]
    assert "1 failure, which has recovered" in returning.summaries["away"]


def test_what_is_still_pending_when_an_outage_is_caught_up_with_is_told_when_due(returning):
    long = tuple(replace(rule, for_=timedelta(hours=4)) for rule in RULES)
    returning.settings = replace(returning.settings, rules=(*long, BUILT_IN["away"]))
    returning.returned()
    returning.ran("a", Phase.FAILED, -190)
    returning.caught_up(2)
    assert returning.round(2.2).next_at == at(50)
    assert (rules_told(returning), returning.held) == ([], 0)
    returning.look(50)
    returning.round(50)
    assert rules_told(returning) == [[FAILED]]


async def test_the_service_wakes_when_an_alert_comes_due_and_logs_it_then(store, now):
    patient = Patient(store)
    alerter = Alerter(
        store=store,
        in_thread=inline,
        now=lambda: now() + timedelta(hours=12),
        settings=PATIENT,
        changed=Bell(),
        owed=Bell(),
    )
    patient.see(Phase.FAILED, 0)
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(alerter.run)
            await anyio.sleep(15 * 60 - 5)
            assert [one["event"] for one in logs] == []
            patient.look(14.999)
            await anyio.sleep(5)
            patient.look(15.001)
            await anyio.sleep(10)
            tasks.cancel_scope.cancel()
    assert [one["event"] for one in logs] == ["alert_opened"]
    assert patient.messages == [("team", [FAILED])]
