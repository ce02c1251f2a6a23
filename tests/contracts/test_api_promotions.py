"""How promotions and the audit log are read: whatever their shape, and never at others' cost."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.api.audit import audit_page
from tmcwatch.api.payloads import LONGEST_ERROR, Unreadable
from tmcwatch.api.promotions import promotion_execution, promotion_names
from tmcwatch.domain.execution import UNKNOWN, Kind, Phase, Trigger

ID = "00000000-0000-4000-8000-000000009001"
RUN = {
    "executionId": ID,
    "promotionId": "66b0aa00aa00aa00aa000401",
    "status": "PROMOTION_FAILED",
    "triggerTimestamp": "2026-11-20T15:00:00Z",
    "startTimestamp": "2026-11-20T15:00:01Z",
    "finishTimestamp": "2026-11-20T15:02:40Z",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def run(**changes):
    return promotion_execution(json.dumps({**RUN, **changes}).encode())


def report(status, *messages):
    told = [{"info": info, "level": level} for info, level in messages]
    return {"status": status, "messages": told}


def flow(name, status="REPLACED", *messages):
    return {"name": name, "type": "FLOW", "promotionReport": report(status, *messages)}


def workspace(*flows, **more):
    return {"name": "crm", "type": "WORKSPACE", "flows": list(flows), **more}


def test_a_run_says_what_was_promoted_when_and_how_it_ended():
    row = run()
    assert (row.kind, row.id, row.subject) == (Kind.PROMOTION, ID, RUN["promotionId"])
    assert (row.phase, row.status, row.trigger) == (
        Phase.FAILED,
        "PROMOTION_FAILED",
        Trigger.UNKNOWN,
    )
    assert run(userType="HUMAN").trigger is Trigger.MANUAL
    assert run(userType="SERVICE").trigger is Trigger.UNKNOWN
    assert row.triggered_at == datetime(2026, 11, 20, 15, tzinfo=UTC)
    assert row.ended_at == datetime(2026, 11, 20, 15, 2, 40, tzinfo=UTC)


def test_what_failed_is_counted_and_named_with_its_messages():
    row = run(
        statusMessage="promotion failed",
        workspaces=[
            workspace(
                flow("load_customers", "FAILED", ("no engine", "ERROR"), ("tried", "INFO")),
                flow("load_orders"),
                flow("sync", "SKIPPED", ("needs new credentials", "WARN")),
                actions=[{"name": "a", "type": "ACTION", "promotionReport": report("CREATED")}],
            )
        ],
        engines=[{"id": "e1", "type": "ENGINE", "promotionReport": report("FAILED")}],
    )
    assert row.error == (
        "promotion failed: 2 of 5 objects failed, 1 of 5 objects ended with warnings: "
        "task load_customers: no engine; engine e1; task sync: needs new credentials"
    )


def test_many_objects_are_counted_and_only_some_named():
    flows = [flow(f"t{n}", "FAILED", ("x" * 5_000, "ERROR")) for n in range(500)]
    error = run(workspaces=[workspace(*flows)]).error or ""
    assert error.startswith("500 of 500 objects failed: task t0: xxx")
    assert len(error) <= LONGEST_ERROR


def test_a_skipped_object_without_a_word_is_as_it_should_be():
    assert run(workspaces=[workspace(flow("t", "SKIPPED"))]).error is None


@pytest.mark.parametrize("status", ["PROMOTED", "PROMOTION_STARTED", "ANALIZED", "REVIEWING"])
def test_only_a_bad_end_has_an_error_text(status):
    flows = workspace(flow("t", "FAILED", ("no", "ERROR")))
    assert run(status=status, workspaces=[flows]).error is None


def test_a_promoted_run_with_defects_names_them():
    flows = workspace(flow("t", "REPLACED", ("odd", "WARN")))
    row = run(status="PROMOTED", defective=True, workspaces=[flows])
    assert (row.phase, row.error) == (
        Phase.DEFECTIVE,
        "1 of 1 objects ended with warnings: task t: odd",
    )


def test_without_its_promotion_a_run_is_known_by_what_it_has():
    assert run(promotionId=None, pipelineId="old").subject == "old"
    assert run(promotionId=None).subject == ID


@pytest.mark.parametrize(
    "name", ["workspaces", "engines", "statusMessage", "defective", "context"]
)
@given(value=JSON)
def test_no_shape_of_the_rest_costs_the_run(name, value):
    assert run(**{name: value}).phase is Phase.FAILED


@given(value=JSON)
def test_no_shape_of_a_report_costs_the_run(value):
    objects = [{"flows": [{"promotionReport": value}], "promotionReport": {"messages": value}}]
    assert run(workspaces=[*objects, {"flows": value}]).phase is Phase.FAILED


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'{"executionId": "e1"}'])
def test_what_is_no_run_is_unreadable(body):
    with pytest.raises(Unreadable):
        promotion_execution(body)


def test_a_promotion_is_named_with_the_environment_that_it_changes():
    listed = [
        {
            "executable": "p1",
            "name": "tst to prd",
            "sourceEnvironment": {"id": "e9", "name": "tst"},
            "targetEnvironment": {"id": "e1", "name": "PRD"},
        },
        {"name": "no id"},
        {"executable": "p2"},
    ]
    page = promotion_names(json.dumps(listed).encode())
    first, second = page.subjects
    assert (first.kind, first.name, first.environment, first.workspace) == (
        Kind.PROMOTION,
        "tst to prd",
        "PRD",
        "",
    )
    assert (second.name, second.environment) == ("p2", UNKNOWN)
    assert (len(page.bad), page.size) == (1, 3)


ENTRY = {
    "timestamp": "2026-11-20T15:00:00.1300",
    "logId": "l1",
    "eventType": "environment management",
    "eventCategory": "promotion",
    "eventOperation": "run",
    "request": {"url": "https://tmc/processing/executions/promotions", "method": "POST"},
    "response": {"code": "201", "body": json.dumps({"executionId": ID})},
}


def page(*entries):
    return audit_page(json.dumps(entries).encode())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="documented"),
        pytest.param({"eventCategory": "PROMOTION", "eventOperation": "Run"}, id="case"),
        pytest.param({"response": {"body": {"executionId": ID}}}, id="object"),
        pytest.param({"response": {"code": 201, "body": {"report": [{"execution_id": ID}]}}}),
        pytest.param({"response": {"body": f'{{"executionId":"{ID.upper()}", cut off'}}, id="cut"),
        pytest.param({"response": {"body": json.dumps(json.dumps({"executionId": ID}))}}),
        pytest.param({"eventCategory": None, "eventOperation": None}, id="by the request"),
    ],
)
def test_an_execution_is_read_out_of_any_shape(changes):
    given_in = page({**ENTRY, **changes})
    assert (given_in.executions, given_in.unread, given_in.size) == ((ID,), frozenset(), 1)


@pytest.mark.parametrize(
    "response", [None, {}, {"code": "202", "body": ""}, {"body": "done"}, {"body": '{"id": "x"}'}]
)
def test_a_run_that_does_not_name_its_execution_is_counted(response):
    found = page({**ENTRY, "response": response}, ENTRY)
    assert (found.executions, len(found.unread)) == ((ID,), 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"eventOperation": "analyze"},
        {"eventOperation": "delete"},
        {"response": {"code": "403", "body": ""}},
        {"eventCategory": "task"},
    ],
)
def test_what_started_no_promotion_is_none(changes):
    url = {"request": {"url": "https://tmc/orchestration/x", "method": "POST"}}
    found = page({**ENTRY, **url, **changes})
    assert (found.executions, found.unread) == ((), frozenset())


@pytest.mark.uncounted
@given(st.lists(JSON | st.fixed_dictionaries({"eventCategory": JSON, "response": JSON})))
def test_no_entry_costs_its_page(entries):
    assert page(*entries, ENTRY).executions[-1:] == (ID,)


def test_what_is_no_list_is_unreadable():
    with pytest.raises(Unreadable):
        audit_page(b"{}")
