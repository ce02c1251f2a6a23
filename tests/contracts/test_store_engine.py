"""Transactions: whole or not at all, and beside another process."""

import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import text

from tests.contracts.remembering import rows_in, url_of
from tmcwatch.store.engine import Store, StoreError
from tmcwatch.store.opening import open_store
from tmcwatch.store.schema import cursors
from tmcwatch.store.transitions import cursor, save_cursor


@pytest.fixture
def path(tmp_path):
    return tmp_path / "watch.db"


@pytest.fixture
def store(path):
    store = open_store(url_of(path))
    yield store
    store.close()


def test_a_transaction_that_fails_leaves_nothing(store):
    def work(connection):
        save_cursor(connection, "alerting", 7)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write(work)
    assert rows_in(store, cursors) == 0


def test_a_read_cannot_write_what_stays(store):
    store.read(lambda connection: save_cursor(connection, "alerting", 7))
    assert rows_in(store, cursors) == 0


def test_a_read_goes_on_beside_a_writer_and_sees_what_was_committed(store, path):
    store.write(lambda connection: save_cursor(connection, "alerting", 7))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE cursors SET sequence = 8")
        assert store.read(lambda connection: cursor(connection, "alerting")) == 7
        other.execute("ROLLBACK")


def test_a_commit_is_safe_on_disk(store):
    def settings(connection):
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    assert store.read(settings) == ["wal", 2, 1]


@pytest.mark.parametrize("way", ["read", "write"])
def test_what_the_database_refuses_is_a_problem_of_the_store(store, way):
    with pytest.raises(StoreError, match="no such table: nowhere"):
        getattr(store, way)(lambda connection: connection.execute(text("SELECT 1 FROM nowhere")))


def test_two_stores_on_one_file_wait_for_each_other(store, path):
    """Each reads before it writes, which without the lock from the start ends in an error."""
    failures = []

    def count_up(own: Store) -> None:
        def work(connection):
            save_cursor(connection, "shared", cursor(connection, "shared") + 1)

        try:
            for _ in range(40):
                own.write(work)
        except StoreError as error:
            failures.append(error)

    second = Store(url_of(path))
    threads = [threading.Thread(target=count_up, args=(one,)) for one in (store, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    second.close()
    assert failures == []
    assert store.read(lambda connection: cursor(connection, "shared")) == 80


def test_a_second_writer_that_never_lets_go_is_a_problem_of_the_store(path, monkeypatch):
    monkeypatch.setattr("tmcwatch.store.engine.BUSY_SECONDS", 0.05)
    store = open_store(url_of(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"):
            store.write(lambda connection: save_cursor(connection, "alerting", 7))
        other.execute("ROLLBACK")
    store.close()
