"""A simulated tenant: `python -m tests.benchmarks.simulating SCENARIO WINDOW TASKS`, 0 for all."""

import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Literal

import anyio

from tmcwatch.simulator import Simulator, scenarios, served


async def simulate(name: str, window: Literal["overlap", "trigger"], tasks: int) -> None:
    scenario = scenarios()[name]
    if tasks:
        scenario = replace(scenario, tasks=tasks)
    simulator = Simulator(
        scenario, now=lambda: datetime.now(UTC), window=window, token="benchmark"
    )
    async with served(simulator) as addresses:
        print(json.dumps(asdict(addresses)), flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    window: Literal["overlap", "trigger"] = "trigger" if sys.argv[2] == "trigger" else "overlap"
    anyio.run(simulate, sys.argv[1], window, int(sys.argv[3]))
