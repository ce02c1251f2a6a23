"""The budget keeper on virtual time: who may go when, and what a refusal does to the others."""

import math
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmcwatch.api.budget import Budget, Room, Ticket, before_the_head
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.turns import OVERDUE_EVERY, patience

P = Family.PROCESSING
Log = list[tuple[Any, float]]
ENDINGS = st.sampled_from(["answered", "answered", "answered", "failed", "throttled", 0, 7, 45])


@pytest.fixture
def keeper(now):
    return Budget(0.2, now=now, random=lambda: 0.0, saved=2)


async def go(budget, purpose=Purpose.HEAD, *, log=None, family=P, holds=0.0, room=None):
    async with budget.slot(family, purpose, room=room) as slot:
        if log is not None:
            log.append((purpose, anyio.current_time()))
        await anyio.sleep(holds)
        slot.answered()


async def refuse(budget, seconds=None):
    async with budget.slot(P, Purpose.HEAD) as slot:
        slot.throttled(None if seconds is None else timedelta(seconds=seconds))


async def empty(budget):
    """Spend what a fresh budget holds."""
    await go(budget)
    await go(budget)


async def test_two_calls_go_at_once_and_the_next_ones_are_paced(keeper):
    began = anyio.current_time()
    log: Log = []
    for _ in range(8):
        await go(keeper, log=log)
    moments = [round(at - began, 3) for _, at in log]
    assert moments == pytest.approx([0, 0, *(i / (6 - 0.05) for i in range(1, 7))], abs=0.001)


async def test_waiting_calls_go_by_purpose_and_then_by_age(keeper):
    await empty(keeper)
    log: Log = []
    async with anyio.create_task_group() as tasks:
        for purpose in (Purpose.AUDIT, Purpose.NAMES, Purpose.HEAD, Purpose.NAMES, Purpose.ENDS):
            tasks.start_soon(partial(go, keeper, purpose, log=log))
            await anyio.wait_all_tasks_blocked()
        assert keeper.waiting()[Purpose.NAMES] == 2
    assert [purpose for purpose, _ in log] == sorted(
        (purpose for purpose, _ in log), key=list(Purpose).index
    )
    assert sum(keeper.waiting().values()) == 0


async def test_families_do_not_wait_for_each_other(keeper):
    await refuse(keeper, 30)
    began = anyio.current_time()
    await go(keeper, family=Family.ORCHESTRATION)
    assert anyio.current_time() == began


async def test_a_slot_tells_how_long_its_call_waited(keeper):
    await empty(keeper)
    async with keeper.slot(P, Purpose.HEAD) as slot:
        assert slot.waited == pytest.approx(1 / 6, rel=0.02)
        assert not slot.is_late


async def test_a_pause_is_as_long_as_tmc_asked(keeper):
    began = anyio.current_time()
    log: Log = []
    await refuse(keeper, 30)
    await go(keeper, log=log)
    assert log[0][1] - began == pytest.approx(30)


async def test_after_a_pause_one_call_probes_and_the_most_urgent_is_the_one(keeper):
    await refuse(keeper, 10)
    log: Log = []
    async with anyio.create_task_group() as tasks:
        for purpose in (Purpose.AUDIT, Purpose.ENDS, Purpose.HEAD):
            tasks.start_soon(partial(go, keeper, purpose, log=log, holds=3))
    first, second, third = (at for _, at in log)
    assert log[0][0] is Purpose.HEAD
    assert second - first == pytest.approx(3)
    assert third - second < 0.3


async def test_a_probe_that_gets_no_answer_lets_the_next_one_probe(keeper):
    await refuse(keeper, 1)
    async with keeper.slot(P, Purpose.HEAD):
        pass
    began = anyio.current_time()
    await go(keeper)
    assert anyio.current_time() - began < 1


async def test_ten_minutes_of_refusals_end_with_the_most_urgent_call(keeper):
    began = anyio.current_time()
    log: Log = []
    async with anyio.create_task_group() as tasks:
        while anyio.current_time() - began < 600:
            await refuse(keeper, 20)
        for purpose in reversed(Purpose):
            tasks.start_soon(partial(go, keeper, purpose, log=log))
    assert [purpose for purpose, _ in log] == list(Purpose)


