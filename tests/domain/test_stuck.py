"""Stuck: which executions wait, or are being stopped, for too long, and when that is over."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import LOAD, PROD, at, row
from tmcwatch.domain.alert import EndReason
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.execution import BAD_ENDS, ENDS, OPEN, ExecutionId, Kind, Phase, Trigger
from tmcwatch.domain.limits import Limits
from tmcwatch.domain.opening import Whose
from tmcwatch.domain.stuck import (
    Seen,
    Since,
    Stuck,
    is_stuck,
    long_since,
    look_again_at,
    opened_stuck,
    seen_by,
    unstuck,
)

RULE = BUILT_IN["stuck"]
HELD_UP = (Phase.WAITING, Phase.STOPPING)


def seen(head: float, **changes: Any) -> Seen:
    facts: dict[str, Any] = {"skew": timedelta(), "watched_from": at(-600)}
    return Seen(account=PROD, kind=Kind.TASK, head_at=at(head), **(facts | changes))


def held_up(since: float, phase: Phase = Phase.WAITING, name: str = "r1") -> Stuck:
    return Stuck(
        account=PROD,
        kind=Kind.TASK,
        execution=ExecutionId(name),
        subject=LOAD.id,
        phase=phase,
        trigger=Trigger.SCHEDULED,
        since=at(since),
    )


def alert_of(stuck: Stuck):
    whose = Whose(account=PROD, subject=LOAD, trigger=stuck.trigger)
    return opened_stuck(RULE, stuck, whose, link="", ownership=(), now=at(60))


@given(st.integers(-900, 200), st.sampled_from(HELD_UP), st.integers(0, 90))
def test_nothing_is_stuck_before_its_limit_nor_on_older_evidence(since, phase, head):
    limits = Limits(waiting=timedelta(minutes=20), stopping=timedelta(minutes=5))
    limit = limits.waiting if phase is Phase.WAITING else limits.stopping
    rule = replace(RULE, limits=limits)
    is_due = at(-600) <= at(since) + limit <= at(head)
    assert is_stuck(rule, held_up(since, phase), seen(head)) == is_due
    long_enough = long_since([rule], seen(head))
    asked = long_enough.waiting if phase is Phase.WAITING else long_enough.stopping
    assert asked is not None
    assert (at(since) <= asked) == (at(since) + limit <= at(head))


@given(st.integers(0, 900), st.integers(0, 900), st.integers(0, 90))
def test_it_is_looked_again_when_the_first_is_due_and_never_at_once(waits, stops, now):
    since = Since(waiting=at(-waits / 60), stopping=at(-stops / 60))
    again = look_again_at([RULE], since, now=at(now))
    assert again is not None
    assert again > at(now)
    assert again <= max(at(30 - max(waits, stops) / 60), at(now) + timedelta(seconds=10))


def test_without_any_that_waits_or_stops_there_is_nothing_to_look_for():
    assert look_again_at([RULE], Since(waiting=None, stopping=None), now=at(0)) is None


def test_with_several_rules_the_shortest_limit_wakes_and_each_holds_for_its_own():
    quick = replace(RULE, limits=Limits(waiting=timedelta(minutes=5)))
    assert long_since([RULE, quick], seen(6)).waiting == at(1)
    assert look_again_at([RULE, quick], Since(waiting=at(2), stopping=at(2)), now=at(3)) == at(7)
    assert is_stuck(quick, held_up(0), seen(6))
    assert not is_stuck(RULE, held_up(0), seen(6))


def test_a_rule_that_was_switched_on_later_sees_from_then_on():
    ahead = seen(60, skew=timedelta(minutes=3))
    assert is_stuck(RULE, held_up(0), seen_by(ahead, at(30)))
    assert not is_stuck(RULE, held_up(0), seen_by(ahead, at(31)))
    assert seen_by(ahead, None) == ahead


def test_each_time_one_execution_is_stuck_has_its_own_alert():
    ids = {held_up(0, phase, name).id for phase in HELD_UP for name in ("r1", "r2")}
    assert len(ids) == 4
    assert held_up(0).id == held_up(5).id


@pytest.mark.parametrize("phase", sorted(Phase))
@pytest.mark.parametrize("was", HELD_UP)
def test_only_what_goes_on_has_recovered(phase, was):
    over = unstuck(
        alert_of(held_up(0, was)), row(phase, started_at=at(50), ended_at=at(55)), now=at(60)
    )
    if phase in BAD_ENDS or (was, phase) == (Phase.WAITING, Phase.STOPPING):
        assert over is not None
        assert over.end_reason is EndReason.SUPERSEDED
    elif phase in ENDS | {Phase.RUNNING}:
        assert over is not None
        assert over.end_reason is EndReason.RECOVERED
    else:
        assert phase in OPEN
        assert over is None


def test_one_that_nobody_knows_of_any_more_is_closed():
    over = unstuck(alert_of(held_up(0)), None, now=at(60))
    assert over is not None
    assert over.end_reason is EndReason.CLOSED
