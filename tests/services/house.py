"""A house with an outbox whose workers run for a while, and receivers that answer by a script."""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import pytest
from sqlalchemy import select

from tests.conftest import EPOCH
from tests.threads import inline
from tmcwatch.delivering import Means, Target, deliver, words_for
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.delivery import Delivery, DeliveryId, State, delivery_id
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import NotifierError, Receipt
from tmcwatch.store import letters, outbox
from tmcwatch.store.alerts import load_alert, save_alerts
from tmcwatch.store.engine import Connection, Store
from tmcwatch.store.schema import deliveries
from tmcwatch.supervisor import Bell

HOUR = 3600.0
NAME = "oncall/fake"


class Killed(BaseException):
    """The process dies at this very place."""


class Receiver:
    """The outside: what it answers is scripted; what it was asked is kept."""

    def __init__(self, *answers: Exception | Killed | float, saying: str = "thanks") -> None:
        self._answers = list(answers)
        self._saying = saying
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
        return Receipt(text=self._saying)

    async def aclose(self) -> None: ...

    def answer(self, answer: Exception | Killed | float) -> None:
        """Answer so, after what it is to answer before."""
        self._answers.append(answer)

    def mend(self) -> None:
        """Accept everything from now on."""
        self._answers.clear()

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
            words=partial(words_for, time_zone=UTC),
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
            labels={"name": "load", "account": "prod", "kind": "task", "id": group},
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
        self.store.write(partial(self._owe, delivery=delivery))
        self.bell.ring()

    @staticmethod
    def _owe(connection: Connection, delivery: Delivery) -> None:
        save_alerts(connection, delivery.message.alerts)
        outbox.owe(connection, delivery)

    def end(self, group: str = "g") -> None:
        """Let the alert of a group be over, which nobody is told of yet."""

        def work(connection: Connection) -> None:
            alert = load_alert(connection, AlertId(f"{group}-alert"))
            assert alert is not None
            over = replace(alert, ends_at=self.now(), end_reason=EndReason.RECOVERED)
            save_alerts(connection, [over])

        self.store.write(work)

    def replay(
        self, *ids: str, targets: Collection[str] = (NAME,), send_resolved: bool = True
    ) -> letters.Replay:
        """Have these dead letters sent again, or all."""

        def work(connection: Connection) -> letters.Replay:
            found = [DeliveryId(id_) for id_ in ids]
            found = found or letters.dead_ids(connection, None, targets)
            told_to = dict.fromkeys(targets, send_resolved)
            return letters.replay(connection, found, targets=told_to, now=self.now())

        done = self.store.write(work)
        self.bell.ring()
        return done

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

    def dead(self) -> tuple[letters.Letter, ...]:
        return self.store.read(lambda c: letters.dead_letters(c, None, most=99))

    def states(self) -> list[str]:
        return [row.state for row in self.rows()]


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
