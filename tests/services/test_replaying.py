"""Dead letters that are sent again: at once, in order, under their keys, as things are now."""

from itertools import count

import anyio
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.services.house import HOUR, House, Killed, Receiver, busy, target_of
from tmcwatch.delivering import OnUncertain
from tmcwatch.domain.alert import Status
from tmcwatch.notifiers import NotifierError
from tmcwatch.store.opening import open_store

CLOSED = NotifierError("host: answered 400", permanent=True)
REFUSED = NotifierError("host: answered 401", permanent=True, authentication=True)


def told(receiver: Receiver) -> list[tuple[str, str]]:
    """Answer with what was accepted: the group, and how its alert stood."""
    return [(m.group_key, m.status.value) for m in receiver.accepted]


async def test_a_dead_letter_is_sent_again_at_once_under_its_key(house):
    receiver = Receiver(CLOSED)
    house.owe()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, HOUR, target_of(receiver))
        await anyio.sleep(100)
        assert house.replay().due == 1
    assert receiver.times == [0, 100]
    assert receiver.keys == ["g-1", "g-1"]
    assert [(row.state, row.attempts, row.error) for row in house.rows()] == [
        ("delivered", 1, None)
    ]


async def test_what_is_over_by_then_is_told_as_over_and_never_as_firing(house):
    receiver = Receiver(CLOSED)
    house.owe()
    await house.run(1, target_of(receiver))
    house.end()
    house.replay()
    await house.run(1, target_of(receiver))
    assert told(receiver) == [("g", "resolved")]


async def test_an_opening_and_its_end_that_both_died_are_told_once(house):
    receiver = Receiver(CLOSED, CLOSED)
    house.owe(1)
    await house.run(1, target_of(receiver))
    house.owe(2, over=True)
    await house.run(1, target_of(receiver))
    assert house.states() == ["dead", "dead"]
    done = house.replay()
    assert (done.due, done.nothing_left) == (1, 1)
    await house.run(1, target_of(receiver))
    assert (receiver.keys[2:], told(receiver)) == (["g-2"], [("g", "resolved")])


async def test_an_end_that_is_owed_later_follows_the_replayed_opening(house):
    receiver = Receiver(CLOSED, busy())
    house.owe(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, HOUR, target_of(receiver))
        await anyio.sleep(100)
        house.replay()
        await anyio.sleep(1)
        house.owe(2, over=True)
    # Not merged into the first: a receiver that had seen its key would drop the end.
    assert [m.key for m in receiver.accepted] == ["g-1", "g-2"]
    assert told(receiver) == [("g", "firing"), ("g", "resolved")]


async def test_what_is_owed_before_a_replayed_letter_was_tried_is_not_merged_into_it(house):
    receiver = Receiver(CLOSED)
    house.owe(1)
    await house.run(1, target_of(receiver))
    house.replay()
    house.owe(2, over=True)
    await house.run(1, target_of(receiver))
    assert receiver.keys == ["g-1", "g-1", "g-2"]


async def test_a_replay_repeated_sends_nothing_twice(house):
    receiver = Receiver(CLOSED)
    house.owe()
    await house.run(1, target_of(receiver))
    (row,) = house.rows()
    assert house.replay(row.id).due == 1
    assert house.replay(row.id).due == 0
    await house.run(1, target_of(receiver))
    assert house.replay(row.id).due == 0
    await house.run(1, target_of(receiver))
    assert receiver.keys == ["g-1", "g-1"]


async def test_a_letter_given_up_after_three_days_is_tried_for_three_more(house):
    receiver = Receiver(busy(), busy())
    house.owe(hours_ago=73)
    await house.run(1, target_of(receiver))
    assert house.states() == ["dead"]
    house.replay()
    await house.run(60, target_of(receiver))
    assert receiver.times == [0, 1, 4]
    assert house.states() == ["delivered"]


