"""How far lists were read: the watermark never goes back, history goes to its end."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from tests.contracts.remembering import looked, url_of
from tests.domain.telling import PROD, at
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.observation import Looked, Position
from tmcwatch.domain.window import Window
from tmcwatch.store.capture import (
    accounts_with_history_read,
    advance_capture,
    position,
    watched_since,
)
from tmcwatch.store.engine import Store
from tmcwatch.store.opening import open_store

FIRST = looked(watched_from=at(0), watermark=at(-1))
HISTORY = Window(start=at(-60), end=at(0))


@pytest.fixture
def store(tmp_path):
    store = open_store(url_of(tmp_path / "watch.db"))
    yield store
    store.close()


def after(store: Store, *looks: Looked) -> Position | None:
    def work(connection: Connection) -> Position | None:
        for look in looks:
            advance_capture(connection, look)
        return position(connection, PROD, Kind.TASK)

    return store.write(work)


def test_before_the_first_look_there_is_no_position(store):
    assert after(store, looked(watermark=at(5))) is None
    assert store.read(lambda c: watched_since(c, PROD, Kind.TASK)) is None


def test_the_first_look_begins_to_watch(store):
    found = after(store, replace(FIRST, history=HISTORY))
    assert found == Position(watched_from=at(0), watermark=at(-1), history=HISTORY)
    assert store.read(lambda c: watched_since(c, PROD, Kind.TASK)) == at(0)


def test_a_second_first_look_changes_nothing_but_the_watermark(store):
    found = after(store, FIRST, looked(watched_from=at(9), watermark=at(8)))
    assert found == Position(watched_from=at(0), watermark=at(8), history=None)


def test_a_look_without_a_certificate_moves_no_watermark(store):
    assert after(store, FIRST, looked()) == after(store, FIRST)


@given(st.lists(st.integers(-100, 100), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_the_watermark_never_goes_back(store, minutes):
    before = after(store, FIRST)
    looks = [looked(watermark=at(minute)) for minute in minutes]
    found = after(store, *looks)
    assert before is not None
    assert found is not None
    assert found.watermark == max([before.watermark, *(at(minute) for minute in minutes)])


def test_history_is_left_until_it_is_read(store):
    rest = Window(start=at(-60), end=at(-20))
    reading = looked(head=False, history_read=True, history=rest)
    first = replace(FIRST, history=HISTORY)
    found = after(store, first, looked(watermark=at(3)), reading)
    assert found == Position(watched_from=at(0), watermark=at(3), history=rest)
    over = after(store, replace(reading, history=None))
    assert over is not None
    assert over.history is None


def test_an_account_has_its_history_read_when_every_list_has(store):
    other = AccountName("other")
    plans = replace(FIRST, kind=Kind.PLAN, history=HISTORY)
    after(store, FIRST, plans, replace(FIRST, account=other))
    assert store.read(accounts_with_history_read) == {other}
    after(store, looked(kind=Kind.PLAN, head=False, history_read=True))
    assert store.read(accounts_with_history_read) == {PROD, other}
