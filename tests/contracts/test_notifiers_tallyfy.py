"""Tallyfy's own: two kinds of tasks, the forms of its fields, and owners that are never lost."""

import json
from typing import Any

import pytest

from tests.contracts.kept_tasks import CHANGED, OPENED, RESOLVED, WORDS, alert, message, tallyfy


@pytest.fixture
def anyio_backend():
    """Run on the loop of production: sockets do not know virtual time."""
    return "asyncio"


async def test_a_one_off_task_of_tallyfy_has_another_address_and_a_webhook(tmp_path):
    one_off = tallyfy(tmp_path, run=None)
    await one_off.told(OPENED, on_firing={"summary": "{state}", "webhook": "https://x/a"})
    assert one_off.server.bodies == [{"summary": "FIRING", "webhook": "https://x/a"}]


async def test_every_field_of_tallyfy_is_sent_in_its_form(tmp_path):
    kept = tallyfy(tmp_path)
    chosen: dict[str, Any] = {"id": 3, "text": "{state}", "value": None}
    many: list[dict[str, Any]] = [
        {"id": 1, "text": "{name}", "selected": True},
        {"id": 2, "selected": False},
    ]
    fields = {
        "title": "{title}\n{account}",
        "deadline": "2026-11-21T08:00:00Z",
        "started_at": "{starts_at}",
        "status": "in-progress",
        "prevent_guest_comment": True,
        "taskdata": {"choice": chosen, "many": many, "note": "{text}", "rank": 1.5},
    }
    await kept.told(OPENED, on_firing=fields)
    (body,) = kept.server.bodies
    assert body["taskdata"]["choice"] == chosen | {"text": "FIRING"}
    assert body["taskdata"]["many"] == [many[0] | {"text": "load"}, many[1]]
    assert body["taskdata"]["note"] == WORDS.text
    assert body["title"] == "FAILED: load acme"
    assert body["started_at"] == "2026-11-20T10:00:00Z"
    assert kept.server.task["taskdata"]["old"] == "x"


async def test_a_moment_that_is_not_known_yet_and_an_empty_title_are_not_sent(tmp_path):
    kept = tallyfy(tmp_path)
    fields = {"title": "{label.nobody}", "deadline": "{ends_at}", "summary": "{state}"}
    await kept.told(OPENED, message(alert(over=True)), on_firing=fields)
    firing, over = kept.server.bodies
    assert firing == {"summary": "FIRING"}
    assert over == {"summary": "RECOVERED", "deadline": "2026-11-20T10:09:00Z"}


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"errors": {"taskdata.f1": ["is no date"]}}, "taskdata.f1"),
        ({"errors": [{"field": "taskdata", "message": "is wrong"}]}, "taskdata"),
        ({"error": {"pointer": "/taskdata/f2"}}, "taskdata.f2"),
        ({"message": "The summary is too long, as is f1."}, "summary, taskdata.f1"),
    ],
    ids=str,
)
async def test_a_field_is_named_whatever_the_form_of_the_answer(tmp_path, said, named):
    kept = tallyfy(tmp_path)
    kept.server.answers = [(422, {}, json.dumps(said).encode())]
    error = await kept.failure(
        on_firing={"summary": "{state}", "taskdata": {"f1": "x", "f2": "y"}}
    )
    assert f"answered 422 about {named}: " in error.text


ADDED = {"users": [7, 9], "guests": ["ANN@example.org", "bob@example.org"], "groups": ["day"]}


async def test_owners_are_added_to_those_there_and_only_once(tmp_path):
    kept = tallyfy(tmp_path)
    receipts = await kept.told(OPENED, CHANGED, RESOLVED, add_owners=ADDED)
    assert kept.server.task["owners"] == {
        "users": [7, 9],
        "guests": ["ann@example.org", "bob@example.org"],
        "groups": ["night", "day"],
    }
    methods = [request.method for request in kept.server.requests]
    assert methods == ["GET", "PUT", "GET", "PUT", "PUT"]
    assert ["owners" in body for body in kept.server.bodies] == [True, False, False]
    assert receipts[0] == "summary, owners written at 127.0.0.1"


async def test_an_owner_who_came_meanwhile_stays(tmp_path):
    kept = tallyfy(tmp_path)
    await kept.told(OPENED, add_owners={"groups": ["day"]})
    kept.server.task["owners"] = {"users": [{"id": 8, "name": "Eve"}], "guests": None}
    await kept.told(CHANGED, add_owners={"groups": ["day"]})
    assert kept.server.task["owners"] == {"users": [8], "guests": [], "groups": ["day"]}


async def test_owners_alone_may_be_added_without_any_text(tmp_path):
    kept = tallyfy(tmp_path)
    receipts = await kept.told(OPENED, OPENED, on_firing={}, add_owners={"users": [9]})
    assert kept.server.bodies == [
        {"owners": {"users": [7, 9], "guests": ["ann@example.org"], "groups": ["night"]}}
    ]
    assert receipts[1] == "nothing to write"


async def test_owners_written_as_an_empty_list_are_nobody(tmp_path):
    kept = tallyfy(tmp_path)
    kept.server.task["owners"] = []
    await kept.told(OPENED, add_owners={"users": [9]})
    assert kept.server.task["owners"] == {"users": [9], "guests": [], "groups": []}


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        (b"<html>a gateway</html>", False),
        (b"[" * 200_000, False),
        (b'{"data": {"id": "task-1"}}', True),
        (b'{"data": {"owners": {"users": [{"name": "Eve"}]}}}', True),
        (b'{"data": {"owners": {"users": {"7": "Eve"}}}}', True),
        (b" " * 1_100_000, True),
    ],
    ids=["no JSON", "too deep", "no owners", "nameless", "no list", "too long"],
)
async def test_no_owner_is_dropped_because_an_answer_was_not_understood(
    tmp_path, answer, permanent
):
    kept = tallyfy(tmp_path)
    kept.server.answers = [(200, {}, answer)]
    error = await kept.failure(add_owners={"users": [9]})
    assert error.permanent == permanent
    assert error.text.startswith(f"127.0.0.1: GET {kept.server.path}: ")
    assert kept.server.bodies == []
