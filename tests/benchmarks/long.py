"""Days of a very large tenant in virtual time: what watching it holds, stores and asks."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import linear_regression
from tempfile import TemporaryDirectory
from time import perf_counter
from tracemalloc import get_traced_memory
from tracemalloc import start as start_tracing
from tracemalloc import stop as stop_tracing

from sqlalchemy import Connection, func, select, text

from tests.benchmarks.machine import figure, median, plain
from tests.benchmarks.playing import MIB, Course, sink, watched
from tests.benchmarks.running import free_port, simulated, written
from tests.benchmarks.seeing import first_seen
from tests.benchmarks.starting import seconds_to_ready
from tests.benchmarks.tenant import truth_key
from tmcwatch.domain.budget import CEILINGS, Family
from tmcwatch.domain.execution import ENDS
from tmcwatch.simulator import Reading, Scenario, tenant_b
from tmcwatch.simulator.execution import OPEN_TASK_STATES
from tmcwatch.store.engine import Store
from tmcwatch.store.opening import open_store
from tmcwatch.store.schema import executions
from tmcwatch.store.snapshot import read_snapshot
from tmcwatch.telemetry.metrics import Metrics

TRIES = 5
BEATS_TO_SETTLE = 4
"""Ends younger than so many beats may still be on their way."""
CHECKED = timedelta(hours=6)
STARTED = frozenset({*OPEN_TASK_STATES, "STARTED"})

CONFIG = """
accounts: [{name: tenant-b, url: "%(api)s", token: benchmark}]
watch: {beat: %(beat)ds, names: {every: 1h}, history: 0s}
store: {url: "sqlite:///tmcwatch.db", keep: 15d}
route: {receiver: team}
receivers: [{name: team, apprise: ["json://127.0.0.1:%(sink)d/"]}]
http: {listen: "127.0.0.1:%(port)d"}
"""


async def measure(days: float, window: Reading, beat: int) -> None:
    """Watch the very large tenant, then start anew on its store, and scrape it."""
    print(f"tenant-b, window read as {window}, {days:g} days, beat {beat} s", flush=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for line in watch_and_tell(tenant_b(), window, folder, timedelta(days=days), beat=beat):
            print(f"  {line}", flush=True)
        with simulated("small", window) as simulator:
            port = free_port()
            config = written(
                folder, CONFIG % {"api": simulator.api, "port": port, "sink": 9, "beat": beat}
            )
            ready = [await seconds_to_ready(config, port) for _ in range(TRIES)]
        print(f"  {figure('restart to ready, median of 5', median(ready), 's', wanted=3)}")


def watch_and_tell(
    scenario: Scenario, window: Reading, folder: Path, span: timedelta, *, beat: int
) -> Iterator[str]:
    """Watch in virtual time and give the lines that say what it took."""
    with sink() as port:
        config = written(
            folder, CONFIG % {"api": "http://tmc", "sink": port, "port": 1, "beat": beat}
        )
        course = watched(scenario, window, config, span)
    yield from _held(course, span)
    yield from _asked(course, span)
    store = open_store(f"sqlite:///{folder}/tmcwatch.db")
    try:
        yield from _seen(course, store, span, settled=BEATS_TO_SETTLE * timedelta(seconds=beat))
        yield from _stored(store, folder / "tmcwatch.db")
        yield from _scraped(store)
    finally:
        store.close()


def _held(course: Course, span: timedelta) -> Iterator[str]:
    """Tell of the memory, and how it grows after the first half day (or half of the time)."""
    warm = min(timedelta(days=0.5), span / 2)
    later = [sample for sample in course.samples if sample.at >= warm]
    days = [sample.at / timedelta(days=1) for sample in later]
    slope, _ = linear_regression(days, [sample.memory_mib for sample in later])
    yield plain("real time", course.seconds / 60, "min")
    yield plain("processor, share of one core", _share(course), "% of the time that passed in it")
    yield figure("memory, most", course.samples[-1].peak_mib, "MiB", wanted=200)
    yield plain("memory, at the end", later[-1].memory_mib, "MiB")
    yield plain("memory, growth after the first half day", slope, "MiB a day")
    every = max(len(course.samples) // 12, 1)
    curve = (f"{sample.memory_mib:.0f}" for sample in course.samples[::every])
    yield f"memory by time: {' '.join(curve)} MiB"


def _share(course: Course) -> float:
    return course.processor_seconds / course.clock.passed.total_seconds() * 100


def _asked(course: Course, span: timedelta) -> Iterator[str]:
    minutes = span / timedelta(minutes=1)
    ceiling = CEILINGS[Family.PROCESSING]
    asked = course.requests["processing"] / minutes
    yield plain("requests", sum(course.requests.values()) / minutes, "per minute")
    yield plain("  of the processing family", asked, f"per minute, {asked / ceiling:.1%} of TMC's")
    yield plain("  in the busiest minute", max(course.per_minute.values()), "")
    yield f"answers by status: {dict(course.simulator.journal.by_status)}"
    yield plain("open executions at once, most", max(course.open), "")


def _seen(course: Course, store: Store, span: timedelta, *, settled: timedelta) -> Iterator[str]:
    """Set what truly ended in the last hours against what the store says was seen."""
    world = course.simulator.world
    truth = world.truth(world.now - min(CHECKED, span))
    triggered = {truth_key(row) for row in truth if row["execution_status"] in STARTED}
    due = {
        truth_key(row)
        for row in truth
        if row["execution_status"] not in STARTED and row["at"] <= world.now - settled
    }
    missed = (due & triggered) - store.read(partial(first_seen, phases=ENDS)).keys()
    yield plain("ends in the last hours", len(due), "")
    yield figure("  of them missed", len(missed), "", wanted=0)


def _stored(store: Store, path: Path) -> Iterator[str]:
    """Tell how large the file is after a checkpoint, and what of it each table takes."""
    store.read(lambda connection: connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")))
    size = path.stat().st_size
    counted = select(func.count()).select_from(executions)
    count = store.read(lambda connection: connection.execute(counted).scalar_one())
    yield plain("executions stored", count, "")
    yield plain("store", size / MIB, "MiB")
    yield plain("store, per million executions", size / count * 1e6 / MIB, "MiB")
    for table, taken in store.read(_sizes):
        if taken > size / 100:
            yield plain(f"  of it {table}, and its indexes", taken / MIB, "MiB")


def _sizes(connection: Connection) -> Sequence[tuple[str, int]]:
    """Answer with the bytes of each table, the largest first."""
    query = (
        "SELECT tbl_name, sum(pgsize) AS taken FROM dbstat JOIN sqlite_schema USING (name) "
        "GROUP BY tbl_name ORDER BY taken DESC"
    )
    return [(table, taken) for table, taken in connection.execute(text(query))]


def _scraped(store: Store) -> Iterator[str]:
    read = partial(store.read, partial(read_snapshot, now=datetime.now().astimezone()))
    metrics = Metrics(version="benchmark")
    began = perf_counter()
    snapshot = read()
    read_in = perf_counter() - began
    body, _ = metrics.render(snapshot, None)
    rendered_in = perf_counter() - began - read_in
    yield plain("scrape: snapshot", read_in * 1000, f"ms, {len(snapshot.subjects):,} tasks, plans")
    lines = body.count(b"\n")
    yield plain("scrape: written out", rendered_in * 1000, f"ms, {lines:,} lines")
    del snapshot, body
    start_tracing()
    metrics.render(read(), None)
    _, peak = get_traced_memory()
    stop_tracing()
    yield plain("scrape: memory for its time", peak / MIB, "MiB")
