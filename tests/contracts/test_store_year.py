"""A store with a year in it: migrated, backed up, restored and rolled back, with nothing lost."""

import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pytest

from tests.contracts.remembering import rows_in, url_of
from tests.contracts.test_store_versions import HEAD, OLD_STORES, answers, revision_of
from tmcwatch.store import schema
from tmcwatch.store.copying import copy
from tmcwatch.store.examining import examined
from tmcwatch.store.opening import copy_before, open_store
from tmcwatch.store.restoring import restore

EXECUTIONS = 300_000
FROM_THE_SCRIPT = 2
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)

A_YEAR = f"""
PRAGMA synchronous = OFF;
BEGIN;
CREATE TEMP TABLE runs AS
    WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted
        WHERE n < {EXECUTIONS})
    SELECT n, printf('%08x-4c1d-4b7e-9f2a-3d5e6f708192', n) AS id,
        printf('task-%04d', n % 1000) AS subject,
        1763640000000000 + n * 105120000 AS at,
        CASE n % 50 WHEN 0 THEN 'failed' ELSE 'succeeded' END AS phase
    FROM counted;
INSERT INTO executions (account, kind, id, subject, phase, status, "trigger", triggered_at,
        started_at, ended_at, error, engine, workspace, detailed, open, first_seen_at, seen_at)
    SELECT 'prod', 'task', id, subject, phase, phase, 'scheduled', at, at + 2000000, at + 90000000,
        CASE phase WHEN 'failed' THEN 'java.sql.SQLException: connection refused' END,
        'engine-1', 'w', phase = 'failed', 0, at + 5000000, at + 95000000 FROM runs;
INSERT INTO transitions (account, kind, execution, subject, phase, at, seen_at, "trigger", quiet,
        backfilled)
    SELECT 'prod', 'task', id, subject, 'running', at, at + 5000000, 'scheduled', 0, 0 FROM runs
    UNION ALL
    SELECT 'prod', 'task', id, subject, phase, at + 90000000, at + 95000000, 'scheduled', 0, 0
    FROM runs;
COMMIT;
"""


@contextmanager
def timed(what: str):
    begin = perf_counter()
    yield
    print(f"\n{what}: {perf_counter() - begin:.2f} s", end="")


def megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.0f} MB"


def executions_in(path: Path) -> int:
    return int(answers(path, "SELECT count(*) FROM executions")[0][0])


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """Give a folder with a store at schema 0003 that remembers a year, migrated to the newest."""
    path = tmp_path_factory.mktemp("year") / "watch.db"
    with timed(f"made {EXECUTIONS:,} executions"), closing(sqlite3.connect(path)) as connection:
        connection.executescript((OLD_STORES / "0003.sql").read_text())
        connection.executescript(A_YEAR)
        # As a daemon leaves it.
        connection.execute("PRAGMA journal_mode = WAL")
    with timed(f"copied and migrated {megabytes(path)} from 0003 to {HEAD}"):
        open_store(url_of(path)).close()
    yield path
    for one in path.parent.iterdir():
        one.unlink()


def test_a_year_is_migrated_with_a_copy_of_how_it_was(year):
    kept = copy_before(year, HEAD)
    assert (revision_of(year), revision_of(kept)) == (HEAD, "0003")
    assert executions_in(year) == executions_in(kept) == EXECUTIONS + FROM_THE_SCRIPT
    with timed("checked"):
        assert all(one.is_good for one in examined(year))


def test_a_year_is_backed_up_beside_a_writer_and_restored_as_it_was(year, tmp_path):
    backup, path = tmp_path / "backup.db", tmp_path / "watch.db"
    store = open_store(url_of(year))
    with timed("backed up"):
        copy(year, backup)
    store.write(lambda connection: connection.execute(schema.cursors.delete()))
    store.close()
    with timed("restored"):
        restore(backup, path, now=NOW)
    store = open_store(url_of(path))
    assert rows_in(store, schema.cursors) == 2
    assert rows_in(store, schema.transitions) == 2 * EXECUTIONS + 1
    assert rows_in(store, schema.executions) == EXECUTIONS + FROM_THE_SCRIPT
    store.close()


def test_a_year_is_rolled_back_by_starting_from_the_copy(year):
    with timed("rolled back"):
        done = restore(copy_before(year, HEAD), year, now=NOW)
    assert done.kept is not None
    assert (revision_of(year), revision_of(done.kept)) == ("0003", HEAD)
    with timed("copied and migrated once more"):
        store = open_store(url_of(year))
    assert rows_in(store, schema.executions) == EXECUTIONS + FROM_THE_SCRIPT
    assert rows_in(store, schema.transitions) == 2 * EXECUTIONS + 1
    store.close()
