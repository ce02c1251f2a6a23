"""Tracking: what a look does to what is believed, in one transaction or not at all."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from tests.domain.telling import LOAD, NOON, PROD, at, row
from tests.threads import inline
from tmcwatch.domain.execution import ENDS, BadRow, ExecutionId, Kind, Phase, SubjectId
from tmcwatch.domain.observation import (
    Looked,
    LookFailed,
    LookProblem,
    Moment,
    NamesRead,
    Observation,
)
from tmcwatch.domain.standing import Standing, after_end
from tmcwatch.domain.window import Window
from tmcwatch.store import schema
from tmcwatch.store.capture import position
from tmcwatch.store.engine import Store, StoreError
from tmcwatch.store.executions import load_executions
from tmcwatch.store.subjects import load_subjects
from tmcwatch.store.transitions import cursor, names_cursor, transitions_after
from tmcwatch.supervisor import Bell
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics
from tmcwatch.tracking.absorbing import ROWS_AT_ONCE, absorb, absorb_names, portions
from tmcwatch.tracking.service import Tracker
from tmcwatch.tracking.watchfulness import Watchfulness

WATCHED = at(-60)


def run(name: str, phase: Phase, minute: float = 0, **changes):
    """A run that began a minute before it ended, or is at, `minute`."""
    facts = {"triggered_at": at(minute - 1), "started_at": at(minute - 0.5)}
    ends = {} if phase is Phase.RUNNING else {"ended_at": at(minute)}
    return row(phase, id=ExecutionId(name), **(facts | ends | changes))


class Tracking:
    """A store in which an account is watched for an hour already, and ways to look into it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.take(Looked(account=PROD, kind=Kind.TASK, at=WATCHED, rows=(), watched_from=WATCHED))
        named = NamesRead(account=PROD, at=WATCHED, subjects=(LOAD,), complete=True)
        store.write(lambda connection: absorb_names(connection, named))

    def take(self, look: Looked):
        return self.store.write(lambda connection: absorb(connection, look))

    def look(self, *rows, minute: float = 0.1, **changes):
        facts: dict[str, Any] = {"account": PROD, "kind": Kind.TASK, "at": at(minute)}
        facts["rows"] = rows
        return self.take(Looked(**(facts | changes)))

    def counter(self, metric: str, label: str | None = None) -> float:
        counters = schema.counters.c
        query = select(func.sum(counters.value)).where(counters.metric == metric)
        if label is not None:
            query = query.where(counters.label == label)
        return self.store.read(lambda c: c.execute(query).scalar()) or 0

    def standing(self, subject: str = "t1") -> Standing:
        id_ = SubjectId(subject)
        return self.store.read(lambda c: load_subjects(c, PROD, Kind.TASK, [id_]))[id_][1]

    @property
    def log(self):
        return [
            step for _, step in self.store.read(lambda c: transitions_after(c, 0, most=99_999))
        ]


@pytest.fixture
def tracking(store):
    return Tracking(store)


def test_rows_transitions_and_watermark_are_written_together(tracking):
    absorbed = tracking.look(run("r", Phase.FAILED), watermark=at(0))
    assert [step.phase for step in absorbed.transitions] == [
        Phase.WAITING,
        Phase.RUNNING,
        Phase.FAILED,
    ]
    assert tracking.log == list(absorbed.transitions)
    assert _position(tracking).watermark == at(0)


def _position(tracking):
    return tracking.store.read(lambda connection: position(connection, PROD, Kind.TASK))


@pytest.mark.parametrize(
    "broken", ["transitions", "counters", "quarantine", "capture", "subjects"]
)
def test_a_transaction_that_fails_in_the_middle_moves_nothing(tracking, broken):
    before = _everything(tracking)
    bad = (BadRow(kind=Kind.TASK, id=None, problem="?", text="{}"),)
    look = replace(_look(run("r", Phase.FAILED)), bad=bad, watermark=at(0))
    failing = f"""CREATE TEMP TRIGGER fails_{{}} BEFORE {{}} ON {broken}
        BEGIN SELECT RAISE(ABORT, 'disk full'); END"""

    def work(connection: Connection) -> None:
        for act in ("INSERT", "UPDATE"):
            connection.exec_driver_sql(failing.format(act, act))
        absorb(connection, look)

    with pytest.raises(StoreError, match="disk full"):
        tracking.store.write(work)
    assert _everything(tracking) == before
    tracking.take(look)
    assert len(tracking.log) == 3


