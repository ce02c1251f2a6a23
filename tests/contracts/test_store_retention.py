"""Retention: what is over is forgotten in portions; what is open, untold or owed stays."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import ColumnElement, select

from tests.contracts.remembering import believed, rows_in, url_of
from tests.domain.telling import NOON, alert, at, ended, row
from tmcwatch.domain.alert import AlertId, EndReason
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.execution import AccountName, ExecutionId, Phase
from tmcwatch.domain.grouping import Group
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.message import Message
from tmcwatch.domain.silence import Silence
from tmcwatch.store import outbox, retention, schema
from tmcwatch.store.alerts import save_alerts
from tmcwatch.store.conditions import begin_condition, take_note, untold_conditions
from tmcwatch.store.engine import Store
from tmcwatch.store.executions import save_executions
from tmcwatch.store.groups import add_members, save_groups
from tmcwatch.store.moments import stored
from tmcwatch.store.opening import open_store
from tmcwatch.store.retention import forget
from tmcwatch.store.silences import add_silence
from tmcwatch.store.transitions import append_transitions

LABELS = {"account": "prod", "kind": "task", "id": "t1", "name": "load"}
LIMIT = at(10)


@pytest.fixture
def store(tmp_path):
    store = open_store(url_of(tmp_path / "watch.db"))
    yield store
    store.close()


def forgotten(store: Store, *, told: int = 0) -> int:
    return store.write(partial(forget, before=LIMIT, told=told))


def left(store: Store, column: ColumnElement[Any]) -> set[Any]:
    return store.read(lambda c: set(c.execute(select(column)).scalars()))


def run(name: str, phase: Phase, *, triggered: float = 0, seen: float = 0):
    one = row(phase, id=ExecutionId(name), triggered_at=at(triggered))
    return believed(one, seen_at=at(seen))


def test_old_ends_go_and_open_or_young_executions_stay(store):
    kept = [run(phase.value, phase) for phase in (Phase.RUNNING, Phase.UNRECOGNISED)]
    kept += [run("young", Phase.FAILED, triggered=11, seen=11)]
    kept += [run("seen lately", Phase.FAILED, seen=10)]
    store.write(lambda c: save_executions(c, [*kept, run("old", Phase.FAILED, seen=9)]))
    assert forgotten(store) == 1
    assert left(store, schema.executions.c.id) == {one.row.id for one in kept}


def test_conditions_that_are_over_and_told_go_and_so_do_old_gaps(store):
    def put(connection):
        for rule, until, told in (
            ("over", at(1), True),
            ("lasting", None, True),
            ("untold", at(1), False),
            ("young", at(11), True),
        ):
            condition = Condition(
                rule=rule, account=AccountName("prod"), text="", since=at(0), until=until
            )
            begin_condition(connection, condition)
            if told:
                found = untold_conditions(connection, most=9)
                take_note(connection, [place for place, one in found if one.rule == rule])
        for minute in (1, 11):
            times = {"start": stored(at(0)) + minute, "end": stored(at(minute)), "found_at": 0}
            connection.execute(schema.gaps.insert().values(account="prod", kind="task", **times))

    store.write(put)
    assert forgotten(store) == 2
    assert left(store, schema.conditions.c.rule) == {"lasting", "untold", "young"}
    assert left(store, schema.gaps.c.end) == {stored(at(11))}


def test_silences_that_are_over_go(store):
    for id_, end in (("over", 9), ("young", 10), ("holds", 999)):
        silence = Silence(
            id=id_,
            matchers=(matcher_from("name=load"),),
            created_by="ann",
            comment="",
            created_at=at(0),
            starts_at=at(0),
            ends_at=at(end),
        )
        store.write(partial(add_silence, silence=silence))
    assert forgotten(store) == 1
    assert left(store, schema.silences.c.id) == {"young", "holds"}


def test_transitions_beyond_the_cursor_stay(store):
    steps = [ended(Phase.FAILED, 1, execution=f"r{n}") for n in range(4)]
    young = ended(Phase.FAILED, 11, execution="young")
    store.write(lambda c: append_transitions(c, [young, *steps]))
    assert forgotten(store, told=3) == 2
    assert left(store, schema.transitions.c.execution) == {"young", "r2", "r3"}


def test_open_alerts_and_those_still_to_be_told_stay(store):
    over = {"labels": LABELS, "ends_at": at(2), "end_reason": EndReason.RECOVERED}

    def work(connection):
        save_alerts(connection, [alert("open", labels=LABELS), alert("over", **over)])
        save_alerts(connection, [alert("untold", **over)])
        save_alerts(connection, [alert("young", **over, changed_at=at(10))])
        add_members(connection, [("g", AlertId("untold"))])

    store.write(work)
    assert forgotten(store) == 1
    assert left(store, schema.alerts.c.id) == {"open", "untold", "young"}


def owed(number: int) -> Delivery:
    message = Message(
        key=str(number),
        receiver="team",
        group_key=f"g{number}",
        group_labels={},
        alerts=(alert(),),
        created_at=NOON,
    )
    id_ = delivery_id("team/log", f"g{number}", number)
    return Delivery(
        id=id_,
        target="team/log",
        number=number,
        message=message,
        state=State.PENDING,
        attempts=0,
        due_at=NOON,
    )


def test_what_is_still_owed_stays(store):
    def work(connection):
        for number in range(4):
            outbox.owe(connection, owed(number))
        outbox.claim(connection, owed(1).id, at(1))
        outbox.delivered(connection, owed(2).id, "ok", at(1))
        outbox.bury(connection, owed(3).id, "gone", at(1))

    store.write(work)
    assert forgotten(store) == 2
    assert left(store, schema.deliveries.c.number) == {0, 1}


def test_groups_that_nobody_remembers_are_forgotten_once_their_deliveries_are(store):
    def work(connection):
        made = [
            Group(key="g1", receiver="team", labels={}, number=1, flushed_at=at(1)),
            Group(key="silent", receiver="team", labels={}),
            Group(key="young", receiver="team", labels={}, number=1, flushed_at=at(11)),
            Group(key="waiting", receiver="team", labels={}, flush_at=at(20)),
            Group(key="inhabited", receiver="team", labels={}, number=1, flushed_at=at(1)),
        ]
        save_groups(connection, made)
        add_members(connection, [("inhabited", AlertId("a"))])
        outbox.owe(connection, owed(1))
        outbox.delivered(connection, owed(1).id, "ok", at(1))

    store.write(work)
    forgotten(store)
    assert left(store, schema.groups.c.key) == {"g1", "young", "waiting", "inhabited"}
    forgotten(store)
    assert left(store, schema.groups.c.key) == {"young", "waiting", "inhabited"}


def test_a_clean_up_is_bounded_and_comes_to_its_end(store, monkeypatch):
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 10)

    def work(connection):
        save_executions(connection, [run(f"r{n}", Phase.FAILED) for n in range(25)])
        append_transitions(connection, [ended(Phase.FAILED, 1) for _ in range(12)])

    store.write(work)
    assert [forgotten(store, told=99) for _ in range(4)] == [20, 12, 5, 0]
    assert rows_in(store, schema.executions) == 0
