"""Lives of a process that tells several targets, each of which may end at any step."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

import anyio
from sqlalchemy import event, select

from tests.services.house import HOUR, Killed, Observer, busy
from tmcwatch.delivering import Means, OnUncertain, Target, deliver
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity, Status
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import NotifierError, Receipt
from tmcwatch.store import outbox
from tmcwatch.store.engine import Store
from tmcwatch.store.facts import message_from
from tmcwatch.store.schema import deliveries
from tmcwatch.supervisor import Bell

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

SETTLES_WITHIN = 20
"""Lives of some ten minutes."""

START = datetime(2026, 11, 20, tzinfo=UTC)
WORDS = Words(title="t", text="t", markdown="t", html="t")
ANSWERS: dict[str, Callable[[], BaseException]] = {
    "busy": busy,
    "wait": partial(busy, 700),
    "broken": lambda: NotifierError("host: answered 500", permanent=False),
    "closed": lambda: NotifierError("host: answered 400", permanent=True),
    "refused": lambda: NotifierError("host: 401", permanent=True, authentication=True),
    "bug": lambda: ZeroDivisionError("secret"),
    "die": Killed,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How long it lasts, what is owed in it, how the targets answer, and where it is killed."""

    seconds: float
    owed: tuple[tuple[float, str], ...] = ()
    """After how many seconds a group has something new to tell."""
    answers: tuple[tuple[str, str], ...] = ()
    """By target, one after the other."""
    dies_at: int | None = None
    """The step of the store at which it is killed: at a claim, a receipt, anything between."""
    before: bool = False
    """Whether that step is not done then."""


@dataclass
class Receiver:
    """Answers by a script; keeps what it took, and drops what it knows by its key if it can."""

    name: str
    is_keyed: bool
    on_uncertain: OnUncertain
    answers: list[str] = field(default_factory=list)
    requests: list[Message] = field(default_factory=list)
    accepted: list[tuple[float, Message]] = field(default_factory=list)

    async def send(self, message: Message, words: Words) -> Receipt:  # noqa: ARG002 - told apart by facts
        self.requests.append(message)
        answer = self.answers.pop(0) if self.answers else "accept"
        if answer in ANSWERS:
            raise ANSWERS[answer]()
        await anyio.sleep({"slow": 15.0, "hang": HOUR}.get(answer, 0.0))
        if not self.is_keyed or message.key not in {one.key for _, one in self.accepted}:
            self.accepted.append((anyio.current_time(), message))
        if answer == "accept and die":
            raise Killed
        return Receipt(text="thanks")

    async def aclose(self) -> None: ...

    @property
    def target(self) -> Target:
        return Target(
            name=f"{self.name}/fake",
            receiver=self.name,
            notifier=self,
            idempotent=self.is_keyed,
            on_uncertain=self.on_uncertain,
        )


class Process:
    """Runs what touches the store, until it is killed: then nothing more is done."""

    def __init__(self, life: Life) -> None:
        self._left = life.dies_at
        self._before = life.before
        self.is_dead = False

    async def in_thread(
        self, work: Callable[[*Arguments], Result], /, *args: *Arguments
    ) -> Result:
        if self._left is not None:
            self._left -= 1
            self.is_dead = self.is_dead or (self._left == 0 and self._before)
        self._die()
        result = work(*args)
        self.is_dead = self.is_dead or self._left == 0
        self._die()
        return result

    def _die(self) -> None:
        if self.is_dead:
            raise Killed


@dataclass
class World:
    """The store's file, the receivers, and what was decided to be told."""

    url: str
    receivers: tuple[Receiver, ...]
    numbers: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    starts: list[float] = field(default_factory=list)
    """When something was owed or a life began."""

    async def live(self, life: Life) -> None:
        for name, answer in life.answers:
            next(one for one in self.receivers if one.name == name).answers.append(answer)
        self.starts.append(anyio.current_time())
        store, process, bell = self.store(), Process(life), Bell()
        try:
            with anyio.move_on_after(life.seconds):
                async with anyio.create_task_group() as tasks:
                    means = self._means(store, process)
                    for one in self.receivers:
                        tasks.start_soon(partial(deliver, one.target, bell=bell, means=means))
                    tasks.start_soon(self._decide, store, process, bell, life.owed)
        except* Killed:
            process.is_dead = True
        finally:
            store.close()

    def store(self) -> Store:
        """Open the store; nothing here dies so that a disk would have to be waited for."""
        store = Store(self.url)
        event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
        return store

    async def settle(self) -> None:
        """Live until nothing is owed any more, longer than any wait for the next attempt."""
        for _ in range(SETTLES_WITHIN):
            await self.live(Life(seconds=701.0))
            if all(row.state in {State.DELIVERED, State.DEAD} for row in self.rows()):
                break

    def _means(self, store: Store, process: Process) -> Means:
        return Means(
            store=store,
            in_thread=process.in_thread,
            now=now,
            random=lambda: 0.5,
            words=lambda *_: WORDS,
            observed=Observer(),
        )

    async def _decide(
        self, store: Store, process: Process, bell: Bell, owed: Iterable[tuple[float, str]]
    ) -> None:
        for seconds, group in owed:
            await anyio.sleep(seconds)
            if process.is_dead:
                raise Killed
            self.owe(store, group)
            bell.ring()

    def owe(self, store: Store, group: str) -> None:
        """Owe all receivers that the group's next alert opened, or that its last one is over."""
        self.starts.append(anyio.current_time())
        self.numbers[group] += 1
        number = self.numbers[group]
        for one in self.receivers:
            delivery = owed(one.target.name, group, number)
            store.write(partial(outbox.owe, delivery=delivery))

    def rows(self) -> list[Any]:
        store = self.store()
        try:
            return store.read(lambda c: list(c.execute(select(deliveries))))
        finally:
            store.close()


def now() -> datetime:
    return START + timedelta(seconds=anyio.current_time())


def owed(target: str, group: str, number: int) -> Delivery:
    """Answer with a group's message: the odd ones open an alert, the even ones end it."""
    over = number % 2 == 0
    alert = Alert(
        id=AlertId(f"{group}{(number + 1) // 2}"),
        rule="failed",
        severity=Severity.WARNING,
        labels={"name": group, "account": "prod", "kind": "task", "id": group},
        starts_at=START,
        ends_at=START if over else None,
        end_reason=EndReason.RECOVERED if over else None,
        opened_at=START,
        changed_at=START,
    )
    id_ = delivery_id(target, group, number)
    message = Message(
        key=id_,
        receiver=target.partition("/")[0],
        group_key=group,
        group_labels={},
        alerts=(alert,),
        created_at=now(),
    )
    return Delivery(
        id=id_,
        target=target,
        number=number,
        message=message,
        state=State.PENDING,
        attempts=0,
        due_at=now(),
    )


def said_by(messages: Iterable[Message]) -> list[tuple[str, Status]]:
    """Answer with what messages say of alerts, in order."""
    return [(alert.id, alert.status) for message in messages for alert in message.alerts]


def dead_of(rows: Iterable[Any], target: str) -> list[tuple[str, Status]]:
    """Answer with what the dead letters to a target would have said."""
    dead = (row for row in rows if row.target == target and row.state == State.DEAD)
    return said_by(message_from(row.facts) for row in dead)