def _look(*rows) -> Looked:
    return Looked(account=PROD, kind=Kind.TASK, at=at(0.1), rows=rows)


def _everything(tracking):
    tables = schema.metadata.sorted_tables
    return tracking.store.read(
        lambda connection: {t.name: connection.execute(select(t)).all() for t in tables}
    )


def test_the_same_look_twice_changes_nothing(tracking):
    tracking.look(run("r", Phase.FAILED), watermark=at(0))
    before = _everything(tracking)
    assert tracking.look(run("r", Phase.FAILED), watermark=at(0)).transitions == ()
    assert _everything(tracking) == before


def test_transitions_of_one_look_are_ordered_by_tmcs_time(tracking):
    tracking.look(run("new", Phase.FAILED, 0), run("old", Phase.SUCCEEDED, -5))
    assert [step.execution for step in tracking.log if step.phase is not Phase.WAITING] == [
        "old",
        "old",
        "new",
        "new",
    ]
    assert tracking.standing().consecutive_failures == 1


def test_what_ended_before_its_account_was_watched_is_quiet(tracking):
    tracking.look(run("r", Phase.FAILED, -61), run("s", Phase.FAILED, -59.9))
    quiet = {step.execution: step.quiet for step in tracking.log if step.phase is Phase.FAILED}
    assert quiet == {"r": True, "s": False}


def test_a_poisoned_row_is_put_aside_and_costs_no_other(tracking):
    poison = run("poison", Phase.FAILED, ended_at=at(0).replace(tzinfo=None))
    absorbed = tracking.look(run("a", Phase.FAILED), poison, run("b", Phase.FAILED))
    assert absorbed.quarantined == 1
    assert {step.execution for step in tracking.log} == {"a", "b"}
    columns = schema.quarantine.c.execution, schema.quarantine.c.problem
    kept = tracking.store.read(lambda c: c.execute(select(*columns)).all())
    assert [name for name, _ in kept] == ["poison"]
    assert tracking.counter("quarantined_rows_total") == 1


def test_rows_that_could_not_be_read_are_kept_and_counted(tracking):
    bad = (BadRow(kind=Kind.TASK, id=None, problem="no time", text="{}"),) * 2
    assert tracking.look(bad=bad).quarantined == 2
    assert tracking.counter("quarantined_rows_total") == 2


def test_every_end_is_counted_by_its_phase(tracking):
    tracking.look(
        run("a", Phase.SUCCEEDED, rows_processed=7, rows_rejected=1),
        run("b", Phase.MISFIRED, started_at=None, reason="TASK_IS_PAUSED"),
        run("c", Phase.MISFIRED, started_at=None),
        run("d", Phase.RUNNING),
    )
    phases = {phase: tracking.counter("executions_total", phase) for phase in Phase}
    assert {phase: n for phase, n in phases.items() if n} == {"succeeded": 1, "misfired": 2}
    assert tracking.counter("misfires_total", "TASK_IS_PAUSED") == 1
    assert tracking.counter("misfires_total", "UNKNOWN") == 1
    assert tracking.counter("rows_processed_total") == 7
    assert tracking.counter("rows_rejected_total") == 1


def test_run_times_and_delays_are_counted_in_buckets(tracking):
    tracking.look(run("a", Phase.SUCCEEDED), run("b", Phase.FAILED, started_at=None))
    assert tracking.counter("execution_duration_seconds", "60") == 1
    assert tracking.counter("execution_duration_seconds", "sum") == 30
    assert tracking.counter("execution_start_delay_seconds", "30") == 1


def test_clocks_that_run_backwards_count_no_negative_time(tracking):
    odd = run("a", Phase.FAILED, 0, triggered_at=at(2), started_at=at(1))
    tracking.look(odd)
    assert tracking.counter("execution_duration_seconds", "sum") == 0
    assert tracking.counter("execution_start_delay_seconds", "sum") == 0


def test_late_finds_and_history_are_not_counted_but_stand(tracking):
    tracking.look(run("late", Phase.FAILED, -20), run("history", Phase.FAILED, -70))
    assert tracking.counter("executions_total") == 0
    assert tracking.counter("backfilled_executions_total") == 1
    standing = tracking.standing()
    assert (standing.consecutive_failures, standing.failed) == (2, 0)
    assert standing.failing_since == at(-70)


