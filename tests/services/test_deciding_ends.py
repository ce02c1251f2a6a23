"""Ends that no run brings: a task that is gone, a verdict that nobody follows up."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tests.domain.telling import LOAD, PROD, at
from tests.services.deciding import Deciding
from tmcwatch.domain.alert import EndReason
from tmcwatch.domain.execution import Kind, Phase, SubjectId, Workspace
from tmcwatch.domain.observation import NamesRead
from tmcwatch.store.alerts import open_alerts
from tmcwatch.tracking.absorbing import absorb_names

FAILED, OVER = ("failed", "firing"), ("failed", "resolved")
OTHER = replace(LOAD, id=SubjectId("t2"))
FINANCE = Workspace(id="w", name="finance", environment_id="e", environment="PROD")
DAY = 24 * 60


class Ending(Deciding):
    def told(self, minute: float) -> list[tuple[str, str]]:
        self.sent()
        before = len(self.messages)
        self.round(minute)
        return [alert for _, alerts in self.messages[before:] for alert in alerts]

    def names(self, *subjects, complete: bool = True, workspaces=None) -> None:
        names = NamesRead(
            account=PROD,
            at=at(1),
            subjects=subjects,
            complete=complete,
            workspaces=workspaces,
        )
        self.store.write(partial(absorb_names, names=names))

    def lasts(self, days: int) -> bool:
        """Tell whether what is open ends so many days after noon, to two hours or so."""
        self.round(days * DAY - 120)
        is_open = bool(self.store.read(open_alerts))
        self.round(days * DAY + 60)
        return is_open and not self.store.read(open_alerts)


@pytest.fixture
def deciding(store):
    deciding = Ending(store)
    deciding.watch()
    deciding.name(LOAD, OTHER)
    deciding.round(-600)
    return deciding


def test_alerts_of_a_task_that_is_gone_end_and_say_so_to_who_was_told(deciding):
    deciding.see(Phase.FAILED, 0)
    assert deciding.told(0.2) == [FAILED]
    deciding.names(OTHER, workspaces=(FINANCE,))
    assert deciding.told(5) == [OVER]
    (alert,) = deciding.alerts
    assert (alert.end_reason, alert.ends_at) == (EndReason.SUBJECT_GONE, at(5))


def test_a_task_that_is_still_listed_keeps_its_alerts(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.names(LOAD, workspaces=(FINANCE,))
    assert deciding.told(5) == []


def test_a_list_of_names_that_is_not_whole_says_nothing_is_gone(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.names(OTHER, complete=False)
    assert deciding.told(5) == []


def test_a_task_whose_workspace_is_out_of_sight_need_not_be_gone(deciding):
    deciding.names(LOAD, workspaces=(FINANCE,))
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.names(workspaces=())
    deciding.told(5)
    assert [alert.rule for alert in deciding.store.read(open_alerts)] == [
        "failed",
        "workspace_lost",
    ]


def test_a_task_without_a_name_is_not_taken_for_gone(deciding):
    deciding.see(Phase.FAILED, 0, subject=SubjectId("t9"))
    deciding.round(0.2)
    assert deciding.told(5) == []


def test_the_name_of_a_promotion_is_not_missed(deciding):
    deciding.see(Phase.FAILED, 0, kind=Kind.PROMOTION)
    deciding.round(0.2)
    deciding.names(replace(LOAD, kind=Kind.PROMOTION))
    deciding.names()
    assert deciding.told(5) == []


def every(deciding, interval: timedelta, runs: int) -> None:
    minutes = interval / timedelta(minutes=1)
    for n in range(runs, 0, -1):
        phase = Phase.SUCCEEDED if n > 1 else Phase.FAILED
        deciding.see(phase, -minutes * (n - 1))


@pytest.mark.parametrize(
    ("interval", "days"),
    [
        (timedelta(minutes=5), 3),
        (timedelta(days=2), 6),
        (timedelta(days=7), 21),
        (timedelta(days=30), 35),
    ],
)
def test_a_verdict_lasts_three_usual_intervals(store, interval, days):
    deciding = Ending(store)
    deciding.watch(watched_from=at(-400 * DAY))
    deciding.name()
    every(deciding, interval, runs=5)
    deciding.round(0.1)
    assert deciding.lasts(days=days)
    assert deciding.alerts[0].end_reason is EndReason.EXPIRED


def test_without_a_usual_interval_it_lasts_a_week(deciding):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.1)
    assert deciding.lasts(days=7)
