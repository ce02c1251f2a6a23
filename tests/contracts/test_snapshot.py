"""What the store answers when it is asked for everything at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Insert, insert

from tmcwatch.domain.execution import Kind, Phase
from tmcwatch.domain.snapshot import CounterState, OutboxState
from tmcwatch.store import schema
from tmcwatch.store.engine import Store
from tmcwatch.store.moments import stored
from tmcwatch.store.snapshot import read_snapshot

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    store.write(schema.metadata.create_all)
    yield store
    store.close()


@pytest.fixture
def snapshot(store):
    return lambda: store.read(lambda connection: read_snapshot(connection, NOON))


def at(minutes: float) -> int:
    return stored(NOON + timedelta(minutes=minutes))


def remember(store: Store, statement: Insert, *rows: dict[str, object]) -> None:
    store.write(lambda connection: connection.execute(statement, list(rows)))


def listed(kind="task", **changes):
    row = {"account": "prod", "kind": kind, "watched_from": at(-60), "watermark": at(-1)}
    return row | {"head_at": at(0), "history_from": None, "history_to": None} | changes


def subject(id_="t1", **changes):
    names = {"workspace_id": "w", "workspace": "FIN", "environment_id": "e", "environment": "PROD"}
    return {"account": "prod", "kind": "task", "id": id_, "name": "load", "listed": True} | (
        names | changes
    )


def execution(id_, phase, minute, **changes):
    row = {"account": "prod", "kind": "task", "id": id_, "phase": phase, "status": "x"}
    row |= {"trigger": "manual", "triggered_at": at(minute), "detailed": False, "open": True}
    return row | {"first_seen_at": at(0), "seen_at": at(0)} | changes


def delivery(id_, state, minute, receiver="oncall", **changes):
    row = {"id": id_, "receiver": receiver, "target": f"{receiver}/webhook", "group_key": "g"}
    row |= {"number": 1, "state": state, "facts": "{}", "attempts": 0, "due_at": at(0)}
    return row | {"created_at": at(minute), "changed_at": at(0)} | changes


def alert(id_, rule, **changes):
    row = {"id": id_, "rule": rule, "severity": "critical", "account": "prod", "kind": "task"}
    row |= {"subject": "t1", "labels": "{}", "annotations": "{}", "starts_at": at(-5)}
    return row | {"ends_at": None, "count": 1, "opened_at": at(-5), "changed_at": at(-5)} | changes


def test_an_empty_store_has_an_empty_snapshot(snapshot):
    found = snapshot()
    assert found.at == NOON
    assert (found.lists, found.subjects, found.counters, found.outbox) == ((), (), (), ())
    assert found.alerts_firing == {}


def test_a_list_says_how_far_it_was_read(store, snapshot):
    history = listed("plan", history_from=at(-600), history_to=at(-60))
    remember(store, insert(schema.capture), listed(), history)
    plans, tasks = snapshot().lists
    assert (tasks.account, tasks.kind, plans.kind) == ("prod", Kind.TASK, Kind.PLAN)
    assert (tasks.watermark, tasks.head_at) == (NOON - timedelta(minutes=1), NOON)
    assert (tasks.history_from, tasks.history_to) == (None, None)
    assert plans.history_to - plans.history_from == timedelta(hours=9)


def test_open_executions_are_counted_by_phase_with_the_oldest(store, snapshot):
    remember(store, insert(schema.capture), listed(), listed("plan"))
    running = [execution("a", "running", -9), execution("b", "running", -3)]
    over = execution("c", "failed", -20, open=False)
    remember(store, insert(schema.executions), *running, over, execution("d", "waiting", -1))
    plans, tasks = snapshot().lists
    assert tasks.open == {Phase.RUNNING: 2, Phase.WAITING: 1}
    assert tasks.oldest_open[Phase.RUNNING] == NOON - timedelta(minutes=9)
    assert plans.open == {}


def test_open_executions_are_found_by_their_own_index(store):
    def plan(connection):
        statement = "EXPLAIN QUERY PLAN SELECT account, kind, phase, count(*) FROM executions "
        statement += "WHERE open = 1 GROUP BY account, kind, phase"
        return str(connection.exec_driver_sql(statement).all())

    assert "ix_executions_open" in store.read(plan)


def test_a_task_comes_with_its_names_and_counters(store, snapshot):
    row = subject(last_success_at=at(-60), last_completion_at=at(-5), last_phase="failed")
    row |= {"failing_since": at(-5), "consecutive_failures": 1, "succeeded": 7, "failed": 2}
    remember(store, insert(schema.subjects), row)
    (task,) = snapshot().subjects
    assert (task.subject.name, task.subject.environment) == ("load", "PROD")
    assert task.last_success_at == NOON - timedelta(hours=1)
    assert task.failing_since == task.last_completion_at == NOON - timedelta(minutes=5)
    assert (task.last_phase, task.consecutive_failures) == (Phase.FAILED, 1)
    assert (task.succeeded, task.failed, task.other) == (7, 2, 0)


def test_a_task_that_tmc_lists_no_more_vanishes(store, snapshot):
    remember(store, insert(schema.subjects), subject(), subject("t2", listed=False))
    assert [task.subject.id for task in snapshot().subjects] == ["t1"]
    assert snapshot().subjects[0].last_phase is None


def test_counters_are_read_as_they_are_kept(store, snapshot):
    key: dict[str, Any] = {
        "account": "prod",
        "environment": "PROD",
        "workspace": "FIN",
        "label": "failed",
    }
    row: dict[str, Any] = {"metric": "executions_total", "value": 3.0, **key}
    remember(store, insert(schema.counters), {**row, "kind": "task"})
    assert snapshot().counters == (CounterState(**row, kind=Kind.TASK),)


def test_only_open_alerts_that_count_are_firing(store, snapshot):
    ended = alert("c", "failed", ends_at=at(-1), end_reason="recovered")
    pending = alert("e", "failed", due_at=at(5))
    rows = [alert("a", "failed"), alert("b", "failed"), alert("d", "misfired", severity="info")]
    for row in (*rows, ended, pending):
        remember(store, insert(schema.alerts), row)
    assert snapshot().alerts_firing == {("failed", "critical"): 2, ("misfired", "info"): 1}


def test_silences_that_are_not_over_are_counted_by_state(store, snapshot):
    named = {"matchers": "[]", "created_by": "ann", "comment": "", "created_at": at(-9)}
    stretches = {"a": (-9, 9), "b": (0, 1), "c": (1, 9), "d": (-9, 0)}
    rows = [
        {"id": id_, "starts_at": at(start), "ends_at": at(end), "reminded": False, **named}
        for id_, (start, end) in stretches.items()
    ]
    remember(store, insert(schema.silences), *rows)
    assert snapshot().silences == {"active": 2, "pending": 1}


def test_the_outbox_tells_what_is_owed_and_what_was_given_up(store, snapshot):
    owed = [delivery("a", "pending", -4), delivery("b", "sending", -9)]
    over = [delivery("c", "delivered", -30), delivery("d", "dead", -90)]
    dead = delivery("e", "dead", -9, receiver="team")
    remember(store, insert(schema.deliveries), *owed, *over, dead)
    oldest = NOON - timedelta(minutes=9)
    assert snapshot().outbox == (
        OutboxState(receiver="oncall", pending=2, oldest_at=oldest, dead=1),
        OutboxState(receiver="team", pending=0, oldest_at=None, dead=1),
    )
