"""Copies: whole or not there, of one moment, whatever lies or happens around them."""

import os
import resource
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.contracts.remembering import url_of
from tests.contracts.test_store_versions import answers, old, revision_of
from tmcwatch.store.copying import PAGES_AT_ONCE, beside, copy
from tmcwatch.store.engine import Store, StoreError
from tmcwatch.store.examining import examined
from tmcwatch.store.opening import open_store
from tmcwatch.store.transitions import save_cursor

PAGE = 4096


@pytest.fixture
def path(tmp_path):
    return tmp_path / "watch.db"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "copied.db"


@pytest.fixture
def store(path):
    """Give a store that is open and takes several steps to copy."""
    opened = open_store(url_of(path))
    opened.write(
        lambda connection: connection.exec_driver_sql(
            f"CREATE TABLE much AS SELECT randomblob({3 * PAGES_AT_ONCE * PAGE}) AS content"
        )
    )
    yield opened
    opened.close()


def note(store: Store, name: str) -> None:
    store.write(lambda connection: save_cursor(connection, name, 1))


def names_in(path: Path) -> list[str]:
    return [name for (name,) in answers(path, "SELECT name FROM cursors ORDER BY name")]


def left_in(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir() if not one.name.startswith("watch.db")}


def test_a_copy_is_of_its_first_moment_and_not_begun_anew_when_others_write(store, path, target):
    told = []

    def wrote(done, pages):
        told.append((done, pages))
        note(store, f"step {len(told)}")

    note(store, "before")
    copy(path, target, told=wrote)
    done, pages = zip(*told, strict=True)
    assert len(told) > 3
    assert (sorted(done), len(set(pages)), done[-1]) == (list(done), 1, pages[0])
    assert names_in(target) == ["before"]


@pytest.mark.usefixtures("store")
def test_what_a_killed_copy_left_is_removed_before_its_room_is_needed(path, target, monkeypatch):
    part = beside(target, ".part")
    for suffix in ("", "-journal", "-wal", "-shm"):
        beside(part, suffix).write_bytes(b"left")
    usage = shutil.disk_usage(path.parent)
    room = [10**12, 0]
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=room[part.exists()]))
    copy(path, target)
    assert left_in(path.parent) == {target.name}


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
@pytest.mark.usefixtures("store")
def test_no_copy_is_put_beside_a_log_that_would_be_played_into_it(path, target, suffix):
    beside(target, suffix).write_bytes(b"of another file")
    with pytest.raises(StoreError, match=f"copied.db{suffix} is beside it: name another, or"):
        copy(path, target)
    assert left_in(path.parent) == {f"copied.db{suffix}"}


@pytest.mark.usefixtures("store")
def test_of_two_copies_to_one_name_one_is_refused_and_none_is_half(path, target):
    """The second one begins while the first one is at its first step."""
    begun: list[int] = []

    def begin_another(*_: int) -> None:
        if not begun:
            begun.append(1)
            copy(path, target)

    with pytest.raises(StoreError, match="another copy to the same name was begun"):
        copy(path, target, told=begin_another)
    assert all(one.is_good for one in examined(target))
    assert left_in(path.parent) == {target.name}


@contextmanager
def full_disk(room: int, *, once: str):
    """Let no file grow above so many bytes, once a statement begins like that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(*details: Any) -> None:
        if details[2].startswith(once):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))

    event.listen(Engine, "before_cursor_execute", fill)
    try:
        fill(None, None, "")
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", fill)
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("store")
def test_a_disk_that_fills_up_meanwhile_leaves_the_copy_that_was_there(path, target):
    copy(path, target)
    before = target.read_bytes()
    with full_disk(path.stat().st_size // 2, once=""), pytest.raises(StoreError) as caught:
        copy(path, target)
    assert str(caught.value).startswith(f"{path}: cannot be copied to {target}: ")
    assert (target.read_bytes(), left_in(path.parent)) == (before, {target.name})


def test_a_disk_that_fills_up_in_a_migration_leaves_the_store_as_it_was(path):
    old(path, "0003")
    with (
        full_disk(16 * PAGE, once="\nCREATE TABLE notes"),
        pytest.raises(StoreError, match="the store is as it was"),
    ):
        open_store(url_of(path))
    assert revision_of(path) == "0003"
    open_store(url_of(path)).close()
    assert all(one.is_good for one in examined(path))


NAMES = ["with a space", "with ? and #", "with %41 and 100%", "ünïcode ✓", "-dash", "quo'te"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_a_folder_and_a_file_is_taken_as_it_is(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    path, target = folder / f"{name}.db", folder / f"{name} copied"
    old(path, "0004")
    open_store(url_of(path)).close()
    copy(path, target)
    assert all(one.is_good for one in examined(target))
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert all(one.name.startswith(name) for one in folder.iterdir())


@contextmanager
def nobody():
    """Be a user who owns nothing: root may read and write everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def closed_folder(store):
    """Give a folder that may be read, but not written, with a store as a killed daemon left it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(store.url.removeprefix("sqlite:///"), folder / "killed.db")
        (folder / "killed.db").chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_takes_no_copy(closed_folder):
    source = closed_folder / "killed.db"
    with nobody(), pytest.raises(StoreError, match="Permission denied"):
        copy(source, closed_folder / "copied.db")


def test_a_store_in_a_folder_that_may_not_be_written_says_what_helps(closed_folder):
    with nobody(), pytest.raises(StoreError, match="run this as the user that tmcwatch runs as"):
        examined(closed_folder / "killed.db")
