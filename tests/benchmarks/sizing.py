"""What watching costs at several sizes of a tenant that is scraped as usual."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx
import psutil

from tests.benchmarks.machine import plain
from tests.benchmarks.running import daemon, free_port, ready, simulated, until, written
from tests.benchmarks.tenant import WARM_UP, asked, used

SIZES = (("small", 10), ("tenant-a", 10), ("tenant-b", 30))
"""Simulated tenants, and how often each is looked at, in seconds."""

SCRAPE = 15

CONFIG = """
accounts: [{name: sized, url: "%(api)s", token: benchmark}]
watch: {beat: %(beat)ds, history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team}
receivers: [{name: team, apprise: ["json://127.0.0.1:9/"]}]
http: {listen: "127.0.0.1:%(port)d"}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scraped:
    """What one scrape said: its lines, and how long it took, in seconds."""

    lines: int
    took: float


async def measure(minutes: float) -> None:
    """Watch each tenant for some time, one after the other."""
    for scenario, beat in SIZES:
        print(f"{scenario}, beat {beat} s, scraped every {SCRAPE} s, {minutes:g} minutes")
        print("\n".join(f"  {line}" for line in await _sized(scenario, beat, minutes)), flush=True)


async def _sized(scenario: str, beat: int, minutes: float) -> list[str]:
    port = free_port()
    with TemporaryDirectory() as folder, simulated(scenario, "overlap") as tenant:
        config = written(Path(folder), CONFIG % {"api": tenant.api, "beat": beat, "port": port})
        with daemon(config) as process:
            await until(lambda: ready(port))
            await anyio.sleep(WARM_UP)
            processor, requests, began = used(process), await asked(tenant), anyio.current_time()
            memory, scraped = await _scraping(port, process, minutes * 60)
            elapsed = anyio.current_time() - began
            return [
                plain(
                    "processor, share of one core",
                    (used(process) - processor) / elapsed * 100,
                    "%",
                ),
                plain("memory, most", memory, "MiB"),
                plain("requests", (await asked(tenant) - requests) / elapsed * 60, "per minute"),
                plain("series of a scrape", scraped[-1].lines, ""),
                plain("scrape, longest", max(each.took for each in scraped), "s"),
            ]


async def _scraping(
    port: int, process: psutil.Process, seconds: float
) -> tuple[float, list[_Scraped]]:
    """Scrape for so long; answers with the most memory seen, in MiB, and with each scrape."""
    most, scraped = 0.0, []
    until_then = anyio.current_time() + seconds
    async with httpx.AsyncClient(timeout=30) as http:
        while anyio.current_time() < until_then:
            began = anyio.current_time()
            text = (await http.get(f"http://127.0.0.1:{port}/metrics")).raise_for_status().text
            lines = sum(not line.startswith("#") for line in text.splitlines())
            scraped.append(_Scraped(lines=lines, took=anyio.current_time() - began))
            most = max(most, process.memory_info().rss / 2**20)
            await anyio.sleep(max(began + SCRAPE - anyio.current_time(), 0))
    return most, scraped
