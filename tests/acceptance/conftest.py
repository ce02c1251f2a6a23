"""The whole daemon against the simulator, hours of virtual time in seconds."""

from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.acceptance.timetable import START, Play
from tests.threads import inline
from tmcwatch.app import Parts, World, watch
from tmcwatch.app.answering import Answers
from tmcwatch.app.beats import Beats
from tmcwatch.config import load
from tmcwatch.simulator import Simulator, api_app
from tmcwatch.store.opening import open_store
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics

CONFIG = """
accounts:
  - {name: prod, url: "http://tmc", token: secret-token}
watch: {beat: %(beat)s, settle: {floor: 10s}, history: %(history)s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team, group_by: ["..."], group_wait: 0s, group_interval: 1s}
receivers:
  - {name: team, webhook: {url: "http://hook/alerts"}}
"""


@dataclass
class Inbox:
    """What a receiver was sent: it drops a message whose key it has seen, as receivers may."""

    answers: list[int] = field(default_factory=list)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    deliveries: int = 0

    async def take(self, request: Request) -> Response:
        self.deliveries += 1
        answer = self.answers.pop(0) if self.answers else 200
        if answer == 200:
            self.messages.setdefault(request.headers["idempotency-key"], await request.json())
        return Response(status_code=answer)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return [alert for message in self.messages.values() for alert in message["alerts"]]

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/alerts", self.take, methods=["POST"])])


class Network(httpx.AsyncBaseTransport):
    """Hosts by name, each an ASGI application."""

    def __init__(self, **hosts) -> None:
        self._hosts = {name: httpx.ASGITransport(app=app) for name, app in hosts.items()}

    async def handle_async_request(self, request):
        return await self._hosts[request.url.host].handle_async_request(request)


@dataclass
class Stage:
    """A simulated tenant, the daemon's store and a receiver; the daemon runs inside `watching`."""

    simulator: Simulator
    inbox: Inbox
    folder: Path
    now: Callable[[], datetime]
    beat: str = "10s"
    history: str = "0s"
    config: str = CONFIG
    parts: Parts | None = None
    hosts: dict[str, Any] = field(default_factory=dict)
    """Further hosts by name, each an ASGI application."""

    def __post_init__(self) -> None:
        path = self.folder / "tmcwatch.yaml"
        path.write_text(self.config % {"beat": self.beat, "history": self.history})
        self.settings = load(path, environ={})
        network = Network(tmc=api_app(self.simulator), hook=self.inbox.app(), **self.hosts)
        self.world = World(
            now=self.now,
            in_thread=inline,
            random=lambda: 0.5,
            transport=lambda: network,
            environ={},
        )

    @asynccontextmanager
    async def watching(self):
        """Run the daemon, and stop it in order at the end."""
        store = open_store(self.settings.store.url)
        metrics = Metrics(version="test")
        parts = Parts(store=store, metrics=metrics, health=Health(), beats=Beats(metrics))
        parts.health.store_works()
        self.parts = parts
        stop = anyio.Event()
        try:
            async with anyio.create_task_group() as tasks:

                async def run():
                    await watch(self.settings, parts, self.world, stop=stop)

                tasks.start_soon(run)
                yield Answers(config=lambda: self.settings, parts=parts, world=self.world)
                stop.set()
        finally:
            store.close()


@pytest.fixture(autouse=True)
def _uncounted(uncounted):
    """Count no lines: the tests of each part walk them all, and here the same ones run all day."""


@pytest.fixture
def stage(tmp_path, now):
    """Make a stage for a scenario: `stage(small(), beat="10s")`."""

    def make(scenario, *, window="overlap", seed=None, **settings) -> Stage:
        scenario = scenario if seed is None else replace(scenario, seed=seed)
        simulator = Simulator(
            scenario, now=now, window=window, token="secret-token", connection_lost=httpx.ReadError
        )
        return Stage(simulator=simulator, inbox=Inbox(), folder=tmp_path, now=now, **settings)

    return make


async def hours(count: float) -> None:
    await anyio.sleep(timedelta(hours=count).total_seconds())


@pytest.fixture
def play(tmp_path):
    """Make a play for timetables: `play(CONFIG)`, `play(CONFIG, start=…, other=OTHER)`."""

    def make(config: str, *, start: datetime = START, receivers=None, **configs: str) -> Play:
        return Play(
            folder=tmp_path,
            start=start,
            configs={"config": config, **configs},
            receivers=receivers or {"team": ""},
        )

    return make