def test_an_unrecognised_status_is_counted_by_its_words(tracking):
    tracking.look(run("r", Phase.UNRECOGNISED, ended_at=None, status="suspended/?" * 50))
    assert tracking.counter("unrecognised_statuses_total", ("suspended/?" * 50)[:100]) == 1
    assert tracking.counter("executions_total") == 0


def test_a_success_told_after_later_failures_leaves_the_right_count(tracking):
    tracking.look(run("a", Phase.FAILED, -5), run("b", Phase.FAILED, -1))
    tracking.look(run("c", Phase.SUCCEEDED, -3))
    standing = tracking.standing()
    assert (standing.consecutive_failures, standing.failing_since) == (1, at(-1))


def test_a_corrected_failure_counts_as_one(tracking):
    tracking.look(run("a", Phase.FAILED))
    tracking.look(run("a", Phase.TIMED_OUT))
    assert tracking.standing().consecutive_failures == 1
    tracking.look(run("a", Phase.TERMINATED))
    standing = tracking.standing()
    assert (standing.consecutive_failures, standing.failing_since) == (0, None)
    assert tracking.counter("executions_total") == 1


def test_a_success_that_tmc_takes_back_is_no_last_success(tracking):
    tracking.look(run("a", Phase.SUCCEEDED, -9), run("b", Phase.SUCCEEDED, -5))
    tracking.look(run("b", Phase.FAILED, -5))
    standing = tracking.standing()
    assert (standing.last_success_at, standing.last_phase) == (at(-9), Phase.FAILED)
    assert (standing.consecutive_failures, standing.failing_since) == (1, at(-5))
    tracking.look(run("a", Phase.FAILED, -9))
    assert tracking.standing().last_success_at is None
    assert tracking.standing().consecutive_failures == 2


def test_a_failure_that_tmc_corrects_to_success_is_over(tracking):
    tracking.look(run("a", Phase.FAILED, -5), run("b", Phase.FAILED, -3))
    tracking.look(run("b", Phase.SUCCEEDED, -3))
    standing = tracking.standing()
    assert (standing.last_success_at, standing.consecutive_failures) == (at(-3), 0)


NUMBERS = count()
SIGHTINGS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(sorted(ENDS))), max_size=12)


@pytest.mark.uncounted
@given(SIGHTINGS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_however_ends_come_and_are_corrected_a_task_stands_as_they_are_now(tracking, sightings):
    subject = f"s{next(NUMBERS)}"  # the store is shared between the examples
    now: dict[int, Phase] = {}
    for minute, phase in sightings:
        tracking.look(run(f"{subject}/{minute}", phase, minute - 9, subject=SubjectId(subject)))
        now[minute] = phase
    expected = Standing()
    for minute, phase in sorted(now.items()):
        expected = after_end(expected, phase, at(minute - 9))
    found = tracking.standing(subject) if sightings else Standing()
    assert replace(found, succeeded=0, failed=0, other=0) == expected


def test_a_run_of_nobody_is_kept_but_counts_for_nobody(tracking):
    tracking.look(run("a", Phase.FAILED, subject=None))
    assert len(tracking.log) == 3
    assert tracking.counter("executions_total") == 0


def test_a_task_without_a_name_is_counted_as_unknown(tracking):
    tracking.look(run("a", Phase.FAILED, subject=SubjectId("t9"), workspace="w9"))
    places = select(schema.counters.c.environment).where(schema.counters.c.value > 0).distinct()
    assert tracking.store.read(lambda c: c.execute(places).scalars().all()) == ["unknown"]
    assert tracking.standing("t9").consecutive_failures == 1


def test_runs_of_an_unnamed_task_add_up_whatever_each_knows_of_its_workspace(tracking):
    unknown = SubjectId("t9")
    tracking.look(
        run("a", Phase.FAILED, -2, subject=unknown, workspace="w9"),
        run("b", Phase.FAILED, -1, subject=unknown),
    )
    standing = tracking.standing("t9")
    assert (standing.consecutive_failures, standing.failed) == (2, 2)


def test_counters_exist_from_the_first_names_on(tracking):
    counters = schema.counters.c
    query = select(counters.label, counters.value).where(counters.metric == "executions_total")
    found = tracking.store.read(lambda c: dict(c.execute(query).all()))
    assert Counter(found.values()) == {0.0: 8}
    assert tracking.store.read(lambda c: cursor(c, names_cursor(PROD))) == 1


def test_names_that_are_not_complete_do_not_count_as_read(store):
    names = NamesRead(account=PROD, at=NOON, subjects=(LOAD,), complete=False)
    store.write(lambda connection: absorb_names(connection, names))
    assert store.read(lambda connection: cursor(connection, names_cursor(PROD))) == 0


def test_a_long_look_is_cut_and_its_last_part_moves_the_watermark():
    rows = tuple(run(f"r{n}", Phase.RUNNING) for n in range(2 * ROWS_AT_ONCE + 1))
    bad = (BadRow(kind=Kind.TASK, id=None, problem="?", text="{}"),)
    rest = Window(start=at(-9), end=at(-5))
    look = replace(_look(*rows), bad=bad, watermark=at(0), history=rest, history_read=True)
    parts = list(portions(look))
    assert [len(part.rows) for part in parts] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 1]
    assert tuple(one for part in parts for one in part.rows) == rows
    for part in parts[:-1]:
        assert (part.watermark, part.bad, part.head, part.history_read) == (None, (), False, False)
    assert replace(parts[-1], rows=rows) == look


