"""The commands about the store, on real files, beside a store that is open."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert

from tests.contracts.remembering import rows_in, url_of
from tests.contracts.test_store_versions import HEAD, OLD_STORES, migrated_by_a_newer_version
from tmcwatch.store.opening import open_store
from tmcwatch.store.schema import cursors


@pytest.fixture
def path(tmp_path):
    """Where the configuration has the store."""
    return tmp_path / "tmcwatch.db"


@pytest.fixture
def copied(tmp_path):
    return tmp_path / "copied.db"


@pytest.fixture
def store(path):
    """Give the store as a daemon has it: open, with its last rows in the log beside the file."""
    opened = open_store(url_of(path))
    remember(opened, "before")
    yield opened
    opened.close()


@pytest.fixture
def said(call, config):
    """Call `tmcwatch store` with the configuration; answers with its result."""
    return lambda *words: call("store", *map(str, words), "--config", config())


def remember(store, name):
    row = {"name": name, "sequence": 1}
    store.write(lambda connection: connection.execute(insert(cursors).values(row)))


def names_in(path):
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM cursors ORDER BY name")]


def run(path, script):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def damage(path):
    """Overwrite the middle of a file that has many pages."""
    run(path, "CREATE TABLE much AS SELECT randomblob(200000) AS text")
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + b"\xff" * 8192 + content[half + 8192 :])


@pytest.mark.usefixtures("store")
def test_a_good_store_is_checked_while_it_is_open(said):
    result = said("check")
    assert (result.exit_code, result.stderr) == (0, "")
    names = [line.split(": ")[:2] for line in result.stdout.splitlines()]
    looks = ("pages", "references", "schema", "shape", "size", "disk")
    assert names == [[name, "ok"] for name in looks]
    assert f"schema: ok: {HEAD}, that of this version" in result.stdout


@pytest.mark.usefixtures("store")
def test_a_check_is_given_as_json(said, path):
    found = json.loads(said("check", "--json").stdout)
    assert (found["store"], found["ok"]) == (str(path), True)
    assert [one["ok"] for one in found["checks"]] == [True] * 6


WRONG = {
    "a table that is gone": ("DROP TABLE storms", "shape: no table storms"),
    "a column that is gone": (
        "ALTER TABLE silences DROP COLUMN comment",
        "shape: no column silences.comment",
    ),
    "an index that is gone": (
        "DROP INDEX ix_executions_triggered",
        "shape: no index ix_executions_triggered",
    ),
    "a reference to nothing": (
        """CREATE TABLE parts (of VARCHAR REFERENCES cursors (name));
        INSERT INTO parts VALUES ('x')""",
        "references: parts: row 1 points to nothing in cursors",
    ),
    "a member without its alert": (
        """INSERT INTO groups VALUES ('g', 'team', '{}', 1, NULL, NULL);
        INSERT INTO members (group_key, alert) VALUES ('g', 'a')""",
        "references: members: alert a is not in alerts",
    ),
    "a member without its group": (
        "INSERT INTO members (group_key, alert) VALUES ('g', 'a')",
        "references: members: alert a is not in alerts; members: group_key g is not in groups",
    ),
    "no store of ours": ("DROP TABLE alembic_version", "schema: something else, not a store"),
}


@pytest.mark.parametrize(("script", "problem"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_with_a_store_is_found(said, path, script, problem):
    open_store(url_of(path)).close()
    run(path, script)
    result = said("check", "--json")
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (1, False)
    assert f"{path}: {problem}" in result.stderr


def test_an_empty_file_is_found_wrong(said, path):
    path.touch()
    result = said("check")
    assert result.exit_code == 1
    assert "schema: WRONG: empty: tmcwatch makes a store of it when it starts on it" in (
        result.stdout
    )


@pytest.mark.usefixtures("store")
def test_a_backup_is_checked_by_its_path(said, copied):
    said("backup", copied)
    assert said("check", copied).exit_code == 0
    damage(copied)
    result = said("check", copied)
    assert result.exit_code == 1
    assert f"{copied}: pages: " in result.stderr


@pytest.mark.usefixtures("store")
def test_a_second_daemon_on_a_store_ends_as_one_that_cannot_reach_it(call, config):
    result = call("run", "--config", config())
    assert result.exit_code == 3
    assert "somebody has the store open: stop the tmcwatch that runs on it first" in result.stderr


def test_progress_is_shown_on_a_terminal_and_silent_in_a_pipe(store, config, copied):
    del store
    words = [sys.executable, "-m", "tmcwatch", "store", "backup", str(copied), "--force"]
    words += ["--config", config()]
    piped = subprocess.run(words, capture_output=True, check=True)
    ours, its_end = os.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    subprocess.run(words, stdout=subprocess.PIPE, stderr=its_end, check=True, env=env)
    os.close(its_end)
    assert b"copying to copied.db" in os.read(ours, 10_000)
    os.close(ours)
    assert (piped.stderr, piped.stdout.count(b"\n")) == (b"", 1)


def test_damage_in_the_middle_of_a_file_is_found(said, path):
    open_store(url_of(path)).close()
    damage(path)
    result = said("check")
    assert result.exit_code == 1
    assert "pages: WRONG: " in result.stdout


def test_a_file_that_is_no_database_is_found_wrong(said, path):
    path.write_text("no database at all " * 1000)
    result = said("check")
    assert result.exit_code == 1
    assert result.stderr == f"{path}: pages: the file is damaged: file is not a database\n"


@pytest.mark.parametrize(("readable_by", "code"), [(HEAD, 0), ("0999", 1)])
def test_a_store_of_a_newer_version_is_good_if_this_one_works_with_it(
    said, path, readable_by, code
):
    open_store(url_of(path)).close()
    migrated_by_a_newer_version(path, readable_by)
    assert said("check").exit_code == code


def test_a_store_that_is_behind_is_good_and_left_alone(said, path):
    run(path, (OLD_STORES / "0003.sql").read_text())
    result = said("check")
    assert result.exit_code == 0
    assert f"0003, migrated to {HEAD} when tmcwatch starts" in result.stdout
    assert [one.name for one in path.parent.glob("tmcwatch.db*")] == ["tmcwatch.db"]


@pytest.mark.parametrize("words", [["check"], ["backup", "copied.db"]])
def test_a_store_that_is_not_there_cannot_be_reached_and_is_not_made(said, path, words):
    result = said(*words)
    assert result.exit_code == 3
    assert "there is no such file" in result.stderr
    assert not path.exists()


def test_another_database_is_wrong_configuration(call, config):
    path = config(("http:", "store: {url: 'postgresql://db/tmcwatch'}\nhttp:"))
    result = call("store", "check", "--config", path)
    assert result.exit_code == 2
    assert "store.url" in result.stderr
    assert "a SQLite file" in result.stderr


def test_a_backup_holds_what_an_open_store_has(said, store, copied):
    result = said("backup", copied)
    assert result.exit_code == 0
    assert f"copied to {copied} ({copied.stat().st_size:,} bytes)" in result.stdout
    remember(store, "after")
    assert names_in(copied) == ["before"]
    assert [one.name for one in copied.parent.glob("copied*")] == ["copied.db"]


@pytest.fixture(params=[(0o022, 0o640), (0o002, 0o660), (0o077, 0o600)])
def mode(request):
    """Set a umask, and give the mode that follows from it."""
    umask, mode = request.param
    before = os.umask(umask)
    yield mode
    os.umask(before)


def mode_of(path):
    return path.stat().st_mode & 0o777


def test_no_file_of_the_store_is_for_others_and_the_umask_says_what_the_group_may(
    said, mode, path, copied
):
    run(path, (OLD_STORES / "0003.sql").read_text())
    path.chmod(mode)
    said("backup", copied)
    path.unlink()
    said("restore", copied)
    store = open_store(url_of(path))
    remember(store, "a log beside it")
    made = sorted(path.parent.glob("*.db*"))
    suffixes = ("", f".before-{HEAD}", ".lock", "-shm", "-wal")
    assert {one.name for one in made} == {"copied.db", *(f"tmcwatch.db{one}" for one in suffixes)}
    assert {mode_of(one) for one in made} == {mode}
    store.close()


def test_a_new_store_is_not_for_others(mode, path):
    open_store(url_of(path)).close()
    assert mode_of(path) == mode


def test_a_restored_store_is_for_whom_the_store_was(said, store, path, copied):
    said("backup", copied)
    store.close()
    path.chmod(0o604)
    assert said("restore", copied).exit_code == 0
    assert mode_of(path) == 0o604


def test_a_backup_does_not_wait_for_a_transaction_under_way(said, store, copied):
    with store.engine.connect() as writing:
        writing.exec_driver_sql("BEGIN IMMEDIATE")
        writing.exec_driver_sql("INSERT INTO cursors VALUES ('half', 1)")
        assert said("backup", copied, "--json").exit_code == 0
    assert names_in(copied) == ["before"]


@pytest.mark.usefixtures("store")
def test_a_backup_replaces_nothing_unless_it_is_forced(said, copied):
    copied.write_text("dear to me")
    result = said("backup", copied)
    assert (result.exit_code, copied.read_text()) == (2, "dear to me")
    assert "--force replaces it" in result.stderr
    assert said("backup", copied, "--force").exit_code == 0
    assert names_in(copied) == ["before"]


@pytest.mark.usefixtures("store")
def test_a_backup_through_a_link_leaves_the_link(said, tmp_path, copied):
    link = tmp_path / "latest"
    link.symlink_to(copied)
    assert said("backup", link).exit_code == 0
    assert said("backup", link, "--force").exit_code == 0
    assert (link.is_symlink(), names_in(copied)) == (True, ["before"])


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
@pytest.mark.parametrize("words", [["backup", "--force"], ["restore"]])
def test_a_second_name_of_the_store_is_the_store_itself(said, tmp_path, link, words):
    second = tmp_path / "second"
    link(second, tmp_path / "tmcwatch.db")
    result = said(*words, second)
    assert result.exit_code == 2
    assert "is the store itself: name another file" in result.stderr


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("target", "problem"),
    [("tmcwatch.db", "is the store itself"), ("nowhere/copied.db", "there is no folder")],
)
def test_a_backup_to_an_impossible_place_is_wrong_usage(said, tmp_path, target, problem):
    result = said("backup", tmp_path / target, "--force")
    assert result.exit_code == 2
    assert problem in result.stderr


def test_a_restore_is_refused_while_somebody_has_the_store_open(said, store, copied, path):
    said("backup", copied)
    remember(store, "after")
    result = said("restore", copied)
    assert result.exit_code == 3
    assert "somebody has the store open: stop the tmcwatch that runs on it first" in result.stderr
    remember(store, "still works")
    assert names_in(path) == ["after", "before", "still works"]
    assert list(path.parent.glob("*.replaced-*")) + list(path.parent.glob("*.restoring")) == []


def test_a_restore_is_refused_while_another_program_reads_the_store(said, store, copied, path):
    said("backup", copied)
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM cursors").fetchone()
        assert said("restore", copied).exit_code == 3
    assert said("restore", copied).exit_code == 0


HOLDING = """
import sys
from tmcwatch.store.opening import open_store
store = open_store(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_another_process_holds_the_store_until_it_is_killed(said, store, copied, path):
    said("backup", copied)
    store.close()
    words = [sys.executable, "-c", HOLDING, url_of(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        assert said("restore", copied).exit_code == 3
        holder.kill()
    assert said("restore", copied).exit_code == 0


def test_a_restored_store_has_what_the_backup_had_and_the_other_one_is_kept(
    said, store, copied, path
):
    said("backup", copied)
    remember(store, "after")
    store.close()
    result = said("restore", copied, "--json")
    assert result.exit_code == 0
    kept = Path(json.loads(result.stdout)["kept"])
    assert kept.parent == path.parent
    assert kept.name.startswith("tmcwatch.db.replaced-")
    assert (names_in(path), names_in(kept)) == (["before"], ["after", "before"])
    assert names_in(copied) == ["before"]
    again = open_store(url_of(path))
    assert rows_in(again, cursors) == 1
    again.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
@pytest.mark.parametrize("there_was_one", [True, False])
def test_what_root_restores_is_its_users(said, store, copied, *, there_was_one):
    path = copied.with_name("tmcwatch.db")
    said("backup", copied)
    store.close()
    os.chown(path, 65_534, 65_534)
    if not there_was_one:
        os.chown(path.parent, 65_534, 65_534)
        path.unlink()
    assert said("restore", copied).exit_code == 0
    assert path.stat().st_uid == 65_534


def test_the_log_of_a_daemon_that_was_killed_goes_with_its_store(said, path, copied):
    opened = open_store(url_of(path))
    said("backup", copied)
    remember(opened, "in the log")
    killed = {one: one.read_bytes() for one in path.parent.glob("tmcwatch.db*")}
    opened.close()
    for one, content in killed.items():
        one.write_bytes(content)
    assert said("restore", copied).exit_code == 0
    (kept,) = path.parent.glob("*.replaced-*")
    assert (names_in(path), names_in(kept)) == ([], ["in the log"])


def test_a_log_without_its_store_is_not_played_into_the_restored_one(said, store, copied, path):
    said("backup", copied)
    log = path.with_name("tmcwatch.db-wal")
    foreign = log.read_bytes()
    store.close()
    path.unlink()
    log.write_bytes(foreign)
    result = said("restore", copied)
    assert "there was none before" in result.stdout
    assert (names_in(path), log.exists()) == (["before"], False)


def test_a_damaged_store_is_replaced_and_kept_as_it_is(said, store, copied, path):
    said("backup", copied)
    store.close()
    broken = b"no database at all " * 1000
    path.write_bytes(broken)
    assert said("restore", copied).exit_code == 0
    (kept,) = path.parent.glob("*.replaced-*")
    assert (names_in(path), kept.read_bytes()) == (["before"], broken)


def test_a_damaged_backup_is_found_and_not_restored(said, store, copied, path):
    said("backup", copied)
    store.close()
    damage(copied)
    result = said("restore", copied)
    assert result.exit_code == 1
    assert f"{path}: was not touched" in result.stderr
    assert names_in(path) == ["before"]


def test_what_is_no_store_is_not_restored(said, store, copied, path):
    store.close()
    run(copied, "CREATE TABLE accounts (id)")
    result = said("restore", copied)
    assert result.exit_code == 1
    assert "something else, not a store of tmcwatch" in result.stderr
    assert names_in(path) == ["before"]


@pytest.mark.parametrize("source", ["tmcwatch.db", "nowhere.db"])
def test_a_restore_from_an_impossible_place_is_wrong_usage(said, path, source):
    open_store(url_of(path)).close()
    assert said("restore", path.with_name(source)).exit_code == 2
