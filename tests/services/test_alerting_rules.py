"""Rules that count, alerts that runs share, and the first look of a rule, in the store."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event

from tests.domain.telling import LOAD, PROD, at, row
from tests.services.deciding import SETTINGS, WATCHED, WATCHED_ACCOUNTS, Deciding
from tmcwatch.alerting.deciding import settle
from tmcwatch.domain.alert import EndReason, Severity
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, Phase, SubjectId
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.rule import After, Rule
from tmcwatch.store.alerts import open_alerts
from tmcwatch.store.opening import open_store
from tmcwatch.store.rule_watches import rules_watched_from
from tmcwatch.tracking.absorbing import absorb

PARALLEL: dict[str, Any] = {"reason": "PARALLEL_EXECUTION_FORBIDDEN"}
FULL: dict[str, Any] = {
    "reason": "MAX_PARALLEL_TASKS_LIMIT_REACHED",
    "engine": "e1",
    "started_at": None,
}
OTHER = replace(LOAD, id=SubjectId("t2"), name="sync")
SECOND: dict[str, Any] = {"subject": SubjectId("t2")}
OFTEN = Rule(
    name="often",
    severity=Severity.CRITICAL,
    phases=frozenset({Phase.FAILED}),
    after=After(count=3, within=timedelta(hours=1)),
)


@pytest.fixture
def deciding(store):
    deciding = Deciding(store)
    deciding.watch()
    deciding.name(LOAD, OTHER)
    deciding.round(-599)
    return deciding


def settled(deciding, *rules, minute=0.0):
    deciding.settings = replace(SETTINGS, rules=rules)
    there = replace(deciding.settings, accounts=WATCHED_ACCOUNTS)
    deciding.store.write(partial(settle, settings=there, now=at(minute)))


def opened(deciding):
    return [alert.rule for alert in deciding.store.read(open_alerts)]


def test_runs_that_may_not_run_beside_each_other_are_told_from_three_in_a_row(deciding):
    for minute in (0, 10):
        deciding.see(Phase.MISFIRED, minute, **PARALLEL)
        assert deciding.round(minute + 0.2).alerts == ()
    deciding.see(Phase.MISFIRED, 20, **PARALLEL)
    (alert,) = deciding.round(20.2).alerts
    assert (alert.rule, alert.count, alert.starts_at) == ("misfired_parallel", 3, at(0))
    assert deciding.messages == [("team", [("misfired_parallel", "firing")])]
    deciding.see(Phase.SUCCEEDED, 30)
    deciding.round(30.2)
    assert opened(deciding) == []


def test_a_success_begins_the_row_anew(deciding):
    for minute, phase in enumerate((Phase.MISFIRED, Phase.MISFIRED, Phase.SUCCEEDED) * 3):
        deciding.see(phase, minute, **PARALLEL)
        deciding.round(minute + 0.2)
    assert deciding.alerts == ()


def test_all_of_a_row_found_in_one_look_is_counted_once(deciding):
    settled(deciding, replace(BUILT_IN["failed"], in_a_row=3))
    for minute in range(5):
        deciding.see(Phase.FAILED, minute)
    (alert,) = deciding.round(5.2).alerts
    assert (alert.count, alert.starts_at) == (5, at(0))


def test_others_runs_do_not_count(deciding):
    settled(deciding, OFTEN)
    for minute in (0, 1):
        deciding.see(Phase.FAILED, minute)
        deciding.see(Phase.FAILED, minute, **SECOND)
        deciding.see(Phase.FAILED, minute, kind=Kind.PLAN)
    deciding.round(2)
    assert deciding.alerts == ()


def test_a_count_begins_anew_once_an_alert_was_over(deciding):
    settled(deciding, OFTEN, minute=-1)
    counts = []
    for minute in range(0, 40, 4):
        deciding.see(Phase.FAILED, minute)
        deciding.round(minute + 0.2)
        counts.append(len(deciding.alerts))
        deciding.see(Phase.SUCCEEDED, minute + 1)
        deciding.round(minute + 1.2)
    assert counts == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3]


def test_a_failure_found_late_completes_a_count(deciding):
    settled(deciding, OFTEN)
    for minute in (0, 30):
        deciding.see(Phase.FAILED, minute)
    deciding.round(31)
    deciding.see(Phase.FAILED, 10, seen=32)
    (alert,) = deciding.round(32.2).alerts
    assert (alert.count, alert.starts_at) == (3, at(0))
    assert alert.annotations["latest_at"] == moment_text(at(30))


def test_what_was_before_the_account_was_watched_does_not_count(deciding):
    settled(deciding, OFTEN, minute=-700)
    for minute in (-601, -600.5, -599, -598):
        deciding.see(Phase.FAILED, minute, seen=-590)
    deciding.round(-589)
    assert deciding.alerts == ()


def test_a_rule_that_is_switched_on_tells_and_counts_nothing_of_before(deciding):
    settled(deciding, replace(BUILT_IN["failed"], enabled=False), BUILT_IN["gap"], minute=-1)
    for minute in (0, 1):
        deciding.see(Phase.FAILED, minute)
    settled(deciding, BUILT_IN["failed"], OFTEN, minute=2)
    deciding.round(2.2)
    assert deciding.alerts == ()
    for minute in (3, 4, 5):
        deciding.see(Phase.FAILED, minute)
        deciding.round(minute + 0.2)
        assert [alert.count for alert in deciding.alerts if alert.rule == "often"] == (
            [3] if minute == 5 else []
        )
    failed = next(alert for alert in deciding.alerts if alert.rule == "failed")
    assert (failed.starts_at, failed.count) == (at(3), 3)


def test_a_rule_is_watched_by_the_clock_of_tmc(deciding):
    settled(deciding, BUILT_IN["gap"], minute=0)
    settled(deciding, BUILT_IN["failed"], BUILT_IN["gap"], minute=1)
    for minute, opens in ((-5, False), (-3, True)):
        one = row(Phase.FAILED, ended_at=at(minute), id=ExecutionId(f"r{minute}"))
        for kind in Kind:
            facts: dict[str, Any] = {"account": PROD, "kind": kind, "at": at(2)}
            facts |= {"rows": (one,) if kind is Kind.TASK else (), "skew": timedelta(minutes=-5)}
            deciding.store.write(partial(absorb, looked=Looked(**facts)))
        deciding.round(2.2)
        assert bool(deciding.alerts) is opens


def test_a_rule_that_was_on_all_the_while_is_watched_on_across_reloads(deciding):
    settled(deciding, BUILT_IN["failed"], OFTEN, minute=-1)
    deciding.see(Phase.FAILED, 0)
    settled(deciding, BUILT_IN["failed"], OFTEN, minute=5)
    (alert,) = deciding.round(5.2).alerts
    assert (alert.rule, alert.starts_at) == ("failed", at(0))
    watched = deciding.store.read(rules_watched_from)
    assert watched["often"] == at(-1)
    settled(deciding, BUILT_IN["failed"], replace(OFTEN, enabled=False), minute=6)
    assert deciding.store.read(rules_watched_from).keys() == {"failed"}


def test_with_a_new_store_every_rule_is_watched_as_its_accounts_are(store):
    deciding = Deciding(store)
    settled(deciding, *BUILT_IN.values(), OFTEN, minute=-5)
    deciding.watch(watched_from=at(-10))
    deciding.name()
    deciding.see(Phase.FAILED, -7, seen=-6)
    (alert,) = deciding.round(-5).alerts
    assert alert.rule == "failed"
    enabled = {name for name, rule in BUILT_IN.items() if rule.enabled}
    assert deciding.store.read(rules_watched_from).keys() == {*enabled, "often"}


def test_after_an_upgrade_the_rules_about_runs_go_on_and_all_others_begin(deciding):
    settled(deciding, *BUILT_IN.values(), OFTEN, minute=5)
    watched = deciding.store.read(rules_watched_from)
    assert watched["failed"] < WATCHED
    assert watched["misfired_limit"] < WATCHED
    assert (watched["often"], watched["blind"]) == (at(5), at(5))


def test_misfires_of_an_engine_are_one_alert_and_over_with_a_run_that_began_since(deciding):
    deciding.see(Phase.MISFIRED, 0, **FULL)
    deciding.see(Phase.MISFIRED, 1, **FULL, **SECOND)
    (alert,) = deciding.round(1.2).alerts
    assert (alert.rule, alert.count, alert.annotations["tasks"]) == (
        "misfired_limit",
        2,
        "load, sync",
    )
    assert (alert.labels["kind"], alert.labels["name"]) == ("engine", "e1")
    deciding.see(Phase.SUCCEEDED, 5, started_at=at(0.5), engine="e1")
    deciding.see(Phase.SUCCEEDED, 6, started_at=at(2), engine="e2", **SECOND)
    deciding.round(6.2)
    assert opened(deciding) == ["misfired_limit"]
    deciding.see(Phase.SUCCEEDED, 8, started_at=at(2), engine="e1", **SECOND)
    deciding.round(8.2)
    (alert,) = deciding.alerts
    assert (alert.ends_at, alert.end_reason) == (at(8), EndReason.RECOVERED)


def test_a_shared_alert_opened_and_over_in_one_round_is_one_message(deciding):
    deciding.see(Phase.MISFIRED, 0, **FULL)
    deciding.see(Phase.SUCCEEDED, 5, started_at=at(2), engine="e1", **SECOND)
    deciding.round(5.2)
    assert deciding.messages == [("team", [("misfired_limit", "resolved")])]


def test_a_misfire_older_than_a_good_run_there_opens_and_ends_at_once(deciding):
    deciding.see(Phase.SUCCEEDED, 5, started_at=at(2), triggered_at=at(2), engine="e1", **SECOND)
    deciding.round(5.2)
    deciding.see(Phase.MISFIRED, 0, seen=6, triggered_at=at(0), **FULL)
    deciding.round(6.2)
    assert deciding.messages == [("team", [("misfired_limit", "resolved")])]


def test_without_an_engine_the_account_has_the_alert_and_another_account_its_own(deciding):
    other = AccountName("other")
    for account in (PROD, other):
        one = row(Phase.MISFIRED, ended_at=at(0), reason=FULL["reason"], id=ExecutionId(account))
        look = Looked(account=account, kind=Kind.TASK, at=at(0.1), rows=(one,))
        deciding.store.write(partial(absorb, looked=look))
    deciding.round(5)
    found = [(alert.labels["kind"], alert.labels["name"]) for alert in deciding.alerts]
    assert sorted(found) == [("account", "other"), ("account", "prod")]
    deciding.see(Phase.SUCCEEDED, 6, started_at=at(5))
    deciding.round(6.2)
    assert [a.labels["name"] for a in deciding.store.read(open_alerts)] == ["other"]


def test_settling_keeps_a_shared_alert_whatever_is_in_scope(deciding):
    deciding.see(Phase.MISFIRED, 0, **FULL)
    deciding.round(0.2)
    settled(deciding, *BUILT_IN.values(), minute=1)
    assert opened(deciding) == ["misfired_limit"]


def test_settling_closes_the_alerts_that_a_rule_no_longer_tells(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.see(Phase.FAILED, 0, **SECOND)
    deciding.round(0.2)
    off = replace(BUILT_IN["failed"], matchers=(matcher_from("name=load"),), enabled=False)
    settled(deciding, off, BUILT_IN["failed"], minute=1)
    assert [a.labels["name"] for a in deciding.store.read(open_alerts)] == ["sync"]


def test_the_engine_of_a_run_is_a_label_where_tmc_names_it(deciding):
    deciding.see(Phase.FAILED, 0, engine="e1")
    (alert,) = deciding.round(0.2).alerts
    assert alert.labels["engine"] == "e1"


def test_a_success_with_nothing_to_end_asks_the_store_for_open_alerts_and_no_more(deciding):
    deciding.settings = replace(SETTINGS, rules=(*BUILT_IN.values(), OFTEN))
    asked = []
    for count in (1, 20, 40):
        for _ in range(count):
            deciding.see(Phase.SUCCEEDED, count)
        asked.append(statements_of_a_round(deciding, count + 1))
    assert asked[2] - asked[1] == 20


def statements_of_a_round(deciding, minute):
    asked = []

    def note(*facts):
        asked.append(facts[2])

    engine = deciding.store.read(lambda connection: connection.engine)
    event.listen(engine, "before_cursor_execute", note)
    deciding.round(minute)
    event.remove(engine, "before_cursor_execute", note)
    return len(asked)


def test_a_store_that_is_opened_again_knows_what_is_shared(deciding, tmp_path):
    deciding.see(Phase.MISFIRED, 0, **FULL)
    deciding.round(0.2)
    deciding.store.close()
    again = Deciding(open_store(f"sqlite:///{tmp_path / 'watch.db'}"))
    again.runs = 9
    again.see(Phase.SUCCEEDED, 8, started_at=at(2), engine="e1", **SECOND)
    again.round(8.2)
    assert opened(again) == []
    again.store.close()
