"""The worker of a target: order, retries, shutdown and crashes, in virtual time."""

from datetime import timedelta

import anyio
import pytest
import structlog

from tests.services.house import HOUR, Killed, Receiver, busy, target_of
from tmcwatch.delivering import OnUncertain
from tmcwatch.domain.alert import EndReason
from tmcwatch.notifiers import NotifierCrashed, NotifierError
from tmcwatch.store.schema import deliveries
from tmcwatch.supervisor import Bell


async def test_what_is_owed_is_sent_and_its_receipt_kept(house):
    receiver = Receiver()
    house.owe()
    await house.run(1, target_of(receiver))
    assert receiver.keys == ["g-1"]
    assert [(row.state, row.receipt) for row in house.rows()] == [("delivered", "thanks")]
    assert house.observed.sent == [("oncall", 0)]


async def test_a_ring_has_new_work_sent_at_once(house):
    receiver = Receiver()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, 60, target_of(receiver))
        await anyio.sleep(7)
        house.owe()
    assert receiver.times == [7]


async def test_without_a_ring_work_is_found_within_a_beat(house):
    receiver = Receiver()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, 60, target_of(receiver))
        await anyio.sleep(7)
        house.bell = Bell()  # nobody listens to this one
        house.owe()
    assert receiver.times == [30]


async def test_retry_after_is_obeyed_to_the_second(house):
    receiver = Receiver(busy(77))
    house.owe()
    await house.run(HOUR, target_of(receiver))
    assert receiver.times == [0, 77]
    assert house.observed.failed == [("oncall", "throttled")]


async def test_a_wish_to_wait_longer_than_time_lasts_is_one_to_wait_until_it_is_given_up(house):
    endless = NotifierError("host: answered 429", permanent=False, retry_after=timedelta.max)
    receiver = Receiver(endless)
    house.owe(hours_ago=71)
    await house.run(2 * HOUR, target_of(receiver))
    assert receiver.times == [0, HOUR]


async def test_retry_after_holds_for_all_messages_of_the_target(house):
    receiver = Receiver(busy(77))
    house.owe()
    house.owe(group="other")
    await house.run(HOUR, target_of(receiver))
    assert receiver.times == [0, 77, 77]


async def test_failures_are_tried_again_ever_more_slowly_and_never_hot(house):
    receiver = Receiver(*[busy() for _ in range(200)])
    house.owe()
    await house.run(5 * HOUR, target_of(receiver))
    waits = [
        after - before for before, after in zip(receiver.times, receiver.times[1:], strict=False)
    ]
    assert waits[:4] == [3, 6, 12, 24]
    assert max(waits) == 450
    assert 40 < len(receiver.times) < 50
    assert house.states() == ["pending"]


async def test_a_message_is_given_up_after_three_days(house):
    receiver = Receiver(*[busy() for _ in range(200)])
    house.owe(hours_ago=71)
    await house.run(2 * HOUR, target_of(receiver))
    (row,) = house.rows()
    assert (row.state, receiver.times[-1]) == ("dead", HOUR)
    assert row.error == "given up after 3 days, 0:00:00: host: answered 429"


async def test_a_permanent_error_makes_a_dead_letter(house):
    receiver = Receiver(NotifierError("host: answered 404", permanent=True))
    house.owe()
    house.owe(group="other")
    await house.run(HOUR, target_of(receiver))
    assert house.states() == ["dead", "delivered"]
    assert house.rows()[0].error == "host: answered 404"
    assert house.observed.failed == [("oncall", "permanent")]


async def test_a_refused_login_leaves_the_receiver_alone_for_a_while(house):
    refused = NotifierError("host: answered 401", permanent=True, authentication=True)
    receiver = Receiver(refused)
    house.owe()
    house.owe(group="other")
    await house.run(HOUR, target_of(receiver))
    assert receiver.times == [0, 600]
    assert house.observed.failed == [("oncall", "authentication")]


async def test_messages_of_a_group_keep_their_order_through_failures(house):
    receiver = Receiver(busy(), busy())
    house.owe(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, HOUR, target_of(receiver))
        await anyio.sleep(1)
        house.owe(2, over=True)
    assert receiver.keys == ["g-1", "g-1", "g-1", "g-2"]
    assert [m.key for m in receiver.accepted] == ["g-1", "g-2"]


async def test_a_failing_group_does_not_hold_up_another(house):
    receiver = Receiver(busy())
    house.owe(1)
    house.owe(1, group="other")
    await house.run(1, target_of(receiver))
    assert [m.key for m in receiver.accepted] == ["other-1"]


