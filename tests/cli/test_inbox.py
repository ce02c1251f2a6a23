"""The inbox: webhooks as a person reads them."""

import httpx

from tests.cli.scenes import NOON
from tmcwatch.cli.demonstration.inbox import Inbox, told_by


def alert(status="firing", **annotations):
    labels = {"rule": "failed", "name": "load_customers"}
    return {"status": status, "labels": labels, "annotations": annotations}


def payload(*alerts, status="firing"):
    return {"status": status, "alerts": alerts, "tmcwatch": {"title": "FAILED: load_customers"}}


def test_a_message_is_its_title_and_what_is_behind_it():
    told = told_by(payload(alert(summary="it failed", error="disk full")), at=NOON)
    assert (told.title, told.is_over) == ("FAILED: load_customers", False)
    assert told.lines == ("it failed", "disk full")


def test_the_step_of_a_plan_comes_before_its_error():
    told = told_by(payload(alert(summary="it failed", step="step 2 of 3", error="x")), at=NOON)
    assert told.lines == ("it failed", "step 2 of 3: x")


def test_what_is_over_says_so_without_the_old_error():
    over = alert("resolved", summary="it failed", error="disk full")
    told = told_by(payload(over, status="resolved"), at=NOON)
    assert told.lines == ("over: it failed",)
    assert told.is_over


def test_an_alert_without_a_summary_has_its_name_or_its_rule():
    nameless = alert() | {"labels": {"rule": "failed"}}
    assert told_by(payload(alert(), nameless), at=NOON).lines == ("load_customers", "failed")


def test_of_many_alerts_a_few_are_listed():
    told = told_by(payload(*(alert(summary=f"alert {n}") for n in range(9))), at=NOON)
    assert told.lines == (*(f"alert {n}" for n in range(5)), "and 4 more")


async def test_a_message_that_comes_twice_is_in_the_inbox_once():
    inbox = Inbox(lambda: NOON)
    transport = httpx.ASGITransport(app=inbox.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as client:
        for key in ("a", "a", "b"):
            headers = {"Idempotency-Key": key}
            answer = await client.post("/", json=payload(alert()), headers=headers)
            assert answer.status_code == 200
    assert inbox.total == len(inbox.told) == 2
