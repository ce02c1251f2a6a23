"""Storms: more news than anyone reads is one summary, and its end another."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tests.domain.telling import LOAD, PROD, at, row
from tests.services.deciding import SETTINGS, TEAM, WATCHED, Deciding
from tmcwatch.alerting.deciding import decide
from tmcwatch.alerting.settings import Receiver, Settings
from tmcwatch.domain.alert import Status
from tmcwatch.domain.execution import ExecutionId, Kind, Phase, SubjectId
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.message import Message
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.silence import Silence
from tmcwatch.domain.storm import StormLimit
from tmcwatch.store import outbox
from tmcwatch.store.silences import add_silence
from tmcwatch.store.storms import load_storms
from tmcwatch.tracking.absorbing import absorb

MANY = 300
FAILED = "failed"


def stormy(**changes) -> Settings:
    """Each alert its own group; more than 100 in a minute are a storm, if nothing else is said."""
    limit = changes.pop("storm", StormLimit(above=100, within=timedelta(minutes=1)))
    waits = {"group_wait": timedelta(seconds=30), "group_interval": timedelta(minutes=5)}
    team = Receiver(targets=("team/webhook",), storm=limit)
    return replace(SETTINGS, root=replace(TEAM, **(waits | changes)), receivers={"team": team})


@pytest.fixture
def deciding(store):
    deciding = Deciding(store)
    deciding.watch()
    tasks = [SubjectId(f"t{n}") for n in range(MANY)]
    deciding.name(*(replace(LOAD, id=task, name=task) for task in tasks))
    deciding.store.write(lambda c: decide(c, SETTINGS, now=WATCHED))
    deciding.settings = stormy()
    return deciding


def end_all(deciding: Deciding, phase: Phase, minute: float, *, first=0, last=MANY) -> None:
    """Let a run of each task end so, and be seen at once."""
    deciding.runs += 1
    rows = tuple(
        row(
            phase,
            id=ExecutionId(f"r{deciding.runs}-{n}"),
            subject=SubjectId(f"t{n}"),
            triggered_at=at(minute - 1),
            started_at=at(minute - 1),
            ended_at=at(minute),
        )
        for n in range(first, last)
    )
    look = Looked(account=PROD, kind=Kind.TASK, at=at(minute), rows=rows)
    deciding.store.write(lambda connection: absorb(connection, look))


def decide_all(deciding: Deciding, *minutes: float) -> None:
    for minute in minutes:
        while deciding.round(minute).more:
            pass


def live(deciding: Deciding, start: float, end: float) -> list[Message]:
    """Decide every quarter of a minute, as the receiver accepts all; answers with what is new."""
    before = len(deciding.facts)
    for quarter in range(int(start * 4), int(end * 4) + 1):
        decide_all(deciding, quarter / 4)
        deciding.sent()
    return deciding.facts[before:]


@pytest.mark.uncounted
def test_a_storm_is_one_summary_that_lists_the_worst_and_counts_the_rest(deciding):
    end_all(deciding, Phase.FAILED, 0)
    (summary,) = live(deciding, 0, 30)
    assert summary.storm is not None
    assert (summary.storm.firing, summary.storm.over) == (MANY, 0)
    assert summary.storm.counts["environment"] == {"PROD": MANY}
    assert (len(summary.alerts), summary.unlisted, summary.told_before) == (20, MANY - 20, 0)


def test_what_only_a_summary_speaks_of_is_counted_as_not_told_on_its_own(deciding):
    end_all(deciding, Phase.FAILED, 0)
    silence = Silence(
        id="s1",
        matchers=(matcher_from("name=t0"),),
        created_by="ann",
        comment="patching",
        created_at=at(-1),
        starts_at=at(-1),
        ends_at=at(60),
    )
    deciding.store.write(lambda connection: add_silence(connection, silence))
    suppressed = sum((Counter(deciding.round(n / 4).suppressed) for n in range(8)), Counter())
    assert suppressed == {"storm": MANY - 1, "silence": 1}


@pytest.mark.uncounted
def test_its_recoveries_are_a_summary_too_that_counts_what_still_fires(deciding):
    end_all(deciding, Phase.FAILED, 0)
    live(deciding, 0, 3)
    end_all(deciding, Phase.SUCCEEDED, 3, last=290)
    (summary,) = live(deciding, 3.25, 30)
    assert summary.storm is not None
    assert (summary.storm.firing, summary.storm.over, summary.storm.recovered) == (0, 290, 290)
    assert (summary.told_before, summary.status) == (10, Status.FIRING)


@pytest.mark.uncounted
def test_a_storm_that_goes_on_is_told_once_per_interval_and_then_all_is_as_ever(deciding):
    for minute in range(10):
        end_all(deciding, Phase.FAILED, minute, first=minute * 25, last=minute * 25 + 25)
    deciding.settings = stormy(storm=StormLimit(above=20, within=timedelta(minutes=1)))
    summaries = live(deciding, 0, 20)
    assert sum(message.storm.firing for message in summaries if message.storm) == 250
    assert len(summaries) <= 3
    assert deciding.store.read(load_storms) == {}
    end_all(deciding, Phase.FAILED, 20, first=250, last=251)
    (usual,) = live(deciding, 20, 22)
    assert (usual.storm, len(usual.alerts)) == (None, 1)


def test_the_end_of_what_a_summary_told_is_told_by_its_own_group_once_it_is_calm(deciding):
    end_all(deciding, Phase.FAILED, 0)
    live(deciding, 0, 10)
    end_all(deciding, Phase.SUCCEEDED, 10, last=1)
    (end,) = live(deciding, 10, 12)
    assert (end.storm, end.status, end.alerts[0].labels["id"]) == (None, Status.RESOLVED, "t0")


def test_no_end_is_sent_before_the_summary_that_told_its_alert_was_accepted(deciding):
    end_all(deciding, Phase.FAILED, 0)
    decide_all(deciding, 0, 1)
    (summary,) = deciding.take(1)
    end_all(deciding, Phase.SUCCEEDED, 10, last=1)
    decide_all(deciding, 3, 10, 11)
    assert (summary.message.storm is not None, deciding.take(11)) == (True, [])
    accepted = partial(outbox.delivered, delivery=summary.id, receipt="200", now=at(11))
    deciding.store.write(accepted)
    (end,) = deciding.take(11)
    assert (end.message.storm, end.message.status) == (None, Status.RESOLVED)


def test_the_repeats_of_a_storm_are_a_summary(deciding):
    end_all(deciding, Phase.FAILED, 0)
    live(deciding, 0, 3)
    (again,) = live(deciding, 24 * 60, 24 * 60 + 10)
    assert again.storm is not None
    assert again.storm.firing == MANY
    assert len(again.repeats) == 20


def test_without_the_limit_every_alert_is_told(deciding):
    deciding.settings = stormy(storm=None)
    end_all(deciding, Phase.FAILED, 0)
    assert len(live(deciding, 0, 3)) == MANY


def test_as_many_alerts_as_the_limit_says_are_told_one_by_one(deciding):
    end_all(deciding, Phase.FAILED, 0, last=100)
    assert len(live(deciding, 0, 3)) == 100


def test_alerts_that_trickle_in_below_the_limit_are_told_one_by_one(deciding):
    for minute in range(6):
        end_all(deciding, Phase.FAILED, minute, first=minute * 50, last=minute * 50 + 50)
        live(deciding, minute, minute + 0.75)
    live(deciding, 6, 7)
    assert len(deciding.facts) == MANY


def test_a_restart_in_a_storm_tells_no_more(deciding):
    end_all(deciding, Phase.FAILED, 0, last=150)
    live(deciding, 0, 1)
    end_all(deciding, Phase.FAILED, 1, first=150)
    again = Deciding(deciding.store)
    again.settings = deciding.settings
    assert len(live(again, 1, 20)) == 1
    assert len(deciding.facts) == 2


@pytest.mark.uncounted
def test_the_end_of_a_silence_over_many_alerts_is_one_summary_and_nothing_comes_before(deciding):
    silence = Silence(
        id="s1",
        matchers=(matcher_from("rule=failed"),),
        created_by="ann",
        comment="the engines are moved",
        created_at=at(0),
        starts_at=at(0),
        ends_at=at(20),
    )
    deciding.store.write(lambda c: add_silence(c, silence))
    end_all(deciding, Phase.FAILED, 0)
    assert [m for m in live(deciding, 0, 19.75) if m.storm or FAILED in _rules(m)] == []
    told = [m for m in live(deciding, 20, 30) if FAILED in _rules(m)]
    assert [message.storm.firing for message in told if message.storm] == [MANY]
    assert len(told) == 1


def _rules(message: Message) -> set[str]:
    return {one.rule for one in message.alerts}


def test_a_storm_whose_limit_the_config_took_away_is_over(deciding):
    end_all(deciding, Phase.FAILED, 0)
    live(deciding, 0, 0.75)
    assert deciding.store.read(load_storms) != {}
    deciding.settings = stormy(storm=None)
    live(deciding, 1, 1)
    assert deciding.store.read(load_storms) == {}
