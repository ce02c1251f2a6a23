"""A receiver fails, and another one is told of it: the whole daemon, in virtual time."""

from dataclasses import dataclass, field

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.acceptance.conftest import CONFIG
from tests.acceptance.tenants import quiet
from tmcwatch.serving.operations import Letters

RECEIVERS = CONFIG.strip().splitlines()[-1]
TWO = CONFIG.replace(
    RECEIVERS, f'{RECEIVERS}\n  - {{name: other, webhook: {{url: "http://other/alerts"}}}}'
)


@dataclass
class Other:
    """A second receiver, which takes everything unless it is told to answer otherwise."""

    status: int = 200
    told: list[tuple[str, str, str]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        if self.status == 200:
            for alert in (await request.json())["alerts"]:
                labels, said = alert["labels"], alert["annotations"]["summary"]
                self.told.append((labels["rule"], alert["status"], said))
        return Response(status_code=self.status)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/alerts", self.take, methods=["POST"])])


def fails(tenant, task=0):
    world = tenant.simulator.world
    world.start_task_run(world.tenant.tasks[task].id, ends="EXECUTION_FAILED")


def told(tenant):
    rules = [(one["labels"]["rule"], one["status"]) for one in tenant.inbox.alerts]
    return [one for one in rules if one[0] != "watching"]


@pytest.fixture
async def other():
    return Other()


@pytest.fixture
async def tenant(stage, other):
    return stage(quiet(), config=TWO, beat="1m", hosts={"other": other.app()})


async def test_a_refused_login_is_told_through_the_other_receiver_until_it_is_mended(
    tenant, other
):
    async with tenant.watching() as answers:
        await anyio.sleep(120)
        tenant.inbox.answers = [401] * 3
        for task in range(4):
            fails(tenant, task)
        await anyio.sleep(1500)
        assert len(await answers.dead_deliveries("team", 100)) == 1
        await answers.replay_deliveries(Letters(receiver="team"))
        await anyio.sleep(60)
        assert await answers.owed_deliveries(None, 100) == []
    assert [(rule, status) for rule, status, _ in other.told] == [
        ("delivery_failing", "firing"),
        ("delivery_failing", "resolved"),
    ]
    assert other.told[0][2].startswith("team/webhook has refused the login since 2026-11-20 00:")
    assert sorted(told(tenant)) == [("failed", "firing")] * 4


async def test_what_waits_for_a_parked_receiver_says_until_when(tenant):
    async with tenant.watching() as answers:
        await anyio.sleep(120)
        tenant.inbox.answers = [401] * 2  # both are on their way together
        fails(tenant, 0)
        fails(tenant, 1)
        await anyio.sleep(300)
        [letter] = await answers.owed_deliveries("team", 100)
        status = await answers.status()
        exposition = (await answers.metrics(None))[0].decode()
    [team] = [one for one in status["outbox"] if one["receiver"] == "team"]
    assert letter["parked_until"].startswith("2026-11-20T00:1")
    assert team["failing"]
    assert team["parked_until"] is not None
    assert 'tmcwatch_receiver_failing{receiver="team"} 1.0' in exposition


async def test_a_receiver_that_is_down_is_told_after_a_quarter_of_an_hour(tenant, other):
    async with tenant.watching():
        await anyio.sleep(120)
        tenant.inbox.answers = [503] * 10
        fails(tenant)
        await anyio.sleep(600)
        assert other.told == []
        await anyio.sleep(1800)
    assert [(rule, status) for rule, status, _ in other.told] == [
        ("delivery_failing", "firing"),
        ("delivery_failing", "resolved"),
    ]
    assert told(tenant) == [("failed", "firing")]


async def test_where_the_other_fails_as_well_both_are_told_once_it_works(tenant, other):
    async with tenant.watching():
        await anyio.sleep(120)
        tenant.inbox.answers, other.status = [400], 503
        fails(tenant)
        await anyio.sleep(1800)
        other.status = 200
        await anyio.sleep(900)
    # What the first receiver is told of the other ends that it fails itself.
    assert told(tenant) == [("delivery_failing", "firing"), ("delivery_failing", "resolved")]
    assert [status for _, status, _ in other.told] == ["firing", "resolved"]


async def test_the_only_receiver_is_not_told_that_it_fails_itself(stage):
    tenant = stage(quiet())
    async with tenant.watching() as answers:
        await anyio.sleep(120)
        tenant.inbox.answers = [400]
        fails(tenant)
        await anyio.sleep(300)
        exposition = (await answers.metrics(None))[0].decode()
    assert told(tenant) == []
    assert 'tmcwatch_receiver_failing{receiver="team"} 1.0' in exposition


async def test_what_fails_at_a_stop_is_over_after_the_restart_that_accepts(tenant, other):
    async with tenant.watching():
        await anyio.sleep(120)
        tenant.inbox.answers = [401] * 2
        fails(tenant, 0)
        fails(tenant, 1)
        await anyio.sleep(300)
    async with tenant.watching():
        await anyio.sleep(900)
    assert [(rule, status) for rule, status, _ in other.told] == [
        ("delivery_failing", "firing"),
        ("delivery_failing", "resolved"),
    ]
    assert told(tenant) == [("failed", "firing")]
