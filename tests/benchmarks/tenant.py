"""A large tenant in real time: how late its ends are seen, and what watching it costs."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import psutil
from sqlalchemy import Connection, select

from tests.benchmarks.machine import figure, plain, quantile
from tests.benchmarks.running import Simulated, daemon, simulated, until, written
from tests.benchmarks.seeing import first_seen
from tmcwatch.domain.execution import ENDS
from tmcwatch.simulator.execution import OPEN_TASK_STATES
from tmcwatch.store.engine import Store
from tmcwatch.store.moments import loaded
from tmcwatch.store.schema import capture

BEAT = 10
WARM_UP = 60
FIRST_STATES = frozenset({"EXECUTION_EVENT_RECEIVED", "STARTED"})
SETTLED = timedelta(seconds=40)
"""Ends younger than this at the last look may still be on their way."""

CONFIG = """
accounts: [{name: tenant-a, url: "%(api)s", token: benchmark}]
watch: {beat: 10s, history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team}
receivers:
  - {name: team, apprise: ["json://127.0.0.1:%(sink)d/"]}
http: {listen: "127.0.0.1:0"}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the daemon used after it had warmed up."""

    processor_share: float
    memory_mib: float
    requests_per_minute: float


async def measure(minutes: float) -> None:
    """Watch the same tenant in both readings of the window, side by side."""
    lines: dict[str, list[str]] = {}

    async def one(window: str) -> None:
        lines[window] = await _watched(window, minutes)

    async with anyio.create_task_group() as group:
        for window in ("overlap", "trigger"):
            group.start_soon(one, window)
    for window in sorted(lines):
        print(f"tenant-a, window read as {window}, {minutes:g} minutes, beat {BEAT} s")
        print("\n".join(f"  {line}" for line in lines[window]))


async def _watched(window: str, minutes: float) -> list[str]:
    with TemporaryDirectory() as folder, simulated("tenant-a", window) as tenant:
        async with _sink() as port:
            config = written(Path(folder), CONFIG % {"api": tenant.api, "sink": port})
            with daemon(config) as process:
                store = Store(f"sqlite:///{folder}/tmcwatch.db")
                await until(lambda: _is_watching(store))
                cost = await _cost(process, tenant, seconds=minutes * 60)
                lines = [*_costs(cost), *await _delays(store, tenant)]
                store.close()
    return lines


async def _cost(process: psutil.Process, tenant: Simulated, *, seconds: float) -> Cost:
    await anyio.sleep(WARM_UP)
    processor, requests, began = used(process), await asked(tenant), anyio.current_time()
    await anyio.sleep(max(seconds - WARM_UP, BEAT))
    elapsed = anyio.current_time() - began
    return Cost(
        processor_share=(used(process) - processor) / elapsed * 100,
        memory_mib=process.memory_info().rss / 2**20,
        requests_per_minute=(await asked(tenant) - requests) / elapsed * 60,
    )


def _costs(cost: Cost) -> Iterator[str]:
    yield figure("processor, share of one core", cost.processor_share, "%", wanted=15)
    yield figure("memory, with apprise loaded", cost.memory_mib, "MiB", wanted=100)
    yield plain("requests", cost.requests_per_minute, "per minute")


async def _delays(store: Store, tenant: Simulated) -> list[str]:
    """Set what truly ended against what was seen, and answer with how late that was."""
    now = datetime.fromisoformat((await tenant.ask("/world"))["now"])
    began = store.read(_watched_from)
    truth = await tenant.ask("/transitions", since=min(began.values()).isoformat())
    seen = store.read(partial(first_seen, phases=ENDS))
    triggered = {truth_key(row) for row in truth if row["execution_status"] in FIRST_STATES}
    due = {
        truth_key(row): at
        for row in truth
        if row["execution_status"] not in OPEN_TASK_STATES | FIRST_STATES
        and began[row["kind"]] <= (at := datetime.fromisoformat(row["at"])) <= now - SETTLED
    }
    delays = [(seen[key] - at).total_seconds() for key, at in due.items() if key in seen]
    missed = due.keys() - seen.keys()
    return [
        plain("ends", len(due), "executions"),
        figure("ends missed", len(missed & triggered), "", wanted=0),
        plain("ends unseen of runs older than the watch", len(missed - triggered), "executions"),
        plain("true end to seen, p50", quantile(delays, 0.5), "s"),
        figure("true end to seen, p99", quantile(delays, 0.99), "s", wanted=BEAT + 2),
        plain("true end to seen, longest", max(delays), "s"),
    ]


def truth_key(row: dict[str, str]) -> tuple[str, str]:
    return row["kind"], row["execution_id"]


def _watched_from(connection: Connection) -> dict[str, datetime]:
    rows = connection.execute(select(capture.c.kind, capture.c.watched_from))
    return {kind: loaded(moment) for kind, moment in rows}


async def _is_watching(store: Store) -> bool:
    try:
        return len(store.read(_watched_from)) == 2
    except Exception:  # noqa: BLE001 - the daemon is still making its tables
        return False


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def asked(tenant: Simulated) -> int:
    return int((await tenant.ask("/world"))["requests"])


@asynccontextmanager
async def _sink() -> AsyncIterator[int]:
    """Take whatever a receiver is sent, and answer that it is welcome."""

    async def take(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive(65_536)
            await stream.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, take)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        group.cancel_scope.cancel()
