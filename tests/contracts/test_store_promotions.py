"""Promotions in the store: who asked for which, and which are still to be asked for."""

from functools import partial

import pytest

from tests.contracts.remembering import looked, rows_in, url_of
from tests.domain.telling import PROD, at, row
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, Phase
from tmcwatch.domain.promotion import Source
from tmcwatch.store.capture import advance_capture
from tmcwatch.store.opening import open_store
from tmcwatch.store.promotions import (
    follow_promotion,
    followed_promotions,
    forget,
    wanted_promotions,
)
from tmcwatch.store.schema import promotions
from tmcwatch.store.snapshot import read_snapshot
from tmcwatch.store.subjects import failing
from tmcwatch.tracking.absorbing import absorb

ONE, TWO = ExecutionId("e1"), ExecutionId("e2")


@pytest.fixture
def store(tmp_path):
    store = open_store(url_of(tmp_path / "watch.db"))
    yield store
    store.close()


def follow(store, execution=ONE, *, source=Source.REQUEST, minute=0.0):
    work = partial(follow_promotion, account=PROD, execution=execution, source=source)
    return store.write(lambda connection: work(connection, now=at(minute)))


def seen(store, phase, execution=ONE, **changes):
    facts = {"kind": Kind.PROMOTION, "id": execution, **changes}
    look = looked(kind=Kind.PROMOTION, rows=(row(phase, **facts),))
    store.write(partial(absorb, looked=look))


def wanted(store, account=PROD):
    return store.read(partial(wanted_promotions, account=account))


def known(store):
    return store.read(partial(followed_promotions, most=100))


def test_an_execution_is_asked_for_until_it_is_over(store):
    follow(store)
    assert [(each.id, each.is_known) for each in wanted(store)] == [(ONE, False)]
    seen(store, Phase.RUNNING)
    assert [(each.id, each.is_known) for each in wanted(store)] == [(ONE, True)]
    seen(store, Phase.FAILED)
    assert wanted(store) == ()


def test_an_unknown_status_is_no_end(store):
    follow(store)
    seen(store, Phase.UNRECOGNISED)
    assert [each.id for each in wanted(store)] == [ONE]


def test_to_ask_twice_changes_nothing_once_it_is_known(store):
    assert follow(store, source=Source.CONFIG)
    seen(store, Phase.RUNNING)
    assert not follow(store, minute=5)
    assert [(each.source, each.asked_at) for each in known(store)] == [(Source.CONFIG, at(0))]


def test_a_request_for_what_tmc_never_knew_begins_anew(store):
    follow(store, source=Source.AUDIT_LOG)
    assert not follow(store, minute=5)
    assert [(each.source, each.asked_at) for each in known(store)] == [(Source.REQUEST, at(5))]
    assert not follow(store, source=Source.CONFIG, minute=9)
    assert [each.source for each in known(store)] == [Source.REQUEST]


def test_accounts_do_not_mix(store):
    follow(store)
    assert wanted(store, AccountName("other")) == ()


def test_only_what_the_config_names_can_be_history(store):
    for execution, source in ((ONE, Source.CONFIG), (TWO, Source.REQUEST)):
        follow(store, execution, source=source, minute=10)
    before = {each.id: each.history_before for each in wanted(store)}
    assert before == {ONE: at(10), TWO: None}
    watched = looked(watched_from=at(3), watermark=at(2))
    store.write(partial(advance_capture, looked=watched))
    assert {each.id: each.history_before for each in wanted(store)} == {ONE: at(3), TWO: None}


def test_what_is_known_is_listed_with_its_name_phase_and_time(store):
    follow(store, ONE)
    follow(store, TWO, minute=1)
    seen(store, Phase.FAILED, error="no engine", ended_at=at(7))
    unknown, failed = known(store)
    assert (unknown.execution, unknown.phase, unknown.since) == (TWO, None, None)
    assert (failed.phase, failed.since, failed.error) == (Phase.FAILED, at(7), "no engine")


def test_a_promotion_leaves_no_trace_among_the_lists(store):
    follow(store)
    seen(store, Phase.FAILED)
    assert store.read(partial(read_snapshot, now=at(9))).lists == ()


def test_a_failed_promotion_is_not_counted_among_failing_tasks_and_plans(store):
    seen(store, Phase.FAILED)
    assert store.read(partial(failing, account=PROD)).failing == 0


def test_what_is_over_is_forgotten_but_what_the_config_names(store):
    follow(store, ONE)
    follow(store, TWO, source=Source.CONFIG)
    follow(store, ExecutionId("young"), minute=20)
    running = ExecutionId("running")
    follow(store, running)
    seen(store, Phase.RUNNING, running)
    forgotten = store.write(lambda connection: forget(connection, at(10), 100))
    assert (forgotten, rows_in(store, promotions)) == (1, 3)
