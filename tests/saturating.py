"""Clients that always have something to ask, and a simulated TMC that grants so many a minute."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import product
from random import Random

import anyio
import httpx

from tmcwatch.api.asking import Call
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client
from tmcwatch.api.errors import Throttled
from tmcwatch.api.token import TokenText
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName, SubjectId
from tmcwatch.simulator import Simulator, api_app, small

TOKEN = "secret"
MINUTE = 60
SERVED, REFUSED = "200", "429"


class Distant(httpx.AsyncBaseTransport):
    """An application that is 50 to 500 ms away, there and back."""

    def __init__(self, simulator: Simulator) -> None:
        self._inner = httpx.ASGITransport(app=api_app(simulator))
        self._random = Random(1)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        seconds = self._random.uniform(0.05, 0.5)
        await anyio.sleep(seconds / 2)
        answer = await self._inner.handle_async_request(request)
        await anyio.sleep(seconds / 2)
        return answer


@dataclass(slots=True)
class Tally:
    """What the calls of all clients came to, by the minute in which they ended."""

    minutes: Counter[tuple[int, str]] = field(default_factory=Counter)
    served: Counter[AccountName] = field(default_factory=Counter)

    def __call__(self, call: Call) -> None:
        self.minutes[int(anyio.current_time() // MINUTE), call.code] += 1
        if call.code == SERVED:
            self.served[call.account] += 1

    def count(self, code: str, minutes: range) -> int:
        return sum(self.minutes[minute, code] for minute in minutes)

    def rate(self, minutes: range) -> float:
        """Answer with the requests served per minute."""
        return self.count(SERVED, minutes) / len(minutes)

    def refused(self, minutes: range) -> float:
        """Answer with the part of all calls that was answered with a 429."""
        refused = self.count(REFUSED, minutes)
        return refused / max(refused + self.count(SERVED, minutes), 1)


@dataclass(kw_only=True)
class Saturated:
    """A TMC that grants `granted` requests a minute, if any number; of them `budget` may be asked.

    A client asks on behalf of an account; each of its questions is another one.
    """

    now: Callable[[], datetime]
    budget: float
    """Requests per minute."""
    granted: float | None = None
    burst: float = 5.0
    style: str = "none"
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        silent = replace(small(), executions_per_day=0, plan_runs_per_day=0, history=timedelta())
        self.simulator = Simulator(silent, now=self.now, token=TOKEN)
        if self.granted is not None:
            self.grant(self.granted)
        self._keeper = Budget(
            1.0,
            now=self.now,
            random=Random(2).random,
            ceilings={Family.PROCESSING: self.budget},
        )

    def grant(self, per_minute: float) -> None:
        """Let TMC grant so many requests a minute from now on."""
        self.simulator.faults.put(
            "throttle", per_minute=per_minute, burst=self.burst, style=self.style
        )

    def client(self, account: str = "prod") -> Client:
        return Client(
            AccountName(account),
            base_url="http://tmc",
            http=http_client(Distant(self.simulator)),
            budget=self._keeper,
            token=TokenText(TOKEN),
            now=self.now,
            observe=self.tally,
        )

    async def ask(self, client: Client, *, at_once: int) -> None:
        """Ask for ever, so many questions at a time."""
        tasks = [SubjectId(task.id) for task in self.simulator.world.tenant.tasks]
        questions = product(range(1, 101), tasks)
        async with anyio.create_task_group() as asking:
            for _, (limit, task) in zip(range(at_once), questions, strict=False):
                asking.start_soon(_ask_again_and_again, client, task, limit)


async def _ask_again_and_again(client: Client, task: SubjectId, limit: int) -> None:
    while True:
        with suppress(Throttled):  # given up for now
            await client.task_executions_of(task, None, purpose=Purpose.HEAD, limit=limit)
