"""The three ways in which a tenant is usually watched, each as well as it can be done."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import ClassVar, Protocol

import anyio

from tests.benchmarks.comparing.knowing import Memory
from tests.benchmarks.comparing.polling import lister, patiently, read_all, read_one
from tmcwatch.api.client import Client
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import ExecutionId, Kind, Row, SubjectId
from tmcwatch.domain.window import Window

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NAMES_EVERY = HOUR
LOOKS_BACK = timedelta(days=7)


class Baseline(Protocol):
    """One way of watching."""

    name: ClassVar[str]
    memory: Memory

    async def poll(self) -> None:
        """Look once; raises ApiError where TMC does not answer."""
        ...


@dataclass(slots=True, kw_only=True)
class ListAgain:
    """Lists the last 24 hours at every poll, and compares by id.

    TMC's offsets end at 1,000, so tasks are read hour by hour, the newest first.
    """

    name: ClassVar[str] = "list 24 hours again"
    client: Client
    memory: Memory

    async def poll(self) -> None:
        now = self.client.server_now()
        day = Window(start=now - DAY, end=now)
        await read_all(lister(self.client, Kind.PLAN), day, self.memory.learn)
        for hours in range(DAY // HOUR):
            hour = Window(start=now - (hours + 1) * HOUR, end=now - hours * HOUR)
            await read_all(lister(self.client, Kind.TASK), hour, self.memory.learn)


@dataclass(slots=True, kw_only=True)
class AskEach:
    """Asks each task, and each plan, for the newest page of its own executions.

    An open execution that has left that page is read by its id. A round that breaks off goes on
    where it stopped, so that none is asked less often than the others.
    """

    name: ClassVar[str] = "ask each task and plan"
    client: Client
    memory: Memory
    _subjects: tuple[tuple[Kind, SubjectId], ...] = ()
    _named_at: float = 0.0
    _left: deque[tuple[Kind, SubjectId]] = field(default_factory=deque)

    async def poll(self) -> None:
        if not self._subjects or anyio.current_time() - self._named_at > NAMES_EVERY.seconds:
            self._subjects = (*await self._named(Kind.TASK), *await self._named(Kind.PLAN))
            self._named_at = anyio.current_time()
        if not self._left:
            self._left.extend(self._subjects)
        while self._left:
            await self._ask(*self._left[0])
            self._left.popleft()

    async def _ask(self, kind: Kind, subject: SubjectId) -> None:
        client = self.client
        of = client.task_executions_of if kind is Kind.TASK else client.plan_executions_of
        page = await patiently(partial(of, subject, None, purpose=Purpose.HEAD))
        for row in page.rows:
            self.memory.learn(row)
        shown = {row.id for row in page.rows}
        left = [row for row in self.memory.open.values() if row.subject == subject]
        for id_ in [row.id for row in left if row.id not in shown]:
            await read_one(client, kind, id_, self.memory)

    async def _named(self, kind: Kind) -> tuple[tuple[Kind, SubjectId], ...]:
        listed = self.client.tasks if kind is Kind.TASK else self.client.plans
        found: dict[SubjectId, None] = {}
        more = True
        while more:
            page = await patiently(partial(listed, len(found), purpose=Purpose.NAMES))
            found |= dict.fromkeys(subject.id for subject in page.subjects)
            more = page.size > 0 and len(found) < (page.total or 0)
        return tuple((kind, subject) for subject in found)


@dataclass(slots=True, kw_only=True)
class ListRunning:
    """Lists what is dispatching and executing, and reads by its id what is no longer listed.

    A row that only slipped between two pages turns out to be open still, and stays.
    """

    name: ClassVar[str] = "list what is running"
    client: Client
    memory: Memory

    async def poll(self) -> None:
        now = self.client.server_now()
        week = Window(start=now - LOOKS_BACK, end=now)
        shown: set[ExecutionId] = set()

        def learn(row: Row) -> None:
            shown.add(row.id)
            self.memory.learn(row)

        for kind, status in (
            (Kind.TASK, "dispatching"),
            (Kind.TASK, "executing"),
            (Kind.PLAN, "executing"),
        ):
            await read_all(lister(self.client, kind, status=status), week, learn)
        for kind in Kind:
            for id_ in self.memory.open_of(kind):
                if id_ not in shown:
                    await read_one(self.client, kind, id_, self.memory)


BASELINES: tuple[type[ListAgain] | type[AskEach] | type[ListRunning], ...] = (
    ListAgain,
    AskEach,
    ListRunning,
)
