"""Alerting: the log becomes alerts and deliveries, in one transaction, once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from tests.domain.telling import LOAD, PROD, at, row
from tests.services.deciding import SETTINGS, WATCHED, WATCHED_ACCOUNTS, Deciding, route, tree
from tmcwatch.alerting.calm import CURSOR
from tmcwatch.alerting.deciding import decide, settle
from tmcwatch.alerting.settings import AccountLinks, Receiver
from tmcwatch.domain.alert import EndReason, Severity
from tmcwatch.domain.execution import (
    Breakage,
    ExecutionId,
    Kind,
    Phase,
    SubjectId,
    Trigger,
)
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.routing import Route
from tmcwatch.store import schema
from tmcwatch.store.alerts import open_alerts
from tmcwatch.store.engine import StoreError
from tmcwatch.store.transitions import cursor
from tmcwatch.tracking.absorbing import absorb


@pytest.fixture
def deciding(store):
    deciding = Deciding(store)
    deciding.watch()
    deciding.name()
    deciding.store.write(lambda c: decide(c, SETTINGS, now=WATCHED))
    return deciding


FAILED, OVER = ("failed", "firing"), ("failed", "resolved")


def test_a_failure_is_owed_to_the_receiver_of_its_route(deciding):
    deciding.see(Phase.FAILED, 0)
    decided = deciding.round(0.2)
    assert (decided.owed, decided.more) == (1, False)
    assert decided.next_at == at(0.2) + timedelta(hours=24)
    assert deciding.messages == [("team", [FAILED])]
    assert [alert.rule for alert in decided.alerts] == ["failed"]


def test_a_round_with_nothing_new_owes_nothing(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    assert deciding.round(0.3).owed == 0
    assert deciding.round(0.4).alerts == ()


def test_open_phases_and_successes_of_healthy_tasks_owe_nothing(deciding):
    deciding.see(Phase.RUNNING, 0, ended_at=None)
    deciding.see(Phase.SUCCEEDED, 0)
    assert deciding.round(1).owed == 0
    assert deciding.alerts == ()


def test_a_recovery_is_told_where_the_failure_was(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.sent()
    deciding.see(Phase.SUCCEEDED, 5)
    deciding.round(5.2)
    assert deciding.messages == [("team", [FAILED]), ("team", [OVER])]


def test_a_failure_that_is_over_before_it_was_told_is_one_message(deciding):
    deciding.settings = replace(SETTINGS, root=Route(receiver="team"))
    deciding.see(Phase.FAILED, 0)
    assert deciding.round(0.1).next_at == at(0.1) + timedelta(seconds=30)
    deciding.see(Phase.SUCCEEDED, 0.3)
    deciding.round(0.4)
    assert deciding.round(0.7).owed == 1
    assert deciding.messages == [("team", [OVER])]


def test_a_failure_older_than_a_success_seen_before_is_one_message(deciding):
    deciding.see(Phase.SUCCEEDED, 5)
    deciding.round(5.2)
    deciding.see(Phase.FAILED, 3, seen=6)
    deciding.round(6.2)
    assert deciding.messages == [("team", [OVER])]
    (alert,) = deciding.alerts
    assert (alert.starts_at, alert.ends_at) == (at(3), at(5))


@pytest.mark.parametrize(
    "order", [(Phase.FAILED, Phase.SUCCEEDED), (Phase.SUCCEEDED, Phase.FAILED)]
)
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_success_of_the_same_moment_outdoes_a_failure(deciding, order, rounds):
    for phase in order:
        deciding.see(phase, 3)
        if rounds == 2:
            deciding.round(3.2)
    deciding.round(4)
    assert deciding.store.read(open_alerts) == ()


def test_history_owes_nothing_and_is_passed_over(deciding):
    deciding.see(Phase.FAILED, -700)
    deciding.round(0)
    assert deciding.messages == []
    assert deciding.store.read(lambda c: cursor(c, CURSOR)) > 0


def test_cursor_alerts_and_outbox_move_together(deciding):
    deciding.see(Phase.FAILED, 0)
    before = _everything(deciding)

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("""CREATE TEMP TRIGGER full BEFORE INSERT ON deliveries
            BEGIN SELECT RAISE(ABORT, 'disk full'); END""")
        decide(connection, SETTINGS, now=at(0.2))

    with pytest.raises(StoreError, match="disk full"):
        deciding.store.write(work)
    assert _everything(deciding) == before


def _everything(deciding):
    tables = schema.metadata.sorted_tables
    return deciding.store.read(
        lambda connection: {t.name: connection.execute(select(t)).all() for t in tables}
    )


def test_a_round_repeated_after_a_crash_owes_the_same(deciding):
    deciding.see(Phase.FAILED, 0)
    found: list[str] = []

    def crash(connection: Connection) -> None:
        decide(connection, SETTINGS, now=at(0.2))
        found.extend(connection.execute(select(schema.deliveries.c.id)).scalars())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        deciding.store.write(crash)
    assert deciding.ids == set()
    deciding.round(9)
    assert deciding.ids == set(found)


def test_every_target_of_a_receiver_is_owed_the_message(deciding):
    both = Receiver(targets=("team/webhook", "team/log"))
    deciding.settings = replace(SETTINGS, receivers={"team": both})
    deciding.see(Phase.FAILED, 0)
    assert deciding.round(0.2).owed == 2
    assert len(deciding.ids) == 2


def test_a_receiver_that_wants_no_ends_is_owed_none(deciding):
    quiet = Receiver(targets=("team/webhook",), send_resolved=False)
    deciding.settings = replace(SETTINGS, receivers={"team": quiet})
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.see(Phase.SUCCEEDED, 5)
    assert deciding.round(5.2).owed == 0


def test_alerts_of_a_group_share_a_message(deciding):
    deciding.settings = replace(SETTINGS, root=Route(receiver="team"))
    deciding.name(LOAD, replace(LOAD, id=SubjectId("t2")))
    deciding.see(Phase.FAILED, 0)
    deciding.see(Phase.FAILED, 0, subject=SubjectId("t2"))
    deciding.see(Phase.MISFIRED, 0)
    deciding.round(0.1)
    deciding.round(1)
    assert sorted(len(alerts) for _, alerts in deciding.messages) == [1, 2]


def test_a_second_failure_is_counted_and_not_told_again(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.see(Phase.FAILED, 5)
    assert deciding.round(5.2).owed == 0
    assert [alert.count for alert in deciding.alerts] == [2]


def test_a_severity_that_rises_is_routed_anew_and_its_end_told_to_all_who_knew(deciding):
    deciding.settings = tree(route("mild", "severity=info"), route("bad", "severity=warning"))
    deciding.see(Phase.FAILED, 0, trigger=Trigger.MANUAL)
    deciding.round(0.2)
    deciding.see(Phase.FAILED, 1)
    deciding.round(1.2)
    assert deciding.messages == [("mild", [FAILED]), ("bad", [FAILED])]
    deciding.sent()
    deciding.see(Phase.SUCCEEDED, 2)
    deciding.round(2.2)
    assert sorted(deciding.messages[2:]) == [("bad", [OVER]), ("mild", [OVER])]


def test_an_end_is_told_where_it_was_opened_not_where_a_newer_config_routes_it(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.sent()
    deciding.settings = tree(route("other", "rule=failed"))
    deciding.see(Phase.SUCCEEDED, 5)
    deciding.round(5.2)
    assert deciding.messages[1:] == [("team", [OVER])]


@pytest.mark.parametrize("gone", ["route", "receiver"])
def test_a_route_or_receiver_that_is_removed_is_told_nothing_more(deciding, gone):
    deciding.settings = tree(route("other", "rule=failed"))
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    assert deciding.messages == [("other", [FAILED])]
    if gone == "route":
        deciding.settings = tree()
    else:
        team = {"team": SETTINGS.receivers["team"]}
        deciding.settings = replace(deciding.settings, receivers=team)
    for hours in range(1, 100):
        deciding.round(hours * 60)
    assert deciding.messages == [("other", [FAILED])]


def test_settling_closes_alerts_of_rules_that_are_gone_in_silence(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    rules = tuple(replace(rule, enabled=rule.name != "failed") for rule in SETTINGS.rules)
    deciding.settings = replace(SETTINGS, rules=rules)
    deciding.store.write(
        lambda c: settle(c, replace(deciding.settings, accounts=WATCHED_ACCOUNTS), now=at(1))
    )
    (alert,) = deciding.alerts
    assert (alert.end_reason, alert.changed_at) == (EndReason.CLOSED, at(1))
    deciding.round(60 * 24 * 3)
    assert len(deciding.messages) == 1


def test_settling_keeps_what_the_config_still_has(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    there = replace(SETTINGS, accounts=WATCHED_ACCOUNTS)
    deciding.store.write(lambda c: settle(c, there, now=at(0.5)))
    before = _everything(deciding)
    deciding.store.write(lambda c: settle(c, there, now=at(1)))
    assert _everything(deciding) == before


def test_what_still_fires_is_repeated_daily(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0)
    deciding.sent()
    told = [minute for minute in range(60, 60 * 24 * 3 + 1, 60) if deciding.round(minute).owed]
    assert told == [60 * 24, 60 * 48, 60 * 72]


def test_an_alert_nobody_follows_up_expires_after_a_week_and_says_so(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.sent()
    week = 7 * 24 * 60
    deciding.round(week - 60)
    assert deciding.store.read(open_alerts) != ()
    deciding.sent()
    decided = deciding.round(week + 1)
    assert [alert.end_reason for alert in decided.alerts] == [EndReason.EXPIRED]
    assert deciding.messages[-1] == ("team", [OVER])


def test_a_correction_is_told_as_a_change(deciding):
    first = deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.sent()
    deciding.see(Phase.TIMED_OUT, 0, seen=1, id=first.id)
    deciding.round(1.2)
    reasons = {alert.rule: alert.end_reason for alert in deciding.alerts}
    assert reasons == {"failed": EndReason.SUPERSEDED, "timed_out": None}
    told = [alert for _, alerts in deciding.messages[1:] for alert in alerts]
    assert sorted(told) == [("failed", "resolved"), ("timed_out", "firing")]


def test_a_run_of_nobody_opens_nothing(deciding):
    deciding.see(Phase.FAILED, 0, subject=None)
    assert deciding.round(0.2).alerts == ()


def test_a_task_without_names_is_told_by_its_id(deciding):
    deciding.see(Phase.FAILED, 0, subject=SubjectId("t9"))
    (alert,) = deciding.round(0.2).alerts
    assert (alert.labels["name"], alert.labels["environment"]) == ("t9", "unknown")


def test_the_link_of_a_task_is_made_of_its_accounts_template(deciding):
    links = AccountLinks(template="http://{region}/{id}/{execution_id}", region="eu")
    deciding.settings = replace(SETTINGS, accounts={PROD: links})
    deciding.see(Phase.FAILED, 0)
    deciding.see(Phase.FAILED, 0, kind=Kind.PLAN)
    found = {alert.rule: alert.annotations.get("link") for alert in deciding.round(0.2).alerts}
    assert found["failed"] == "http://eu/t1/r1"
    assert found["plan_failed"] is None


def test_a_broken_plan_names_the_tasks_of_its_failing_step(deciding):
    breakage = Breakage(step="step 1 of 2", tasks=(SubjectId("t1"), SubjectId("t9")))
    deciding.see(Phase.FAILED, 0, kind=Kind.PLAN, breakage=breakage)
    (alert,) = deciding.round(0.2).alerts
    assert alert.annotations["failed_tasks"] == "load, t9"
    assert alert.severity is Severity.WARNING


def test_a_storm_is_decided_in_rounds(deciding):
    rows = tuple(
        row(Phase.FAILED, id=ExecutionId(f"r{n}"), ended_at=at(0), subject=SubjectId(f"t{n}"))
        for n in range(300)
    )
    look = Looked(account=PROD, kind=Kind.TASK, at=at(0.1), rows=rows)
    deciding.store.write(lambda connection: absorb(connection, look))
    rounds = 1
    while deciding.round(0.2).more:
        rounds += 1
    assert rounds == 2
    assert len(deciding.messages) == 300


def test_an_account_that_the_config_does_not_have_is_not_told_as_watched(deciding):
    assert deciding.round(0).owed == 0
