"""Killed at each step of a start, a migration, a back-up and a restore: nothing is lost by it."""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.contracts.remembering import url_of
from tests.contracts.test_store_versions import HEAD, answers, old, revision_of
from tmcwatch.store.copying import copy
from tmcwatch.store.examining import examined
from tmcwatch.store.opening import copy_before, open_store
from tmcwatch.store.restoring import restore

# Python warns of a fork beside threads, which this child does not use.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MOST_STEPS = 300


@pytest.fixture
def path(tmp_path):
    return tmp_path / "watch.db"


class Steps:
    """Counts what a process does to files and databases, and kills it at one of these steps."""

    def __init__(self, folder: Path, last: int) -> None:
        self._folder = str(folder)
        self._left = last

    def count(self) -> None:
        sys.addaudithook(self._audited)
        event.listen(Engine, "before_cursor_execute", lambda *_: self.step())

    def _audited(self, _name: str, args: tuple[object, ...]) -> None:
        if any(self._folder in str(one) for one in args if isinstance(one, str | bytes | Path)):
            self.step()

    def step(self, *_: int) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_at(number: int, folder: Path, act: Callable[[Steps], object]) -> bool:
    """Do something in a process of its own; answers with whether it came to that step."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            steps = Steps(folder, number)
            steps.count()
            act(steps)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


def names_in(path: Path) -> list[str]:
    return [name for (name,) in answers(path, "SELECT name FROM cursors ORDER BY name")]


def noted(path: Path, name: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT OR REPLACE INTO cursors VALUES (?, 1)", (name,))
        connection.commit()
    return path


def is_whole(path: Path) -> bool:
    return all(one.is_good for one in examined(path))


def names_beside(path: Path) -> set[str]:
    return {one.name.removeprefix(path.name) for one in path.parent.iterdir()}


@pytest.mark.uncounted
def test_a_start_that_is_killed_while_it_copies_and_migrates_is_made_up_for_by_the_next(path):
    number = 0
    old(path, "0004")
    before = path.read_bytes()
    is_killed = True
    while is_killed:
        number += 1
        for one in path.parent.iterdir():
            one.unlink()
        path.write_bytes(before)
        is_killed = killed_at(number, path.parent, lambda _: open_store(url_of(path)))
        open_store(url_of(path)).close()
        assert (revision_of(path), is_whole(path)) == (HEAD, True)
        kept = copy_before(path, HEAD)
        assert (revision_of(kept), names_in(kept)) == ("0004", names_in(path))
        assert names_beside(path) == {"", ".lock", f".before-{HEAD}"}
    assert 20 < number < MOST_STEPS


def test_the_first_start_may_be_killed(path):
    number, is_killed = 0, True
    while is_killed:
        # Nearly every step is one of many statements in one transaction.
        number += 5
        for one in path.parent.iterdir():
            one.unlink()
        is_killed = killed_at(number, path.parent, lambda _: open_store(url_of(path)))
        open_store(url_of(path)).close()
        assert is_whole(path)
    assert 20 < number < MOST_STEPS


def test_a_backup_that_is_killed_leaves_the_one_before_it_and_is_made_up_for(path):
    store = open_store(url_of(path))
    backup = path.with_name("backup.db")
    number, is_killed = 0, True
    copy(path, backup)
    noted(path, "new")
    while is_killed:
        number += 1
        is_killed = killed_at(
            number, path.parent, lambda steps: copy(path, backup, told=steps.step)
        )
        assert is_whole(backup)
        copy(path, backup)
        assert names_in(backup) == ["new"]
        assert not {one for one in names_beside(backup) if one.startswith((".part", "-"))}
    store.close()
    assert 5 < number < MOST_STEPS


def test_a_restore_that_is_killed_leaves_the_old_store_or_the_new_one(path):
    open_store(url_of(path)).close()
    backup = path.with_name("backup.db")
    copy(path, backup)
    noted(path, "old")
    noted(backup, "from the backup")
    before = path.read_bytes()
    found: set[str] = set()
    number, is_killed = 0, True
    while is_killed:
        number += 1
        for one in path.parent.glob("watch.db*"):
            one.unlink()
        path.write_bytes(before)
        is_killed = killed_at(
            number, path.parent, lambda steps: restore(backup, path, now=NOW, told=steps.step)
        )
        assert is_whole(path)
        found.add(*names_in(path))
        for kept in path.parent.glob("*.replaced-*"):
            assert names_in(kept) == ["old"]
            kept.unlink()
        restore(backup, path, now=NOW)
        assert names_in(path) == ["from the backup"]
        assert not {one for one in names_beside(path) if one.startswith(".restoring")}
    assert found == {"old", "from the backup"}
    assert 10 < number < MOST_STEPS
