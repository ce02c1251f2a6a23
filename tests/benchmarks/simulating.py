"""A simulated tenant as a process: `python -m tests.benchmarks.simulating tenant-a overlap`."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Literal

import anyio

from tmcwatch.simulator import Simulator, scenarios, served


async def simulate(scenario: str, window: Literal["overlap", "trigger"]) -> None:
    simulator = Simulator(
        scenarios()[scenario], now=lambda: datetime.now(UTC), window=window, token="benchmark"
    )
    async with served(simulator) as addresses:
        print(json.dumps(asdict(addresses)), flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(simulate, sys.argv[1], "trigger" if sys.argv[2] == "trigger" else "overlap")
