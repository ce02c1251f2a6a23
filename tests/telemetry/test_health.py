"""When the daemon says that it lives, can be asked, and sees everything in time."""

from datetime import timedelta

import pytest

from tests.telemetry.snapshots import NOON, PROD, listed
from tmcwatch.domain.execution import Kind
from tmcwatch.telemetry.health import Health

LIMIT = timedelta(seconds=70)


@pytest.fixture
def health():
    """A daemon that started and watches the tasks of one account."""
    health = Health()
    health.started()
    health.store_works()
    health.watch({(PROD, Kind.TASK)})
    return health


def test_a_daemon_that_answers_is_healthy(health):
    assert health.healthy() == (True, ())


def test_a_daemon_is_not_ready_before_it_started():
    assert Health().ready() == (False, ("starting", "store: not open yet"))


def test_a_daemon_is_ready_once_each_list_was_looked_at(health):
    assert health.ready().reasons == ("account prod: no look at its tasks yet",)
    health.looked(PROD, Kind.TASK, at=NOON)
    assert health.ready().ok


def test_a_look_that_failed_was_tried(health):
    health.look_failed(PROD, Kind.TASK, at=NOON, text="unreachable")
    assert health.ready().ok


def test_a_first_look_that_waits_for_the_end_of_a_pause_counts_as_tried(health):
    health.look_waits(PROD, Kind.TASK, at=NOON, until=NOON + timedelta(minutes=5))
    assert health.ready().ok
    [reason] = health.fresh(NOON, [], young_enough=LIMIT).reasons
    assert "TMC wants no request before" in reason


def test_a_look_that_waits_takes_nothing_from_the_last_one(health):
    health.looked(PROD, Kind.TASK, at=NOON)
    health.look_waits(PROD, Kind.TASK, at=NOON, until=NOON + timedelta(minutes=5))
    assert "TMC wants" not in str(health.fresh(NOON, [], young_enough=LIMIT).reasons)


def test_a_store_that_fails_says_so_until_it_works_again(health):
    health.looked(PROD, Kind.TASK, at=NOON)
    health.store_fails("disk full")
    assert health.ready().reasons == ("store: disk full",)
    health.store_works()
    assert health.ready().ok


def test_a_list_that_is_watched_no_more_is_not_waited_for(health):
    health.looked(PROD, Kind.TASK, at=NOON)
    health.watch({(PROD, Kind.PLAN)})
    assert health.ready().reasons == ("account prod: no look at its plans yet",)
    health.watch(set())
    assert health.ready().ok


def test_lists_read_up_to_lately_are_fresh(health):
    verdict = health.fresh(NOON, [listed(watermark=70, head=70)], young_enough=LIMIT)
    assert verdict.ok


@pytest.mark.parametrize(
    ("ages", "what"), [({"head": 95}, "head"), ({"watermark": 95}, "watermark")], ids=str
)
def test_an_old_list_is_named(health, ages, what):
    verdict = health.fresh(NOON, [listed(**ages)], young_enough=LIMIT)
    reason = f"account prod: tasks: {what} is 95 s old, the limit is 70 s"
    assert verdict == (False, (reason,))


def test_an_old_list_says_why_the_last_look_failed(health):
    health.look_failed(PROD, Kind.TASK, at=NOON, text="unauthorized: 401")
    (reason,) = health.fresh(NOON, [listed(head=95)], young_enough=LIMIT).reasons
    assert reason.endswith(": last look failed at 2026-11-20 12:00:00Z: unauthorized: 401")


def test_a_look_that_works_again_takes_the_reason_back(health):
    health.look_failed(PROD, Kind.TASK, at=NOON, text="unreachable")
    health.looked(PROD, Kind.TASK, at=NOON)
    (reason,) = health.fresh(NOON, [listed(watermark=95)], young_enough=LIMIT).reasons
    assert "unreachable" not in reason


def test_a_damaged_store_stays_damaged_whatever_works_or_fails_besides(health):
    health.store_fails("damaged: move it away", heals=False)
    health.store_works()
    health.store_fails("disk full")
    health.store_works()
    assert health.ready().reasons[0] == "store: damaged: move it away"
    assert not health.is_store_up


def test_a_list_never_read_and_a_failing_store_are_not_fresh(health):
    health.store_fails("disk full")
    verdict = health.fresh(NOON, [], young_enough=LIMIT)
    assert verdict.reasons == ("store: disk full", "account prod: tasks: never read")


def test_lists_that_are_not_watched_are_not_judged(health):
    health.watch(set())
    assert health.fresh(NOON, [listed(head=9000)], young_enough=LIMIT).ok
