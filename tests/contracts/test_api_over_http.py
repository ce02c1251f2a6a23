"""The client against a real server that answers with the documented examples."""

from pathlib import Path

import anyio
import pytest
import yaml
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client
from tmcwatch.api.token import TokenText
from tmcwatch.app import real_world
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import AccountName, Phase
from tmcwatch.serving.server import address_of, bind, serve

CONTRACT = yaml.safe_load((Path(__file__).parent / "openapi" / "processing.yaml").read_text())
PLANS = "/processing/executables/plans/executions"


@pytest.fixture
def anyio_backend():
    """Run in real time: sockets know no other."""
    return "asyncio"


def documented_page():
    content = CONTRACT["paths"][PLANS]["get"]["responses"]["200"]["content"]
    return content["application/json"]["examples"]["everyStatus"]["value"]


def server():
    async def answer(_):
        return JSONResponse(documented_page())

    return Starlette(routes=[Route(PLANS, answer)])


async def test_the_documented_page_of_plan_executions_gives_the_right_phases():
    world = real_world({})
    with bind("127.0.0.1:0") as sock:
        async with anyio.create_task_group() as tasks:
            await tasks.start(
                lambda task_status: serve(server(), sock=sock, task_status=task_status)
            )
            client = Client(
                AccountName("prod"),
                base_url=f"http://{address_of(sock)}",
                http=http_client(),
                budget=Budget(1, now=world.now, random=world.random),
                token=TokenText("a-secret-token"),
                now=world.now,
            )
            page = await client.plan_executions(None, purpose=Purpose.HEAD)
            await client.aclose()
            tasks.cancel_scope.cancel()
    assert page.bad == ()
    assert [row.phase for row in page.rows] == [
        Phase.RUNNING,
        Phase.SUCCEEDED,
        Phase.SUCCEEDED,
        Phase.SUCCEEDED,
        Phase.FAILED,
        Phase.MISFIRED,
        Phase.FAILED,
    ]
