"""What a scrape costs: how long a scraper waits, and how long the daemon's loop is held up by it.

The daemon runs in this process, beside a ticker in its own loop; the tenant that it polls and the
scraper are processes of their own.
"""

import json
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import anyio
from sqlalchemy import Connection, func, select, update

from tests.benchmarks.machine import figure, plain, quantile
from tests.benchmarks.running import ROOT, simulated, until, written
from tmcwatch.app.collecting import spare_what_is_loaded
from tmcwatch.app.daemon import Daemon
from tmcwatch.app.world import real_world
from tmcwatch.config import load
from tmcwatch.store.moments import stored
from tmcwatch.store.schema import subjects
from tmcwatch.telemetry.logs import configure
from tmcwatch.telemetry.metrics import Metrics

TIMES = 30
EVERY = 1.0
CALM = 30.0
TICK = 0.01

TENANTS = (
    ("tenant-a", 2_000, "series: 50000"),
    ("tenant-a", 2_000, "detail: ['kind=\"task\"']"),
    ("tenant-b", 30_000, "series: 50000"),
    ("tenant-b", 30_000, "series: 300000"),
)
"""Scenario, tasks, and what the config says of metrics."""

CONFIG = """
accounts: [{name: tenant, url: "%(api)s", token: benchmark, api_share: 1}]
watch: {history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team}
receivers: [{name: team, log: {level: info}}]
http: {listen: "127.0.0.1:0"}
metrics: {%(metrics)s}
"""

Scrape = tuple[float, float, int, int]
"""When it began and ended, its bytes, and its series."""


@dataclass(slots=True)
class Ticker:
    """Wants to run every 10 ms, and takes note of how much later it did.

    What it was late while this process had no processor is the machine's doing, and left out.
    """

    at: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            began, used = perf_counter(), process_time()
            await anyio.sleep(TICK)
            self.at.append(perf_counter())
            late = self.at[-1] - began - TICK
            self.late.append(max(min(late, process_time() - used), 0.0))

    def between(self, began: float, ended: float) -> Sequence[float]:
        # Up to the first tick after the end: what held it up may have begun before.
        return self.late[bisect_left(self.at, began) : bisect_left(self.at, ended) + 1]


async def measure() -> None:
    """Scrape tenants of 2,000 and of 30,000 tasks while they are polled."""
    for scenario, tasks, metrics in TENANTS:
        print(f"{tasks:,} tasks, {metrics}", flush=True)
        with TemporaryDirectory() as folder, simulated(scenario, "overlap", tasks) as tenant:
            config = CONFIG % {"api": tenant.api, "metrics": metrics}
            async with _daemon(written(Path(folder), config)) as daemon:
                world = await tenant.ask("/world")
                await _known(daemon, len(world["tasks"]) + len(world["plans"]))
                for line in await _measured(daemon):
                    print(f"  {line}", flush=True)


async def _measured(daemon: Daemon) -> list[str]:
    ticker = Ticker()
    async with anyio.create_task_group() as group:
        group.start_soon(ticker.run)
        began = perf_counter()
        await anyio.sleep(CALM)
        lines = [*_delays("loop late, polling alone", ticker.between(began, perf_counter()))]
        for form in ("text", "openmetrics"):
            lines += _figures(form, await _scrapes(daemon, form), ticker)
        group.cancel_scope.cancel()
    return lines


def _figures(form: str, scrapes: Sequence[Scrape], ticker: Ticker) -> Iterator[str]:
    seconds = [ended - began for began, ended, _, _ in scrapes]
    _, _, size, series = scrapes[-1]
    yield plain(f"{form}: series", series, "")
    yield plain(f"{form}: size", size / 2**20, "MiB")
    yield figure(f"{form}: scrape, p50 of {TIMES}", quantile(seconds, 0.5), "s", wanted=0.5)
    yield figure(f"{form}: scrape, longest", max(seconds), "s", wanted=0.5)
    late = [each for began, ended, _, _ in scrapes for each in ticker.between(began, ended)]
    yield from _delays(f"{form}: loop late meanwhile", late)


def _delays(name: str, late: Sequence[float]) -> Iterator[str]:
    yield plain(f"{name}, p50", quantile(late, 0.5) * 1_000, "ms")
    yield plain(f"{name}, p99", quantile(late, 0.99) * 1_000, "ms")
    yield figure(f"{name}, most", max(late) * 1_000, "ms", wanted=50)


async def _scrapes(daemon: Daemon, form: str) -> Sequence[Scrape]:
    url = f"http://{daemon.address}/metrics"
    words = [sys.executable, "-m", "tests.benchmarks.scraper", url, form, str(TIMES), str(EVERY)]
    done = await anyio.run_process(words, cwd=ROOT, stderr=None)
    return [(began, ended, size, series) for began, ended, size, series in json.loads(done.stdout)]


@asynccontextmanager
async def _daemon(config: Path):
    world = real_world({})
    metrics = Metrics(version="benchmark")
    with config.with_suffix(".log").open("w") as log:
        configure("info", "json", stream=log, clock=world.now, on_message=metrics.logged)
        spare_what_is_loaded()
        daemon = Daemon(config, load(config, environ={}), world, metrics)
        async with anyio.create_task_group() as group:
            group.start_soon(daemon.run)
            yield daemon
            daemon.stop()


async def _known(daemon: Daemon, number: int) -> None:
    """Wait until all tasks and plans have their names, and have each of them run once."""
    store = daemon.parts.store

    def count(connection: Connection) -> int:
        return int(connection.execute(select(func.count()).select_from(subjects)).scalar_one())

    async def is_known() -> bool:
        return await anyio.to_thread.run_sync(store.read, count) >= number

    await until(is_known, within=900, every=1)
    now = stored(real_world({}).now())
    ran = update(subjects).values(last_success_at=now, last_completion_at=now, succeeded=1)
    await anyio.to_thread.run_sync(store.write, lambda connection: connection.execute(ran))
