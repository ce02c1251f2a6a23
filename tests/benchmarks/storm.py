"""A storm: 5,000 tasks fail at once; how long until what is owed is committed."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from sqlalchemy import func, select

from tests.benchmarks.machine import plain
from tests.benchmarks.running import written
from tmcwatch.alerting.deciding import decide
from tmcwatch.alerting.settings import Settings
from tmcwatch.app.wiring import settings_of
from tmcwatch.config import load
from tmcwatch.domain.execution import (
    AccountName,
    ExecutionId,
    Kind,
    Phase,
    Row,
    SubjectId,
    Trigger,
)
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.store.engine import Store
from tmcwatch.store.opening import open_store
from tmcwatch.store.schema import deliveries
from tmcwatch.tracking.absorbing import absorb, absorb_names, portions

ACCOUNT = AccountName("prod")
FAILURES = 5_000

CONFIG = """
accounts: [{name: prod, url: "http://127.0.0.1:9", token: benchmark}]
route: {receiver: team, group_by: [%s], group_wait: 0s}
receivers: [{name: team, log: {level: info}, storm: %s}]
"""
WAYS = {
    "one group": ("account, environment, rule", "off"),
    "a group each": ('"..."', "off"),
    "a group each, as a summary": ('"..."', "{}"),
}


async def measure() -> None:
    """Let the storm come over every way of telling it."""
    for name, way in WAYS.items():
        with TemporaryDirectory() as folder:
            config = load(written(Path(folder), CONFIG % way), environ={})
            store = open_store(f"sqlite:///{folder}/tmcwatch.db")
            found = _seconds(partial(_find, store))
            decided = _seconds(partial(_decide, store, settings_of(config)))
            owed = store.read(lambda c: c.execute(select(func.count(deliveries.c.id))).scalar())
            store.close()
        print(plain(f"5,000 failures found, {name}", found, "s"))
        print(plain("  decided on, and owed", decided, f"s, {owed:,} deliveries"))


def _find(store: Store) -> None:
    now = datetime.now(UTC)
    names = NamesRead(account=ACCOUNT, at=now, subjects=(), complete=True)
    store.write(partial(absorb_names, names=names))
    rows = tuple(_failed(number, now) for number in range(FAILURES))
    for portion in portions(Looked(account=ACCOUNT, kind=Kind.TASK, at=now, rows=rows)):
        store.write(partial(absorb, looked=portion))


def _failed(number: int, now: datetime) -> Row:
    return Row(
        kind=Kind.TASK,
        id=ExecutionId(f"{number:036x}"),
        subject=SubjectId(f"{number:024x}"),
        phase=Phase.FAILED,
        status="execution_failed/EXECUTION_FAILED",
        trigger=Trigger.SCHEDULED,
        triggered_at=now,
        started_at=now,
        ended_at=now,
    )


def _decide(store: Store, settings: Settings) -> None:
    more = True
    while more:
        more = store.write(partial(decide, settings=settings, now=datetime.now(UTC))).more


def _seconds(work: Callable[[], None]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