async def test_one_slow_target_delays_no_other(house):
    slow, quick = Receiver(19.0), Receiver()
    house.owe(target="slow/fake")
    house.owe(target="quick/fake")
    await house.run(60, target_of(slow, "slow/fake"), target_of(quick, "quick/fake"))
    assert quick.times == [0]
    assert house.observed.sent == [("quick", 0), ("slow", 19)]


async def test_a_target_that_never_answers_is_tried_again(house):
    receiver = Receiver(HOUR)
    house.owe()
    await house.run(60, target_of(receiver))
    assert receiver.times == [0, 23]
    assert house.observed.failed == [("oncall", "temporary")]


async def test_opened_and_over_before_it_was_sent_is_one_message(house):
    receiver = Receiver()
    house.owe(1)
    house.owe(2, over=True)
    await house.run(1, target_of(receiver))
    (message,) = receiver.accepted
    assert [alert.end_reason for alert in message.alerts] == [EndReason.RECOVERED]


async def test_a_bug_in_a_notifier_postpones_its_message(house):
    bug = ZeroDivisionError("secret")
    receiver = Receiver(bug, NotifierCrashed("fake", bug))
    house.owe()
    await house.run(60, target_of(receiver))
    assert receiver.times == [0, 3, 9]
    assert house.observed.failed == [("oncall", "crashed")] * 2
    assert house.states() == ["delivered"]


async def test_a_stop_finishes_the_send_under_way(house):
    receiver = Receiver(10.0)
    house.owe(1)
    house.owe(1, group="other")
    await house.run(5, target_of(receiver))
    assert anyio.current_time() == 10
    assert house.states() == ["delivered", "pending"]


async def test_a_stop_takes_hold_while_a_receiver_wants_to_be_left_alone(house):
    house.owe()
    await house.run(5, target_of(Receiver(busy(HOUR))))
    assert anyio.current_time() == 5


@pytest.mark.parametrize(
    ("idempotent", "on_uncertain"),
    [(True, OnUncertain.HOLD), (False, OnUncertain.RESEND)],
    ids=["it knows repeats", "it is to be resent"],
)
async def test_after_a_kill_an_uncertain_message_is_sent_again_under_its_key(
    house, idempotent, on_uncertain
):
    receiver = Receiver(Killed())
    target = target_of(receiver, idempotent=idempotent, on_uncertain=on_uncertain)
    house.owe()
    await house.run_until_killed(target)
    assert house.states() == ["sending"]
    await house.run(60, target)
    assert receiver.keys == ["g-1", "g-1"]
    assert house.states() == ["delivered"]


async def test_after_a_kill_an_uncertain_message_is_held_where_that_is_wanted(house):
    receiver = Receiver(Killed())
    target = target_of(receiver, on_uncertain=OnUncertain.HOLD)
    house.owe()
    await house.run_until_killed(target)
    await house.run(60, target)
    (row,) = house.rows()
    assert (row.state, receiver.keys) == ("dead", ["g-1"])
    assert "not known" in row.error
    assert [letter.is_held for letter in house.dead()] == [True]


async def test_what_is_refused_for_good_is_no_letter_held_back(house):
    house.owe()
    await house.run(1, target_of(Receiver(NotifierError("host: answered 404", permanent=True))))
    assert [letter.is_held for letter in house.dead()] == [False]


async def test_what_follows_an_uncertain_message_is_sent_after_it(house):
    receiver = Receiver(Killed())
    house.owe(1)
    await house.run_until_killed(target_of(receiver))
    house.owe(2, over=True)
    await house.run(60, target_of(receiver))
    assert receiver.keys == ["g-1", "g-1", "g-2"]


async def test_each_happening_is_one_line_in_the_log(house):
    with structlog.testing.capture_logs() as lines:
        house.owe()
        await house.run(60, target_of(Receiver(busy())))
    assert [line["event"] for line in lines] == ["delivery_postponed", "message_delivered"]


def owe_many(house, number: int) -> None:
    for i in range(number):
        house.owe(group=f"g{i}")


async def test_a_receiver_that_takes_everything_is_sent_ever_more_side_by_side(house):
    receiver = Receiver(*[1.0] * 100)  # each takes a second
    owe_many(house, 39)
    await house.run(60, target_of(receiver, idempotent=True))
    started = [receiver.times.count(second) for second in range(11)]
    assert started == [1, 2, 4, *[4] * 8]
    assert house.states() == ["delivered"] * 39


