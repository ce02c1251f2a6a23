"""The daemon in virtual time, as a process: `python -m tests.benchmarks.accelerated …`.

Its TMC is a simulator in another process, so that what it holds in memory is its own. The two
share the time: each request says what time it is, and while one is answered no time passes.
"""

import sys
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import anyio
from trio.testing import MockClock

from tests.benchmarks.wire import Wire
from tests.threads import inline
from tmcwatch.app import Parts, World, watch
from tmcwatch.app.answering import Answers
from tmcwatch.app.beats import Beats
from tmcwatch.config import Config, load
from tmcwatch.store.opening import open_store
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.logs import configure
from tmcwatch.telemetry.metrics import Metrics

SCRAPE_EVERY = timedelta(hours=1)


def main(config: str, descriptor: str, start: str, seconds: str) -> None:
    epoch = datetime.fromisoformat(start)
    with Connection(int(descriptor)) as connection:
        wire = Wire(connection=connection)
        world = World(
            now=lambda: epoch + timedelta(seconds=anyio.current_time()),
            in_thread=inline,
            random=lambda: 0.5,
            transport=lambda: wire,
            environ={},
        )
        anyio.run(
            partial(
                _watch, load(Path(config), environ={}), world, timedelta(seconds=float(seconds))
            ),
            backend="trio",
            backend_options={"clock": MockClock(autojump_threshold=0)},
        )


async def _watch(config: Config, world: World, span: timedelta) -> None:
    metrics = Metrics(version="benchmark")
    configure("info", "json", stream=sys.stderr, clock=world.now, on_message=metrics.logged)
    store = open_store(config.store.url)
    parts = Parts(store=store, metrics=metrics, health=Health(), beats=Beats(metrics))
    parts.health.store_works()
    stop = anyio.Event()
    answers = Answers(config=lambda: config, parts=parts, world=world)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_scrape, answers)
        tasks.start_soon(_stop_after, span, stop)
        await watch(config, parts, world, stop=stop)
        tasks.cancel_scope.cancel()
    store.close()


async def _stop_after(span: timedelta, stop: anyio.Event) -> None:
    await anyio.sleep(span.total_seconds())
    stop.set()


async def _scrape(answers: Answers) -> None:
    """Scrape, more rarely than a Prometheus does: what it takes up for a moment is the same."""
    while True:
        await anyio.sleep(SCRAPE_EVERY.total_seconds())
        await answers.metrics(None)


if __name__ == "__main__":
    main(*sys.argv[1:])