async def test_a_call_that_is_given_up_while_waiting_leaves_no_trace(keeper):
    await empty(keeper)
    began = anyio.current_time()
    log: Log = []
    async with anyio.create_task_group() as tasks:
        with anyio.move_on_after(0.1):
            tasks.start_soon(partial(go, keeper, Purpose.ENDS, log=log))
            await go(keeper, Purpose.HEAD)
    assert log[0][1] - began == pytest.approx(1 / 6, rel=0.02)
    assert sum(keeper.waiting().values()) == 0


async def test_a_call_given_up_at_the_moment_of_its_turn_gives_everything_back(keeper):
    room = Room(1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await go(keeper, room=room)
    await empty(keeper)
    assert room.free == 1


async def test_a_turn_granted_to_a_call_that_is_given_up_goes_to_the_next(keeper):
    room = Room(1)
    log: Log = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(go, keeper, room=room, holds=5))
        await anyio.wait_all_tasks_blocked()
        with anyio.CancelScope() as scope:
            tasks.start_soon(_cancel_after, scope, 5)
            await go(keeper, room=room, log=log)
        await go(keeper, Purpose.AUDIT, room=room, log=log)
    assert log[-1][0] is Purpose.AUDIT
    assert room.free == 1


async def _cancel_after(scope, seconds):
    await anyio.sleep(seconds)
    scope.cancel()


async def test_a_full_room_holds_calls_back_but_not_those_of_others(keeper):
    full, other = Room(1), Room(1)
    log: Log = []
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(go, keeper, room=full, holds=10))
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(partial(go, keeper, Purpose.HEAD, room=full, log=log))
        await anyio.wait_all_tasks_blocked()
        for _ in range(3):
            tasks.start_soon(partial(go, keeper, Purpose.AUDIT, room=other, log=log))
    assert [purpose for purpose, _ in log] == [Purpose.AUDIT] * 3 + [Purpose.HEAD]
    assert [at - began < 1 for _, at in log] == [True, True, True, False]


async def test_a_room_is_freed_when_its_call_fails(keeper):
    room = Room(1)
    with suppress(OSError):
        async with keeper.slot(P, Purpose.HEAD, room=room):
            raise OSError
    assert room.free == 1


async def test_the_state_tells_rate_ceiling_and_pause(keeper, now):
    before = keeper.state()[P]
    assert before == (pytest.approx(6), 6, 30, None)
    await refuse(keeper, 30)
    assert keeper.state()[P] == (pytest.approx(5.1), 6, 30, now() + timedelta(seconds=30))
    await anyio.sleep(31)
    assert keeper.state()[P].paused_until is None


async def test_what_happened_may_be_reported_without_a_slot(keeper):
    keeper.throttled(P, timedelta(seconds=40))
    keeper.answered(P)
    began = anyio.current_time()
    await go(keeper)
    assert anyio.current_time() - began == pytest.approx(40)


async def test_a_ceiling_can_be_set(now):
    budget = Budget(0.5, now=now, random=lambda: 0.0, ceilings={P: 120})
    assert budget.state()[P][:3] == (1, 1, 2)
    assert budget.state()[Family.SECURITY][:3] == (0.5, 0.5, 1)


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_a_share_beyond_the_ceiling_is_refused(share, now):
    with pytest.raises(ValueError, match="share"):
        Budget(share, now=now, random=lambda: 0.0)


async def test_a_daemon_that_starts_again_and_again_saves_nothing_up(now):
    began = anyio.current_time()
    log: Log = []
    for _ in range(20):
        await go(Budget(0.2, now=now, random=lambda: 0.0), log=log)
    assert anyio.current_time() - began >= 20 / 6


async def test_another_share_holds_for_those_that_wait_already(now):
    budget = Budget(0.001, now=now, random=lambda: 0.0)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(go, budget)
        await anyio.wait_all_tasks_blocked()
        budget.grant(0.2)
    # A tenth of it at once; the rest is found out.
    assert budget.state()[P].rate == pytest.approx(0.6)
    assert anyio.current_time() - began < 10
    with pytest.raises(ValueError, match="share"):
        budget.grant(0)


