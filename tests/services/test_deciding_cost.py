"""What a round costs: what it asks the store for does not grow with all that there ever was."""

from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.domain.telling import at
from tests.services.deciding import SETTINGS, Deciding
from tmcwatch.alerting.deciding import decide
from tmcwatch.domain.execution import ExecutionId, Phase, SubjectId
from tmcwatch.store.opening import open_store

GROWING = ("alerts", "executions", "transitions", "members", "groups", "deliveries")
BOUNDED = ("ix_alerts_open", "ix_alerts_held", "ix_executions_open")
"""Indexes of a part of a table that stays small."""


@pytest.fixture
def deciding(store):
    return begun(store)


def begun(store) -> Deciding:
    deciding = Deciding(store)
    deciding.watch()
    deciding.name()
    deciding.round(-600)
    return deciding


def scans(deciding: Deciding, minute: float) -> list[str]:
    """Decide, and answer with how the store went through whole tables that grow."""
    plans: list[str] = []

    def explain(connection: Any, _: Any, statement: str, values: Any, *_call: Any) -> None:
        if statement.startswith("SELECT"):
            found = connection.connection.cursor().execute(
                f"EXPLAIN QUERY PLAN {statement}", values
            )
            plans.extend(detail for *_, detail in found)

    def work(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", explain)
        decide(connection, deciding.settings, now=at(minute))

    deciding.store.write(work)
    assert plans
    whole = {f"SCAN {table}" for table in GROWING}
    return [
        plan
        for plan in plans
        if " ".join(plan.split()[:2]) in whole and not any(name in plan for name in BOUNDED)
    ]


def test_no_round_goes_through_all_that_there_ever_was(deciding):
    deciding.see(Phase.FAILED, 0)
    found = scans(deciding, 0.2)
    deciding.see(Phase.SUCCEEDED, 1)
    found += scans(deciding, 1.2)
    deciding.see(Phase.FAILED, 0.5, seen=1.5)
    assert found + scans(deciding, 1.7) + scans(deciding, 2) == []


def statements(deciding: Deciding, minute: float, *, is_thorough: bool) -> int:
    """Decide, and answer with how many statements that took."""
    asked = 0

    def count(*_call: Any) -> None:
        nonlocal asked
        asked += 1

    def work(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", count)
        decide(connection, deciding.settings, now=at(minute), is_thorough=is_thorough)

    deciding.store.write(work)
    return asked


@pytest.mark.parametrize("is_thorough", [False, True])
def test_a_round_without_news_asks_once_even_while_something_fires(deciding, is_thorough):
    deciding.see(Phase.FAILED, 0)
    deciding.round(0.2)
    deciding.round(2)
    deciding.round(2.1)
    assert statements(deciding, 3, is_thorough=is_thorough) == 1


def steps_of_backlog(path, runs: int) -> int:
    """Answer with how many steps the store takes to decide on runs that were seen meanwhile."""
    store = open_store(f"sqlite:///{path / str(runs)}.db")
    deciding = begun(store)
    for n in range(runs):
        changes: dict[str, Any] = {"id": ExecutionId(f"r{n}"), "subject": SubjectId(f"t{n % 20}")}
        deciding.see(Phase.FAILED if n % 60 < 20 else Phase.SUCCEEDED, n / 20, **changes)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    def work(connection: Connection) -> bool:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count, 100)
        more = decide(connection, SETTINGS, now=at(runs)).more
        driver.set_progress_handler(None, 0)
        return more

    while store.write(work):
        pass
    store.close()
    return steps


@pytest.mark.uncounted
def test_twice_the_backlog_takes_hardly_more_than_twice_the_work(tmp_path):
    first = steps_of_backlog(tmp_path, 400)
    assert steps_of_backlog(tmp_path, 800) < 3 * first
