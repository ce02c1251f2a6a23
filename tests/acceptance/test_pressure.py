"""Under pressure the beat stretches and says so; the head stays fresher than everything else."""

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest
from structlog.testing import capture_logs

from tests.acceptance.conftest import CONFIG
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.simulator import small

PROD = AccountName("prod")


def sharing(api_share: float) -> str:
    return CONFIG.replace("secret-token}", f"secret-token, api_share: {api_share}}}")


def busy():
    """Many runs are open at any time, which the trigger reading asks for one by one."""
    return replace(
        small(), executions_per_day=4_000, plan_runs_per_day=100, history=timedelta(hours=2)
    )


async def beats_of(stage, *, minutes: int) -> list[float]:
    """Answer with how far apart looks at tasks began, in seconds."""
    seen = []
    for _ in range(minutes * 6):
        await anyio.sleep(10)
        seen.append(stage.parts.beats.of(PROD).get(Kind.TASK, timedelta()).total_seconds())
    return seen


async def test_with_a_usual_share_the_beat_is_kept(stage):
    tenant = stage(busy(), window="trigger")
    with capture_logs() as logs:
        async with tenant.watching():
            beats = await beats_of(tenant, minutes=10)
    assert set(beats[6:]) == {10.0}
    assert "beat_stretched" not in {line["event"] for line in logs}


@pytest.mark.parametrize(
    ("a_minute", "longest", "fewest_misses"),
    [(18, 40, 0), (8, 120, 1)],  # eighteen are enough for heads in time
)
async def test_with_little_to_ask_with_the_beat_stretches_and_everything_is_seen(
    stage, a_minute, longest, fewest_misses
):
    tenant = stage(busy(), window="trigger", config=sharing(a_minute / 1_800))
    with capture_logs() as logs:
        async with tenant.watching() as answers:
            await anyio.sleep(600)
            beats = await beats_of(tenant, minutes=10)
            world = tenant.simulator.world
            world.start_task_run(
                world.tenant.tasks[0].id, ends="EXECUTION_FAILED", lasts=timedelta(seconds=60)
            )
            before = len(tenant.inbox.alerts)
            await anyio.sleep(300)
            metrics = (await answers.metrics(None))[0].decode()
            status = await answers.status()
    assert 10 < max(beats) <= longest
    assert len(tenant.inbox.alerts) > before
    assert {"beat_stretched"} <= {line["event"] for line in logs}
    misses = [
        float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith("tmcwatch_api_deadline_misses_total")
    ]
    assert sum(misses) >= fewest_misses
    (account,) = status["accounts"]
    assert account["lists"][0]["beat_seconds"] > 10
    # Names draw on a family of their own.
    assert tenant.simulator.journal.total <= 2 * a_minute * (600 + 600 + 300) / 60
