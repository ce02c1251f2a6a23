"""A process that a storm comes over: it finds failures, decides on them and delivers them.

`python -m tests.benchmarks.storming CONFIG FAILURES`: says `ready`, and begins at a line of input.
It is `tmcwatch run` without the polling, whose pace is TMC's to give.
"""

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import random

import anyio

from tests.benchmarks.storm import find
from tmcwatch.alerting.service import Alerter
from tmcwatch.app.wiring import settings_of, targets_of
from tmcwatch.app.world import World, in_thread
from tmcwatch.config import load
from tmcwatch.delivering import Means, deliver, words_for
from tmcwatch.store.opening import open_store
from tmcwatch.supervisor import Bell
from tmcwatch.telemetry.logs import configure


class _Unobserved:
    def on_sent(self, receiver: str, seconds_since_created: float) -> None: ...

    def on_failed(self, receiver: str, reason: str) -> None: ...


async def main(file: str, failures: int) -> None:
    config = load(Path(file), environ={})
    store = open_store(config.store.url)
    world = World(now=lambda: datetime.now(UTC), in_thread=in_thread, random=random, environ={})
    changed, owed = Bell(), Bell()
    alerter = Alerter(
        store=store,
        in_thread=in_thread,
        now=world.now,
        settings=settings_of(config),
        changed=changed,
        owed=owed,
    )
    means = Means(
        store=store,
        in_thread=in_thread,
        now=world.now,
        random=random,
        words=partial(words_for, time_zone=config.time_zone),
        observed=_Unobserved(),
    )
    async with anyio.create_task_group() as services:
        services.start_soon(alerter.run)
        for target in targets_of(config, world):
            services.start_soon(partial(deliver, target, bell=owed, means=means))
        print("ready", flush=True)
        await in_thread(sys.stdin.readline)
        for work in find(failures):
            await in_thread(store.write, work)
            changed.ring()
        await anyio.sleep_forever()


if __name__ == "__main__":
    configure("warning", "json", stream=sys.stderr, clock=lambda: datetime.now(UTC))
    anyio.run(main, sys.argv[1], int(sys.argv[2]))