async def test_a_failure_pauses_without_cutting_the_rate(now):
    budget = Budget(0.2, now=now, random=lambda: 0.5, saved=2)
    async with budget.slot(P, Purpose.HEAD) as slot:
        slot.failed()
    began = anyio.current_time()
    await go(budget)
    assert anyio.current_time() - began == pytest.approx(0.5)
    assert budget.state()[P].rate == pytest.approx(6)
    assert budget.state()[P].paused_until is None


async def test_while_nothing_answers_few_calls_are_let_out(now):
    budget = Budget(0.2, now=now, random=lambda: 0.5)
    calls = 0
    with anyio.move_on_after(600):
        while True:
            async with budget.slot(P, Purpose.HEAD) as slot:
                calls += 1
                slot.failed()
    assert 60 <= calls <= 90


async def test_a_turn_after_the_deadline_is_late(keeper):
    await refuse(keeper, 30)
    async with keeper.slot(P, Purpose.HEAD, room=Room(beat=timedelta(seconds=10))) as slot:
        assert slot.is_late
    await refuse(keeper, 30)
    async with keeper.slot(P, Purpose.HEAD, room=Room(beat=timedelta(seconds=60))) as slot:
        assert not slot.is_late


async def test_a_ticket_may_be_hastened_while_it_waits(keeper):
    await empty(keeper)
    log: Log = []
    ticket = Ticket(Purpose.AUDIT)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(go, keeper, ticket, log=log))
        tasks.start_soon(partial(go, keeper, Purpose.ENDS, log=log))
        await anyio.wait_all_tasks_blocked()
        ticket.hasten(Purpose.HEAD)
        ticket.hasten(Purpose.NAMES)
    assert [at for at, _ in log] == [ticket, Purpose.ENDS]
    assert ticket.purpose is Purpose.HEAD


async def test_what_the_next_head_waits_for_becomes_as_urgent_as_the_head(now):
    budget = Budget(2 / 1_800, now=now, random=lambda: 0.0)
    log: Log = []

    async def heads():
        for _ in range(6):
            await go(budget, Purpose.ENDS, log=log)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heads)
        await anyio.wait_all_tasks_blocked()
        with before_the_head(anyio.current_time() + 10):
            async with budget.slot(P, Purpose.NAMES) as slot:
                log.append((Purpose.NAMES, anyio.current_time()))
                assert not slot.is_late  # names have more time than a head
                slot.answered()
    assert [purpose for purpose, _ in log].index(Purpose.NAMES) == 1


async def test_what_is_hastened_is_late_by_the_purpose_it_was_asked_for(keeper):
    await refuse(keeper, 60)
    ticket = Ticket(Purpose.AUDIT)

    async def hasten():
        await anyio.sleep(50)
        ticket.hasten(Purpose.HEAD)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hasten)
        async with keeper.slot(P, ticket) as slot:
            assert not slot.is_late


async def test_a_ticket_that_is_hastened_before_a_head_becomes_as_urgent_as_that():
    ticket = Ticket(Purpose.AUDIT)
    with before_the_head(40.0):
        ticket.hasten(Purpose.DETAIL)
    assert [ticket.urgency(at) for at in (39.0, 40.0)] == [Purpose.DETAIL, Purpose.HEAD]


async def test_the_state_of_a_quiet_family_tells_how_far_its_rate_has_climbed(keeper):
    await refuse(keeper, 1)
    async with keeper.slot(P, Purpose.HEAD) as slot:
        slot.answered()
    before = keeper.state()[P].rate
    await anyio.sleep(60)
    assert before < keeper.state()[P].rate < keeper.state()[P].granted


@pytest.mark.parametrize("share", [0.13, 0.2, 0.79])
async def test_the_rate_is_what_is_granted_while_tmc_refuses_nothing(share, now):
    budget = Budget(share, now=now, random=lambda: 0.0)
    assert budget.state()[P].rate == budget.state()[P].granted
    async with budget.slot(P, Purpose.HEAD) as slot:
        slot.answered()
    assert budget.state()[P].rate == budget.state()[P].granted


async def test_what_is_affordable_is_told(keeper):
    assert keeper.affords(P, timedelta(seconds=10)) == pytest.approx(2 + 60, rel=0.02)
    await refuse(keeper, 30)
    assert keeper.affords(P, timedelta(seconds=10)) == 0


