"""One situation played in virtual time: a simulated tenant, and monitors side by side on it."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

import anyio
import httpx
from starlette.types import ASGIApp

from tests.benchmarks.comparing.baselines import Baseline
from tests.benchmarks.comparing.knowing import Knowledge, Memory
from tests.benchmarks.comparing.polling import keep_polling
from tests.benchmarks.comparing.scoring import Measured, Score, score
from tests.benchmarks.comparing.situations import Situation
from tests.benchmarks.running import written
from tests.benchmarks.seeing import first_seen
from tests.threads import inline
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client
from tmcwatch.api.token import TokenText
from tmcwatch.app import Parts, World, watch
from tmcwatch.app.beats import Beats
from tmcwatch.config import load
from tmcwatch.domain.execution import ENDS, AccountName, Phase
from tmcwatch.simulator import Reading, Scenario, Simulator, api_app
from tmcwatch.store.opening import open_store
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics

BEAT = timedelta(seconds=30)
SHARE = 0.2
HALF_THE_WAY = 0.025
"""Seconds: an answer is 50 ms away, and what it shows is as old as half of that."""
TOKEN = "benchmark"
CONFIG = """
accounts: [{name: tenant, url: "http://tmc", token: %(token)s, api_share: %(share)s}]
watch: {beat: %(beat)ds, history: 12h}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team}
receivers: [{name: team, webhook: {url: "http://hook/alerts"}}]
"""


class Line(httpx.AsyncBaseTransport):
    """The network of one monitor: TMC some way off, its requests counted, and a receiver."""

    def __init__(self, tmc: ASGIApp, now: Callable[[], datetime]) -> None:
        self._tmc = httpx.ASGITransport(app=tmc)
        self._now = now
        self.asked: list[datetime] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "tmc":
            return httpx.Response(204)
        self.asked.append(self._now())
        await anyio.sleep(HALF_THE_WAY)
        answer = await self._tmc.handle_async_request(request)
        await anyio.sleep(HALF_THE_WAY)
        return answer


class Monitor(Protocol):
    """Watches until it is cancelled, and tells afterwards what it knew, and when."""

    @property
    def name(self) -> str: ...

    @property
    def line(self) -> Line: ...

    async def run(self) -> None: ...

    def knowledge(self) -> Knowledge: ...


class Watching:
    """The product: the whole daemon, told nothing but where TMC is."""

    name = "tmcwatch"

    def __init__(self, line: Line, folder: Path, now: Callable[[], datetime]) -> None:
        self.line = line
        text = CONFIG % {"token": TOKEN, "share": SHARE, "beat": BEAT.total_seconds()}
        self._config = load(written(folder, text), environ={})
        self._world = World(
            now=now, in_thread=inline, random=Random(1).random, transport=lambda: line, environ={}
        )
        self._knowledge = Knowledge(started={}, ended={})

    async def run(self) -> None:
        store = open_store(self._config.store.url)
        metrics = Metrics(version="benchmark")
        parts = Parts(store=store, metrics=metrics, health=Health(), beats=Beats(metrics))
        try:
            await watch(self._config, parts, self._world, stop=anyio.Event())
        finally:
            self._knowledge = Knowledge(
                started=store.read(partial(first_seen, phases=[Phase.RUNNING])),
                ended=store.read(partial(first_seen, phases=ENDS)),
            )
            store.close()

    def knowledge(self) -> Knowledge:
        return self._knowledge


class Polling:
    """A baseline on its beat, with a budget as large as the product's and of its own."""

    def __init__(
        self, baseline: Callable[..., Baseline], line: Line, now: Callable[[], datetime]
    ) -> None:
        self.line = line
        self._client = Client(
            AccountName("tenant"),
            base_url="http://tmc",
            http=http_client(line),
            budget=Budget(SHARE, now=now, random=Random(1).random),
            token=TokenText(TOKEN),
            now=now,
        )
        self._baseline = baseline(client=self._client, memory=Memory(now=now))
        self.name = self._baseline.name

    async def run(self) -> None:
        try:
            await keep_polling(self._baseline.poll, BEAT)
        finally:
            with anyio.CancelScope(shield=True):
                await self._client.aclose()

    def knowledge(self) -> Knowledge:
        return self._baseline.memory.knowledge()


@dataclass(slots=True, kw_only=True)
class Stage:
    """A simulated tenant in one reading of the window, and who watches it."""

    scenario: Scenario
    window: Reading
    situation: Situation
    folder: Path
    now: Callable[[], datetime]
    simulator: Simulator = field(init=False)
    monitors: list[Monitor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.simulator = Simulator(
            self.situation.on(self.scenario),
            now=self.now,
            window=self.window,
            token=TOKEN,
            connection_lost=httpx.ReadError,
        )

    def line(self) -> Line:
        return Line(api_app(self.simulator), self.now)

    def watched_by_the_daemon(self) -> None:
        self.monitors.append(Watching(self.line(), self.folder, self.now))

    def watched_by(self, baseline: Callable[..., Baseline]) -> None:
        self.monitors.append(Polling(baseline, self.line(), self.now))

    async def play(self) -> list[Score]:
        """Play the situation to its end, and answer with a score for each monitor."""
        situation, start = self.situation, self.now()
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            for monitor in self.monitors:
                group.start_soon(monitor.run)
            await _wait(situation.settles)
            for fault, options in situation.faults.items():
                self.simulator.faults.put(fault, **options)
            stack.callback(self.simulator.faults.clear)
            await _wait(situation.trouble)
            self.simulator.faults.clear()
            await _wait(situation.measured - situation.trouble + situation.found_within)
            group.cancel_scope.cancel()
        measured = Measured.of(situation, start)
        truth = self.simulator.world.truth()
        return [
            score(one.name, one.knowledge(), one.line.asked, truth=truth, measured=measured)
            for one in self.monitors
        ]


async def _wait(span: timedelta) -> None:
    await anyio.sleep(span.total_seconds())
