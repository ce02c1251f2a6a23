"""What keeps failing, or fails and recovers again and again, becomes worse; and what is said."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.domain.telling import LOAD, PROD, at, row
from tests.services.deciding import SETTINGS, Deciding
from tmcwatch.alerting.deciding import decide
from tmcwatch.domain.alert import EndReason, Severity
from tmcwatch.domain.execution import ExecutionId, Kind, Phase, SubjectId, Trigger
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.rule import After
from tmcwatch.tracking.absorbing import absorb

MANUAL: dict[str, Any] = {"trigger": Trigger.MANUAL}
FAILED, OVER = ("failed", "firing"), ("failed", "resolved")


class Worsening(Deciding):
    def told(self, minute: float) -> list[tuple[str, str]]:
        self.sent()
        before = len(self.messages)
        self.round(minute)
        return [alert for _, alerts in self.messages[before:] for alert in alerts]

    def run(self, phase: Phase, minute: float, **changes: Any) -> list[tuple[str, str]]:
        self.see(phase, minute, **changes)
        return self.told(minute + 0.5)

    def set(self, name: str, **changes: Any) -> None:
        self.settings = replace(
            self.settings,
            rules=tuple(
                replace(rule, **changes) if rule.name == name else rule
                for rule in self.settings.rules
            ),
        )

    @property
    def alert(self):
        return max(self.alerts, key=lambda alert: alert.starts_at)


@pytest.fixture
def deciding(store):
    deciding = Worsening(store)
    deciding.watch()
    deciding.name()
    deciding.round(-600)
    return deciding


def test_the_third_failure_in_a_row_raises_an_episode_to_a_warning(deciding):
    severities = []
    for minute in (1, 2, 3, 4):
        deciding.run(Phase.FAILED, minute, **MANUAL)
        severities.append(deciding.alert.severity.value)
    assert severities == ["info", "info", "warning", "warning"]
    assert deciding.alert.labels["severity"] == "warning"
    assert deciding.alert.annotations["failures_in_a_row"] == "4"


def test_a_warning_becomes_critical_only_where_the_config_says_so(deciding):
    for minute in (1, 2, 3):
        deciding.run(Phase.FAILED, minute)
    assert deciding.alert.severity == "warning"
    deciding.set("failing_again", severity=Severity.CRITICAL)
    deciding.run(Phase.FAILED, 4)
    assert deciding.alert.severity == "critical"


def test_it_is_raised_by_one_step_only_however_long_it_lasts(deciding):
    deciding.set("failing_again", severity=Severity.CRITICAL)
    for minute in range(1, 9):
        deciding.run(Phase.FAILED, minute, **MANUAL)
    assert deciding.alert.severity is Severity.WARNING


@pytest.mark.parametrize("changes", [{"enabled": False}, {"in_a_row": 9}])
def test_switched_off_or_with_a_higher_count_it_raises_nothing(deciding, changes):
    deciding.set("failing_again", **changes)
    for minute in (1, 2, 3):
        deciding.run(Phase.FAILED, minute, **MANUAL)
    assert deciding.alert.severity is Severity.INFO


def test_a_success_in_between_begins_the_count_anew(deciding):
    for minute, phase in enumerate("FFSFF"):
        deciding.run(Phase.FAILED if phase == "F" else Phase.SUCCEEDED, minute, **MANUAL)
    assert deciding.alert.severity is Severity.INFO


def up_and_down(deciding, times: int) -> None:
    for n in range(times):
        deciding.run(Phase.FAILED, 10 * n, **MANUAL)
        deciding.run(Phase.SUCCEEDED, 10 * n + 5)


def test_the_fourth_episode_within_six_hours_is_flapping(deciding):
    up_and_down(deciding, 3)
    assert "flapping" not in deciding.alert.annotations
    assert deciding.run(Phase.FAILED, 30, **MANUAL) == [FAILED]
    assert deciding.alert.annotations["flapping"] == "4 times within 6 h"
    assert deciding.alert.annotations["summary"] == (
        "task load failed; it is flapping: 4 times within 6 h"
    )
    assert deciding.alert.severity is Severity.WARNING


def test_what_is_flapping_ends_after_three_successes_in_a_row_and_is_one_message(deciding):
    up_and_down(deciding, 3)
    deciding.run(Phase.FAILED, 30)
    assert deciding.run(Phase.SUCCEEDED, 31) == []
    assert deciding.run(Phase.SUCCEEDED, 32) == []
    assert deciding.run(Phase.FAILED, 33) == []
    assert deciding.run(Phase.SUCCEEDED, 34) == []
    assert deciding.run(Phase.SUCCEEDED, 35) == []
    assert deciding.run(Phase.SUCCEEDED, 36) == [OVER]
    alert = deciding.alert
    assert (alert.count, alert.ends_at, alert.end_reason) == (2, at(36), EndReason.RECOVERED)
    assert alert.annotations["summary"].count("flapping") == 1


def test_episodes_spread_over_a_day_are_not_flapping(deciding):
    for n in range(6):
        deciding.run(Phase.FAILED, 150 * n)
        deciding.run(Phase.SUCCEEDED, 150 * n + 5)
    assert all("flapping" not in alert.annotations for alert in deciding.alerts)


def test_the_configured_count_time_and_calm_hold(deciding):
    two = After(count=2, within=timedelta(minutes=30))
    rule = next(rule for rule in SETTINGS.rules if rule.name == "flapping")
    deciding.set("flapping", after=two, limits=replace(rule.limits, calm_after=2))
    up_and_down(deciding, 1)
    deciding.run(Phase.FAILED, 10)
    assert deciding.alert.annotations["flapping"] == "2 times within 30 min"
    assert deciding.run(Phase.SUCCEEDED, 11) == []
    assert deciding.run(Phase.SUCCEEDED, 12) == [OVER]


def test_corrections_of_one_run_are_no_flapping(deciding):
    first = deciding.see(Phase.FAILED, 0)
    deciding.round(0.5)
    for n in range(6):
        phase = Phase.TIMED_OUT if n % 2 == 0 else Phase.FAILED
        deciding.run(phase, 0, seen=1 + n, id=first.id)
    assert all("flapping" not in alert.annotations for alert in deciding.alerts)


def test_what_is_usual_is_said_with_a_failure(deciding):
    for n, minutes in enumerate((8, 9, 30)):
        deciding.run(Phase.SUCCEEDED, 100 * n, started_at=at(100 * n - minutes))
    deciding.run(Phase.FAILED, 300, started_at=at(288), engine="e1")
    said = deciding.alert.annotations
    assert said["run_time"] == "12 min, usually 9 min"
    assert said["last_success"] == moment_text(at(200))
    assert (said["failures_in_a_row"], said["engine"]) == ("1", "e1")
    assert deciding.alert.labels["engine"] == "e1"


def test_a_first_failure_has_no_usual_and_no_last_success(deciding):
    deciding.run(Phase.FAILED, 300, started_at=at(299.5))
    said = deciding.alert.annotations
    assert said["run_time"] == "30 s"
    assert "last_success" not in said
    assert "same_error" not in said


def test_a_run_that_never_started_has_no_run_time(deciding):
    deciding.run(Phase.MISFIRED, 3, started_at=None)
    assert "run_time" not in deciding.alert.annotations


def test_it_is_said_how_many_others_failed_with_the_same_text(deciding):
    others = [SubjectId(f"t{n}") for n in range(2, 7)]
    deciding.name(LOAD, *(replace(LOAD, id=id_) for id_ in others))
    for n, id_ in enumerate(others):
        error = "disk full" if n < 4 else "another"
        deciding.run(Phase.FAILED, n, subject=id_, error=error)
    deciding.run(Phase.FAILED, 10, error="disk full")
    found = {alert.labels["id"]: alert.annotations.get("same_error") for alert in deciding.alerts}
    assert found["t1"] == "4 other tasks failed with the same text within the hour"
    assert found["t3"] == "1 other task failed with the same text within the hour"
    assert found["t2"] is None
    assert found["t6"] is None
    deciding.run(Phase.FAILED, 80, error="disk full")
    assert "same_error" not in deciding.alerts[0].annotations


def test_a_success_asks_for_nothing_of_this(deciding):
    rows = tuple(
        row(Phase.SUCCEEDED, id=ExecutionId(f"r{n}"), started_at=at(0), ended_at=at(1))
        for n in range(50)
    )
    look = Looked(account=PROD, kind=Kind.TASK, at=at(1.1), rows=rows)
    deciding.store.write(partial(absorb, looked=look))
    statements: list[str] = []

    def work(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
        decide(connection, deciding.settings, now=at(2))

    deciding.store.write(work)
    of_alerts = [text for text in statements if "FROM alerts" in text]
    assert 50 <= len(of_alerts) <= 50 + 12
    assert [text for text in statements if "ORDER BY executions.ended_at" in text] == []
