"""How TMC's rows are read: leniently, one at a time, and never at the cost of their page."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.api.names import (
    detailed_plan,
    detailed_task,
    environments,
    listed_subject,
    names_page,
    workspaces,
)
from tmcwatch.api.payloads import (
    Unreadable,
    plan_page,
    plan_row,
    task_detail,
    task_page,
    task_row,
)
from tmcwatch.api.steps import Step, step_detail, steps
from tmcwatch.domain.execution import UNKNOWN, Kind, Phase, Trigger

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
TASK = {
    "executionId": "r1",
    "taskId": "t1",
    "status": "execution_failed",
    "executionStatus": "EXECUTION_FAILED",
    "executionType": "SCHEDULED",
    "triggerTimestamp": "2026-11-20T09:00:00Z",
}
PLAN = {
    "executionId": "r2",
    "planId": "p1",
    "status": "executing",
    "executionStatus": "STARTED",
    "startTimestamp": "2026-11-20T09:00:00Z",
}


def task(**changes):
    return task_row({**TASK, **changes})


def page(*items, **changes):
    return json.dumps({"items": items, "total": len(items), **changes}).encode()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T09:00:00Z",
        "2026-11-20T09:00:00.000Z",
        "2026-11-20T09:00:00.000000000Z",
        "2026-11-20T14:30:00+05:30",
        "2026-11-20T14:30:00+0530",
        "2026-11-20T04:00:00-05:00",
        "2026-11-20T09:00:00",
        "2026-11-20 09:00:00z",
        1_795_165_200_000,
        pytest.param("1795165200000", id="digits"),
    ],
)
def test_a_time_may_be_written_in_many_ways(text):
    moment = task(triggerTimestamp=text).triggered_at
    assert moment == START
    assert moment.tzinfo is UTC


def test_fractions_of_a_second_are_kept():
    assert task(triggerTimestamp="2026-11-20T09:00:00.0405Z").triggered_at == START + timedelta(
        milliseconds=40.5
    )


def test_a_row_without_a_trigger_time_takes_its_start_and_then_its_end():
    later, end = "2026-11-20T09:00:01Z", "2026-11-20T09:00:02Z"
    both = task(triggerTimestamp=None, startTimestamp=later, finishTimestamp=end)
    ended = task(triggerTimestamp=None, finishTimestamp=end)
    assert both.triggered_at == both.started_at == START + timedelta(seconds=1)
    assert ended.triggered_at == ended.ended_at == START + timedelta(seconds=2)


def test_a_trigger_time_that_is_none_counts_as_missing():
    row = task(triggerTimestamp="soon", startTimestamp="2026-11-20T09:00:00Z")
    assert row.triggered_at == START


@pytest.mark.parametrize(
    "raw",
    [
        None,
        7,
        "text",
        [],
        {},
        {**TASK, "executionId": None},
        {**TASK, "executionId": ""},
        {**TASK, "executionId": {"a": 1}},
        {**TASK, "triggerTimestamp": None},
        {**TASK, "triggerTimestamp": "soon"},
        {**TASK, "triggerTimestamp": "9999-12-31T23:59:59-05:00"},
        {**TASK, "triggerTimestamp": 10**30},
    ],
)
def test_a_row_without_an_id_or_any_time_is_bad(raw):
    with pytest.raises(Unreadable):
        task_row(raw)


def test_a_bad_row_is_kept_and_its_neighbours_are_read():
    bad = {"executionId": "r9", "status": "x" * 5_000}
    found = task_page(page(TASK, bad, {**TASK, "executionId": "r3"}))
    assert [row.id for row in found.rows] == ["r1", "r3"]
    assert (found.total, found.size) == (3, 3)
    (kept,) = found.bad
    assert (kept.kind, kept.id) == (Kind.TASK, "r9")
    assert kept.problem == "the row has no time at all"
    assert len(kept.text) == 2_000


def test_a_row_that_is_no_object_is_kept_without_an_id():
    (kept,) = plan_page(page(7)).bad
    assert (kept.id, kept.problem, kept.text) == (None, "not an object", "7")


def test_a_problem_says_where_it_is():
    (kept,) = task_page(page({"status": "x"})).bad
    assert kept.problem == "executionId: Field required"


@pytest.mark.parametrize(
    "changes",
    [
        {"taskId": ["t1"]},
        {"runtime": "CLOUD"},
        {"runtime": {"type": {"a": 1}, "id": "e1"}},
        {"startTimestamp": "soon"},
        {"finishTimestamp": True},
        {"errorMessage": {"text": "no"}},
        {"planId": []},
    ],
    ids=str,
)
def test_a_senseless_field_costs_only_itself(changes):
    row = task(**changes)
    assert (row.id, row.phase, row.triggered_at) == ("r1", Phase.FAILED, START)


def test_unknown_and_missing_and_empty_fields_are_borne():
    row = task_row({"executionId": "r1", "triggerTimestamp": "2026-11-20T09:00:00Z", "new": [1]})
    assert (row.subject, row.engine, row.error, row.plan) == (None, None, None, None)
    assert (row.phase, row.trigger, row.status) == (Phase.UNRECOGNISED, Trigger.UNKNOWN, "?/?")
    assert task_row({**TASK, "taskId": None, "runtime": None}).subject is None


def test_an_unknown_status_is_unrecognised_and_told_as_it_is():
    row = task(status="paused_by_moon", executionStatus="MOONING")
    assert (row.phase, row.status) == (Phase.UNRECOGNISED, "paused_by_moon/MOONING")


def test_an_id_may_be_a_number():
    assert task(executionId=5, taskId=7).subject == "7"


@pytest.mark.parametrize(
    ("runtime", "engine"),
    [
        ({"type": "REMOTE_ENGINE", "id": "e1", "engineId": "e1"}, "e1"),
        ({"type": "REMOTE_ENGINE_CLUSTER", "id": "c1", "engineId": "e1"}, "e1"),
        ({"type": "REMOTE_ENGINE_CLUSTER", "clusterId": "c1"}, "c1"),
        ({"type": "CLOUD"}, "CLOUD"),
        ({}, None),
    ],
)
def test_the_engine_is_the_narrowest_place_that_is_told(runtime, engine):
    assert task(runtime=runtime).engine == engine


def test_a_detail_of_a_task_run_says_more():
    row = task_detail(
        {
            **TASK,
            "jobId": "t1",
            "workspaceId": "w1",
            "executionDestination": "CLOUD",
            "numberOfProcessedRows": 12,
            "numberOfRejectedRows": "many",
        }
    )
    assert (row.subject, row.workspace, row.engine) == ("t1", "w1", "CLOUD")
    assert (row.rows_processed, row.rows_rejected) == (12, None)
    assert row.detailed


@pytest.mark.parametrize("count", [-1, 2**63, 1.5])
def test_a_count_that_no_database_holds_is_left_out(count):
    assert task_detail({**TASK, "numberOfProcessedRows": count}).rows_processed is None


def test_a_long_error_is_cut_and_an_empty_one_is_none():
    assert len(task(errorMessage="x" * 10_000).error or "") == 4_000
    assert task(errorMessage="").error is None


def test_a_plan_starts_when_it_is_triggered():
    row = plan_row(PLAN)
    assert row.triggered_at == row.started_at == START
    assert (row.subject, row.phase, row.plan) == ("p1", Phase.RUNNING, None)


def test_a_plan_that_waits_or_misfired_has_not_begun():
    waits = plan_row({**PLAN, "executionStatus": "UNDEFINED"})
    misfired = plan_row({**PLAN, "status": "execution_misfired"})
    assert (waits.phase, waits.started_at) == (Phase.WAITING, None)
    assert (misfired.phase, misfired.started_at) == (Phase.MISFIRED, None)


@pytest.mark.parametrize("total", [None, "3", 2.0, True, -1, [1]])
def test_a_total_that_is_no_count_is_none(total):
    assert task_page(page(TASK, total=total)).total is None


def test_a_page_may_leave_out_an_empty_list_if_it_says_that_there_is_nothing():
    assert task_page(b'{"total": 0}').size == 0
    with pytest.raises(Unreadable):
        task_page(b'{"total": 1}')


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (rb"\ud800 lone", "? lone"),
        (rb"a\u0000b", "a�b"),
        (rb"\ud83d\ude00", "😀"),
        (b"\xff broken", "� broken"),
    ],
)
def test_strings_are_made_safe_to_keep(text, error):
    found = task_page(page({**TASK, "errorMessage": "HERE"}).replace(b"HERE", text))
    assert found.rows[0].error == error


def test_a_byte_order_mark_is_borne():
    assert task_page(b"\xef\xbb\xbf" + page(TASK)).size == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.lists(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(TASK, JSON)), max_size=5))
def test_every_row_of_any_page_is_read_or_kept(items):
    body = json.dumps({"items": items}).encode()
    for found in (task_page(body), plan_page(body)):
        assert len(found.rows) + len(found.bad) == found.size == len(items)


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(body):
    with pytest.raises(Unreadable):
        task_page(body)


NAMED = {
    "executable": "t1",
    "name": "load",
    "workspace": {"id": "w1", "name": "finance", "environment": {"id": "e1", "name": "PRD"}},
}


def test_a_subject_without_its_places_is_of_unknown_places():
    subject = listed_subject(Kind.TASK, {"executable": "t1"})
    assert (subject.name, subject.workspace, subject.environment) == ("t1", UNKNOWN, UNKNOWN)
    assert (subject.workspace_id, subject.environment_id) == (None, None)


def test_a_bad_name_is_kept_without_what_may_be_secret():
    bad = {"name": "load", "parameters": {"password": "hush"}}
    found = names_page(Kind.TASK, page(NAMED, bad, 7))
    assert (len(found.subjects), found.size, found.total) == (1, 3, 3)
    assert [row.text for row in found.bad] == ['{"name": "load"}', "null"]


def test_a_task_by_id_and_a_plan_by_id_name_themselves_differently():
    assert detailed_task({"id": "t1", "name": "load"}).id == "t1"
    plan = detailed_plan({"executable": "p1", "name": "nightly"})
    assert (plan.id, plan.kind) == ("p1", Kind.PLAN)
    with pytest.raises(Unreadable):
        detailed_task({"executable": "t1"})


def test_places_that_cannot_be_read_are_left_out():
    body = json.dumps([{"id": "w1"}, {"name": "no id"}, 7, NAMED["workspace"]]).encode()
    assert [place.name for place in workspaces(body)] == ["w1", "finance"]
    assert [place.environment for place in workspaces(body)] == [UNKNOWN, "PRD"]
    assert [place.name for place in environments(body)] == ["w1", "finance"]


def test_a_step_that_cannot_be_read_keeps_its_place():
    assert steps(b'[7, {"id": "s2"}]') == (Step(), Step(id="s2"))
    late = b'[{"id": "s1", "startTimestamp": "9999-12-31T23:59:59-05:00"}]'
    assert steps(late) == (Step(),)


def test_a_step_tells_the_runs_it_can_read():
    body = {"doneTaskExecutableDetails": [TASK, 7], "donePlanExecutableDetails": [PLAN]}
    found = step_detail(json.dumps(body).encode())
    assert [row.id for row in found.tasks] == ["r1"]
    assert [row.id for row in found.plans] == ["r2"]
    assert step_detail(b'{"doneTaskExecutableDetails": null}').tasks == ()
