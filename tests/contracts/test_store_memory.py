"""What the store remembers: everything comes back as it was written."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.contracts.remembering import believed, rows_in, url_of
from tests.domain.telling import LOAD, NOON, PROD, alert, at, ended, row
from tmcwatch.domain.alert import EndReason
from tmcwatch.domain.execution import (
    ENDS,
    BadRow,
    Breakage,
    ExecutionId,
    Kind,
    Phase,
    Row,
    SubjectId,
    Trigger,
)
from tmcwatch.domain.lifecycle import ended_at
from tmcwatch.domain.observation import Followed
from tmcwatch.domain.standing import Standing
from tmcwatch.store import alerts, executions, quarantine, schema, subjects, transitions
from tmcwatch.store.counters import Counted, add_to_counters
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.opening import open_store

TASK = Kind.TASK
T1 = SubjectId("t1")
R = ExecutionId("r")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    store = open_store(url_of(tmp_path_factory.mktemp("store") / "watch.db"))
    yield store
    store.close()


@pytest.fixture
def connection(tmp_path):
    store = open_store(url_of(tmp_path / "watch.db"))
    with store.engine.begin() as connection:
        yield connection
    store.close()


MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers(0, 2**63 - 1)
BREAKAGES = st.builds(Breakage, step=TEXTS, tasks=st.tuples(TEXTS.map(SubjectId)), error=TEXTS)
ROWS = st.builds(
    Row,
    kind=st.sampled_from(Kind),
    id=TEXTS.map(ExecutionId),
    subject=st.none() | TEXTS.map(SubjectId),
    phase=st.sampled_from(Phase),
    status=TEXTS,
    trigger=st.sampled_from(Trigger),
    triggered_at=MOMENTS,
    started_at=st.none() | MOMENTS,
    ended_at=st.none() | MOMENTS,
    reason=st.none() | TEXTS,
    error=st.none() | TEXTS,
    rows_processed=st.none() | NUMBERS,
    rows_rejected=st.none() | NUMBERS,
    breakage=st.none() | BREAKAGES,
    detailed=st.booleans(),
)


@given(ROWS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_believed_comes_back_as_it_was(shared, one):
    def work(connection):
        executions.save_executions(connection, [believed(one)])
        return executions.load_executions(connection, PROD, one.kind, [one.id])

    # An end without a time is found by the best time there is.
    expected = replace(one, ended_at=ended_at(one)) if one.phase in ENDS else one
    assert shared.write(work)[one.id] == believed(expected)


@given(MOMENTS)
def test_moments_are_kept_to_the_microsecond(moment):
    assert loaded(stored(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_moments_keep_their_order(one, other):
    assert (stored(one) < stored(other)) == (one < other)


def test_no_moment_stays_none():
    assert (stored(None), loaded(None)) == (None, None)


@given(ROWS, st.none() | st.sampled_from(Phase), st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_transitions_come_back_as_they_were_in_the_order_of_the_log(shared, one, corrects, flag):
    facts = {"error": one.error, "breakage": one.breakage, "corrects": corrects, "quiet": flag}
    told = ended(one.phase, 1, kind=one.kind, subject=one.subject, backfilled=flag, **facts)

    def work(connection):
        last = transitions.last_sequence(connection)
        transitions.append_transitions(connection, [told, ended(Phase.FAILED, 2)])
        return last, transitions.transitions_after(connection, last, most=9)

    last, found = shared.write(work)
    assert found == ((last + 1, told), (last + 2, ended(Phase.FAILED, 2)))


def test_nothing_to_write_is_written_in_peace(connection):
    executions.save_executions(connection, [])
    transitions.append_transitions(connection, [])
    subjects.save_names(connection, PROD, [], complete=True)
    subjects.save_standings(connection, PROD, {})
    alerts.save_alerts(connection, [])
    quarantine.quarantine_rows(connection, PROD, [], NOON)
    add_to_counters(connection, Counter())


def save(connection, *rows: Row, **changes) -> None:
    executions.save_executions(connection, [believed(one, **changes) for one in rows])


def run(name: str, phase: Phase, minute: float = 0, **changes) -> Row:
    return row(phase, id=ExecutionId(name), triggered_at=at(minute), **changes)


def test_the_first_sight_of_an_execution_stays(connection):
    save(connection, run("r", Phase.RUNNING))
    save(connection, run("r", Phase.FAILED), first_seen_at=at(9), seen_at=at(9))
    found = executions.load_executions(connection, PROD, TASK, [R])[R]
    assert (found.first_seen_at, found.seen_at) == (NOON, at(9))


def test_more_executions_than_a_statement_takes_are_loaded(connection):
    many = [run(f"r{n}", Phase.RUNNING) for n in range(1_100)]
    save(connection, *many)
    wanted = [*(one.id for one in many), ExecutionId("unknown")]
    assert len(executions.load_executions(connection, PROD, TASK, wanted)) == 1_100


def test_open_executions_are_followed_oldest_first(connection):
    save(connection, run("b", Phase.RUNNING, 2), run("a", Phase.UNRECOGNISED, 1))
    save(connection, run("c", Phase.FAILED, 0), run("p", Phase.RUNNING, kind=Kind.PLAN))
    assert executions.followed_executions(connection, PROD, TASK) == (
        Followed(id=ExecutionId("a"), triggered_at=at(1)),
        Followed(id=ExecutionId("b"), triggered_at=at(2)),
    )


def test_the_newest_triggers_come_oldest_first(connection):
    save(connection, *(run(f"r{n}", Phase.FAILED, n) for n in range(5)))
    assert executions.newest_triggers(connection, PROD, TASK, at(0), most=3) == (
        at(2),
        at(3),
        at(4),
    )
    assert executions.newest_triggers(connection, PROD, TASK, at(3), most=3) == (at(3), at(4))


def test_only_ends_with_their_details_are_complete(connection):
    detailed = {"detailed": True}
    save(connection, run("bad", Phase.FAILED, **detailed), run("thin", Phase.FAILED))
    save(connection, run("good", Phase.SUCCEEDED, **detailed))
    save(connection, run("open", Phase.RUNNING, **detailed))
    ids = [ExecutionId(name) for name in ("bad", "thin", "good", "open", "none")]
    assert executions.completed_ends(connection, PROD, TASK, ids) == {
        "bad": Phase.FAILED,
        "good": Phase.SUCCEEDED,
    }


def test_failures_are_counted_after_a_moment(connection):
    for minute, phase in enumerate([Phase.FAILED, Phase.TERMINATED, Phase.MISFIRED, Phase.FAILED]):
        save(connection, run(f"r{minute}", phase, minute, ended_at=at(minute)))
    save(connection, run("other", Phase.FAILED, 3, subject=SubjectId("t2")))
    found = executions.failures_after(connection, PROD, TASK, subject=T1, moment=at(0))
    assert found == (2, at(2))
    nothing = executions.failures_after(connection, PROD, TASK, subject=T1, moment=at(3))
    assert nothing == (0, None)


def test_a_cursor_begins_at_zero_and_keeps_its_place(connection):
    assert transitions.cursor(connection, "alerting") == 0
    for place in (5, 9):
        transitions.save_cursor(connection, "alerting", place)
    assert transitions.cursor(connection, "alerting") == 9


def test_the_log_counts_on_after_its_end_was_forgotten(connection):
    transitions.append_transitions(connection, [ended(Phase.FAILED, 1)])
    assert transitions.newest_transitions(connection, 5) == (ended(Phase.FAILED, 1),)
    connection.execute(schema.transitions.delete())
    assert transitions.last_sequence(connection) == 0
    transitions.append_transitions(connection, [ended(Phase.FAILED, 1)])
    assert transitions.last_sequence(connection) == 2


def test_names_and_standings_do_not_overwrite_each_other(connection):
    standing = Standing(last_success_at=at(1), last_phase=Phase.FAILED, failed=3, other=1)
    subjects.save_standings(connection, PROD, {subjects.unnamed(T1, TASK): standing})
    subjects.save_names(connection, PROD, [LOAD], complete=False)
    subjects.save_standings(connection, PROD, {subjects.unnamed(T1, TASK): standing})
    assert subjects.load_subjects(connection, PROD, TASK, [T1]) == {"t1": (LOAD, standing)}


def test_more_names_than_a_statement_takes_are_loaded(connection):
    many = [replace(LOAD, id=SubjectId(f"t{n}")) for n in range(1_200)]
    subjects.save_names(connection, PROD, many, complete=True)
    found = subjects.load_subjects(connection, PROD, TASK, (one.id for one in many))
    assert len(found) == 1_200


def test_a_complete_list_of_names_tells_what_is_gone(connection):
    gone = replace(LOAD, id=SubjectId("t2"))
    subjects.save_names(connection, PROD, [LOAD, gone], complete=True)
    subjects.save_names(connection, PROD, [LOAD], complete=False)
    listed = select(schema.subjects.c.id).where(schema.subjects.c.listed)
    assert set(connection.execute(listed).scalars()) == {"t1", "t2"}
    subjects.save_names(connection, PROD, [LOAD], complete=True)
    assert set(connection.execute(listed).scalars()) == {"t1"}


def test_a_subject_without_a_row_or_a_name_is_unknown(connection):
    subjects.save_names(connection, PROD, [LOAD], complete=True)
    stand_in = subjects.unnamed(SubjectId("t2"), TASK)
    subjects.save_standings(connection, PROD, {stand_in: Standing()})
    wanted = (SubjectId(name) for name in ("t1", "t2", "t3"))
    assert subjects.unknown_subjects(connection, PROD, TASK, wanted) == {"t2", "t3"}
    assert subjects.name_of(connection, PROD, TASK, T1) == "load"
    assert subjects.name_of(connection, PROD, TASK, SubjectId("t9")) == "t9"
    assert subjects.name_of(connection, PROD, TASK, None) == ""


def test_an_account_stands_by_its_tasks_and_plans(connection):
    plan = replace(LOAD, kind=Kind.PLAN, id=SubjectId("p1"))
    failing = Standing(consecutive_failures=2, failing_since=at(-9))
    standings = {LOAD: failing, plan: Standing(), replace(LOAD, id=SubjectId("t2")): Standing()}
    subjects.save_standings(connection, PROD, standings)
    assert subjects.failing(connection, PROD) == subjects.Failing(
        tasks=2, plans=1, failing=1, oldest=at(-9)
    )


def test_counters_add_up(connection):
    one = Counted(metric="m", account=PROD, kind=TASK, label="x")
    for _ in range(2):
        add_to_counters(connection, Counter({one: 2, replace(one, label="y"): 0}))
    query = select(schema.counters.c.label, schema.counters.c.value)
    assert dict(connection.execute(query).all()) == {"x": 4, "y": 0}


def test_the_newest_thousand_rows_are_kept_in_quarantine(connection):
    bad = [BadRow(kind=TASK, id=None, problem=str(n), text="{}") for n in range(1_500)]
    quarantine.quarantine_rows(connection, PROD, bad, NOON)
    problems = connection.execute(select(schema.quarantine.c.problem)).scalars().all()
    assert (len(problems), problems[0], problems[-1]) == (1_000, "500", "1499")


LABELS = {"account": "prod", "kind": "task", "id": "t1", "name": "load", "größe": "ß"}


def kept(name: str, **changes):
    return alert(name, labels=LABELS, **changes)


def test_alerts_come_back_as_they_were(connection):
    over = kept("b", ends_at=at(3), end_reason=EndReason.RECOVERED, changed_at=at(3), count=4)
    alerts.save_alerts(connection, [kept("a"), replace(over, ends_at=None, end_reason=None)])
    alerts.save_alerts(connection, [over])
    assert alerts.newest_alerts(connection, 9) == (over, kept("a"))
    assert alerts.open_alerts(connection) == (kept("a"),)
    assert alerts.ongoing_alerts(connection, PROD, TASK, T1) == (kept("a"),)
    assert alerts.ongoing_alerts(connection, PROD, Kind.PLAN, T1) == ()


def test_open_alerts_that_nothing_changed_are_stale(connection):
    late = at(1) - timedelta(microseconds=1)
    alerts.save_alerts(connection, [kept("a", changed_at=late), kept("b", changed_at=at(1))])
    assert [one.id for one in alerts.stale_alerts(connection, at(1))] == ["a"]


def test_executions_of_each_account_are_kept_apart(shared):
    one = believed(run("x", Phase.RUNNING), account="other")
    shared.write(lambda connection: executions.save_executions(connection, [one]))
    found = shared.read(lambda c: executions.load_executions(c, PROD, TASK, [ExecutionId("x")]))
    assert found == {}
    assert rows_in(shared, schema.executions) > 0