async def test_what_was_claimed_and_would_hold_up_a_stop_is_put_back_untried(house):
    receiver = Receiver(*[3.0] * 20)
    owe_many(house, 20)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.run, 11, target_of(receiver, idempotent=True))
        await anyio.sleep(10)  # 1, 2 and 4 were sent, 4 of the next 8 are on their way
        assert sorted(house.states()) == [*["delivered"] * 7, *["pending"] * 5, *["sending"] * 8]
    assert sorted(house.states()) == [*["delivered"] * 11, *["pending"] * 9]
    assert sorted(row.attempts for row in house.rows()) == [*[0] * 9, *[1] * 11]


async def test_what_was_claimed_with_what_fails_is_put_back_untried(house):
    receiver = Receiver(*[1.0] * 7, *[busy(77)] * 4)
    owe_many(house, 20)
    await house.run(10, target_of(receiver, idempotent=True))
    assert len(receiver.asked) == 11
    assert sorted(row.attempts for row in house.rows()) == [*[0] * 9, *[1] * 11]
    assert sorted(house.states()) == [*["delivered"] * 7, *["pending"] * 13]


async def test_after_a_failure_one_message_tries_whether_it_works_again(house):
    receiver = Receiver(0.0, 0.0, 0.0, busy(77))
    owe_many(house, 7)
    await house.run(HOUR, target_of(receiver, idempotent=True))
    assert receiver.times.count(77) == len(receiver.times) - 7
    assert house.states() == ["delivered"] * 7
    assert len(set(receiver.keys)) == 7


async def test_a_receiver_that_cannot_tell_a_repetition_is_sent_one_after_the_other(house):
    receiver = Receiver(*[1.0] * 9)
    owe_many(house, 9)
    await house.run(60, target_of(receiver))
    assert receiver.times == list(range(9))


async def test_a_receiver_that_keeps_the_last_it_was_told_is_sent_one_after_the_other(house):
    receiver = Receiver(0.0, 9.0)
    for group in "abcd":
        house.owe(group=group)
        await anyio.sleep(1)
    await house.run(60, target_of(receiver, idempotent=True, one_by_one=True))
    assert [message.key for message in receiver.accepted] == ["a-1", "b-1", "c-1", "d-1"]


async def test_messages_of_one_group_are_never_on_their_way_together(house):
    receiver = Receiver(*[1.0] * 9)
    for i in range(4):
        house.owe(group=f"g{i}")
    await house.run(60, target_of(receiver, idempotent=True))
    for number in (2, 3):
        house.owe(number, group="g0")
        house.store.write(lambda c: c.execute(deliveries.update().values(attempts=1)))
    receiver.asked.clear()
    await house.run(60, target_of(receiver, idempotent=True))
    assert [
        (key, time - receiver.times[0])
        for key, time in zip(receiver.keys, receiver.times, strict=True)
    ] == [
        ("g0-2", 0),
        ("g0-3", 1),
    ]


async def after_a_batch(house, *answers):
    """Play answers to messages that are sent side by side, after one that was accepted."""
    receiver = Receiver(0.0, *answers)
    for group in ("a", "b", "c", "d"):
        house.owe(group=group)
    await house.run(HOUR, target_of(receiver, idempotent=True))
    return receiver


async def test_a_wish_to_wait_holds_whatever_else_fails_side_by_side(house):
    down = NotifierError("host: connect error", permanent=False)
    receiver = await after_a_batch(house, busy(77), down)
    assert receiver.times == [0, 0, 0, 77, 77, 77]


async def test_of_wishes_to_wait_made_side_by_side_the_longest_holds(house):
    receiver = await after_a_batch(house, busy(300), busy(77))
    assert receiver.times == [0, 0, 0, 300, 300, 300]


async def test_a_refused_login_holds_whatever_else_fails_side_by_side(house):
    refused = NotifierError("host: answered 401", permanent=True, authentication=True)
    down = NotifierError("host: connect error", permanent=False)
    receiver = await after_a_batch(house, refused, down)
    assert receiver.times[:4] == [0, 0, 0, 600]


async def test_half_a_character_in_what_a_receiver_says_repeats_and_stops_nothing(house):
    refusal = NotifierError("host: \ud800 answered 500", permanent=False)
    receiver = Receiver(refusal, saying="thanks \udfff")
    house.owe()
    await house.run(60, target_of(receiver))
    assert receiver.times == [0, 3]
    assert [row.receipt for row in house.rows()] == ["thanks ?"]


async def test_half_a_character_in_why_it_is_refused_for_good_is_written(house):
    receiver = Receiver(NotifierError("host: \ud800 answered 404", permanent=True))
    house.owe()
    await house.run(60, target_of(receiver))
    assert [(row.state, row.error) for row in house.rows()] == [("dead", "host: ? answered 404")]
