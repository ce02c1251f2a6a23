"""Alerting that runs behind tracking decides as if it had kept up."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tmcwatch.alerting.deciding import decide
from tmcwatch.alerting.settings import Receiver, Settings
from tmcwatch.domain.alert import EndReason
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.execution import (
    AccountName,
    ExecutionId,
    Kind,
    Phase,
    Row,
    SubjectId,
    Trigger,
)
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.domain.routing import Route
from tmcwatch.store.alerts import newest_alerts
from tmcwatch.store.opening import open_store
from tmcwatch.tracking.absorbing import absorb, absorb_names

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROD = AccountName("prod")
SETTINGS = Settings(
    rules=tuple(BUILT_IN.values()),
    root=Route(receiver="team"),
    receivers={"team": Receiver(targets=("team/log",))},
    accounts={},
)


@pytest.fixture
def store(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    names = NamesRead(account=PROD, at=NOON, subjects=(), complete=True)
    store.write(partial(absorb_names, names=names))
    yield store
    store.close()


def look(store, **ends):
    """Take in runs of one task that ended so many minutes after noon: `failed_1=1`."""
    rows = tuple(_ended(name, minute) for name, minute in ends.items())
    looked = Looked(account=PROD, kind=Kind.TASK, at=NOON + timedelta(minutes=9), rows=rows)
    store.write(partial(absorb, looked=looked))


def _ended(name, minute):
    at = NOON + timedelta(minutes=minute)
    return Row(
        kind=Kind.TASK,
        id=ExecutionId(name),
        subject=SubjectId("load_orders"),
        phase=Phase(name.partition("_")[0]),
        status="",
        trigger=Trigger.SCHEDULED,
        triggered_at=at,
        started_at=at,
        ended_at=at,
    )


def decided(store):
    """Decide, and answer with what every alert says by now: its runs and why it ended."""
    store.write(partial(decide, settings=SETTINGS, now=NOON + timedelta(minutes=10)))
    return [(alert.count, alert.end_reason) for alert in store.read(lambda c: newest_alerts(c, 9))]


def test_failures_and_the_success_after_them_are_one_episode_even_when_seen_at_once(store):
    look(store, failed_1=1, failed_2=2, succeeded_1=3)
    assert decided(store) == [(2, EndReason.RECOVERED)]


def test_a_success_seen_before_alerting_caught_up_does_not_split_the_episode(store):
    look(store, failed_1=1)
    look(store, failed_2=2)
    look(store, succeeded_1=3)
    assert decided(store) == [(2, EndReason.RECOVERED)]


def test_a_failure_older_than_a_success_seen_before_it_opens_and_ends_at_once(store):
    look(store, succeeded_1=3)
    look(store, failed_1=1)
    assert decided(store) == [(1, EndReason.RECOVERED)]


def test_a_failure_newer_than_every_success_stays_open(store):
    look(store, succeeded_1=1, failed_1=2)
    assert decided(store) == [(1, None)]
