"""A store between versions: copied before it is migrated, and usable by the version before."""

import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copyfile, disk_usage
from typing import Any

import pytest
from sqlalchemy import insert
from structlog.testing import capture_logs

from tests.contracts.older_code import obstacles
from tests.contracts.remembering import rows_in, url_of
from tmcwatch.store import opening, schema
from tmcwatch.store.engine import StoreError
from tmcwatch.store.examining import examined
from tmcwatch.store.opening import open_store
from tmcwatch.store.revisions import REVISIONS, SCHEMAS

OLD_STORES = Path(__file__).parent / "stores"
HEAD = REVISIONS[-1]
NEXT = "0999"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "watch.db"


def run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def old(path: Path, revision: str) -> Path:
    run(path, (OLD_STORES / f"{revision}.sql").read_text())
    return path


def answers(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def revision_of(path: Path) -> str:
    return str(answers(path, "SELECT version_num FROM alembic_version")[0][0])


def columns_of(path: Path, table: str) -> list[str]:
    return [name for _, name, *_ in answers(path, f"PRAGMA table_info({table})")]


def tables_of(path: Path) -> set[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return {name for (name,) in answers(path, query)}


def copies_in(folder: Path) -> list[str]:
    ours = ("watch.db", "watch.db.lock")
    return sorted(one.name for one in folder.iterdir() if one.name not in ours)


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_store_behind_is_copied_before_it_is_migrated(path, revision):
    old(path, revision)
    with capture_logs() as logs:
        open_store(url_of(path)).close()
    kept = path.with_name(f"watch.db.before-{HEAD}")
    assert (revision_of(path), revision_of(kept)) == (HEAD, revision)
    assert copies_in(path.parent) == [kept.name]
    assert [log["event"] for log in logs] == ["store_copied", "store_migrated"]
    assert (logs[0]["copy"], logs[0]["bytes"]) == (str(kept), kept.stat().st_size)


def test_the_copies_of_the_last_two_migrations_are_kept_and_older_ones_removed(path):
    old(path, "0003")
    for revision in ("0001", "0003", "0004"):
        opening.copy_before(path, revision).touch()
    dear = [opening.copy_before(path, NEXT), path.with_name("watch.db.replaced-x")]
    for one in dear:
        one.touch()
    with capture_logs() as logs:
        open_store(url_of(path)).close()
    kept = [opening.copy_before(path, revision) for revision in ("0004", HEAD)]
    assert copies_in(path.parent) == sorted(one.name for one in (*kept, *dear))
    assert [log["copy"] for log in logs if log["event"] == "store_copy_removed"] == [
        str(opening.copy_before(path, revision)) for revision in ("0001", "0003")
    ]


def test_a_migration_that_fails_removes_no_copy(path):
    old(path, "0003")
    run(path, "CREATE TABLE notes (sequence)")
    for revision in ("0001", "0002", "0003"):
        opening.copy_before(path, revision).touch()
    with pytest.raises(StoreError, match="table notes already exists"):
        open_store(url_of(path))
    assert len(copies_in(path.parent)) == 4


def test_a_new_store_and_one_at_the_schema_are_not_copied(path):
    for _ in range(2):
        open_store(url_of(path)).close()
    assert copies_in(path.parent) == []


def test_the_copy_holds_what_the_log_beside_the_file_held(path):
    """A daemon that was killed leaves its last transactions in the -wal."""
    old(path, "0003")
    with closing(sqlite3.connect(path)) as killed:
        killed.execute("PRAGMA journal_mode = WAL")
        killed.execute("PRAGMA wal_autocheckpoint = 0")
        killed.execute("INSERT INTO cursors VALUES ('late', 7)")
        killed.commit()
        open_store(url_of(path)).close()
    kept = path.with_name(f"watch.db.before-{HEAD}")
    assert answers(kept, "SELECT sequence FROM cursors WHERE name = 'late'") == [(7,)]


def test_a_store_that_was_rolled_back_and_is_migrated_again_is_copied_again(path):
    old(path, "0003")
    open_store(url_of(path)).close()
    kept = path.with_name(f"watch.db.before-{HEAD}")
    copyfile(kept, path)
    run(path, "INSERT INTO cursors VALUES ('since', 1)")
    open_store(url_of(path)).close()
    assert answers(kept, "SELECT count(*) FROM cursors WHERE name = 'since'") == [(1,)]
    assert copies_in(path.parent) == [kept.name]


def test_a_disk_without_room_for_the_copy_keeps_the_store_as_it_is(path, monkeypatch):
    old(path, "0003")
    usage = disk_usage(path.parent)._replace(free=path.stat().st_size - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(StoreError, match=f"no room for the copy watch.db.before-{HEAD} that"):
        open_store(url_of(path))
    assert revision_of(path) == "0003"
    assert copies_in(path.parent) == []


def test_a_copy_that_cannot_be_written_keeps_the_store_as_it_is(path):
    old(path, "0003")
    path.with_name(f"watch.db.before-{HEAD}").mkdir()
    with pytest.raises(StoreError, match="cannot be copied to"):
        open_store(url_of(path))
    assert revision_of(path) == "0003"
    assert copies_in(path.parent) == [f"watch.db.before-{HEAD}"]


def test_a_migration_that_fails_leaves_the_store_and_its_copy(path):
    old(path, "0003")
    run(path, "CREATE TABLE notes (sequence)")  # what the migration wants to make
    with pytest.raises(StoreError, match="table notes already exists"):
        open_store(url_of(path))
    assert revision_of(path) == "0003"
    assert revision_of(path.with_name(f"watch.db.before-{HEAD}")) == "0003"


@pytest.mark.parametrize("revision", [None, *REVISIONS])
def test_every_store_says_who_may_read_it_however_it_came_to_its_schema(path, revision):
    if revision:
        old(path, revision)
    open_store(url_of(path)).close()
    assert answers(path, "SELECT readable_by FROM compatibility") == [(SCHEMAS[-1].readable_by,)]


def test_who_may_read_never_goes_back_in_time():
    readers = [one.readable_by for one in SCHEMAS]
    assert readers == sorted(readers)
    assert all(one.readable_by <= one.name for one in SCHEMAS)


OLDER = [one for one in REVISIONS[:-1] if one >= SCHEMAS[-1].readable_by]
FIRST_THAT_SAYS_SO = "0005"
PROMISES = [
    (older, one.name)
    for one in SCHEMAS
    if one.name >= FIRST_THAT_SAYS_SO
    for older in REVISIONS
    if one.readable_by <= older < one.name
]


def test_the_version_before_may_read_a_migrated_store():
    assert REVISIONS[-2] in OLDER


@pytest.mark.parametrize("promise", PROMISES, ids="-".join)
def test_code_that_a_schema_says_may_read_it_finds_nothing_in_its_way(
    path, tmp_path, monkeypatch, promise
):
    older, newer = promise
    before = old(tmp_path / "before.db", older)
    monkeypatch.setattr(opening, "REVISIONS", REVISIONS[: REVISIONS.index(newer) + 1])
    open_store(url_of(old(path, older))).close()
    assert revision_of(path) == newer
    assert obstacles(before, path) == []


@pytest.mark.parametrize(
    "harmless",
    [
        "CREATE TABLE novelties (id VARCHAR PRIMARY KEY, name VARCHAR UNIQUE NOT NULL)",
        "ALTER TABLE executions ADD COLUMN mood VARCHAR",
        "ALTER TABLE executions ADD COLUMN mood VARCHAR NOT NULL DEFAULT 'calm'",
        "CREATE INDEX ix_alerts_rule ON alerts (rule)",
        "CREATE TABLE parts (alert VARCHAR REFERENCES alerts (id) ON DELETE CASCADE)",
        "ALTER TABLE notes ADD COLUMN of VARCHAR REFERENCES alerts (id) ON DELETE SET NULL",
    ],
)
def test_what_only_adds_is_in_nobodys_way(path, tmp_path, harmless):
    run(old(path, HEAD), harmless)
    assert obstacles(old(tmp_path / "before.db", HEAD), path) == []


OBSTACLES = {
    "DROP TABLE storms": ["no table storms"],
    "ALTER TABLE storms RENAME TO gales": ["no table storms"],
    "ALTER TABLE storms DROP COLUMN since": ["storms: no column since"],
    "ALTER TABLE storms RENAME COLUMN since TO start": [
        "storms: no column since",
        "storms: start must be written",
    ],
    "CREATE TABLE s AS SELECT * FROM storms; DROP TABLE storms; ALTER TABLE s RENAME TO storms": [
        "storms: flushed_at is another",
        "storms: receiver is another",
        "storms: receiver is no longer unique",
        "storms: since is another",
    ],
    "DROP INDEX ix_alerts_open": ["alerts: no index ix_alerts_open"],
    "CREATE UNIQUE INDEX one ON alerts (rule, subject)": ["alerts: rule, subject must be unique"],
    "CREATE TRIGGER once BEFORE DELETE ON alerts BEGIN SELECT RAISE(ABORT, 'no'); END": [
        "alerts: trigger once"
    ],
    "CREATE TABLE parts (alert VARCHAR REFERENCES alerts (id))": [
        "parts.alert keeps rows of alerts from being deleted"
    ],
    """DROP TABLE cursors; CREATE TABLE cursors (
        name VARCHAR NOT NULL REFERENCES silences (id) ON DELETE CASCADE,
        sequence BIGINT NOT NULL, CONSTRAINT pk_cursors PRIMARY KEY (name))""": [
        "cursors.name must point to silences"
    ],
    "ALTER TABLE notes ADD COLUMN size INTEGER DEFAULT 1 CHECK (size > 0)": [
        "notes: another check"
    ],
}


@pytest.mark.parametrize(("script", "found"), OBSTACLES.items(), ids=OBSTACLES.keys())
def test_what_is_in_the_way_of_older_code_is_found(path, tmp_path, script, found):
    run(old(path, HEAD), script)
    assert obstacles(old(tmp_path / "before.db", HEAD), path) == found


@pytest.mark.parametrize("revision", OLDER)
def test_a_script_of_an_older_version_still_writes_all_its_rows(path, revision):
    """Its rows, written as it writes them, fit a store that a newer version has made."""
    open_store(url_of(path)).close()
    before = old(path.with_name("before.db"), revision)
    for table in tables_of(before) - {"alembic_version"}:
        names = ", ".join(f'"{name}"' for name in columns_of(before, table))
        run(
            path,
            f"""ATTACH '{before}' AS older;
            INSERT OR REPLACE INTO main."{table}" ({names})
            SELECT {names} FROM older."{table}";""",
        )
    assert answers(path, "SELECT count(*) FROM executions") == [(2,)]
    assert all(one.is_good for one in examined(path))


def migrated_by_a_newer_version(path: Path, readable_by: str) -> None:
    """Do to a store what the next version's migration might, and what it then writes."""
    run(
        path,
        f"""CREATE TABLE novelties (id VARCHAR NOT NULL PRIMARY KEY);
        ALTER TABLE executions ADD COLUMN mood VARCHAR;
        ALTER TABLE cursors ADD COLUMN pace BIGINT NOT NULL DEFAULT 3;
        UPDATE alembic_version SET version_num = '{NEXT}';
        UPDATE compatibility SET readable_by = '{readable_by}';""",
    )


@pytest.mark.parametrize("readable_by", [*OLDER, HEAD])
def test_a_store_of_a_newer_version_that_only_added_is_worked_on_as_it_is(path, readable_by):
    old(path, HEAD)
    migrated_by_a_newer_version(path, readable_by)
    with capture_logs() as logs:
        store = open_store(url_of(path))
    row = {"name": "new", "sequence": 5}
    store.write(lambda connection: connection.execute(insert(schema.cursors).values(row)))
    assert rows_in(store, schema.executions) == 2
    store.close()
    assert [(log["event"], log["schema"]) for log in logs] == [("store_is_newer", NEXT)]
    assert (revision_of(path), copies_in(path.parent)) == (NEXT, [])
    assert answers(path, "SELECT pace FROM cursors WHERE name = 'new'") == [(3,)]


@pytest.mark.parametrize("readable_by", [NEXT, "0998", ""])
def test_a_store_that_a_newer_version_made_otherwise_is_refused(path, readable_by):
    old(path, HEAD)
    migrated_by_a_newer_version(path, readable_by)
    with pytest.raises(StoreError, match=rf"store restore {path}\.before-{NEXT}"):
        open_store(url_of(path))


@pytest.mark.parametrize("ruin", ["DELETE FROM compatibility", "DROP TABLE compatibility"])
def test_a_store_of_a_newer_version_that_does_not_say_who_may_read_it_is_refused(path, ruin):
    old(path, HEAD)
    migrated_by_a_newer_version(path, HEAD)
    run(path, ruin)
    with pytest.raises(StoreError, match="written by a newer tmcwatch"):
        open_store(url_of(path))


def test_a_copy_made_before_a_migration_starts_by_itself(path):
    old(path, "0003")
    open_store(url_of(path)).close()
    kept = opening.copy_before(path, HEAD)
    store = open_store(url_of(kept))
    assert rows_in(store, schema.executions) == 2
    store.close()
