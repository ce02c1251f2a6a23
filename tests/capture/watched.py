"""The product under test, in the one place that touches it: looks, crashes, restarts, beliefs."""

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import fields
from datetime import datetime
from typing import Literal

import httpx

from tests.domain.telling import PROD
from tests.services.lists import SETTLE, Watching
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.token import TokenText
from tmcwatch.domain.execution import Execution, ExecutionId, Kind, Phase
from tmcwatch.domain.observation import Looked, Observation
from tmcwatch.polling.asking import PlanList, TaskList
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
        self._watch.looker.send = self._send
        self.rows_told = 0

    async def look(self) -> bool:
        """Look once; answers whether it succeeded and proved something."""
        self._sent = 0
        self._watch.sent.clear()
        return await self._watch.looker.look()

    async def look_and_die(self, at: int, death: Death) -> None:
        """Look, and die before or after the commit of so many observations; then start again."""
        self._dies_at = at, death
        try:
            await self.look()
        except Crash:
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
            self.rows_told = len(observation.rows) + (0 if observation.head else self.rows_told)
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
        held = {field.name: getattr(looker, field.name) for field in fields(looker)}
        return {
            name: len(value)
            for name, value in held.items()
            if isinstance(value, Sized) and not isinstance(value, str)
        }
