"""A mirror kept in step: at every ring and beat, through failures, in virtual time."""

from datetime import timedelta
from functools import partial

import anyio
import structlog

from tests.conftest import EPOCH
from tests.domain.telling import alert
from tests.services.house import Receiver, busy
from tmcwatch.delivering import Mirror, Target, keep_in_step
from tmcwatch.notifiers import NotifierError
from tmcwatch.store.conditions import untold_conditions
from tmcwatch.store.parked import failing_targets

BAD = NotifierError("host: answered 400", permanent=True)
REFUSED = NotifierError("host: answered 401", permanent=True, authentication=True)


class Scene:
    """What fires, as the test says, and mirrors that show it."""

    def __init__(self, house, *alerts):
        self.house = house
        self.alerts = list(alerts)

    def mirror(self, receiver, *, name="team/fake", every=60):
        target = Target(name=name, receiver="team", notifier=receiver, idempotent=True)
        return Mirror(
            target=target,
            every=timedelta(seconds=every),
            alerts=lambda _connection, _now: tuple(self.alerts),
        )

    async def run(self, seconds, *mirrors):
        keep = partial(keep_in_step, bell=self.house.bell, means=self.house.means)
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                for mirror in mirrors:
                    tasks.start_soon(keep, mirror)

    async def after(self, seconds, *alerts):
        await anyio.sleep(seconds)
        self.alerts = list(alerts)
        self.house.bell.ring()


def firing(name, **changes):
    return alert(name, **({"starts_at": EPOCH, "opened_at": EPOCH, "changed_at": EPOCH} | changes))


def shown(receiver):
    return [[(one.id, one.status.value) for one in m.alerts] for m in receiver.accepted]


async def test_what_fires_is_shown_again_on_a_beat(house):
    receiver = Receiver()
    scene = Scene(house, firing("a"))
    await scene.run(150, scene.mirror(receiver))
    assert receiver.times == [0, 60, 120]
    assert shown(receiver) == [[("a", "firing")]] * 3


async def test_where_nothing_fires_nothing_is_sent(house):
    receiver = Receiver()
    scene = Scene(house)
    await scene.run(150, scene.mirror(receiver))
    assert receiver.times == []


async def test_a_change_is_shown_at_once_and_a_burst_of_them_together(house):
    receiver = Receiver()
    scene = Scene(house, firing("a"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.run, 50, scene.mirror(receiver))
        for seconds, names in ((10, "ab"), (10.2, "abc"), (10.4, "abcd")):
            tasks.start_soon(scene.after, seconds, *map(firing, names))
    assert receiver.times == [0, 10, 11]
    assert len(shown(receiver)[-1]) == 4


async def test_the_labels_before_a_rise_are_shown_as_over(house):
    receiver = Receiver()
    scene = Scene(house, firing("a", labels={"severity": "warning"}))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.run, 50, scene.mirror(receiver))
        tasks.start_soon(scene.after, 10, firing("a", labels={"severity": "critical"}))
    told = [(one.labels["severity"], one.status.value) for one in receiver.accepted[-1].alerts]
    assert told == [("critical", "firing"), ("warning", "resolved")]


async def test_five_hundred_are_shown_at_a_time(house):
    receiver = Receiver()
    scene = Scene(house, *(firing(f"a{number}") for number in range(1001)))
    await scene.run(1, scene.mirror(receiver))
    assert [len(message.alerts) for message in receiver.accepted] == [500, 500, 1]


async def test_a_failure_is_tried_again_ever_more_slowly_but_at_least_on_the_beat(house):
    receiver = Receiver(*[busy() for _ in range(9)])
    scene = Scene(house, firing("a"))
    await scene.run(175, scene.mirror(receiver, every=20))
    assert receiver.times == [
        0,
        1.5,
        4.5,
        10.5,
        22.5,
        42.5,
        62.5,
        82.5,
        102.5,
        122.5,
        142.5,
        162.5,
    ]
    assert house.observed.failed == [("team", "temporary")] * 9


async def test_a_peer_that_asks_to_wait_is_left_alone_as_long(house):
    receiver = Receiver(busy(77))
    scene = Scene(house, firing("a"))
    await scene.run(80, scene.mirror(receiver))
    assert receiver.times == [0, 77]


async def test_a_refused_login_is_tried_again_on_the_beat_whatever_rings(house):
    receiver = Receiver(REFUSED)
    scene = Scene(house, firing("a"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.run, 70, scene.mirror(receiver))
        tasks.start_soon(scene.after, 10, firing("b"))
    assert receiver.times == [0, 60]


async def test_a_bad_alert_keeps_neither_the_other_portions_nor_news_waiting(house):
    receiver = Receiver(BAD)
    scene = Scene(house, *(firing(f"a{number}") for number in range(501)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.run, 30, scene.mirror(receiver))
        tasks.start_soon(scene.after, 10, firing("a0"))
    assert receiver.times[:3] == [0, 0, 10]
    assert shown(receiver)[0] == [("a500", "firing")]


async def test_a_slow_peer_delays_no_other(house):
    slow, quick = Receiver(19.0), Receiver()
    scene = Scene(house, firing("a"))
    await scene.run(30, scene.mirror(slow, name="team/slow"), scene.mirror(quick))
    assert (quick.times, slow.times) == ([0], [0])
    assert len(quick.accepted) == 1


async def test_one_that_never_answers_is_given_up_in_time_and_tried_again(house):
    receiver = Receiver(3600.0)
    scene = Scene(house, firing("a"))
    await scene.run(30, scene.mirror(receiver))
    assert receiver.times == [0, 21.5]


def told_failing(house):
    return [one.subject for one in house.store.read(failing_targets)]


async def test_a_failure_that_lasts_is_told_through_another_receiver_until_it_is_over(house):
    receiver = Receiver(*[busy() for _ in range(22)])
    scene = Scene(house, firing("a"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.run, 1200, scene.mirror(receiver))
        await anyio.sleep(890)
        assert told_failing(house) == []
        await anyio.sleep(70)
        assert told_failing(house) == ["team/fake"]
    assert told_failing(house) == []
    ((_, condition),) = house.store.read(lambda c: untold_conditions(c, most=9))
    assert "team/fake could not be shown all that fires since" in condition.text
    assert "host: answered 429" in condition.text


async def test_a_refused_login_is_told_at_once_and_its_end_also_after_a_restart(house):
    scene = Scene(house, firing("a"))
    await scene.run(1, scene.mirror(Receiver(REFUSED)))
    assert told_failing(house) == ["team/fake"]
    await scene.run(1, scene.mirror(Receiver()))
    assert told_failing(house) == []


async def test_a_failure_is_not_over_because_nothing_is_left_to_show(house):
    receiver = Receiver(*[REFUSED] * 100)
    scene = Scene(house, firing("a"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.run, 3600, scene.mirror(receiver))
        await scene.after(90)
        await anyio.sleep(1500)
        assert told_failing(house) == ["team/fake"]
        receiver.mend()
        await anyio.sleep(60)
        assert told_failing(house) == []
    assert shown(receiver) == [[]]


async def test_a_failure_and_its_end_are_a_line_each(house):
    receiver = Receiver(busy(), busy(), busy())
    scene = Scene(house, firing("a"))
    with structlog.testing.capture_logs() as lines:
        await scene.run(200, scene.mirror(receiver))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("mirror_fails", "warning"),
        ("mirror_works_again", "info"),
    ]
    assert lines[0]["error"] == "host: answered 429"
