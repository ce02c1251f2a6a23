"""The beats as they are kept: told as a metric always, in the log where they change."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tmcwatch.app.beats import KEPT_AFTER, Beats
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.telemetry.metrics import Metrics

PROD, BEAT = AccountName("prod"), timedelta(seconds=10)


@pytest.fixture
def metrics():
    return Metrics(version="1")


def told(beats, *apart: float):
    """Answer with what is logged of looks so far apart."""
    with capture_logs() as logs:
        for seconds in apart:
            beats.began(PROD, Kind.TASK, BEAT, timedelta(seconds=seconds))
    return [(line["event"], line["seconds"]) for line in logs]


def test_a_beat_that_stretches_is_told_once_and_so_is_its_end(metrics):
    calm = [10] * KEPT_AFTER
    assert told(Beats(metrics), 10, 14, 16, 40, *calm, 10, 30) == [
        ("beat_stretched", 16),
        ("beat_kept", 10),
        ("beat_stretched", 30),
    ]


def test_pressure_that_lasts_is_one_line_though_some_looks_come_in_time(metrics):
    almost = [10] * (KEPT_AFTER - 1)
    assert told(Beats(metrics), 16, *almost, 20, *almost, 20) == [("beat_stretched", 16)]


def test_the_last_beat_is_known_by_list_and_as_a_metric(metrics):
    beats = Beats(metrics)
    told(beats, 12)
    assert beats.of(PROD) == {Kind.TASK: timedelta(seconds=12)}
    assert beats.of(AccountName("other")) == {}
    text = metrics.render(None, None)[0].decode()
    assert 'tmcwatch_beat_seconds{account="prod",kind="task"} 12.0' in text
