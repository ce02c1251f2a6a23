"""Whatever receivers answer and wherever the process dies, nothing owed is lost or told amiss."""

import shutil

import anyio
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.services.outbox_lives import ANSWERS, Life, Receiver, World, dead_of, said_by
from tmcwatch.delivering import OnUncertain
from tmcwatch.domain.alert import Status
from tmcwatch.store.opening import open_store

TROUBLED = ("keyed", "resent", "held")

answers = st.sampled_from(["accept", "accept", "accept and die", "slow", "hang", *ANSWERS])
lives = st.builds(
    Life,
    seconds=st.sampled_from([1.0, 40.0, 900.0, 2_000.0]),
    owed=st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 25.0, 650.0]), st.sampled_from("ab")), max_size=4
    ).map(tuple),
    answers=st.lists(st.tuples(st.sampled_from(TROUBLED), answers), max_size=9).map(tuple),
    dies_at=st.none() | st.integers(1, 40),
    before=st.booleans(),
)


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("outbox") / "empty.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.mark.uncounted
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(play=st.lists(lives, min_size=1, max_size=5))
def test_all_that_is_owed_is_accepted_or_given_up_in_order_and_once_where_keys_are_kept(
    play, empty
):
    path = empty.with_name("outbox.db")
    for file in path.parent.glob("outbox.db*"):
        file.unlink()
    shutil.copy(empty, path)
    world = World(
        f"sqlite:///{path}",
        (
            Receiver("keyed", is_keyed=True, on_uncertain=OnUncertain.HOLD),
            Receiver("resent", is_keyed=False, on_uncertain=OnUncertain.RESEND),
            Receiver("held", is_keyed=False, on_uncertain=OnUncertain.HOLD),
            Receiver("steady", is_keyed=True, on_uncertain=OnUncertain.RESEND),
        ),
    )

    async def run():
        with structlog.testing.capture_logs():
            for life in play:
                await world.live(life)
            for receiver in world.receivers:
                receiver.answers.clear()
            await world.settle()

    clock = MockClock(autojump_threshold=0)
    anyio.run(run, backend="trio", backend_options={"clock": clock})
    rows = world.rows()
    assert {row.state for row in rows} <= {"delivered", "dead"}
    for receiver in world.receivers:
        nothing_is_lost(world, receiver, rows)
        each_alert_is_told_in_order(receiver)
        a_key_stands_for_one_message(receiver)
    deaths = len(play)
    each_message_is_told_once(world, "held", most=1)
    each_message_is_told_once(world, "resent", most=1 + deaths)
    no_other_delays_the_steady_one(world)


def nothing_is_lost(world, receiver, rows):
    """The newest of what each alert was to be told as was accepted, or is a dead letter."""
    told = {*said_by(message for _, message in receiver.accepted)}
    told |= {*dead_of(rows, receiver.target.name)}
    for group, number in world.numbers.items():
        for episode in range(1, (number + 1) // 2 + 1):
            is_over = 2 * episode <= number
            newest = Status.RESOLVED if is_over else Status.FIRING
            assert (f"{group}{episode}", newest) in told, receiver.name


def each_alert_is_told_in_order(receiver):
    said = said_by(message for _, message in receiver.accepted)
    for alert in {id_ for id_, _ in said}:
        statuses = [status for id_, status in said if id_ == alert]
        assert statuses == sorted(statuses, key=[Status.FIRING, Status.RESOLVED].index)
    for group in "ab":
        episodes = [id_ for id_, _ in said if id_.startswith(group)]
        assert episodes == sorted(episodes, key=lambda id_: int(id_[1:]))


def a_key_stands_for_one_message(receiver):
    """What comes under a key that was accepted says nothing new: it would be dropped."""
    accepted = {message.key: message.alerts for _, message in receiver.accepted}
    seen = set()
    for message in receiver.requests:
        if message.key in seen:
            assert message.alerts == accepted[message.key]
        if accepted.get(message.key) == message.alerts:
            seen.add(message.key)


def each_message_is_told_once(world, name, *, most):
    receiver = next(one for one in world.receivers if one.name == name)
    keys = [message.key for _, message in receiver.accepted]
    assert all(keys.count(key) <= most for key in keys)


def no_other_delays_the_steady_one(world):
    steady = world.receivers[-1]
    assert {at for at, _ in steady.accepted} <= set(world.starts)
