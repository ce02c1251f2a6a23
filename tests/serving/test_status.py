"""The status, as JSON."""

import json

from tests.telemetry.snapshots import NOON, PROD, busy, listed, snapshot
from tmcwatch.domain.execution import AccountName
from tmcwatch.serving.status import status_of


def told(state, *, rates=None):
    """Tell the status as a client reads it."""
    return json.loads(json.dumps(status_of(state, version="1.2.3", rates=rates or {})))


def test_the_status_tells_how_far_each_list_was_read():
    state = snapshot(lists=(listed(watermark=12, head=3),))
    (account,) = told(state, rates={PROD: 6.0})["accounts"]
    (tasks,) = account["lists"]
    assert (account["name"], account["requests_per_second"]) == ("prod", 6.0)
    assert (tasks["watermark_age_seconds"], tasks["head_age_seconds"]) == (12, 3)
    assert tasks["watermark"] == "2026-11-20T11:59:48Z"


def test_the_status_counts_what_is_open_owed_and_firing():
    status = told(busy())
    (account,) = status["accounts"]
    (tasks,) = account["lists"]
    assert tasks["open"] == {"running": 2}
    assert tasks["subjects"] == 1
    assert tasks["executions"] == {"succeeded": 7, "failed": 2, "other": 0}
    assert status["alerts_firing"] == [{"rule": "failed", "severity": "critical", "number": 2}]
    assert status["outbox"][0]["oldest"] == "2026-11-20T11:00:00Z"


def test_an_account_not_read_yet_is_in_the_status():
    status = told(snapshot(), rates={AccountName("new"): 1.0})
    assert status["accounts"] == [{"name": "new", "requests_per_second": 1.0, "lists": []}]


def test_the_status_is_json():
    status = status_of(busy(), version="1.2.3", rates={})
    assert json.loads(json.dumps(status)) == status
    assert status["version"] == "1.2.3"
    assert status["at"] == f"{NOON:%Y-%m-%dT%H:%M:%S}Z"
