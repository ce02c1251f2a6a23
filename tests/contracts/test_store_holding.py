"""One tmcwatch at a time on a store: another is refused, and a crash leaves nothing locked."""

import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.contracts.remembering import url_of
from tmcwatch.store.engine import StoreError
from tmcwatch.store.holding import hold
from tmcwatch.store.opening import open_store

HOLDING = """
import sys
from tmcwatch.store.opening import open_store
store = open_store(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "watch.db"


@contextmanager
def running_on(path: Path):
    """Have another process run on a store; it is killed at the end."""
    words = [sys.executable, "-c", HOLDING, url_of(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"open\n"
            yield
        finally:
            holder.send_signal(signal.SIGKILL)


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(url_of(path))
    return str(caught.value)


@pytest.mark.parametrize("name", ["watch.db", "a link to it"])
def test_a_second_tmcwatch_on_a_store_is_refused_until_the_first_one_is_killed(path, name):
    second = path.with_name(name)
    if second != path:
        second.symlink_to(path)
    with running_on(path):
        said = refusal(second)
    assert said == f"{path}: somebody has the store open: stop the tmcwatch that runs on it first"
    open_store(url_of(second)).close()


def test_a_store_that_was_closed_or_could_not_be_opened_is_held_by_nobody(path):
    open_store(url_of(path)).close()
    content = path.read_bytes()
    path.write_text("no database" * 1_000)
    assert "not a database" in refusal(path)
    path.write_bytes(content)
    open_store(url_of(path)).close()


def test_stores_beside_each_other_are_held_by_themselves(path):
    with (
        closing(open_store(url_of(path))),
        closing(open_store(url_of(path.with_name("other.db")))),
    ):
        assert "somebody has the store open" in refusal(path)


def test_a_folder_that_may_not_be_written_says_whose_it_must_be():
    nobody, before = 65_534, os.geteuid()
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        if before == 0:
            os.seteuid(nobody)
        try:
            said = refusal(Path(folder) / "watch.db")
        finally:
            os.seteuid(before)
    assert f"give the folder {folder} to the user that tmcwatch runs as" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_what_root_holds_once_its_user_may_hold_later(path):
    nobody = 65_534
    os.chown(path.parent, nobody, nobody)
    hold(path).close()
    assert path.with_name("watch.db.lock").stat().st_uid == nobody
