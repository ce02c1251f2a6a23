"""The status, as JSON."""

import json
from datetime import timedelta

from tests.telemetry.snapshots import NOON, PROD, busy, listed, snapshot
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.serving.status import Asking, status_of


def told(state, *, asking=None):
    """Tell the status as a client reads it."""
    return json.loads(json.dumps(status_of(state, version="1.2.3", asking=asking or {})))


def asked(*, rate=6.0, paused_until=None, beats=None):
    return Asking(rate=rate, granted=6.0, paused_until=paused_until, beats=beats or {})


def test_the_status_tells_how_far_each_list_was_read():
    state = snapshot(lists=(listed(watermark=12, head=3),))
    (account,) = told(state, asking={PROD: asked()})["accounts"]
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
    status = told(snapshot(), asking={AccountName("new"): asked(rate=1.0)})
    assert status["accounts"] == [
        {
            "name": "new",
            "requests_per_second": 1.0,
            "granted_per_second": 6.0,
            "paused_until": None,
            "lists": [],
        }
    ]


def test_the_status_tells_of_pressure_how_fast_tmc_may_be_asked_and_what_the_beat_is():
    pressed = asked(rate=1.2, paused_until=NOON, beats={Kind.TASK: timedelta(seconds=34)})
    state = snapshot(lists=(listed(watermark=12, head=3),))
    (account,) = told(state, asking={PROD: pressed})["accounts"]
    assert (account["requests_per_second"], account["granted_per_second"]) == (1.2, 6.0)
    assert account["paused_until"] == f"{NOON:%Y-%m-%dT%H:%M:%S}Z"
    assert account["lists"][0]["beat_seconds"] == 34


def test_the_status_is_json():
    status = status_of(busy(), version="1.2.3", asking={})
    assert json.loads(json.dumps(status)) == status
    assert status["version"] == "1.2.3"
    assert status["at"] == f"{NOON:%Y-%m-%dT%H:%M:%S}Z"
