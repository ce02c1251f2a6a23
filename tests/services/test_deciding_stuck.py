"""What waits to start, or is being stopped, for too long is told, from what the store knows."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.domain.telling import LOAD, PROD, at, row
from tests.services.deciding import SETTINGS, WATCHED, Deciding
from tmcwatch.domain.alert import EndReason, Severity
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.episode import ended
from tmcwatch.domain.execution import ExecutionId, Kind, Phase, SubjectId, Trigger
from tmcwatch.domain.limits import Limits
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.scope import Scope
from tmcwatch.domain.window import Window
from tmcwatch.store.alerts import open_alerts, save_alerts
from tmcwatch.store.conditions import begin_condition, end_condition
from tmcwatch.tracking.absorbing import absorb

STUCK, OVER = ("stuck", "firing"), ("stuck", "resolved")


class Stopping(Deciding):
    """A list that is looked at on and on."""

    def look(self, minute: float, *rows, **changes: Any) -> None:
        look = Looked(account=PROD, kind=Kind.TASK, at=at(minute), rows=rows, **changes)
        self.store.write(partial(absorb, looked=look))

    def told(self, minute: float) -> list[tuple[str, str]]:
        """Look, decide, and answer with what the messages since the last time say."""
        self.sent()
        before = len(self.messages)
        self.round(minute)
        return [alert for _, alerts in self.messages[before:] for alert in alerts]

    @property
    def stuck(self):
        return [alert for alert in self.alerts if alert.rule == "stuck"]


@pytest.fixture
def deciding(store):
    deciding = Stopping(store)
    deciding.watch()
    deciding.name()
    deciding.round(-600)
    return deciding


def waiting(**changes: Any):
    return row(Phase.WAITING, **changes)


def ended_row(phase: Phase, minute: float):
    return row(phase, started_at=at(minute - 1), ended_at=at(minute))


def test_a_run_that_waits_half_an_hour_is_told_once(deciding):
    deciding.look(1, waiting(engine="e1"))
    assert deciding.told(1) == []
    deciding.look(30)
    assert deciding.told(30) == [STUCK]
    deciding.look(31)
    assert deciding.told(31) == []
    (alert,) = deciding.stuck
    assert (alert.severity, alert.starts_at) == (Severity.WARNING, at(30))
    assert alert.labels["engine"] == "e1"
    assert alert.annotations["summary"] == (
        "task load has been waiting to start for more than 30 min"
    )


def test_a_stop_that_takes_half_an_hour_is_told(deciding):
    deciding.look(5, row(Phase.STOPPING, started_at=at(0)))
    deciding.look(34.9)
    assert deciding.told(34.9) == []
    deciding.look(35)
    assert deciding.told(35) == [STUCK]


def test_what_runs_is_never_stuck(deciding):
    deciding.look(1, row(Phase.RUNNING, started_at=at(0)))
    deciding.look(900)
    assert deciding.told(900) == []
    assert deciding.round(900).next_at is None


def test_the_round_is_woken_when_the_next_one_is_due(deciding):
    deciding.look(1, waiting())
    assert deciding.round(1).next_at == at(30)


def test_a_time_that_passed_is_not_believed_before_a_look_confirms_it(deciding):
    deciding.look(1, waiting())
    decided = deciding.round(40)
    assert decided.alerts == ()
    assert decided.next_at == at(40) + timedelta(seconds=10)


def test_the_configured_limits_hold(deciding):
    limits = Limits(waiting=timedelta(minutes=5), stopping=timedelta(minutes=2))
    rules = tuple(replace(rule, limits=limits) for rule in SETTINGS.rules)
    deciding.settings = replace(SETTINGS, rules=rules)
    stops = row(Phase.STOPPING, id=ExecutionId("r2"), started_at=at(0))
    deciding.look(0, waiting(), stops)
    deciding.look(2)
    assert deciding.told(2) == [STUCK]
    deciding.look(5)
    assert deciding.told(5) == [STUCK]


@pytest.mark.parametrize(
    ("goes_on", "reason", "told"),
    [
        (row(Phase.RUNNING, started_at=at(40)), EndReason.RECOVERED, [OVER]),
        (ended_row(Phase.SUCCEEDED, 40), EndReason.RECOVERED, [OVER]),
        (ended_row(Phase.FAILED, 40), EndReason.SUPERSEDED, [("failed", "firing")]),
        (row(Phase.MISFIRED, ended_at=at(40)), EndReason.SUPERSEDED, [("misfired", "firing")]),
    ],
)
def test_it_is_over_when_the_run_goes_on_and_superseded_by_a_bad_end(
    deciding, goes_on, reason, told
):
    deciding.look(1, waiting())
    deciding.look(30)
    deciding.round(30)
    deciding.look(40, goes_on)
    assert deciding.told(40) == told
    (alert,) = deciding.stuck
    assert (alert.end_reason, alert.ends_at) == (reason, at(40))


def test_a_bad_end_that_no_rule_tells_of_is_the_end_of_it_for_whoever_was_told(deciding):
    rules = tuple(replace(rule, enabled=rule.name != "failed") for rule in SETTINGS.rules)
    deciding.settings = replace(SETTINGS, rules=rules)
    deciding.look(1, waiting())
    deciding.look(30)
    deciding.round(30)
    deciding.look(40, ended_row(Phase.FAILED, 40))
    assert deciding.told(40) == [OVER]


def test_a_start_after_half_an_hour_is_told_as_the_end_of_that_and_not_as_late_besides(deciding):
    deciding.look(1, waiting())
    deciding.look(30)
    deciding.round(30)
    deciding.look(31, row(Phase.RUNNING, started_at=at(31)))
    assert deciding.told(31) == [OVER]


def test_a_success_of_another_run_does_not_end_it(deciding):
    deciding.look(1, waiting())
    deciding.look(30)
    deciding.round(30)
    deciding.see(Phase.SUCCEEDED, 40, id=ExecutionId("other"))
    assert deciding.told(40) == []
    assert deciding.stuck[0].end_reason is None


def test_what_was_stuck_at_the_first_look_is_history(deciding):
    long_ago = WATCHED - timedelta(minutes=31)
    lately = WATCHED - timedelta(minutes=29)
    other = ExecutionId("r2")
    deciding.look(-600, waiting(triggered_at=long_ago), waiting(id=other, triggered_at=lately))
    deciding.look(0)
    deciding.round(0)
    assert [alert.annotations["execution_id"] for alert in deciding.stuck] == ["r2"]


@pytest.mark.parametrize("changes", [{"trigger": Trigger.PLAN}, {"plan": "p1"}])
def test_a_run_inside_a_plan_is_told_only_where_that_is_wanted(deciding, changes):
    deciding.look(1, waiting(**changes))
    deciding.look(30)
    assert deciding.told(30) == []
    rules = tuple(replace(rule, inside_plans=True) for rule in SETTINGS.rules)
    deciding.settings = replace(SETTINGS, rules=rules)
    assert deciding.told(31) == [STUCK]


def test_skewed_clocks_make_nothing_stuck_before_its_time(deciding):
    ahead = timedelta(minutes=20)
    deciding.look(1, waiting(triggered_at=at(1) + ahead), skew=ahead)
    deciding.look(30, skew=ahead)
    assert deciding.told(30) == []
    deciding.look(31, skew=ahead)
    assert deciding.told(31) == [STUCK]


@pytest.mark.parametrize(("rule", "kind"), [("blind", "task"), ("account_unauthorized", "")])
def test_while_nothing_is_seen_it_is_neither_opened_nor_ended(deciding, rule, kind):
    deciding.look(1, waiting(), waiting(id=ExecutionId("r2"), triggered_at=at(5)))
    deciding.look(30)
    deciding.round(30)
    unseen = Condition(rule=rule, account=PROD, kind=kind, text="unseen", since=at(31))
    deciding.store.write(partial(begin_condition, condition=unseen))
    deciding.look(50, row(Phase.RUNNING, started_at=at(40)))
    deciding.round(50)
    assert [alert.end_reason for alert in deciding.stuck] == [None]
    over = partial(end_condition, rule=rule, account=PROD, kind=kind, at=at(60))
    deciding.store.write(over)
    deciding.round(60)
    ends = {alert.annotations["execution_id"]: alert.end_reason for alert in deciding.stuck}
    assert ends == {"r1": EndReason.RECOVERED, "r2": None}


def test_while_an_outage_is_caught_up_with_nothing_new_is_stuck(deciding):
    deciding.look(1, waiting())
    outage = Window(start=at(2), end=at(90))
    deciding.look(90, away=outage)
    assert deciding.told(90) == []
    deciding.look(91, watermark=at(91))
    assert deciding.told(91) == [STUCK]


def test_one_that_a_person_closed_is_not_told_again(deciding):
    deciding.look(1, waiting())
    deciding.look(30)
    deciding.round(30)
    (alert,) = deciding.stuck
    closed = ended(alert, EndReason.CLOSED, at=at(31), now=at(31))
    deciding.store.write(lambda connection: save_alerts(connection, [closed]))
    deciding.look(40)
    assert deciding.told(40) == []


@pytest.mark.uncounted
def test_each_of_many_is_told_once_and_names_its_task(deciding):
    other = replace(LOAD, id=SubjectId("t2"), name="store")
    deciding.name(LOAD, other)
    rows = [
        waiting(id=ExecutionId(f"r{n}"), subject=SubjectId(f"t{1 + n % 2}")) for n in range(1_200)
    ]
    deciding.look(1, *rows)
    deciding.look(30)
    rounds = [deciding.round(30)]
    while rounds[-1].more:
        rounds.append(deciding.round(30))
    assert sum(len(round_.alerts) for round_ in rounds) == 1_200
    assert max(len(round_.alerts) for round_ in rounds) == 500
    assert deciding.round(31).alerts == ()
    open_ones = deciding.store.read(open_alerts)
    assert len(open_ones) == 1_200
    assert {alert.labels["name"] for alert in open_ones} == {"load", "store"}


def test_what_is_outside_of_what_is_watched_is_not_told(deciding):
    scope = Scope(environments=frozenset({"TEST"}), workspaces=frozenset())
    deciding.settings = replace(SETTINGS, scopes={PROD: scope})
    deciding.look(1, waiting())
    deciding.look(30)
    assert deciding.told(30) == []