@settings(max_examples=30, deadline=None)
@given(
    arrivals=st.lists(
        st.tuples(st.sampled_from(Purpose), st.floats(0, 90), st.floats(0, 40), ENDINGS),
        max_size=60,
    ),
    share=st.sampled_from([0.003, 0.01, 0.04]),
)
async def test_in_any_sliding_minute_calls_stay_within_the_budget(arrivals, share, now):
    budget, room = Budget(share, now=now, random=lambda: 0.5), Room(3)
    log: Log = []
    async with anyio.create_task_group() as tasks:
        for purpose, after, patience, ending in arrivals:
            tasks.start_soon(_arrive, budget, room, log, (purpose, after, patience, ending))
    times = [at for _, at in log]
    most = math.ceil(1_800 * share)
    assert all(sum(start <= at < start + 59.999 for at in times) <= most for start in times)
    assert room.free == 3
    assert sum(budget.waiting().values()) == 0


async def _arrive(budget, room, log, arrival):
    purpose, after, patience, ending = arrival
    await anyio.sleep(after)
    with anyio.move_on_after(patience):
        async with budget.slot(P, purpose, room=room) as slot:
            log.append((purpose, anyio.current_time()))
            await anyio.sleep(1)
            match ending:
                case "answered":
                    slot.answered()
                case "failed":
                    slot.failed()
                case "throttled":
                    slot.throttled(None)
                case seconds:
                    slot.throttled(timedelta(seconds=seconds))


@pytest.mark.uncounted
@settings(max_examples=12, deadline=None)
@given(
    heads=st.integers(0, 8),
    others=st.lists(
        st.tuples(st.sampled_from(list(Purpose)[1:]), st.floats(0, 30)), min_size=1, max_size=12
    ),
)
async def test_no_purpose_waits_longer_than_its_bound(heads, others, now):
    """Heads ask again and again, more than is granted; the rest waits a bounded time."""
    budget, beat = Budget(0.02, now=now, random=lambda: 0.0), timedelta(seconds=5)
    rate, waits = 0.6, []

    async def head():
        while True:
            await go(budget, room=Room(beat=beat))

    async def other(purpose, after):
        await anyio.sleep(after)
        async with budget.slot(P, purpose, room=Room(beat=beat)) as slot:
            waits.append((purpose, slot.waited))
            slot.answered()

    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as bounded:
            for _ in range(heads):
                tasks.start_soon(head)
            for purpose, after in others:
                bounded.start_soon(other, purpose, after)
        tasks.cancel_scope.cancel()
    turns = OVERDUE_EVERY * (len(others) + heads + 1)
    assert all(waited <= patience(purpose, beat) + turns / rate for purpose, waited in waits)


async def test_a_slow_family_need_not_wait_for_its_first_call_of_all(now):
    budget = Budget(0.01, now=now, random=lambda: 0.0)
    began = anyio.current_time()
    await go(budget, family=Family.SECURITY)
    assert anyio.current_time() == began
    await go(budget, family=Family.SECURITY)
    assert anyio.current_time() - began == pytest.approx(100)


@pytest.mark.parametrize(("away", "waits"), [(5, 95), (70, 30), (500, 0)])
async def test_a_restart_counts_the_time_since_the_last_call_of_a_slow_family(away, waits, now):
    before = Budget(0.01, now=now, random=lambda: 0.0)
    await go(before, family=Family.SECURITY)
    await anyio.sleep(away)
    after = Budget(0.01, now=now, random=lambda: 0.0, remembered=before.changes())
    began = anyio.current_time()
    await go(after, family=Family.SECURITY)
    assert anyio.current_time() - began == pytest.approx(waits)


async def test_a_failure_that_prolongs_a_pause_is_told_as_the_pause_it_makes(now):
    budget = Budget(0.2, now=now, random=lambda: 1.0, saved=2)
    budget.throttled(P, timedelta(seconds=1))
    await anyio.sleep(2)
    async with budget.slot(P, Purpose.HEAD) as probe:
        probe.failed()
    assert budget.state()[P].paused_until == now() + timedelta(seconds=1)
