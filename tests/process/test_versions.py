"""Two versions take turns on one store: what is tracked and told goes on as if they were one."""

import json
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.contracts.newer_version import (
    ADDING,
    NEXT,
    RENAMING,
    Version,
    next_version,
    this_version,
)
from tests.process.stage import EACH_END_BY_ITSELF, Stage, staged
from tmcwatch.store.revisions import REVISIONS
from tmcwatch.store.schema import capture

HEAD = REVISIONS[-1]

# What an engine lets misfire would mute what fails on it meanwhile.
CONFIG = EACH_END_BY_ITSELF.replace(
    "rules:\n", "rules:\n  - {rule: misfired_engine, enabled: false}\n"
)


@pytest.fixture
def anyio_backend():
    """Run in real time: processes and sockets know no other."""
    return "asyncio"


def line(version: Version, stage: Stage, *words: str) -> dict[str, Any]:
    """Answer with what starts a command of a version."""
    command = [sys.executable, "-m", "tmcwatch", *words, "--config", str(stage.config)]
    return {"args": command, "env": version.env}


def begun(version: Version, stage: Stage) -> subprocess.Popen[bytes]:
    with stage.lives.log.open("ab") as log:
        return subprocess.Popen(**line(version, stage, "run"), stdout=log, stderr=log)


@asynccontextmanager
async def running(version: Version, stage: Stage):
    process = begun(version, stage)
    try:
        yield
    finally:
        process.terminate()
        await anyio.to_thread.run_sync(process.wait)
    assert process.returncode == 0


async def told_by(version: Version, stage: Stage) -> None:
    """Have a version run until it told of more than was told before."""
    async with running(version, stage):
        with anyio.fail_after(60):
            while len(stage.read(capture.c.watched_from)) < 2:  # noqa: ASYNC110 - another process
                await anyio.sleep(0.1)
        before = len(stage.expected(stage.simulator.time()))
        until = await stage.eventful(before + 1)
        await stage.settled(until)
    assert stage.told(until).episodes == stage.expected(until)


def asked(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def logged(stage: Stage, event: str) -> list[dict[str, str]]:
    entries = [json.loads(line) for line in stage.lives.log.read_text().splitlines()]
    return [entry for entry in entries if entry["event"] == event]


@pytest.mark.timeout(300)
async def test_an_upgrade_a_rollback_and_an_upgrade_lose_and_repeat_nothing(tmp_path):
    old = this_version()
    new = next_version(tmp_path / "next", head=HEAD, readable_by=HEAD, upgrade=ADDING)
    async with staged(tmp_path, CONFIG, slow=0, executions_per_second=4) as stage:
        store = stage.config.with_name("tmcwatch.db")
        await told_by(old, stage)
        await told_by(new, stage)
        assert asked(store, "SELECT version_num FROM alembic_version") == [(NEXT,)]
        novelty = (
            "INSERT INTO novelties VALUES ('n', 'e')",
            "UPDATE executions SET mood = 'calm'",
        )
        with closing(sqlite3.connect(store)) as connection:
            for script in novelty:
                connection.execute(script)
            connection.commit()
        moods = "SELECT count(*) FROM executions WHERE mood = 'calm'"
        calm = asked(store, moods)
        await told_by(old, stage)
        await told_by(new, stage)
        assert asked(store, "SELECT version_num FROM alembic_version") == [(NEXT,)]
        assert asked(store, "SELECT id FROM novelties") == [("n",)]
        assert asked(store, moods) == calm
        assert asked(store, "SELECT count(*) FROM executions WHERE mood IS NULL") > [(0,)]
    assert [entry["schema"] for entry in logged(stage, "store_is_newer")] == [NEXT]
    assert [entry["schema"] for entry in logged(stage, "store_migrated")] == [NEXT]


async def test_a_version_that_cannot_read_the_store_says_what_to_do_and_that_helps(tmp_path):
    old = this_version()
    new = next_version(tmp_path / "next", head=HEAD, readable_by=NEXT, upgrade=RENAMING)
    async with staged(tmp_path, CONFIG, slow=0, executions_per_second=4) as stage:
        store = stage.config.with_name("tmcwatch.db")
        for version in (old, new):
            version.opens(f"sqlite:///{store}")
        refused = await done(old, stage, "run")
        copy = f"tmcwatch.db.before-{NEXT}"
        assert refused.returncode == 3
        assert f"written by a newer tmcwatch; this version knows {HEAD}" in refused.stderr
        assert f"tmcwatch store restore {store}.before-{NEXT}" in refused.stderr
        restored = await done(old, stage, "store", "restore", str(store.with_name(copy)))
        assert restored.returncode == 0, restored.stderr
        await told_by(old, stage)


async def done(version: Version, stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            **line(version, stage, *words), check=False, capture_output=True, text=True
        )

    return await anyio.to_thread.run_sync(run)
