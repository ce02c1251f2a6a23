"""A store with a year in it: migrated, rolled back, backed up and restored, every row the same."""

import os
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pytest

from tests.contracts.newer_version import ADDING, NEXT, next_version
from tests.contracts.remembering import url_of
from tests.contracts.test_store_versions import (
    HEAD,
    OLD_STORES,
    revision_of,
    tables_of,
)
from tmcwatch.store import schema
from tmcwatch.store.copying import copy
from tmcwatch.store.examining import examined
from tmcwatch.store.opening import copy_before, open_store
from tmcwatch.store.restoring import restore

EXECUTIONS = int(os.environ.get("YEAR_EXECUTIONS", "120000"))
"""In a year: 330 a day. The figures of the README were measured with 300,000."""
OLDEST = "0003"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ABOUT_ITSELF = {"alembic_version", "compatibility"}

A_YEAR = f"""
PRAGMA synchronous = OFF;
PRAGMA cache_size = -200000;
BEGIN;
CREATE TEMP TABLE runs AS
    WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted
        WHERE n < {EXECUTIONS})
    SELECT n, printf('%08x-4c1d-4b7e-9f2a-3d5e6f708192', n) AS id,
        printf('task-%04d', n % 1000) AS subject,
        1763640000000000 + n * {31_536_000_000_000 // EXECUTIONS} AS at,
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
INSERT INTO alerts (id, rule, severity, account, kind, subject, labels, annotations, starts_at,
        ends_at, end_reason, count, opened_at, changed_at)
    SELECT id, 'failed', 'warning', 'prod', 'task', subject, '{{}}', '{{}}', at + 90000000,
        at + 100000000, 'recovered', 1, at + 95000000, at + 105000000
    FROM runs WHERE phase = 'failed';
COMMIT;
"""


@contextmanager
def timed(what: str):
    begin = perf_counter()
    yield
    print(f"\n{what}: {perf_counter() - begin:.2f} s", end="")


def megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.0f} MB"


def lost(before: Path, after: Path) -> list[str]:
    """Answer with the tables of which a row is gone, new, or not as it was."""
    with closing(sqlite3.connect(after)) as connection:
        connection.execute("ATTACH ? AS older", (str(before),))
        tables = sorted(tables_of(before) - ABOUT_ITSELF)
        return [one for one in tables if not is_the_same(connection, one)]


def is_the_same(connection: sqlite3.Connection, table: str) -> bool:
    def number(query: str) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {query}").fetchone()[0])

    columns = connection.execute("SELECT name, pk FROM pragma_table_info(?, 'older')", (table,))
    found = [(f'"{name}"', key) for name, key in columns]
    then, now = (", ".join(f"{side}.{name}" for name, _ in found) for side in ("o", "n"))
    keys = " AND ".join(f"o.{name} = n.{name}" for name, key in found if key)
    same = number(f'older."{table}" o JOIN main."{table}" n ON {keys} WHERE ({then}) IS ({now})')
    return same == number(f'older."{table}"') == number(f'main."{table}"')


def rewrite(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """Give a store at an old schema that remembers a year, as a daemon leaves it."""
    path = tmp_path_factory.mktemp("year") / "watch.db"
    with timed(f"made {EXECUTIONS:,} executions"):
        rewrite(path, (OLD_STORES / f"{OLDEST}.sql").read_text())
        rewrite(path, A_YEAR)
        rewrite(path, "PRAGMA journal_mode = WAL")
    yield path
    for one in path.parent.iterdir():
        if one.is_file():
            one.unlink()


@pytest.mark.uncounted
def test_a_year_goes_up_two_versions_back_and_forth_and_no_row_is_lost(year):
    """One step after the other, as every step costs seconds."""
    with timed(f"copied and migrated {megabytes(year)} from {OLDEST} to {HEAD}"):
        open_store(url_of(year)).close()
    kept = copy_before(year, HEAD)
    assert (revision_of(year), revision_of(kept)) == (HEAD, OLDEST)
    with timed("compared"):
        assert lost(kept, year) == []

    new = next_version(year.parent / "next", head=HEAD, readable_by=HEAD, upgrade=ADDING)
    with timed(f"copied and migrated to {NEXT}"):
        new.opens(url_of(year))
    before_next = copy_before(year, NEXT)
    assert (revision_of(year), revision_of(before_next)) == (NEXT, HEAD)
    assert lost(before_next, year) == []

    with timed("rolled back: opened by the version before"):
        store = open_store(url_of(year))
    store.write(lambda connection: connection.execute(schema.storms.insert().values(STORM)))
    store.close()
    with timed("opened by the newer version again"):
        new.opens(url_of(year))
    assert lost(before_next, year) == ["storms"]
    with timed("checked"):
        assert all(one.is_good for one in examined(year))


ONE = "00000032-4c1d-4b7e-9f2a-3d5e6f708192"
STORM = {"receiver": "team", "since": 1}


def test_a_year_is_backed_up_beside_a_writer_and_restored_as_it_was(year, tmp_path):
    open_store(url_of(year)).close()
    before = tmp_path / "before.db"
    before.write_bytes(year.read_bytes())
    backup = tmp_path / "backup.db"
    store = open_store(url_of(year))
    with timed("backed up"):
        copy(year, backup)
    store.write(
        lambda connection: connection.execute(
            schema.executions.update().where(schema.executions.c.id == ONE).values(error="another")
        )
    )
    store.close()
    with timed("restored"):
        done = restore(backup, year, now=NOW)
    assert lost(before, year) == []
    assert done.kept is not None
    assert lost(done.kept, year) == ["executions"]


def test_a_year_is_rolled_back_by_the_copy_from_before_the_migration(year):
    open_store(url_of(year)).close()
    (kept,) = (one for one in [copy_before(year, HEAD)] if one.exists())
    with timed("rolled back by the copy"):
        restore(kept, year, now=NOW.replace(minute=1))
    assert revision_of(year) == OLDEST
    assert lost(kept, year) == []
