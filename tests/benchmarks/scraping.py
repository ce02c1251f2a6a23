"""What a scrape costs: reading the snapshot, and writing it out, of 2,000 tasks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.benchmarks.absorbing import bodies, now_of, opened, rate
from tests.benchmarks.machine import median, plain
from tmcwatch.simulator import Simulator, tenant_a
from tmcwatch.store.snapshot import read_snapshot
from tmcwatch.telemetry.metrics import Metrics

TRIES = 20


async def measure() -> None:
    """Scrape a tenant of 2,000 tasks twenty times."""
    scenario = replace(tenant_a(), tasks=2_000, history=timedelta(days=1))
    simulator = Simulator(scenario, now=lambda: datetime.now(UTC))
    with TemporaryDirectory() as folder:
        store = opened(Path(folder) / "tmcwatch.db", simulator)
        rate(store, bodies(simulator.world.tasks.runs, lambda _run: now_of(simulator)))
        read = partial(store.read, partial(read_snapshot, now=simulator.start))
        snapshot = read()
        metrics = Metrics(version="benchmark")
        text, _ = metrics.render(snapshot, None)
        print(plain("lines", text.count(b"\n"), "") + f"of {len(snapshot.subjects):,} tasks")
        print(plain("snapshot, median of 20", _milliseconds(read), "ms"))
        print(plain("render, text", _milliseconds(lambda: metrics.render(snapshot, None)), "ms"))
        store.close()


def _milliseconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(TRIES):
        began = perf_counter()
        work()
        seconds.append(perf_counter() - began)
    return median(seconds) * 1_000
