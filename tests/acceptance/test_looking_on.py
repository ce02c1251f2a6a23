"""Whoever looks on over HTTP costs TMC nothing: all that is answered is known already."""

import anyio
import httpx

from tmcwatch.serving.application import application
from tmcwatch.simulator import small

READ = (
    "/metrics",
    "/-/healthy",
    "/livez",
    "/-/ready",
    "/readyz",
    "/-/fresh",
    "/alerts",
    "/api/v1/status",
    "/api/v1/transitions",
    "/api/v1/alerts",
    "/api/v1/silences",
    "/api/v1/promotions",
    "/api/v1/deliveries",
    "/api/v1/deliveries/pending",
    "/api/v1/deliveries/dead",
)


def requests(tenant) -> int:
    return len(tenant.simulator.journal.since(tenant.simulator.start))


async def nothing() -> tuple[str, ...]:
    return ()


async def test_no_scrape_no_probe_and_no_reading_asks_tmc(stage):
    tenant = stage(small())
    async with tenant.watching() as answers:
        await anyio.sleep(65)
        app = application(answers.operations(nothing), lambda: ())
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://tmcwatch"
        ) as client:
            asked = requests(tenant)
            answered = {path: (await client.get(path)).status_code for path in READ}
            assert requests(tenant) == asked > 0
    assert answered == dict.fromkeys(READ, 200)
