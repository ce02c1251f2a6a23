"""The worker of a target: order, retries, shutdown and crashes, in virtual time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
import structlog
from sqlalchemy import select

from tests.conftest import EPOCH
from tests.threads import inline
from tmcwatch.delivering import Means, OnUncertain, Target, deliver, words_for
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import NotifierCrashed, NotifierError, Receipt
from tmcwatch.store import outbox
from tmcwatch.store.engine import Store
from tmcwatch.store.schema import deliveries, metadata
from tmcwatch.supervisor import Bell

HOUR = 3600.0
NAME = "oncall/fake"


class Killed(BaseException):
    """The process dies at this very place."""


class Receiver:
    """The outside: what it answers is scripted; what it was asked is kept."""

    def __init__(self, *answers: Exception | Killed | float) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[float, Message]] = []
        self.accepted: list[Message] = []

    async def send(self, message: Message, words: Words) -> Receipt:
        assert words.title
        self.asked.append((anyio.current_time(), message))
        answer = self._answers.pop(0) if self._answers else 0.0
        if isinstance(answer, BaseException):
            raise answer
        await anyio.sleep(answer)
        self.accepted.append(message)
        return Receipt(text="thanks")

    async def aclose(self) -> None: ...

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.asked]

    @property
    def keys(self) -> list[str]:
        return [message.key for _, message in self.asked]


class Observer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, float]] = []
        self.failed: list[tuple[str, str]] = []

    def on_sent(self, receiver: str, seconds_since_created: float) -> None:
        self.sent.append((receiver, seconds_since_created))

    def on_failed(self, receiver: str, reason: str) -> None:
        self.failed.append((receiver, reason))


class House:
    """A store with an outbox, and workers that run for a while."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self.store = store
        self.now = now
        self.bell = Bell()
        self.observed = Observer()
        self.means = Means(
            store=store,
            in_thread=inline,
            now=now,
            random=lambda: 0.5,
            words=lambda message: words_for(message, time_zone=UTC),
            observed=self.observed,
        )

    def owe(
        self,
        number: int = 1,
        *,
        group: str = "g",
        target: str = NAME,
        over: bool = False,
        hours_ago: float = 0,
    ):
        created_at = self.now() - timedelta(hours=hours_ago)
        alert = Alert(
            id=AlertId(f"{group}-alert"),
            rule="failed",
            severity=Severity.WARNING,
            labels={"name": "load", "kind": "task"},
            starts_at=EPOCH,
            ends_at=EPOCH if over else None,
            end_reason=EndReason.RECOVERED if over else None,
            opened_at=EPOCH,
            changed_at=EPOCH,
        )
        message = Message(
            key=f"{group}-{number}",
            receiver=target.split("/", maxsplit=1)[0],
            group_key=group,
            group_labels={},
            alerts=(alert,),
            created_at=created_at,
        )
        delivery = Delivery(
            id=delivery_id(target, group, number),
            target=target,
            number=number,
            message=message,
            state=State.PENDING,
            attempts=0,
            due_at=created_at,
        )
        self.store.write(lambda c: outbox.owe(c, delivery))
        self.bell.ring()

    async def run(self, seconds: float, *targets: Target) -> None:
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                for target in targets:
                    tasks.start_soon(self.deliver, target)

    async def deliver(self, target: Target) -> None:
        await deliver(target, bell=self.bell, means=self.means)

    async def run_until_killed(self, target: Target) -> None:
        with pytest.raises(Killed):
            await self.deliver(target)

    def rows(self) -> list[Any]:
        query = select(deliveries).order_by(deliveries.c.group_key, deliveries.c.number)
        return self.store.read(lambda c: list(c.execute(query)))

    def states(self) -> list[str]:
        return [row.state for row in self.rows()]


@pytest.fixture
def house(tmp_path, now):
    store = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    metadata.create_all(store.engine)
    with structlog.testing.capture_logs():
        yield House(store, now)
    store.close()


def target_of(receiver: Receiver, name: str = NAME, *, idempotent: bool = False, **options):
    return Target(
        name=name,
        receiver=name.split("/", maxsplit=1)[0],
        notifier=receiver,
        idempotent=idempotent,
        **options,
    )


def busy(seconds: float | None = None) -> NotifierError:
    wait = None if seconds is None else timedelta(seconds=seconds)
    return NotifierError("host: answered 429", permanent=False, retry_after=wait)


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
