"""The real daemon is killed while TMC wants no requests, and its next life obeys."""

import signal
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import httpx

from tests.process.processes import WITHIN, Daemon, eventually, simulated, started, watching

PAUSE = timedelta(seconds=30)
GAUGE = 'tmcwatch_api_rate_requests_per_second{account="prod",family="processing"} '


def lists_asked(control, since):
    """Answer with when a list was asked for, on the clock of the simulated TMC, and the status."""
    found = httpx.get(f"{control}/requests", params={"since": since.isoformat()}).json()
    return [
        (datetime.fromisoformat(one["at"]), one["status"])
        for one in found
        if one["path"].startswith("/processing/")
    ]


def moment(control):
    return datetime.fromisoformat(httpx.get(f"{control}/world").json()["now"])


def is_paused(path):
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT paused_until FROM budgets WHERE family = 'processing'"
        return connection.execute(query).fetchone()[0] is not None


def rate(daemon):
    lines = daemon.answer("/metrics").text.splitlines()
    return next(float(line.removeprefix(GAUGE)) for line in lines if line.startswith(GAUGE))


def killed_in_a_pause(tmp_path, api, control):
    """Run a daemon until TMC asks for a pause, and kill it; answer with when that was."""
    with watching(tmp_path, api) as daemon:
        daemon.until_fresh()
        before = moment(control)
        fault = {"style": "seconds", "retry_after": PAUSE.total_seconds(), "on": "/processing/"}
        httpx.put(f"{control}/faults/throttle", json=fault).raise_for_status()
        eventually(lambda: is_paused(tmp_path / "tmcwatch.db"))
        daemon.signal(signal.SIGKILL)
        daemon.ends()
    httpx.delete(f"{control}/faults/throttle").raise_for_status()
    return min(at for at, status in lists_asked(control, before) if status == 429)


def test_a_daemon_killed_in_a_pause_starts_again_in_it_and_asks_only_after_it(tmp_path):
    with simulated(tmp_path) as (api, control):
        refused = killed_in_a_pause(tmp_path, api, control)
        killed = moment(control)
        with started(
            Daemon, tmp_path, "run", TMCWATCH_CONFIG=f"{tmp_path}/tmcwatch.yaml"
        ) as again:
            again.until_ready()
            assert rate(again) < 6
            assert moment(control) < refused + PAUSE - timedelta(seconds=5), "started too late"
            eventually(
                lambda: len(lists_asked(control, killed)) > 5,
                within=PAUSE.total_seconds() + WITHIN,
            )
        first, status = min(lists_asked(control, killed))
    assert status == 200
    assert first >= refused + PAUSE
    assert (tmp_path / "run.err").read_text().count('"throttled"') == 0
