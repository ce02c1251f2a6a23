"""The poller of promotions: every known one on each beat, the unknown later and later."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
import pytest

from tests.domain.telling import PROD, row
from tmcwatch.api.errors import ApiError, NotFound, refusal
from tmcwatch.domain.execution import ExecutionId, Kind, Phase, Subject, SubjectId
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.domain.promotion import GIVE_UP_AFTER, Wanted
from tmcwatch.polling.beating import keep_beat
from tmcwatch.polling.promotions import LONGEST_WAIT, MOST_AT_ONCE, Follower

BEAT = timedelta(seconds=10)
ONE = ExecutionId("e1")
NAMED = Subject(
    kind=Kind.PROMOTION,
    id=SubjectId("t1"),
    name="TEST to PROD",
    workspace_id=None,
    workspace="",
    environment_id="e",
    environment="PROD",
)


@dataclass
class Tmc:
    """A TMC that knows promotions only."""

    clock: object
    problems: dict[str, ApiError] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)
    names: int = 0
    skew: timedelta = timedelta()

    async def promotion_execution(self, execution, *, purpose):
        assert purpose.value == "ends"
        self.asked.append((anyio.current_time(), execution))
        if execution in self.problems:
            raise self.problems[execution]
        return row(Phase.RUNNING, kind=Kind.PROMOTION, id=ExecutionId(execution.upper()))

    async def promotion(self, promotion, *, purpose):
        assert purpose.value == "names"
        self.names += 1
        if promotion in self.problems:
            raise self.problems[promotion]
        return NAMED


@dataclass
class Bench:
    follower: Follower
    tmc: Tmc
    sent: list[object]
    wanted: list[Wanted]

    async def run(self, span):
        with anyio.move_on_after(span.total_seconds()):
            await keep_beat(self.follower.look, BEAT)

    def rows(self):
        return [look.rows[0] for look in self.sent if isinstance(look, Looked)]


@pytest.fixture
def bench(now):
    def make(*ids, stranger=False) -> Bench:
        tmc, sent = Tmc(clock=now), []
        wanted = [Wanted(id=ExecutionId(id_), asked_at=now(), is_known=False) for id_ in ids]

        async def asked():
            return tuple(wanted)

        async def unnamed(subjects):
            return frozenset(subjects if stranger else ())

        async def send(observation):
            sent.append(observation)

        follower = Follower(
            account=PROD,
            client=tmc,  # type: ignore[arg-type] # the part of a client that it needs
            wanted=asked,
            unnamed=unnamed,
            now=now,
            send=send,
            beat=BEAT,
        )
        return Bench(follower, tmc, sent, wanted)

    return make


def gaps(made, execution=ONE):
    times = [at for at, asked in made.tmc.asked if asked == execution]
    return [round(later - earlier) for earlier, later in itertools.pairwise(times)]


async def test_an_open_execution_is_asked_for_on_every_beat_under_the_id_we_know(bench):
    made = bench(ONE)
    await made.run(timedelta(seconds=35))
    assert gaps(made) == [10, 10, 10]
    assert {each.id for each in made.rows()} == {ONE}
    assert all(look.head for look in made.sent if isinstance(look, Looked))


@pytest.mark.uncounted
async def test_an_unknown_execution_is_asked_for_later_and_later_for_a_day(bench):
    made = bench(ONE)
    made.tmc.problems[ONE] = NotFound("promotion_execution", "no", status=404)
    await made.run(timedelta(days=3))
    waits = gaps(made)
    assert waits[:4] == [10, 20, 40, 80]
    assert max(waits) == LONGEST_WAIT.total_seconds()
    assert made.tmc.asked[-1][0] <= GIVE_UP_AFTER.total_seconds()
    assert made.rows() == []


@pytest.mark.uncounted
async def test_an_execution_given_up_is_asked_for_at_once_when_someone_asks_anew(bench, now):
    made = bench(ONE)
    made.tmc.problems[ONE] = NotFound("promotion_execution", "no", status=404)
    await made.run(timedelta(days=2))
    made.tmc.problems.clear()
    made.wanted[:] = [Wanted(id=ONE, asked_at=now(), is_known=False)]
    await made.follower.look()
    assert len(made.rows()) == 1


@pytest.mark.uncounted
async def test_one_known_before_is_never_given_up(bench, now):
    made = bench()
    made.wanted.append(Wanted(id=ONE, asked_at=now(), is_known=True))
    made.tmc.problems[ONE] = NotFound("promotion_execution", "no", status=404)
    await made.run(timedelta(days=3))
    assert made.tmc.asked[-1][0] > timedelta(days=2).total_seconds()


@pytest.mark.parametrize("status", [400, 403, 404, 500, 501])
async def test_a_problem_of_one_does_not_hold_up_the_others(bench, status):
    made = bench("e0", ONE)
    made.tmc.problems["e0"] = refusal("promotion_execution", status, "no", None)
    assert await made.follower.look()
    assert [each.id for each in made.rows()] == [ONE]


@pytest.mark.parametrize("status", [401, 429, 502, 503])
async def test_a_problem_of_all_ends_the_look(bench, status):
    made = bench("e0", ONE)
    made.tmc.problems["e0"] = refusal("promotion_execution", status, "no", None)
    assert not await made.follower.look()
    assert len(made.tmc.asked) == 1


async def test_many_take_turns(bench):
    ids = [f"e{number}" for number in range(MOST_AT_ONCE + 5)]
    made = bench(*ids)
    await made.follower.look()
    await anyio.sleep(10)
    await made.follower.look()
    assert {asked for _, asked in made.tmc.asked} == set(ids)
    assert len(made.tmc.asked) == 2 * MOST_AT_ONCE


async def test_a_stranger_is_named_before_it_is_told(bench):
    made = bench(ONE, stranger=True)
    await made.follower.look()
    kinds = [type(each) for each in made.sent]
    assert kinds.index(NamesRead) < kinds.index(Looked)


async def test_a_stranger_without_a_name_is_looked_up_once(bench):
    made = bench(ONE, stranger=True)
    made.tmc.problems["t1"] = NotFound("promotion", "no", status=404)
    await made.run(timedelta(seconds=35))
    assert (made.tmc.names, len(made.rows())) == (1, 4)


async def test_a_look_says_how_far_the_clock_of_tmc_is_off(bench):
    """By it an end of just now is not taken for one that was found late."""
    one = bench(ONE)
    one.tmc.skew = timedelta(minutes=-20)
    await one.follower.look()
    assert [look.skew for look in one.sent if isinstance(look, Looked)] == [one.tmc.skew]
