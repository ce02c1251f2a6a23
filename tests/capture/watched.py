"""The product under test, in the one place that touches it: looks, crashes, restarts, beliefs."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sized
from dataclasses import fields
from datetime import datetime
from typing import Literal

import anyio
import httpx

from tests.domain.telling import PROD
from tests.services.lists import SETTLE, Watching
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.token import TokenText
from tmcwatch.domain.execution import Execution, ExecutionId, Kind, Phase
from tmcwatch.domain.observation import Looked, Observation
from tmcwatch.polling.asking import PlanList, TaskList
from tmcwatch.polling.catching_up import catch_up
from tmcwatch.polling.checking import Checker
from tmcwatch.simulator import Simulator, api_app
from tmcwatch.store.capture import position
from tmcwatch.store.engine import Store
from tmcwatch.store.executions import followed_executions, load_executions

__all__ = ["SETTLE", "Crash", "Death", "Watched"]

Death = Literal["before", "after"]


class Crash(Exception):
    """The process died."""


class Watched:
    """One list of a simulated tenant, watched by a process that may die at any observation."""

    def __init__(
        self, simulator: Simulator, kind: Kind, store: Store, *, now: Callable[[], datetime]
    ) -> None:
        self.kind = kind
        self._simulator = simulator
        self._store = store
        self._now = now
        self._dies_at: tuple[int, Death] | None = None
        self._sent = 0
        self.restart()

    def restart(self) -> None:
        """Forget all but the store, as a process does that ends and is started again."""
        client = Client(
            PROD,
            base_url="http://tmc",
            http=httpx.AsyncClient(transport=httpx.ASGITransport(app=api_app(self._simulator))),
            budget=Budget(0.2, now=self._now, random=lambda: 0.5),
            token=TokenText(self._simulator.token),
            now=self._now,
        )
        tmc = TaskList(client) if self.kind is Kind.TASK else PlanList(client)
        # It asks a list of TMC's as it does a list that is made up.
        self._watch = Watching(tmc=tmc, store=self._store, now=self._now)  # type: ignore[arg-type]
        self._watch.looker.send = self._watch.looker.teller.send = self._send
        self.rows_told = 0
        """Rows that the last look told of."""

    async def look(self) -> bool:
        """Look once; answers whether it succeeded and proved something."""
        self._sent = self.rows_told = 0
        self._watch.sent.clear()
        await self._watch.looker.look()
        return not self._watch.failed

    async def catch_up(self, *, seconds: float) -> None:
        """Catch up with what an outage left, for so long at the most."""
        with anyio.move_on_after(seconds) as scope:

            async def until_done() -> None:
                while self.is_catching_up:  # noqa: ASYNC110 - nobody rings
                    await anyio.sleep(1)
                scope.cancel()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(until_done)
                await catch_up(self._watch.looker)

    async def check(self) -> None:
        """Check again what was certified, as far as that is due."""
        await Checker(looker=self._watch.looker, random=lambda: 0.5).check()

    @property
    def is_catching_up(self) -> bool:
        found = self._store.read(lambda c: position(c, PROD, self.kind))
        return found is not None and found.away is not None

    async def die_while(self, act: Callable[[], Awaitable[object]], at: int, death: Death) -> None:
        """Act, and die before or after the commit of so many observations; then start again."""
        self._dies_at = at, death
        self._sent = 0
        try:
            await act()
        except* Crash:
            pass
        finally:
            self._dies_at = None
            self.restart()

    async def _send(self, observation: Observation) -> None:
        self._sent += 1
        at, death = self._dies_at or (0, "before")
        dies = 0 < at <= self._sent
        if dies and (death == "before" or at < self._sent):
            raise Crash
        await self._watch.send(observation)
        if isinstance(observation, Looked):
            self.rows_told += len(observation.rows)
        if dies:
            raise Crash

    @property
    def watermark(self) -> datetime | None:
        """TMC's time up to which everything was read, None before the first look."""
        found = self._store.read(lambda c: position(c, PROD, self.kind))
        return found.watermark if found else None

    def believed(self, ids: Iterable[str]) -> Mapping[ExecutionId, Execution]:
        wanted = [ExecutionId(id_) for id_ in ids]
        return self._store.read(lambda c: load_executions(c, PROD, self.kind, wanted))

    def log(self) -> Mapping[str, list[Phase]]:
        """Answer with the phases in the transition log, by execution, in their order there."""
        found: dict[str, list[Phase]] = {}
        for execution, phase in self._watch.told:
            found.setdefault(execution, []).append(phase)
        return found

    def followed(self) -> int:
        return len(self._store.read(lambda c: followed_executions(c, PROD, self.kind)))

    def remembered(self) -> Mapping[str, int]:
        """Answer with how much the process remembers of what it saw, by what it is."""
        looker = self._watch.looker
        parts = (looker, looker.teller, looker._follower)
        held = {
            f"{type(part).__name__}.{one.name}": getattr(part, one.name)
            for part in parts
            for one in fields(part)
        }
        held["ids"] = looker._before.ids if looker._before else ()
        return {
            name: len(value)
            for name, value in held.items()
            if isinstance(value, Sized) and not isinstance(value, (str, deque))
        }
