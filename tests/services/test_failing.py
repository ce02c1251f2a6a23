"""A target that fails: parked over restarts, probed, and told of to others, in virtual time."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from tests.services.house import HOUR, NAME, Receiver, busy, target_of
from tmcwatch.notifiers import NotifierError
from tmcwatch.store.conditions import untold_conditions
from tmcwatch.store.parked import failing_targets, forget_targets, parked_targets, trouble_of

MINUTE = 60.0


def refused():
    return NotifierError("host: answered 401", permanent=True, authentication=True)


def told(house):
    """Answer with what alerting is told: whether it lasts, and in which words."""
    found = house.store.read(lambda c: untold_conditions(c, most=99))
    return [(one.until is None, one.text) for _, one in found]


def is_failing(house):
    return bool(house.store.read(failing_targets))


def parked(house):
    return house.store.read(lambda c: parked_targets(c, house.now()))


async def test_a_refused_login_kills_one_message_and_the_others_wait(house):
    receiver = Receiver(*[refused() for _ in range(5)])
    for group in "abcd":
        house.owe(group=group)
    await house.run(35 * MINUTE, target_of(receiver))
    assert receiver.times == [0, 600, 1200, 1800]
    assert house.states() == ["dead", "pending", "pending", "pending"]
    assert is_failing(house)


async def test_once_the_login_is_taken_again_everything_that_waited_is_sent(house):
    receiver = Receiver(refused(), refused())
    for group in "abcd":
        house.owe(group=group)
    await house.run(HOUR, target_of(receiver))
    assert receiver.times[:3] == [0, 600, 1200]
    assert house.states() == ["dead", "delivered", "delivered", "delivered"]
    assert not is_failing(house)
    assert parked(house) == {}


@pytest.mark.parametrize("answer", [refused(), busy(600)], ids=["login", "asked to wait"])
async def test_a_target_stays_alone_over_a_restart(house, answer):
    house.owe(group="a")
    house.owe(group="b")
    receiver = Receiver(answer)
    await house.run(30, target_of(receiver))
    assert parked(house).keys() == {NAME}
    await house.run(15 * MINUTE, target_of(receiver))
    assert receiver.times[:2] == [0, 600]


async def test_a_replay_ends_that_it_is_left_alone_also_after_a_restart(house):
    receiver = Receiver(refused())
    house.owe()
    await house.run(30, target_of(receiver))
    house.replay()
    await house.run(1, target_of(receiver))
    assert receiver.times == [0, 30]
    assert house.states() == ["delivered"]
    assert not is_failing(house)


async def test_a_replay_of_what_is_refused_again_is_dead_again(house):
    receiver = Receiver(refused(), refused())
    house.owe()
    await house.run(30, target_of(receiver))
    house.replay()
    await house.run(30, target_of(receiver))
    assert (receiver.times, house.states()) == ([0, 30], ["dead"])


async def test_what_is_refused_for_good_is_told_at_once_and_over_with_the_next_that_is_accepted(
    house,
):
    receiver = Receiver(NotifierError("host: answered 404", permanent=True))
    house.owe(group="a")
    rung = house.means.changed
    await house.run(1, target_of(receiver))
    assert rung.reset()
    [(lasts, text)] = told(house)
    assert lasts
    assert "oncall/fake has accepted no message since 2026-11-20 00:00 UTC" in text
    assert "host: answered 404. 0 messages wait, 1 message was given up" in text
    house.owe(group="b")
    await house.run(1, target_of(receiver))
    assert [lasts for lasts, _ in told(house)] == [False]
    assert house.states() == ["dead", "delivered"]


async def test_what_is_refused_again_and_again_is_told_once(house):
    receiver = Receiver(*[NotifierError("host: answered 400", permanent=True)] * 3)
    with capture_logs() as lines:
        for group in "abc":
            house.owe(group=group)
        await house.run(1, target_of(receiver))
        await house.run(1, target_of(receiver))
    assert len(told(house)) == 1
    assert [line["event"] for line in lines].count("delivery_failing") == 1


@pytest.mark.parametrize("answer", [busy(), busy(HOUR)], ids=["broken", "asked to wait long"])
async def test_what_fails_for_a_quarter_of_an_hour_is_told_though_it_is_tried_on(house, answer):
    receiver = Receiver(*[answer] * 99)
    house.owe()
    await house.run(15 * MINUTE - 1, target_of(receiver))
    assert told(house) == []
    await house.run(2, target_of(receiver))
    [(lasts, text)] = told(house)
    assert lasts
    assert "1 message waits, 0 messages were given up" in text


async def test_a_restart_does_not_begin_the_quarter_of_an_hour_anew(house):
    receiver = Receiver(*[busy()] * 99)
    house.owe()
    for _ in range(4):
        await house.run(4 * MINUTE, target_of(receiver))
    assert is_failing(house)


async def test_a_message_that_is_accepted_in_between_begins_it_anew(house):
    receiver = Receiver(*[busy()] * 8, 0.0, *[busy()] * 99)
    house.owe(group="a")
    await house.run(10 * MINUTE, target_of(receiver))
    assert house.states() == ["pending"]
    receiver.mend()
    await house.run(10 * MINUTE, target_of(receiver))
    receiver.answer(busy())
    house.owe(group="b")
    await house.run(1, target_of(receiver))
    assert (house.states(), told(house)) == (["delivered", "pending"], [])


async def test_a_target_that_works_costs_nothing_and_is_never_told(house):
    receiver = Receiver()
    house.owe()
    await house.run(HOUR, target_of(receiver))
    assert (told(house), parked(house)) == ([], {})
    assert house.store.read(lambda c: trouble_of(c, NAME)) is None


async def test_what_is_given_up_after_three_days_is_told_too(house):
    house.owe(hours_ago=72)
    await house.run(1, target_of(Receiver(busy())))
    [(_, text)] = told(house)
    assert "given up after 3 days" in text


async def test_the_trouble_of_a_target_that_the_config_no_longer_has_is_over(house):
    house.owe()
    await house.run(1, target_of(Receiver(refused())))
    house.store.write(lambda c: forget_targets(c, {NAME}, now=house.now()))
    assert is_failing(house)
    house.store.write(lambda c: forget_targets(c, {"other/fake"}, now=house.now()))
    assert not is_failing(house)
    assert house.store.read(lambda c: trouble_of(c, NAME)) is None


async def test_one_target_of_a_receiver_that_fails_parks_no_other(house):
    bad, good = Receiver(refused()), Receiver()
    for target in ("oncall/bad", "oncall/good"):
        house.owe(target=target)
        house.owe(target=target, group="other")
    await house.run(1, target_of(bad, "oncall/bad"), target_of(good, "oncall/good"))
    assert (len(bad.asked), len(good.accepted)) == (1, 2)


async def test_a_send_under_way_at_a_stop_still_leaves_its_trouble(house):
    slow = replace(target_of(Receiver(30.0)), name=NAME)
    house.owe()
    await house.run(5, slow)
    assert house.store.read(lambda c: trouble_of(c, NAME)) is not None
