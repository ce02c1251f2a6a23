"""What every test shares: virtual time on Trio, and wall time that moves with it."""

import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from coverage import Coverage
from hypothesis import settings
from trio.testing import MockClock
from xdist.scheduler import LoadScopeScheduling

# Workers and daemons are started by the dozen: compiled once, not by each of them.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if "CI" not in os.environ:  # where hypothesis loads a profile of its own
    # How long an example takes says how busy the machine is.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
MEMORY = Path("/dev/shm")
ON_DISK = ("process", "deploy")
"""Tests of real processes: their programs and their stores are where they are for users."""
ALSO_REAL = (
    "tests/process/test_commands.py",
    "tests/process/test_versions.py",
    "tests/process/test_mounted_config.py",
    "tests/deploy/test_scraped.py",
)
"""Tests of real processes that take as long as all the others of tests/process."""
ROOM = 2 << 30
"""Bytes; a container may have little memory for files."""


@pytest.fixture
def anyio_backend():
    """Run on Trio, with a clock that jumps ahead whenever every task is waiting."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture(scope="session")  # hypothesis refuses function-scoped fixtures
def now():
    """Wall time that moves with anyio's clock, so the two jump together."""
    return lambda: EPOCH + timedelta(seconds=anyio.current_time())


@pytest.fixture
def uncounted():
    """Do not count lines: where the same ones run all day, counting takes a third of the time."""
    counting = Coverage.current()
    if counting is None:
        yield
        return
    counting.stop()
    try:
        yield
    finally:
        counting.start()


@pytest.fixture(autouse=True)
def _uncounted_if_marked(request):
    # Hypothesis refuses a fixture that a test names, as it is made once for all examples.
    if request.node.get_closest_marker("uncounted"):
        request.getfixturevalue("uncounted")


@pytest.fixture
def tmp_path(request, tmp_path_factory):
    """Answer with a folder in memory where there is room: a store waits at each commit for a disk.

    It is gone with the test, and needs no look at the folders of all the tests before.
    """
    on_disk = request.path.relative_to(request.config.rootpath / "tests").parts[0] in ON_DISK
    in_memory = not on_disk and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    place = MEMORY if in_memory else tmp_path_factory.getbasetemp()
    made = tempfile.TemporaryDirectory(dir=place, prefix="tmcwatch-", ignore_cleanup_errors=True)
    with made as folder:
        yield Path(folder)


class TwoStagesForProcesses(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Deals out single tests, and all tests of real processes on two heaps.

    They are the longest, and wait for a real clock: more of them at once would wait for each
    other. While they wait, another test computes: so three are run at once on two cores. What is
    dealt out together is dealt out first. (A group of xdist's own would say so in fewer words,
    but 3.8 writes it where pytest 9 no longer looks.)
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ALSO_REAL):
            return "more processes"
        if nodeid.startswith("tests/process/"):
            return "processes"
        # What a chart is rendered to serves all tests of a file.
        return nodeid.partition("::")[0] if nodeid.startswith("tests/deploy/") else nodeid


@pytest.hookimpl(optionalhook=True)  # without the plugin nothing is dealt out
def pytest_xdist_make_scheduler(config, log):
    return TwoStagesForProcesses(config, log)