def test_a_look_without_rows_is_one_part():
    assert list(portions(_look())) == [_look()]


@pytest.fixture
def tracker(store):
    return Tracker(
        store=store,
        in_thread=inline,
        changed=Bell(),
        metrics=Metrics(version="test"),
        health=Health(),
        watchfulness=Watchfulness(
            [(PROD, Kind.TASK)],
            limit=timedelta(minutes=5),
            settle=timedelta(seconds=10),
            started_at=NOON,
        ),
    )


async def tracked(tracker: Tracker, *observations) -> str:
    """Track observations to the end of their stream; answer with the metrics then."""
    send, receive = anyio.create_memory_object_stream[Observation](10)
    async with send, receive:
        for observation in observations:
            await send.send(observation)
        await send.aclose()
        await tracker.run(receive)
    return tracker.metrics.render(None, None)[0].decode()


async def test_every_kind_of_observation_is_taken_in(tracker):
    mark = tracker.changed.reset()
    failed = LookFailed(
        account=PROD, kind=Kind.TASK, at=NOON, problem=LookProblem.UNREACHABLE, text="gone"
    )
    first = replace(_look(run("r", Phase.FAILED)), watched_from=WATCHED)
    names = NamesRead(account=PROD, at=NOON, subjects=(LOAD,), complete=True)
    said = await tracked(
        tracker, names, first, failed, replace(failed, kind=None), Moment(at=NOON)
    )
    assert 'tmcwatch_up{account="prod"} 0.0' in said
    found = tracker.store.read(lambda c: load_executions(c, PROD, Kind.TASK, [ExecutionId("r")]))
    assert found["r"].row.phase is Phase.FAILED
    before = anyio.current_time()
    await tracker.changed.wait(60, since=mark)
    assert anyio.current_time() == before


async def test_delays_of_detection_leave_out_late_finds_and_history(tracker):
    first = replace(_look(run("old", Phase.FAILED, -99)), watched_from=WATCHED)
    late, now = run("late", Phase.SUCCEEDED, -30), run("now", Phase.FAILED, 0)
    said = await tracked(tracker, first, _look(late, now))
    assert "detection_delay_seconds_count 1.0" in said
    assert 'tmcwatch_up{account="prod"} 1.0' in said


async def test_a_look_of_many_rows_is_taken_in_whole(tracker):
    rows = tuple(run(f"r{n}", Phase.RUNNING) for n in range(ROWS_AT_ONCE + 5))
    bad = (BadRow(kind=Kind.TASK, id=None, problem="?", text="{}"),)
    await tracked(tracker, replace(_look(*rows), bad=bad, watched_from=WATCHED, head=False))
    count = select(func.count()).select_from(schema.executions)
    assert tracker.store.read(lambda c: c.execute(count).scalar()) == ROWS_AT_ONCE + 5


async def test_a_store_that_fails_fails_the_service(tracker):
    tracker.store.write(lambda c: c.exec_driver_sql("DROP TABLE executions"))
    with pytest.raises(StoreError, match="no such table"):
        await tracked(tracker, _look(run("r", Phase.FAILED)))


def test_backfilled_means_more_than_ten_minutes_late(tracking):
    tracking.look(run("r", Phase.FAILED, -10), minute=0)
    tracking.look(run("s", Phase.FAILED, -10), minute=timedelta(seconds=1) / timedelta(minutes=1))
    late = {step.execution: step.backfilled for step in tracking.log if step.phase is Phase.FAILED}
    assert late == {"r": False, "s": True}
