"""Runs that began late, or whose rows are not as they should be."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.domain.telling import PROD, at, row
from tests.services.deciding import SETTINGS, Deciding
from tmcwatch.domain.alert import EndReason, Severity
from tmcwatch.domain.execution import Phase, Trigger
from tmcwatch.domain.limits import Limits
from tmcwatch.domain.observation import Looked
from tmcwatch.tracking.absorbing import absorb

LATE, LATE_OVER = ("started_late", "firing"), ("started_late", "resolved")
ZERO, ZERO_OVER = ("zero_rows", "firing"), ("zero_rows", "resolved")
RATIO, RATIO_OVER = ("rejected_ratio", "firing"), ("rejected_ratio", "resolved")


class Measuring(Deciding):
    def told(self, minute: float) -> list[tuple[str, str]]:
        self.sent()
        before = len(self.messages)
        self.round(minute)
        return [alert for _, alerts in self.messages[before:] for alert in alerts]

    def start(self, minute: float, *, after: float, **changes: Any) -> list[tuple[str, str]]:
        times = {"triggered_at": at(minute - after), "started_at": at(minute), "ended_at": None}
        self.see(Phase.RUNNING, minute, **(times | changes))
        return self.told(minute + 0.2)

    def rows(self, minute: float, processed, rejected=0, phase=Phase.SUCCEEDED, **changes: Any):
        counts = {"rows_processed": processed, "rows_rejected": rejected, "detailed": True}
        self.see(phase, minute, **(counts | changes))
        return self.told(minute + 0.2)


@pytest.fixture
def deciding(store):
    deciding = Measuring(store)
    deciding.watch()
    deciding.name()
    deciding.round(-600)
    return deciding


def on(*names: str, **changes: Any):
    rules = (
        replace(rule, enabled=True, **changes) if rule.name in names else rule
        for rule in SETTINGS.rules
    )
    return replace(SETTINGS, rules=tuple(rules))


def test_a_late_start_is_told_once_it_has_begun_and_ends_with_one_in_time(deciding):
    assert deciding.start(60, after=11) == [LATE]
    (alert,) = deciding.alerts
    assert (alert.severity, alert.starts_at) == (Severity.INFO, at(60))
    assert alert.annotations["summary"] == "task load started 11 min after its trigger"
    assert deciding.start(80, after=30) == []
    assert deciding.alerts[0].count == 2
    assert deciding.start(90, after=1) == [LATE_OVER]
    assert deciding.alerts[0].end_reason is EndReason.RECOVERED


def test_a_start_within_ten_minutes_is_none_of_its_business(deciding):
    assert deciding.start(60, after=10) == []
    assert deciding.alerts == ()


def test_the_success_of_the_late_run_itself_does_not_end_it(deciding):
    deciding.start(60, after=11)
    first = deciding.alerts[0].annotations["execution_id"]
    times = {"triggered_at": at(49), "started_at": at(60)}
    deciding.see(Phase.SUCCEEDED, 61, id=first, **times)
    assert deciding.told(61.2) == []


def test_a_late_start_found_late_or_inside_a_plan_is_not_told(deciding):
    assert deciding.start(60, after=11, seen=75) == []
    assert deciding.start(80, after=11, trigger=Trigger.PLAN) == []
    deciding.settings = on("started_late", inside_plans=True)
    assert deciding.start(90, after=11, trigger=Trigger.PLAN) == [LATE]


def test_the_configured_delay_holds(deciding):
    deciding.settings = on("started_late", limits=Limits(delay=timedelta(minutes=1)))
    assert deciding.start(60, after=2) == [LATE]


def test_rows_are_not_judged_unless_that_is_switched_on(deciding):
    assert deciding.rows(1, 0) == []
    assert deciding.rows(2, 10, rejected=9) == []


def test_a_success_without_rows_is_told_and_ends_with_one_that_has_some(deciding):
    deciding.settings = on("zero_rows")
    assert deciding.rows(1, 0) == [ZERO]
    assert deciding.alerts[0].annotations["summary"] == "task load processed no rows"
    assert deciding.rows(2, 0) == []
    assert deciding.rows(3, 7) == [ZERO_OVER]


def test_a_run_measured_again_as_its_end_is_corrected_opens_nothing_that_was_over(deciding):
    deciding.settings = on("zero_rows")
    first = deciding.see(Phase.SUCCEEDED, 1, rows_processed=0, rows_rejected=0, detailed=True)
    deciding.told(1.2)
    assert deciding.rows(2, 7) == [ZERO_OVER]
    deciding.rows(1, 0, phase=Phase.REJECTED, id=first.id, seen=3)
    deciding.told(3.2)
    assert [one.ends_at for one in deciding.alerts if one.rule == "zero_rows"] == [at(2)]


def test_a_run_whose_rows_are_not_known_says_nothing(deciding):
    deciding.settings = on("zero_rows", "rejected_ratio")
    assert deciding.rows(1, 0, detailed=False) == []
    assert deciding.rows(2, None, rejected=None) == []
    assert deciding.rows(3, 0) == [ZERO]
    assert deciding.rows(4, None) == []
    assert deciding.rows(5, 9, detailed=False) == []


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.REJECTED])
def test_a_large_share_of_rejected_rows_is_told_and_ends_with_a_small_one(deciding, phase):
    deciding.settings = on("rejected_ratio")
    assert RATIO in deciding.rows(1, 1_000, rejected=51, phase=phase)
    alert = next(alert for alert in deciding.alerts if alert.rule == "rejected_ratio")
    assert alert.annotations["summary"] == "task load rejected 51 of 1,000 rows (5.1%)"
    assert RATIO_OVER in deciding.rows(2, 1_000, rejected=50, phase=phase)


def test_a_failed_run_is_not_judged_by_its_rows(deciding):
    deciding.settings = on("zero_rows")
    assert deciding.rows(1, 0, phase=Phase.FAILED) == [("failed", "firing")]


def test_history_is_not_judged(store):
    deciding = Measuring(store)
    deciding.watch()
    deciding.name()
    deciding.settings = on("zero_rows", "started_late")
    times = {"triggered_at": at(-700), "started_at": at(-650), "ended_at": at(-640)}
    one = row(Phase.SUCCEEDED, **times, rows_processed=0, rows_rejected=0, detailed=True)
    look = Looked(account=PROD, kind=one.kind, at=at(-600), rows=(one,))
    store.write(lambda connection: absorb(connection, look))
    assert deciding.told(-599) == []


def test_many_runs_in_one_look_are_judged_in_their_order(deciding):
    deciding.settings = on("zero_rows")
    for minute, processed in enumerate((5, 0, 0, 8, 0)):
        counts = {"rows_processed": processed, "rows_rejected": 0, "detailed": True}
        deciding.see(Phase.SUCCEEDED, minute, **counts)
    deciding.round(9)
    ends = [(alert.starts_at, alert.count, alert.ends_at) for alert in deciding.alerts]
    assert sorted(ends, key=lambda end: end[0]) == [(at(1), 2, at(3)), (at(4), 1, None)]
