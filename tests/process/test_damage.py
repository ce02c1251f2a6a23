"""The real daemon on a damaged store: it says so at its start and while it runs."""

import sqlite3
from contextlib import closing

import pytest

from tests.process.processes import Daemon, eventually, simulated, started, watching

PAGE = 4096


@pytest.fixture(scope="module")
def tmc(tmp_path_factory):
    with simulated(tmp_path_factory.mktemp("tmc")) as addresses:
        yield addresses


def spoil(path):
    """Overwrite every page but the first, which says what the file is."""
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(b"\xff" * (size - PAGE))


def test_damage_while_it_runs_is_shown_and_refused_at_the_next_start_until_moved_away(
    tmc, tmp_path
):
    path = tmp_path / "tmcwatch.db"
    with watching(tmp_path, tmc[0]) as daemon:
        daemon.until_fresh()
        spoil(path)
        eventually(lambda: "the file is damaged" in daemon.answer("/-/fresh").text)
        eventually(lambda: "tmcwatch_store_up 0.0" in daemon.answer("/metrics").text)
        assert "move the file away" in daemon.answer("/readyz").text
        assert (
            "move the file away"
            in eventually(lambda: daemon.logged("service_waits"))[0]["problem"]
        )
        assert daemon.process.poll() is None
    with watching(tmp_path, tmc[0]) as refused:
        assert refused.ends() == 3
    assert refused.errors.startswith(f"store: sqlite:///{path}: the file is damaged (")
    assert len(refused.errors.splitlines()) == 1
    for name in ("tmcwatch.db", "tmcwatch.db-wal", "tmcwatch.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with started(Daemon, tmp_path, "run", TMCWATCH_CONFIG=f"{tmp_path}/tmcwatch.yaml") as again:
        again.until_fresh()
