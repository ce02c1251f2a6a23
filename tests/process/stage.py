"""A fast world, the daemon as a process of its own, and the receiver of what it tells."""

import random
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.oracle import Told, episodes, runs_inside_plans, told
from tests.process.lives import Lives
from tmcwatch.serving.server import address_of, bind, serve
from tmcwatch.simulator import Endings, Simulator, busy, served
from tmcwatch.store.engine import Store, StoreError
from tmcwatch.store.moments import loaded
from tmcwatch.store.schema import capture

ENDINGS = Endings(failed=0.2, rejected=0.05, timed_out=0.03, misfired=0.05)
SETTLED_WITHIN = 120.0

# Told of each end by itself: a severity that rises is told as an update, what flaps ends later,
# and a storm lists only the worst.
EACH_END_BY_ITSELF = """
accounts: [{name: prod, url: "%(api)s", token: demo, api_share: 1}]
watch: {beat: 1s, settle: {floor: 2s}, history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team, group_by: [kind, id, rule], group_wait: 0s, group_interval: 1s}
receivers:
  - {name: team, webhook: {url: "http://%(inbox)s/alerts"}, storm: off}
rules:
  - {rule: flapping, enabled: false}
  - {rule: failing_again, enabled: false}
http: {listen: "127.0.0.1:0"}
"""


@dataclass
class Inbox:
    """A receiver that drops a key it has seen, and is sometimes slow to answer or to take."""

    dice: random.Random
    slow: float
    """The share of moments at which it dawdles."""
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def take(self, request: Request) -> Response:
        key, message = request.headers["idempotency-key"], await request.json()
        await self._dawdle()
        self.messages.setdefault(key, message)
        await self._dawdle()
        return Response()

    async def _dawdle(self) -> None:
        if self.dice.random() < self.slow:
            await anyio.sleep(self.dice.uniform(0.05, 0.4))


async def refuse(request: Request) -> Response:
    """Refuse a message in the way that the address says."""
    return Response(status_code=request.path_params["status"])


@dataclass
class Stage:
    """A fast world, a receiver, and the store of the daemon that goes between them."""

    simulator: Simulator
    inbox: Inbox
    config: Path
    lives: Lives
    """For the daemon as often as it is killed; the last time it is started by itself."""

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tmcwatch", "run", "--config", str(self.config)]
        with self.lives.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def rows(self, query):
        """Answer with what the daemon's store holds."""
        store = Store(f"sqlite:///{self.config.parent}/tmcwatch.db")
        try:
            return store.read(lambda connection: connection.execute(query).all())
        except StoreError:
            return []  # its tables are not made yet
        finally:
            store.close()

    def read(self, column):
        """Answer with one column of how far each list was read."""
        rows = self.rows(select(capture.c.kind, column))
        return {kind: loaded(moment) for kind, moment in rows}

    def expected(self, until: datetime):
        inside = runs_inside_plans(self.simulator)
        truth = self.simulator.world.truth()
        since = self.read(capture.c.watched_from)
        return episodes(truth, since, inside_plans=inside, until=until)

    def told(self, until: datetime) -> Told:
        return told(self.inbox.messages.values(), until=until)

    async def eventful(self, episodes: int) -> datetime:
        """Wait until more episodes than that came about, however fast the lives went by."""
        with anyio.fail_after(SETTLED_WITHIN):
            while len(self.expected(self.simulator.time())) <= episodes:  # noqa: ASYNC110 - it only ages
                await anyio.sleep(0.2)
        return self.simulator.time()

    async def settled(self, until: datetime) -> None:
        """Wait until everything up to a moment is proven to be read, and told."""
        with anyio.move_on_after(SETTLED_WITHIN):
            while not self._is_quiet(until):  # noqa: ASYNC110 - another process rings no bell
                await anyio.sleep(0.2)

    def _is_quiet(self, until: datetime) -> bool:
        watermarks = self.read(capture.c.watermark)
        is_read = len(watermarks) == 2 and min(watermarks.values()) > until
        return is_read and self.told(until).episodes == self.expected(until)


@asynccontextmanager
async def staged(folder: Path, text: str, *, slow: float, executions_per_second: int):
    """Set a stage with a configuration that knows the places of the others."""
    daily = executions_per_second * 86_400
    scenario = replace(busy(), endings=ENDINGS, executions_per_day=daily)
    simulator = Simulator(scenario, now=lambda: datetime.now(UTC))
    inbox = Inbox(random.Random(7), slow)
    routes = [
        Route("/alerts", inbox.take, methods=["POST"]),
        Route("/answers/{status:int}", refuse, methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    async with (
        served(simulator) as addresses,
        anyio.create_task_group() as group,
    ):
        with bind("127.0.0.1:0") as sock:
            group.start_soon(partial(serve, app, sock=sock))
            config = folder / "tmcwatch.yaml"
            config.write_text(text % {"api": addresses.api, "inbox": address_of(sock)})
            yield Stage(simulator, inbox, config, Lives(folder / "log"))
            group.cancel_scope.cancel()


@asynccontextmanager
async def running(stage: Stage):
    process = stage.start()
    try:
        yield
    finally:
        process.terminate()
        await anyio.to_thread.run_sync(process.wait)
