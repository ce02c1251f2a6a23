"""A store whose file is damaged or out of reach: one line says what is wrong, and the way out."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import select

from tests.contracts.remembering import rows_in, url_of
from tmcwatch.store.engine import Store, StoreDamagedError, StoreError
from tmcwatch.store.opening import open_store
from tmcwatch.store.schema import cursors
from tmcwatch.store.transitions import save_cursor

PAGE = 4096
PAGE_OF_ROWS = 0x0D  # how SQLite marks it: an index has other pages
ROWS = 3_000


def remember(connection):
    for number in range(ROWS):
        save_cursor(connection, f"{number} {'of many ' * 20}", number)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give the content of a good store with a table of many pages."""
    path = tmp_path_factory.mktemp("store") / "watch.db"
    store = open_store(url_of(path))
    store.write(remember)
    store.close()
    return path.read_bytes()


def begin_of_a_page_of_rows(whole):
    """Answer with where a page from the middle of the filled table begins."""
    begins = [
        begin
        for begin in range(PAGE, len(whole), PAGE)
        if whole[begin] == PAGE_OF_ROWS and b"of many" in whole[begin : begin + PAGE]
    ]
    return begins[len(begins) // 2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "watch.db"


def refusal(path, kind: type[StoreError] = StoreDamagedError) -> str:
    with pytest.raises(kind) as caught:
        open_store(url_of(path))
    text = str(caught.value)
    assert text.startswith(f"{url_of(path)}: ")
    assert "\n" not in text
    return text


DAMAGE = {
    "zeros": lambda whole: bytes(len(whole)),
    "garbage": lambda whole: bytes(range(256)) * (len(whole) // 256),
    "half of it": lambda whole: whole[: len(whole) // 2],
    "less than a page": lambda whole: whole[:300],
    "a broken schema": lambda whole: whole[:100] + b"\xff" * (PAGE - 100) + whole[PAGE:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_refused_with_what_to_do(path, whole, damage):
    path.write_bytes(damage(whole))
    said = refusal(path)
    assert "the file is damaged (" in said
    assert "move the file away together with its -wal and -shm" in said


def test_a_damaged_page_is_found_where_it_is_read_and_told_as_damage(path, whole):
    begin = begin_of_a_page_of_rows(whole)
    path.write_bytes(whole[:begin] + b"\xff" * PAGE + whole[begin + PAGE :])
    store = open_store(url_of(path))
    with pytest.raises(StoreDamagedError, match=r"damaged \(database disk image is malformed\)"):
        store.read(lambda connection: connection.execute(select(cursors)).all())
    with pytest.raises(StoreDamagedError):
        store.write(remember)
    store.close()


def test_an_empty_file_is_a_new_store(path):
    path.touch()
    store = open_store(url_of(path))
    assert rows_in(store, cursors) == 0
    store.close()


def test_a_file_moved_away_without_its_wal_leaves_a_new_store(path):
    """What was in the log of the old file is not played into the new one."""
    open_store(url_of(path)).close()
    store = Store(url_of(path))
    store.write(remember)
    path.rename(path.with_suffix(".away"))
    assert path.with_name("watch.db-wal").stat().st_size
    new = open_store(url_of(path))
    assert rows_in(new, cursors) == 0
    new.close()
    store.engine.dispose()


def test_a_folder_is_no_store(path):
    path.mkdir()
    assert "is a folder, not a file" in refusal(path, StoreError)


@pytest.fixture
def folder_of_nobody():
    """Give a folder, and be a user who owns nothing else: root may read and write everything."""
    nobody = 65_534
    with TemporaryDirectory() as folder:
        before = os.geteuid()
        if before == 0:
            os.chown(folder, nobody, nobody)
            os.seteuid(nobody)
        yield Path(folder)
        os.seteuid(before)


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_file_that_may_not_be_written_says_whose_it_must_be(folder_of_nobody, whole, mode):
    path = folder_of_nobody / "watch.db"
    path.write_bytes(whole)
    path.chmod(mode)
    assert "give it, its folder and its -wal and -shm to the user" in refusal(path, StoreError)
