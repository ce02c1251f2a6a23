"""Where parts of deciding meet: corrections, closing, waiting, muting, a config that changes."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.domain.telling import LOAD, PROD, at, row
from tests.services.deciding import SETTINGS, TEAM, WATCHED_ACCOUNTS, Deciding, route, tree
from tmcwatch.alerting.deciding import settle
from tmcwatch.alerting.grouping import wake_groups_of
from tmcwatch.alerting.settings import AccountLinks
from tmcwatch.domain.alert import EndReason
from tmcwatch.domain.episode import ended
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, Phase, SubjectId, Trigger
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.domain.scope import Scope
from tmcwatch.domain.silence import Silence
from tmcwatch.store.alerts import open_alerts, save_alerts
from tmcwatch.store.silences import add_silence
from tmcwatch.tracking.absorbing import absorb, absorb_names

PLAN = replace(LOAD, kind=Kind.PLAN, id=SubjectId("p1"), name="nightly")
FAILED, OVER = ("failed", "firing"), ("failed", "resolved")
STEP, STEP_OVER = ("plan_step_failed", "firing"), ("plan_step_failed", "resolved")
PLAN_OVER = ("plan_failed", "resolved")


class Seams(Deciding):
    def told(self, minute: float) -> list[tuple[str, str]]:
        """Decide, and answer with what is told of it; it is accepted at once."""
        return [alert for _, alerts in self.told_to(minute) for alert in alerts]

    def told_to(self, minute: float) -> list[tuple[str, list[tuple[str, str]]]]:
        before = len(self.messages)
        self.round(minute)
        new = self.messages[before:]
        self.sent()
        return new

    def run(self, phase: Phase, minute: float, **changes: Any) -> list[tuple[str, str]]:
        self.see(phase, minute, **changes)
        return self.told(changes.get("seen", minute) + 0.2)

    def plan(self, phase: Phase, minute: float, **changes: Any) -> None:
        ends = {} if phase is Phase.RUNNING else {"ended_at": at(minute)}
        facts = {"kind": Kind.PLAN, "id": ExecutionId("P"), "subject": PLAN.id}
        one = row(phase, **(facts | {"started_at": at(0)} | ends | changes))
        look = Looked(account=PROD, kind=Kind.PLAN, at=at(minute), rows=(one,))
        self.store.write(partial(absorb, looked=look))

    def step(self, phase: Phase, minute: float, task: str = "t1") -> list[tuple[str, str]]:
        facts = {"subject": SubjectId(task), "trigger": Trigger.PLAN, "plan": "p1"}
        return self.run(phase, minute, **facts)

    def close(self, minute: float) -> None:
        moment = at(minute)
        for one in self.store.read(open_alerts):
            closed = ended(one, EndReason.CLOSED, at=moment, now=moment)
            self.store.write(partial(save_alerts, changed=[closed]))
            self.store.write(partial(wake_groups_of, alert=one.id, now=moment))
        self.told(minute + 0.5)

    def silence(self, matcher: str, start: float, end: float) -> None:
        one = Silence(
            id="s1",
            matchers=(matcher_from(matcher),),
            created_by="ann",
            comment="known",
            created_at=at(start),
            starts_at=at(start),
            ends_at=at(end),
        )
        self.store.write(partial(add_silence, silence=one))

    def reload(self, minute: float, settings) -> None:
        self.settings = settings
        there = settings if settings.accounts else replace(settings, accounts=WATCHED_ACCOUNTS)
        self.store.write(partial(settle, settings=there, now=at(minute)))


@pytest.fixture
def deciding(store):
    deciding = Seams(store)
    deciding.watch()
    deciding.name(LOAD, PLAN, replace(LOAD, id=SubjectId("t2"), name="store"))
    deciding.round(-600)
    return deciding


def test_an_end_corrected_away_and_back_is_an_episode_of_its_own(deciding):
    run = ExecutionId("r1")
    deciding.run(Phase.FAILED, 0, id=run)
    (first,) = deciding.alerts
    deciding.run(Phase.TIMED_OUT, 0, id=run, seen=1)
    deciding.run(Phase.FAILED, 0, id=run, seen=2)
    deciding.run(Phase.TIMED_OUT, 0, id=run, seen=3)
    deciding.run(Phase.FAILED, 0, id=run, seen=4)
    episodes = {one.id: (one.rule, one.end_reason) for one in deciding.alerts}
    assert episodes[first.id] == ("failed", EndReason.SUPERSEDED)
    assert sorted(episodes.values(), key=str) == sorted(
        [
            *[("failed", EndReason.SUPERSEDED)] * 2,
            ("failed", None),
            *[("timed_out", EndReason.SUPERSEDED)] * 2,
        ],
        key=str,
    )
    assert deciding.run(Phase.SUCCEEDED, 9) == [OVER]


def test_a_run_that_was_closed_by_a_person_and_is_corrected_twice_stays_closed(deciding):
    run = ExecutionId("r1")
    deciding.run(Phase.FAILED, 0, id=run)
    (first,) = deciding.alerts
    deciding.close(1)
    deciding.run(Phase.SUCCEEDED, 0, id=run, seen=2)
    assert deciding.run(Phase.FAILED, 0, id=run, seen=3) == [FAILED]
    assert {one.id: one.end_reason for one in deciding.alerts}[first.id] is EndReason.CLOSED


def test_what_a_person_closed_of_a_plan_is_not_opened_again_by_its_next_step(deciding):
    deciding.plan(Phase.RUNNING, 0.1)
    assert deciding.step(Phase.FAILED, 5) == [STEP]
    deciding.close(6)
    assert deciding.step(Phase.FAILED, 7, "t2") == []
    assert [one.end_reason for one in deciding.alerts] == [EndReason.CLOSED]


def test_a_correction_of_an_older_failure_does_not_end_what_fails_since(deciding):
    deciding.run(Phase.FAILED, 0, id=ExecutionId("old"))
    deciding.run(Phase.FAILED, 10, id=ExecutionId("new"))
    assert deciding.run(Phase.SUCCEEDED, 0, id=ExecutionId("old"), seen=11) == []
    assert [one.end_reason for one in deciding.alerts] == [None]
    assert deciding.run(Phase.SUCCEEDED, 10, id=ExecutionId("new"), seen=12) == [OVER]


def test_what_recovers_before_it_is_told_is_never_told_however_often(deciding):
    rules = tuple(
        replace(one, for_=timedelta(minutes=15)) if one.name == "failed" else one
        for one in SETTINGS.rules
    )
    deciding.settings = replace(SETTINGS, rules=rules)
    told = []
    for n in range(6):
        told += deciding.run(Phase.FAILED, 20 * n)
        told += deciding.run(Phase.SUCCEEDED, 20 * n + 2)
        told += deciding.told(20 * n + 18)
    assert told == []


def slow_and_fast(wait: int, **changes: Any):
    other = route("other", goes_on=True, group_wait=timedelta(minutes=wait), **changes)
    return tree(other, route("team"))


def test_a_reload_repeats_no_end_to_who_was_told_because_another_waits_for_it(deciding):
    deciding.settings = slow_and_fast(5)
    deciding.see(Phase.FAILED, 0)
    assert deciding.told_to(0.2) == [("team", [FAILED])]
    deciding.see(Phase.SUCCEEDED, 1)
    assert deciding.told_to(1.2) == [("team", [OVER])]
    deciding.reload(2, slow_and_fast(5, group_by=("rule",)))
    assert [one for minute in range(2, 20) for one in deciding.told_to(minute)] == [
        ("other", [OVER])
    ]


def test_the_end_of_what_was_told_is_told_where_what_follows_it_never_is(deciding):
    deciding.settings = replace(SETTINGS, root=replace(TEAM, group_interval=timedelta(minutes=1)))
    deciding.plan(Phase.RUNNING, 0.1)
    assert deciding.step(Phase.FAILED, 5) == [STEP]
    deciding.silence("name=nightly", 6, 60)
    deciding.plan(Phase.FAILED, 9)
    assert deciding.told(9.2) == []
    deciding.plan(Phase.SUCCEEDED, 20, id=ExecutionId("Q"), triggered_at=at(15))
    told = [one for minute in range(20, 70) for one in deciding.told(minute)]
    assert told == [STEP_OVER]


def test_a_task_that_moves_out_of_what_is_watched_is_gone(deciding):
    deciding.run(Phase.FAILED, 0)
    moved = replace(LOAD, environment_id="x", environment="TEST")
    names = NamesRead(account=PROD, at=at(1), subjects=(moved,), complete=True)
    scope = Scope(environments=frozenset({"PROD"}))
    deciding.settings = replace(deciding.settings, scopes={PROD: scope})
    deciding.store.write(lambda c: absorb_names(c, names, scope))
    assert deciding.told(2) == [OVER]
    assert [one.end_reason for one in deciding.alerts] == [EndReason.SUBJECT_GONE]


def test_the_end_of_what_was_told_does_not_wait_longer_than_its_later_cause(deciding):
    root = replace(TEAM, group_interval=timedelta(minutes=1))
    deciding.settings = replace(SETTINGS, root=root)
    assert deciding.run(Phase.FAILED, 0, engine="e1") == [FAILED]
    lost = {"engine": "e1", "reason": "ENGINE_UNAVAILABLE", "started_at": None}
    deciding.run(Phase.MISFIRED, 10, subject=SubjectId("t2"), **lost)
    deciding.run(Phase.FAILED, 11, engine="e1")
    told = deciding.run(Phase.SUCCEEDED, 20, engine="e1")
    told += [one for minute in range(21, 40) for one in deciding.told(minute)]
    assert sorted(told) == [OVER, ("misfired_engine", "resolved")]


def test_what_failed_in_an_account_or_list_that_is_watched_no_longer_is_closed(deciding):
    deciding.plan(Phase.FAILED, 1)
    deciding.see(Phase.FAILED, 1, kind=Kind.PROMOTION)
    deciding.run(Phase.FAILED, 1)
    tasks_only = frozenset({Kind.TASK})
    deciding.reload(2, replace(SETTINGS, accounts={PROD: AccountLinks()}, kinds=tasks_only))
    ends = {one.rule: one.end_reason for one in deciding.alerts}
    assert ends == {"failed": None, "promotion_failed": None, "plan_failed": EndReason.CLOSED}
    deciding.reload(3, replace(SETTINGS, accounts={AccountName("test"): AccountLinks()}))
    assert [one.end_reason for one in deciding.alerts] == [EndReason.CLOSED] * 3
    assert [one for day in range(1, 9) for one in deciding.told(day * 24 * 60)] == []
