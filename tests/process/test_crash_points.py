"""The real daemon, killed before and after every kind of commit: nothing is lost or told twice."""

import signal
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import anyio
import pytest
from sqlalchemy import select

from tests.oracle import RULES, SUCCESSES
from tests.process.crashing import COMMITS
from tests.process.stage import Stage, running, staged
from tmcwatch.domain.delivery import State
from tmcwatch.domain.execution import ENDS
from tmcwatch.store.schema import capture, deliveries, executions, transitions

SETTLE = timedelta(seconds=2)
DIES_WITHIN = 60.0

CLOCK = timedelta(seconds=1)
"""How well TMC's clock is known: its answers say the time in whole seconds."""

CONFIG = """
accounts: [{name: prod, url: "%(api)s", token: demo, api_share: 1}]
watch: {beat: 1s, settle: {floor: 2s}, history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route:
  receiver: team
  group_by: [kind, id, rule] # not by severity: one that rises is told anew, and its end twice
  group_wait: 0s
  group_interval: 1s
  routes: [{receiver: closed, continue: true}, {receiver: away, continue: true}, {receiver: team}]
receivers:
  - {name: team, webhook: {url: "http://%(inbox)s/alerts"}}
  - {name: closed, webhook: {url: "http://%(inbox)s/answers/410"}}
  - {name: away, webhook: {url: "http://%(inbox)s/answers/503"}}
rules: [{rule: delivery_failing, enabled: false}] # two receivers take nothing, as they should
http: {listen: "127.0.0.1:0"}
"""

POINTS = [
    # What is remembered of a budget: at first that something was asked at all.
    ("_remember", "before", 1),
    ("_remember", "after", 1),
    # What tracking commits.
    ("absorb_names", "before", 1),
    ("absorb_names", "after", 1),
    ("absorb", "before", 4),
    ("absorb", "after", 1),
    ("absorb", "before", 2),
    ("absorb", "after", 3),
    # What alerting commits.
    ("decide", "before", 1),
    ("decide", "after", 3),
    # What delivering commits: a claim, how a send ended, and what is in doubt after a crash.
    ("_send_next", "before", 3),
    ("_record", "before", 1),
    ("_record", "after", 4),
    ("_record", "after", 1),
    ("_record", "after", 2),
    ("_postpone", "before", 2),
    ("_postpone", "after", 1),
    ("_bury", "before", 1),
    ("_bury", "after", 3),
    ("_send_next", "after", 2),
    ("_release", "before", 1),
    ("_release", "after", 1),
    # What alerting commits first after the configuration changed.
    ("settle", "before", 1),
    ("settle", "after", 1),
]
"""A function that is committed, when it dies, and at the how manyeth of such commits.

Something is in doubt, to be released, only after a life that ended between claim and receipt.
"""


@pytest.fixture
def anyio_backend():
    """Run in real time: processes and sockets know no other."""
    return "asyncio"


async def dies(stage: Stage, *point: str) -> None:
    """Run the daemon until it kills itself at a commit."""
    await stage.lives.begin("crashing", *point, str(stage.config))
    try:
        with anyio.fail_after(DIES_WITHIN):
            code = await stage.lives.end()
    except TimeoutError:
        stage.lives.kill()
        raise
    assert code == -signal.SIGKILL, point


def without_away(text):
    """Leave out the receiver that is owed everything for ever: then there is that to settle."""
    lines = [line for line in text.splitlines() if "name: away" not in line]
    return "\n".join(lines).replace("{receiver: away, continue: true}, ", "")


def keys_in_the_outbox(stage):
    """Check that what counts as delivered arrived; answer with the keys of all that was owed."""
    columns = deliveries.c.id, deliveries.c.state
    owed = dict(stage.rows(select(*columns).where(deliveries.c.receiver == "team")))
    delivered = {key for key, state in owed.items() if state == State.DELIVERED}
    assert delivered - stage.inbox.messages.keys() == set(), "delivered, but never sent"
    return owed.keys()


def lives_of(truth):
    """Answer with the changes of every execution, by its kind and id."""
    lives: dict[tuple[str, str], list[Any]] = {}
    for change in truth:
        lives.setdefault((change["kind"], change["execution_id"]), []).append(change)
    return lives


def is_over(change):
    return (change["kind"], change["execution_status"]) in RULES or (
        change["execution_status"] in SUCCESSES
    )


def watermarks_with_all_before_them(stage):
    """Check that all before a watermark is stored; answer with the watermarks."""
    watched_from, watermarks = stage.read(capture.c.watched_from), stage.read(capture.c.watermark)
    columns = executions.c.kind, executions.c.id, executions.c.open
    stored = {(kind, id_): is_open for kind, id_, is_open in stage.rows(select(*columns))}
    for (kind, id_), life in lives_of(stage.simulator.world.truth()).items():
        if kind not in watermarks or life[0]["at"] < watched_from[kind]:
            continue
        if life[0]["at"] < watermarks[kind]:
            assert (kind, id_) in stored, f"the watermark passed {life}"
        if is_over(life[-1]) and life[-1]["at"] < watermarks[kind]:
            assert not stored[kind, id_], f"the watermark passed the end of {life}"
    latest = stage.simulator.time() - SETTLE + CLOCK
    assert all(mark <= latest for mark in watermarks.values())
    return watermarks


def executions_that_ended_once(stage):
    """Check that no phase was entered twice; answer with the executions that ended."""
    columns = transitions.c.kind, transitions.c.execution, transitions.c.phase
    entered = Counter(tuple(row) for row in stage.rows(select(*columns)))
    assert [entry for entry, times in entered.items() if times > 1] == []
    ends = Counter((kind, id_) for kind, id_, phase in entered if phase in ENDS)
    assert [entry for entry, times in ends.items() if times > 1] == []
    return ends.keys()


def test_every_commit_has_a_life_that_ends_before_it_and_one_that_ends_after_it():
    points = {(commit, moment) for commit, moment, _ in POINTS}
    assert points == {(commit, moment) for commit in COMMITS for moment in ("before", "after")}


@pytest.mark.timeout(600)
async def test_a_daemon_that_dies_at_every_commit_loses_nothing_and_repeats_nothing(tmp_path):
    marks = []
    async with staged(tmp_path, CONFIG, slow=0, executions_per_second=2) as stage:
        complete = stage.config.read_text()
        for commit, moment, number in POINTS:
            stage.config.write_text(without_away(complete) if commit == "settle" else complete)
            await dies(stage, commit, moment, str(number))
            marks.append(watermarks_with_all_before_them(stage))
            executions_that_ended_once(stage)
            keys_in_the_outbox(stage)
        async with running(stage):
            until = await stage.eventful(10)
            await stage.settled(until)
        marks.append(watermarks_with_all_before_them(stage))
        assert executions_that_ended_once(stage)
        assert stage.inbox.messages.keys() <= keys_in_the_outbox(stage)
        found, expected = stage.told(until), stage.expected(until)
    assert all(before[kind] <= after[kind] for before, after in pairwise(marks) for kind in before)
    assert expected - found.episodes == set(), "missing"
    assert found.episodes - expected == set(), "told of what never was"
    assert (found.repeats, found.notices) == ((), 1)
    assert len(expected) > 10
