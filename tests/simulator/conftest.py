"""What the simulator's tests share: a simulator with a client for each of its two ports."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest

from tmcwatch.simulator import Scenario, Simulator, api_app, control_app, small

RUNS = "/processing/executables/tasks/executions"
PLAN_RUNS = "/processing/executables/plans/executions"


@dataclass(frozen=True)
class Bench:
    simulator: Simulator
    api: httpx.AsyncClient
    control: httpx.AsyncClient

    async def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of a good answer."""
        answer = await self.api.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def status(self, path: str, **params: Any) -> int:
        return (await self.api.get(path, params=params)).status_code

    async def rows(self, path: str = RUNS, **params: Any) -> dict[str, Any]:
        """Return the rows of a list by execution id."""
        page = await self.get(path, **params)
        return {row["executionId"]: row for row in page["items"]}

    def task(self, position: int = 0) -> str:
        return self.simulator.world.tenant.tasks[position].id

    def plan(self, position: int = 0) -> str:
        return self.simulator.world.tenant.plans[position].id


def quiet(**changes: Any) -> Scenario:
    """A tenant where only what is staged happens."""
    nothing = {"executions_per_day": 0, "plan_runs_per_day": 0, "late_share": 0.0}
    return replace(small(), **(nothing | changes))


def epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


async def pass_time(number: float) -> None:
    await anyio.sleep(number)


@pytest.fixture
def bench(now):
    """Make a simulator under the test's clock; call it within the test, where the clock runs."""

    def make(scenario: Scenario | None = None, **options: Any) -> Bench:
        simulator = Simulator(scenario or quiet(), now=now, **options)
        headers = {"Authorization": f"Bearer {simulator.token}", "talend-version": "2021-03"}
        return Bench(
            simulator,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=api_app(simulator)),
                base_url="http://tmc",
                headers=headers,
            ),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=control_app(simulator)),
                base_url="http://control",
            ),
        )

    return make
