"""A budget that is remembered: what is told of its changes, and how the next one goes on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tmcwatch.api.budget import Budget, Room
from tmcwatch.domain.budget import Family, Purpose, RememberedPace

P = Family.PROCESSING


@pytest.fixture
def make(now):
    """Make a budget of 6 calls a second that goes on from what is remembered."""

    def make(remembered=None, share=0.2) -> Budget:
        return Budget(share, now=now, random=lambda: 0.5, remembered=remembered)

    return make


async def call(budget, *, refused=None, family=P):
    async with budget.slot(family, Purpose.HEAD) as slot:
        if refused is None:
            slot.answered()
        else:
            slot.throttled(timedelta(seconds=refused))


async def remember(budget, memory):
    while True:
        memory.update(await budget.changed())


def seconds_until(moment, now):
    return (moment - now()).total_seconds()


async def test_a_refusal_is_told_at_once(make, now):
    budget = make()
    await call(budget)
    budget.changes()
    memory: dict[Family, RememberedPace] = {}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(remember, budget, memory)
        await anyio.wait_all_tasks_blocked()
        assert memory == {}
        await call(budget, refused=30)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert memory.keys() == {P}
    assert memory[P].rate == pytest.approx(5.1)
    assert memory[P].paused_until == now() + timedelta(seconds=30)


async def test_the_end_of_a_pause_is_told_when_tmc_served_a_call_after_it(make):
    budget = make()
    await call(budget, refused=30)
    budget.changes()
    await anyio.sleep(31)
    assert budget.changes() == {}
    await call(budget)
    [told] = budget.changes().values()
    assert told.rate == pytest.approx(5.1)
    assert told.paused_until is None


async def test_a_rate_that_rises_again_is_told(make):
    budget = make()
    await call(budget, refused=1)
    await call(budget)
    budget.changes()
    await anyio.sleep(40)
    await call(budget)
    # It climbs all the time; what is told is a step of it.
    assert 5.1 + 0.3 <= budget.changes()[P].rate <= 6
    await call(budget)
    assert budget.changes() == {}


async def test_calm_calls_tell_of_a_family_once_and_of_no_other(make):
    budget = make()
    for _ in range(10):
        await call(budget)
    assert budget.changes() == {P: RememberedPace(rate=6, paused_until=None)}
    await call(budget)
    assert budget.changes() == {}


async def test_a_later_refusal_that_asks_for_more_is_told(make, now):
    budget = make()
    async with budget.slot(P, Purpose.HEAD) as first, budget.slot(P, Purpose.HEAD) as second:
        first.throttled(timedelta(seconds=5))
        second.throttled(timedelta(seconds=50))
    assert seconds_until(budget.changes()[P].paused_until, now) == pytest.approx(50)


async def test_the_next_budget_is_paused_until_that_moment_and_then_probes(make):
    before = make()
    await call(before, refused=30)
    began = anyio.current_time()
    await anyio.sleep(12)
    after = make(before.changes())
    moments = []

    async def wait_and_hold():
        async with after.slot(P, Purpose.HEAD):
            moments.append(anyio.current_time() - began)
            await anyio.sleep(4)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait_and_hold)
    assert moments == pytest.approx([30, 34, 38], abs=0.001)


async def test_a_restart_neither_moves_the_pause_nor_writes_it_again(make):
    before = make()
    await call(before, refused=30)
    remembered = before.changes()
    for _ in range(5):
        await anyio.sleep(1.000001)
        after = make(remembered)
        until = after.state()[P].paused_until
        assert abs(until - remembered[P].paused_until) <= timedelta(microseconds=2)
        assert after.changes() == {}


async def test_the_state_tells_the_remembered_rate_before_the_first_call(make):
    after = make({P: RememberedPace(rate=2.5, paused_until=None)})
    assert after.state()[P] == (2.5, 6, 30, None)
    assert after.state()[Family.SECURITY].rate == pytest.approx(0.2)


async def test_a_restart_under_a_smaller_share_keeps_the_pause_and_lowers_the_rate(make, now):
    until = now() + timedelta(seconds=30)
    after = make({P: RememberedPace(rate=4.8, paused_until=until)}, share=0.1)
    assert after.state()[P] == (3, 3, 30, pytest.approx(until, abs=timedelta(microseconds=2)))


async def test_other_families_are_not_paused(make, now):
    after = make({P: RememberedPace(rate=6, paused_until=now() + timedelta(seconds=30))})
    began = anyio.current_time()
    await call(after, family=Family.ORCHESTRATION)
    assert anyio.current_time() - began < 1


@dataclass
class Lives:
    """One process after the other that calls as often as it is let, until it is killed."""

    now: Callable[[], datetime]
    memory: dict[Family, RememberedPace] = field(default_factory=dict)
    calls: list[float] = field(default_factory=list)
    in_a_pause: list[float] = field(default_factory=list)

    async def live(self, seconds, refusals):
        budget = Budget(0.01, now=self.now, random=lambda: 0.5, remembered=dict(self.memory))
        room, left = Room(3), list(refusals)
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(remember, budget, self.memory)
                for _ in range(4):
                    tasks.start_soon(self._call, budget, room, left)

    async def _call(self, budget, room, refusals):
        while True:
            async with budget.slot(P, Purpose.HEAD, room=room) as slot:
                self._take_note()
                await anyio.sleep(0.1)
                if refusals:
                    slot.throttled(timedelta(seconds=refusals.pop()))
                else:
                    slot.answered()

    def _take_note(self):
        self.calls.append(anyio.current_time())
        pace = self.memory.get(P)
        if pace and pace.paused_until and seconds_until(pace.paused_until, self.now) > 0.001:
            self.in_a_pause.append(anyio.current_time())


@pytest.mark.uncounted
@example(lives=[(1.0, [])] * 20)
@settings(max_examples=50)
@given(
    lives=st.lists(
        st.tuples(st.floats(0.01, 40), st.lists(st.floats(0, 30), max_size=4)), max_size=15
    )
)
async def test_however_often_it_restarts_it_keeps_the_budget_and_the_pauses(lives, now):
    """A life is how long it lasts, and for how long its first calls are refused."""
    told = Lives(now)
    for seconds, refusals in lives:
        await told.live(seconds, refusals)
    most = 60 * 0.3
    counts = [sum(start <= at < start + 59.999 for at in told.calls) for start in told.calls]
    assert max(counts, default=0) <= most
    assert told.in_a_pause == []
