"""Rows decoded, compared and stored per second: from TMC's JSON to a committed transaction."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.benchmarks.machine import figure, plain
from tmcwatch.api.payloads import task_page
from tmcwatch.domain.execution import AccountName, Kind, Row, Subject, SubjectId
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.simulator import Simulator, tenant_a
from tmcwatch.simulator.execution import TaskRun
from tmcwatch.simulator.rows import task_row
from tmcwatch.simulator.view import View
from tmcwatch.simulator.world import milliseconds
from tmcwatch.store.engine import Store
from tmcwatch.store.opening import open_store
from tmcwatch.tracking.absorbing import absorb, absorb_names

ACCOUNT = AccountName("tenant-a")
ROWS = 10_000
ROUNDS = 5
PAGE = 100
PORTION = 1_000
WANTED = 6_000

Body = bytes


async def measure() -> None:
    """Take in a part of a day of a large tenant: all new, all unchanged, and all ended since.

    The best of a few rounds: what else the machine does can only make it slower.
    """
    simulator = tenant(timedelta(days=1))
    runs = [run for run in simulator.world.tasks.runs if run.finished < now_of(simulator)][:ROWS]
    begun = bodies(runs, lambda run: (run.started or run.triggered) + 1)
    ended = bodies(runs, lambda _run: now_of(simulator))
    rounds = [_rates(simulator, begun, ended) for _ in range(ROUNDS)]
    new, unchanged, changed, decoded = (max(rates) for rates in zip(*rounds, strict=True))
    print(figure("new rows", new, "/s", wanted=WANTED, at_least=True))
    print(figure("changed rows, open to ended", changed, "/s", wanted=WANTED, at_least=True))
    print(figure("unchanged rows", unchanged, "/s", wanted=changed, at_least=True))
    print(plain("decoding alone", decoded, "/s"))


def _rates(
    simulator: Simulator, begun: Sequence[Body], ended: Sequence[Body]
) -> tuple[float, float, float, float]:
    with TemporaryDirectory() as folder:
        store = opened(Path(folder) / "new.db", simulator)
        new, unchanged = rate(store, ended), rate(store, ended)
        store.close()
        store = opened(Path(folder) / "changed.db", simulator)
        rate(store, begun)
        changed = rate(store, ended)
        store.close()
    began = perf_counter()
    rows = sum(len(task_page(body).rows) for body in ended)
    return new, unchanged, changed, rows / (perf_counter() - began)


def tenant(history: timedelta) -> Simulator:
    return Simulator(replace(tenant_a(), history=history), now=lambda: datetime.now(UTC))


def now_of(simulator: Simulator) -> int:
    return milliseconds(simulator.start)


def bodies(runs: Sequence[TaskRun], seen_at: Callable[[TaskRun], int]) -> list[Body]:
    """Answer with the pages of a list that shows each run as it was when it was seen."""
    rows = [task_row(run._replace(lag=0), View(now=seen_at(run))) for run in runs]
    pages = [rows[begin : begin + PAGE] for begin in range(0, len(rows), PAGE)]
    return [json.dumps({"items": page, "total": len(rows)}).encode() for page in pages]


def opened(path: Path, simulator: Simulator) -> Store:
    """Open a store that knows the names of the tenant, as after the first minute."""
    store = open_store(f"sqlite:///{path}")
    names = NamesRead(
        account=ACCOUNT,
        at=simulator.start,
        subjects=tuple(
            Subject(
                kind=Kind.TASK,
                id=SubjectId(task.id),
                name=task.name,
                workspace_id=task.workspace.id,
                workspace=task.workspace.name,
                environment_id=task.workspace.environment.id,
                environment=task.workspace.environment.name,
            )
            for task in simulator.world.tenant.tasks
        ),
        complete=True,
    )
    store.write(partial(absorb_names, names=names))
    return store


def rate(store: Store, pages: Sequence[Body]) -> float:
    """Take in all pages, and answer with the rows per second."""
    began = perf_counter()
    count = sum(take_in(store, rows) for rows in portions(pages))
    return count / (perf_counter() - began)


def portions(pages: Sequence[Body]) -> Iterator[tuple[Row, ...]]:
    each = PORTION // PAGE
    for begin in range(0, len(pages), each):
        yield tuple(row for body in pages[begin : begin + each] for row in task_page(body).rows)


def take_in(store: Store, rows: tuple[Row, ...]) -> int:
    looked = Looked(account=ACCOUNT, kind=Kind.TASK, at=datetime.now(UTC), rows=rows)
    store.write(partial(absorb, looked=looked))
    return len(rows)
