"""The benchmark that compares ways of watching: its methods see, and its scoring is just."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

import pytest

from tests.benchmarks.comparing.baselines import AskEach, ListAgain, ListRunning
from tests.benchmarks.comparing.knowing import Knowledge, Memory
from tests.benchmarks.comparing.measuring import lines
from tests.benchmarks.comparing.scoring import Measured, score
from tests.benchmarks.comparing.situations import MINUTE, Situation
from tests.benchmarks.comparing.staging import BEAT, Stage
from tests.conftest import EPOCH
from tmcwatch.api.client import Client
from tmcwatch.simulator import Durations, small

SECOND = timedelta(seconds=1)
# Runs of a few seconds, so that a minute or two tells much.
SHORT = Durations(median=4 * SECOND, maximum=8 * SECOND, dispatch=SECOND)
LIVELY = replace(small(), executions_per_day=20_000, history=timedelta(minutes=5), durations=SHORT)
CALM = Situation(name="calm", settles=30 * SECOND, measured=2 * MINUTE, found_within=40 * SECOND)
TROUBLED = replace(
    CALM, trouble=MINUTE, bursts=2.0, faults={"error": {"share": 0.9}}, found_within=2 * MINUTE
)


@dataclass
class Blind:
    """Never looks."""

    name: ClassVar[str] = "blind"
    client: Client
    memory: Memory

    async def poll(self) -> None:
        return


@pytest.fixture
def play(tmp_path, now):
    """Play a situation to the daemon and to these baselines; answers with scores by name."""

    async def played(situation, *baselines, window="overlap"):
        stage = Stage(
            scenario=LIVELY, window=window, situation=situation, folder=tmp_path, now=now
        )
        stage.watched_by_the_daemon()
        for baseline in baselines:
            stage.watched_by(baseline)
        return {one.name: one for one in await stage.play()}

    return played


def missed(one):
    return one.ends_missed, one.older_missed, one.starts_missed


@pytest.mark.parametrize("window", ["overlap", "trigger"])
async def test_whoever_looks_misses_nothing_and_whoever_does_not_everything(play, window):
    scores = await play(CALM, ListAgain, AskEach, Blind, window=window)
    blind = scores.pop("blind")
    assert scores.keys() == {"tmcwatch", ListAgain.name, AskEach.name}
    for one in scores.values():
        assert missed(one) == (0, 0, 0)
        assert len(one.delays) == one.ends == blind.ends > 20
        assert 0 < one.delay(0.5) < BEAT.total_seconds() < one.delay(1.0) + 10
        assert one.requests_per_minute > 2
    assert blind.ends_missed + blind.older_missed == blind.ends
    assert blind.starts_missed == blind.starts > 20
    assert blind.requests_per_minute == 0


async def test_what_is_listed_only_while_it_runs_is_missed_when_it_runs_shortly(play):
    scores = await play(CALM, ListRunning)
    one = scores[ListRunning.name]
    assert one.ends / 2 < one.ends_missed < one.ends
    assert len(one.delays) == one.ends - one.ends_missed - one.older_missed
    assert scores["tmcwatch"].ends_missed == 0


async def test_a_burst_and_an_outage_are_lived_through(play):
    scores = await play(TROUBLED, ListAgain, ListRunning)
    for name in ("tmcwatch", ListAgain.name):
        assert missed(scores[name]) == (0, 0, 0)
        assert 0 < scores[name].caught_up_after < 120
    table = "\n".join(lines(TROUBLED, "overlap", list(scores.values())))
    assert all(name in table for name in scores)


def change(minute, state, *, run="one"):
    return {
        "kind": "task",
        "execution_id": run,
        "execution_status": state,
        "at": EPOCH + minute * MINUTE,
    }


def test_a_score_tells_misses_delays_and_what_is_older_than_the_watch():
    situation = replace(CALM, settles=10 * MINUTE, measured=10 * MINUTE, trouble=5 * MINUTE)
    truth = [
        *(change(at, state, run="old") for at, state in ((-1, RECEIVED), (12, SUCCESS))),
        *(change(at, state) for at, state in ((11, RECEIVED), (12, RUNS), (14, SUCCESS))),
        *(change(at, state, run="early") for at, state in ((8, RECEIVED), (9, SUCCESS))),
        *(change(at, state, run="two") for at, state in ((11, RECEIVED), (13, SUCCESS))),
    ]
    knowledge = Knowledge(started={}, ended={("task", "one"): EPOCH + 17 * MINUTE})
    asked = [EPOCH + 11 * MINUTE, EPOCH + 11.5 * MINUTE, EPOCH + 14 * MINUTE, EPOCH]
    found = score("x", knowledge, asked, truth=truth, measured=Measured.of(situation, EPOCH))
    assert (found.ends, found.ends_missed, found.older_missed) == (3, 1, 1)
    assert (found.starts, found.starts_missed) == (1, 1)
    assert (found.delays, found.caught_up_after) == ((180.0,), 120.0)
    assert (found.requests_per_minute, found.most_requests_in_a_minute) == (0.3, 2)


RECEIVED = "EXECUTION_EVENT_RECEIVED"
RUNS = "STARTING_FLOW_EXECUTION"
SUCCESS = "EXECUTION_SUCCESS"
