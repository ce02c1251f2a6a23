"""How long a person or a pod waits: for `--help`, and from the start to ready."""

import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.benchmarks.absorbing import bodies, now_of, opened, rate, tenant
from tests.benchmarks.machine import figure, median
from tests.benchmarks.running import ROOT, daemon, free_port, ready, simulated, until, written
from tmcwatch.alerting.calm import CURSOR
from tmcwatch.store.transitions import last_sequence, save_cursor

TRIES = 5
EXECUTIONS = 240_000

CONFIG = """
accounts: [{name: tenant-a, url: "%(api)s", token: benchmark}]
watch: {history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team}
receivers: [{name: team, log: {level: info}}]
http: {listen: "127.0.0.1:%(port)d"}
"""


async def measure_help() -> None:
    """Ask for help ten times."""
    seconds = [_seconds_of_help() for _ in range(10)]
    print(figure("tmcwatch --help, median of 10", median(seconds), "s", wanted=0.5))


def _seconds_of_help() -> float:
    began = perf_counter()
    command = [sys.executable, "-m", "tmcwatch", "--help"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - began


async def measure_ready() -> None:
    """Start on an empty store each time, and on one that holds ten days of a large tenant."""
    with simulated("small", "overlap") as simulator, TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        config = written(folder, CONFIG % {"api": simulator.api, "port": port})
        empty = []
        for _ in range(TRIES):
            _empty(folder)
            empty.append(await seconds_to_ready(config, port))
        _fill(folder)
        full = [await seconds_to_ready(config, port) for _ in range(TRIES)]
    print(figure("start to ready, empty store, median of 5", median(empty), "s", wanted=3))
    print(figure("start to ready, 240,000 executions", median(full), "s", wanted=3))


async def seconds_to_ready(config: Path, port: int) -> float:
    began = perf_counter()
    with daemon(config):
        await until(partial(ready, port))
        return perf_counter() - began


def _empty(folder: Path) -> None:
    for file in folder.glob("tmcwatch.db*"):
        file.unlink()


def _fill(folder: Path) -> None:
    """Put ten days of a large tenant into the store, as if they had been watched and told."""
    simulator = tenant(timedelta(days=10))
    runs = simulator.world.tasks.runs[:EXECUTIONS]
    store = opened(folder / "tmcwatch.db", simulator)
    rate(store, bodies(runs, lambda _run: now_of(simulator)))
    store.write(lambda connection: save_cursor(connection, CURSOR, last_sequence(connection)))
    store.close()
