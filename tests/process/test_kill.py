"""The real daemon, killed again and again: everything is told, and nothing twice."""

import os
import random
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.oracle import Told, episodes, runs_inside_plans, told
from tmcwatch.serving.server import address_of, bind, serve
from tmcwatch.simulator import Endings, Simulator, busy, served
from tmcwatch.store.engine import Store, StoreError
from tmcwatch.store.moments import loaded
from tmcwatch.store.schema import capture

KILLS = 20
ENDINGS = Endings(failed=0.2, rejected=0.05, timed_out=0.03, misfired=0.05)
SETTLED_WITHIN = 60.0

CONFIG = """
accounts: [{name: prod, url: "%(api)s", token: demo, api_share: 1}]
watch: {beat: 1s, settle: {floor: 2s}, history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team, group_by: ["..."], group_wait: 0s, group_interval: 1s}
receivers:
  - {name: team, webhook: {url: "http://%(inbox)s/alerts"}}
http: {listen: "127.0.0.1:0"}
"""


@pytest.fixture
def anyio_backend():
    """Run in real time: processes and sockets know no other."""
    return "asyncio"


@dataclass
class Inbox:
    """A receiver that drops a key it has seen, and is sometimes slow to answer or to take."""

    dice: random.Random
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def take(self, request: Request) -> Response:
        key, message = request.headers["idempotency-key"], await request.json()
        await self._dawdle()
        self.messages.setdefault(key, message)
        await self._dawdle()
        return Response()

    async def _dawdle(self) -> None:
        if self.dice.random() < 0.25:
            await anyio.sleep(self.dice.uniform(0.05, 0.4))


@dataclass
class Stage:
    """A fast world, a receiver, and the store of the daemon that goes between them."""

    simulator: Simulator
    inbox: Inbox
    config: Path

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tmcwatch", "run", "--config", str(self.config)]
        with (self.config.parent / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def read(self, column):
        """Answer with one column of how far each list was read."""
        store = Store(f"sqlite:///{self.config.parent}/tmcwatch.db")
        try:
            rows = store.read(lambda c: c.execute(select(capture.c.kind, column)).all())
        except StoreError:
            return {}  # its tables are not made yet
        finally:
            store.close()
        return {kind: loaded(moment) for kind, moment in rows}

    def expected(self, until: datetime):
        inside = runs_inside_plans(self.simulator)
        truth = self.simulator.world.truth()
        since = self.read(capture.c.watched_from)
        return episodes(truth, since, inside_plans=inside, until=until)

    def told(self, until: datetime) -> Told:
        return told(self.inbox.messages.values(), until=until)

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
async def staged(folder: Path, seed: int):
    simulator = Simulator(replace(busy(), endings=ENDINGS), now=lambda: datetime.now(UTC))
    inbox = Inbox(random.Random(seed))
    app = Starlette(routes=[Route("/alerts", inbox.take, methods=["POST"])])
    async with served(simulator) as addresses, anyio.create_task_group() as group:
        with bind("127.0.0.1:0") as sock:
            group.start_soon(partial(serve, app, sock=sock))
            config = folder / "tmcwatch.yaml"
            config.write_text(CONFIG % {"api": addresses.api, "inbox": address_of(sock)})
            yield Stage(simulator, inbox, config)
            group.cancel_scope.cancel()


async def killed(stage: Stage, dice: random.Random) -> None:
    """Start the daemon and kill it at a moment that the dice say."""
    process = stage.start()
    await anyio.sleep(dice.uniform(0.2, 2.0))
    process.send_signal(signal.SIGKILL)
    await anyio.to_thread.run_sync(process.wait)


@asynccontextmanager
async def running(stage: Stage):
    process = stage.start()
    try:
        yield
    finally:
        process.terminate()
        await anyio.to_thread.run_sync(process.wait)


async def test_a_daemon_killed_twenty_times_tells_everything_exactly_once(tmp_path):
    dice = random.Random(int(os.environ.get("KILL_SEED", "20261122")))
    async with staged(tmp_path, seed=7) as stage:
        for _ in range(KILLS):
            await killed(stage, dice)
        until = stage.simulator.time()
        async with running(stage):
            await stage.settled(until)
        found, expected = stage.told(until), stage.expected(until)
    assert expected - found.episodes == set(), "missing"
    assert found.episodes - expected == set(), "told of what never was"
    assert (found.repeats, found.notices) == ((), 1)
    assert len(expected) > 10
