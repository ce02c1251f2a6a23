"""Opening the store: made, migrated, or refused with one line that says why."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from tests.contracts.remembering import rows_in, url_of
from tests.domain.telling import PROD
from tmcwatch.domain.execution import Kind
from tmcwatch.store import opening, schema
from tmcwatch.store.capture import position
from tmcwatch.store.engine import Store, StoreError
from tmcwatch.store.opening import open_store
from tmcwatch.store.revisions import REVISIONS

OLD_STORES = Path(__file__).parent / "stores"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "watch.db"


def run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def differences(store: Store) -> list[Any]:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, schema.metadata))


def refusal(url: str) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_store_has_the_schema_of_the_newest_revision(path):
    store = open_store(url_of(path))
    assert differences(store) == []
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert found == [(REVISIONS[-1],)]


def test_migrations_from_nothing_give_exactly_the_schema_that_a_new_store_gets(path, tmp_path):
    migrated = Store(url_of(path))
    opening._migrate(migrated)
    made = open_store(url_of(tmp_path / "made.db"))
    assert differences(migrated) == []
    assert _indexes(migrated) == _indexes(made)
    migrated.close()
    made.close()


def _indexes(store: Store) -> set[str]:
    query = text("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    with store.engine.connect() as connection:
        return {sql.replace('"', "") for sql in connection.execute(query).scalars()}


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_old_store_opens_with_what_it_remembers(revision, path):
    run(path, (OLD_STORES / f"{revision}.sql").read_text())
    store = open_store(url_of(path))
    assert differences(store) == []
    assert rows_in(store, schema.executions) == 2
    assert store.read(lambda connection: position(connection, PROD, Kind.TASK)) is not None
    store.close()


def test_a_store_behind_is_migrated_when_it_is_opened(path, monkeypatch):
    monkeypatch.setattr(opening, "REVISIONS", ("0000", "0001"))
    run(path, "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES (0)")
    run(path, "UPDATE alembic_version SET version_num = '0000'")
    asked: list[Store] = []
    monkeypatch.setattr(opening, "_migrate", asked.append)
    store = open_store(url_of(path))
    assert asked == [store]
    store.close()


def test_a_store_opens_again_and_again(path):
    for _ in range(3):
        open_store(url_of(path)).close()


def test_a_store_from_the_future_is_refused(path):
    open_store(url_of(path)).close()
    run(path, "UPDATE alembic_version SET version_num = '0999'")
    run(path, "UPDATE compatibility SET readable_by = '0998'")
    said = refusal(url_of(path))
    assert "schema 0999, written by a newer tmcwatch" in said
    assert REVISIONS[-1] in said
    assert "watch.db.before-0999" in said


def test_a_foreign_database_is_refused_and_left_alone(path):
    run(path, "CREATE TABLE accounts (id); INSERT INTO accounts VALUES (1)")
    assert "holds something else" in refusal(url_of(path))
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("accounts",)]


def test_a_file_that_is_no_database_is_refused(path):
    path.write_text("accounts: []\n" * 100)
    assert "not a database" in refusal(url_of(path))


def test_a_file_in_no_folder_is_refused(tmp_path):
    assert "there is no folder" in refusal(url_of(tmp_path / "nowhere" / "watch.db"))


@pytest.mark.parametrize("url", ["watch.db", "", "://"])
def test_what_is_no_url_is_refused(url):
    assert "not a store's URL" in refusal(url)


def test_a_store_that_stays_locked_is_refused(path, monkeypatch):
    open_store(url_of(path)).close()
    monkeypatch.setattr("tmcwatch.store.engine.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "database is locked" in refusal(url_of(path))
        other.execute("ROLLBACK")
    open_store(url_of(path)).close()


def test_a_store_that_cannot_be_written_is_refused(path):
    open_store(url_of(path)).close()
    run(
        path,
        """CREATE TRIGGER full BEFORE UPDATE ON alembic_version
        BEGIN SELECT RAISE(ABORT, 'no room'); END""",
    )
    assert "no room" in refusal(url_of(path))
