"""Budgets in the store: each comes back as it was written last."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contracts.remembering import rows_in, url_of
from tmcwatch.domain.budget import Family, RememberedPace
from tmcwatch.store import schema
from tmcwatch.store.budgets import remember_pace, remembered_paces
from tmcwatch.store.opening import open_store

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EU = "https://api.eu.cloud.talend.com"
PAUSED = RememberedPace(
    rate=4.8, paused_until=NOON + timedelta(seconds=30, microseconds=1), asked_at=NOON
)
CALM = RememberedPace(rate=0.1 + 0.2, paused_until=None, asked_at=NOON)


@pytest.fixture
def store(tmp_path):
    store = open_store(url_of(tmp_path / "watch.db"))
    yield store
    store.close()


def remember(store, pace, *, name=EU, family=Family.PROCESSING):
    store.write(lambda connection: remember_pace(connection, name, family, pace, at=NOON))


def remembered(store, name=EU):
    return store.read(lambda connection: remembered_paces(connection, name))


def test_of_a_new_budget_nothing_is_remembered(store):
    assert remembered(store) == {}


def test_a_pace_comes_back_exactly(store):
    remember(store, PAUSED)
    remember(store, CALM, family=Family.SECURITY)
    assert remembered(store) == {Family.PROCESSING: PAUSED, Family.SECURITY: CALM}


def test_a_pace_is_written_in_place_of_the_one_before(store):
    remember(store, PAUSED)
    remember(store, CALM)
    assert remembered(store) == {Family.PROCESSING: CALM}
    assert rows_in(store, schema.budgets) == 1


def test_budgets_of_other_names_are_left_alone(store):
    remember(store, PAUSED)
    remember(store, CALM, name="https://api.us.cloud.talend.com")
    assert remembered(store) == {Family.PROCESSING: PAUSED}


def test_a_family_that_this_version_does_not_know_is_passed_over(store, tmp_path):
    remember(store, CALM)
    with closing(sqlite3.connect(tmp_path / "watch.db")) as connection:
        connection.execute("INSERT INTO budgets SELECT name, 'oracle', 1, NULL, 0 FROM budgets")
        connection.commit()
    assert remembered(store) == {Family.PROCESSING: CALM}


def test_a_store_of_the_schema_that_first_had_budgets_is_read(tmp_path):
    script = Path(__file__).parent / "stores" / "0003.sql"
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(script.read_text())
    store = open_store(url_of(tmp_path / "old.db"))
    pause = NOON + timedelta(seconds=30)
    assert remembered(store) == {
        Family.PROCESSING: RememberedPace(rate=4.8, paused_until=pause, asked_at=NOON)
    }
    store.close()
