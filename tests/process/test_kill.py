"""The real daemon, killed again and again: everything is told, and nothing twice."""

import os
import random
import signal

import anyio
import pytest

from tests.process.stage import EACH_END_BY_ITSELF, Stage, running, staged

KILLS = 20


@pytest.fixture
def anyio_backend():
    """Run in real time: processes and sockets know no other."""
    return "asyncio"


async def killed(stage: Stage, dice: random.Random) -> None:
    """Start the daemon and kill it at a moment that the dice say, after its first request."""
    asked = stage.simulator.journal.total
    await stage.lives.begin("tmcwatch", "run", "--config", str(stage.config))
    try:
        with anyio.fail_after(60):
            while stage.simulator.journal.total == asked:  # noqa: ASYNC110 - another process
                await anyio.sleep(0.02)
        await anyio.sleep(dice.uniform(0, 1))
    finally:
        stage.lives.kill()
    assert await stage.lives.end() == -signal.SIGKILL


@pytest.mark.timeout(600)
async def test_a_daemon_killed_twenty_times_tells_everything_exactly_once(tmp_path):
    # Few enough for one page, also of a life that begins late on a busy machine: of more pages the
    # newest is told first, and a success on it then ends what an earlier one had ended.
    dice = random.Random(int(os.environ.get("KILL_SEED", "20261122")))
    async with staged(tmp_path, EACH_END_BY_ITSELF, slow=0.25, executions_per_second=4) as stage:
        for _ in range(KILLS):
            await killed(stage, dice)
        async with running(stage):
            until = await stage.eventful(10)
            await stage.settled(until)
        found, expected = stage.told(until), stage.expected(until)
    assert expected - found.episodes == set(), "missing"
    assert found.episodes - expected == set(), "told of what never was"
    assert (found.repeats, found.notices) == ((), 1)
    assert len(expected) > 10