async def test_a_replay_ends_the_rest_that_a_refused_login_brought(house):
    receiver = Receiver(REFUSED)
    house.owe()
    house.owe(group="other")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, HOUR, target_of(receiver))
        await anyio.sleep(50)
        house.bell.ring()  # which is no replay
        await anyio.sleep(50)
        house.replay()
    assert receiver.times == [0, 100, 100]


async def test_a_replay_after_which_the_login_is_refused_again_asks_once(house):
    receiver = Receiver(REFUSED, REFUSED)
    house.owe()
    house.owe(group="other")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, 2 * HOUR, target_of(receiver))
        await anyio.sleep(100)
        house.replay()
    assert receiver.times == [0, 100, 700]


async def test_a_replay_does_not_hurry_a_receiver_that_asked_to_wait(house):
    receiver = Receiver(CLOSED, busy(77))
    house.owe()
    house.owe(group="other")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, HOUR, target_of(receiver))
        await anyio.sleep(10)
        house.replay()
    assert receiver.times == [0, 0, 77, 77]


async def test_a_letter_held_back_is_replayed_under_its_key_so_that_it_is_known(house):
    receiver = Receiver(Killed())
    target = target_of(receiver, on_uncertain=OnUncertain.HOLD)
    house.owe()
    await house.run_until_killed(target)
    await house.run(60, target)
    house.replay()
    await house.run(60, target)
    assert receiver.keys == ["g-1", "g-1"]


async def test_a_kill_after_a_replay_leaves_it_due(house):
    receiver = Receiver(CLOSED, Killed())
    house.owe()
    await house.run(1, target_of(receiver))
    house.replay()
    await house.run_until_killed(target_of(receiver))
    await house.run(1, target_of(receiver))
    assert receiver.keys == ["g-1", "g-1", "g-1"]
    assert told(receiver) == [("g", "firing")]


LIFE = 600.0
"""Longer than any wait for the next attempt."""

STEPS = st.lists(
    st.sampled_from(["open", "end", "replay", "refuse", "busy", "wait", "kill"]), max_size=14
)


@pytest.fixture(scope="session")
def clock():
    return MockClock(autojump_threshold=0)


@pytest.mark.uncounted
@settings(max_examples=30)
@given(steps=STEPS)
def test_whatever_is_replayed_when_no_end_comes_before_its_opening_and_none_is_lost(
    steps, tmp_path_factory, clock, now
):
    async def play():
        store = open_store(f"sqlite:///{tmp_path_factory.mktemp('play') / 'watch.db'}")
        try:
            with structlog.testing.capture_logs():
                await play_steps(House(store, now), steps)
        finally:
            store.close()

    anyio.run(play, backend="trio", backend_options={"clock": clock})


async def play_steps(house, steps):
    receiver = Receiver()
    answers: dict[str, Exception | Killed] = {"refuse": CLOSED, "busy": busy(), "kill": Killed()}
    numbers = count(1)
    is_opened = is_over = False
    for step in (*steps, "replay"):
        if step in answers:
            receiver.answer(answers[step])
        elif step == "open" and not is_opened:
            is_opened = True
            house.owe(next(numbers))
        elif step == "end" and is_opened and not is_over:
            is_over = True
            house.owe(next(numbers), over=True)
        elif step == "replay":
            house.replay()
        if step in {"wait", "kill"}:
            await live(house, receiver)
    receiver.mend()
    await live(house, receiver)
    house.replay()
    await live(house, receiver)
    told = [message.status for message in receiver.accepted]
    assert told == sorted(told, key=[Status.FIRING, Status.RESOLVED].index)
    assert told.count(Status.FIRING) <= 1
    assert told[-1:] == ([Status.RESOLVED] if is_over else [Status.FIRING] * is_opened)
    keys = [message.key for message in receiver.accepted]
    assert len(set(keys)) == len(keys)
    assert set(house.states()) <= {"delivered"}


async def live(house, receiver):
    try:
        await house.run(LIFE, target_of(receiver))
    except* Killed:
        pass
