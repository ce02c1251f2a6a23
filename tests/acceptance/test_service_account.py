"""An account watched with a service account, whose tokens last half an hour."""

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest
from structlog.testing import capture_logs

from tests.acceptance.conftest import CONFIG, hours
from tests.acceptance.test_truth import SETTLED, truth_and_told
from tmcwatch.simulator import small
from tmcwatch.store.schema import metadata

OAUTH = "/security/oauth/token"
GIVEN = "service_account: {id: demo-id, secret_file: secret}"
QUIET = replace(
    small(), executions_per_day=0, plan_runs_per_day=0, late_share=0, history=timedelta(0)
)


@pytest.fixture
def tenant(stage, tmp_path):
    """Make a stage whose account has a service account with its secret in a file."""
    (tmp_path / "secret").write_text("demo-secret\n")
    config = CONFIG.replace("token: secret-token", GIVEN)
    return lambda scenario: stage(scenario, beat="30s", config=config)


def statuses(tenant, path=""):
    return [each.status for each in tenant.simulator.journal.requests if path in each.path]


def ours(tenant):
    found = ((one["labels"]["rule"], one["status"]) for one in tenant.inbox.alerts)
    return [(rule, status) for rule, status in found if rule != "watching"]


async def minutes(count):
    await anyio.sleep(count * 60)


@pytest.mark.timeout(240)
async def test_tokens_that_end_every_half_hour_cost_two_requests_an_hour_and_no_look(tenant):
    made = tenant(small())
    async with made.watching() as answers:
        await hours(6)
        until = made.now()
        await anyio.sleep(SETTLED.total_seconds())
        wanted, heard = truth_and_told(made, until)
        fresh, exposition = await answers.fresh(), (await answers.metrics(None))[0].decode()
    assert fresh.ok, fresh.reasons
    assert (heard.episodes, heard.repeats, heard.notices) == (wanted, (), 1)
    assert len(wanted) > 5
    assert made.simulator.journal.by_status.keys() == {"200"}
    assert 12 <= made.simulator.tokens.given <= 15
    counted = 'account="prod",code="200",family="security",operation="oauth_token"'
    assert f"{counted}}} {made.simulator.tokens.given}.0" in exposition


async def test_neither_secret_nor_token_is_in_logs_metrics_messages_or_store(tenant):
    made = tenant(QUIET)
    # The log's own cleaning is left out: what reaches it must be clean already.
    with capture_logs() as logs:
        async with made.watching() as answers:
            await minutes(40)
            made.simulator.faults.put("error", on=OAUTH, status=503)
            made.simulator.tokens.revoke()
            await minutes(10)
            exposition = (await answers.metrics(None))[0].decode()
            stored = made.parts.store.read(everything)
    told = repr((logs, exposition, stored, made.inbox.messages))
    assert "token_not_renewed" in told
    for secret in ("demo-secret", "ZGVtby1pZDpkZW1vLXNlY3JldA", "simulated."):
        assert secret not in told


def everything(connection):
    return [connection.execute(table.select()).all() for table in metadata.sorted_tables]


async def test_a_secret_replaced_in_its_file_is_taken_up_without_a_failed_look(tenant, tmp_path):
    made = tenant(QUIET)
    async with made.watching() as answers:
        await minutes(50)
        made.simulator.service_account.secret = "another-secret"
        (tmp_path / "secret").write_text("another-secret\n")
        await hours(2)
        assert (await answers.fresh()).ok
    assert set(statuses(made)) == {200}
    assert ours(made) == []


async def test_a_secret_that_is_wrong_for_a_while_is_told_and_heals_by_itself(tenant):
    made = tenant(QUIET)
    async with made.watching() as answers:
        await minutes(5)
        made.simulator.service_account.secret = "another-secret"
        made.simulator.tokens.revoke()
        await minutes(35)
        assert not (await answers.fresh()).ok
        made.simulator.service_account.secret = "demo-secret"
        await minutes(5)
        assert (await answers.fresh()).ok
    assert ours(made) == [("account_unauthorized", each) for each in ("firing", "resolved")]
    texts = {str(one["annotations"]) for one in made.inbox.alerts}
    assert any("credential of prod" in text and "service account: 401" in text for text in texts)
    # About one request a minute, and not two for every look.
    assert 20 < len(statuses(made, OAUTH)) < 45


@pytest.mark.parametrize(
    ("down_from", "told"), [(2, []), (20, [("blind", "firing"), ("blind", "resolved")])]
)
async def test_20_minutes_without_the_token_endpoint_blind_only_where_the_token_ends(
    tenant, down_from, told
):
    made = tenant(QUIET)
    async with made.watching() as answers:
        await minutes(down_from)
        made.simulator.faults.put("error", on=OAUTH, status=503)
        world = made.simulator.world
        await minutes(15)
        world.start_task_run(world.tenant.tasks[0].id, ends="EXECUTION_FAILED")
        await minutes(5)
        made.simulator.faults.remove("error")
        await hours(1)
        assert (await answers.fresh()).ok
    assert ours(made).count(("failed", "firing")) == 1
    lists = 2
    assert sorted(one for one in ours(made) if one[0] != "failed") == sorted(told * lists)
    looks = [each for each in made.simulator.journal.requests if each.path != OAUTH]
    assert {each.status for each in looks} == {200}


async def test_a_token_taken_back_is_renewed_within_the_look(tenant):
    made = tenant(QUIET)
    async with made.watching() as answers:
        for _ in range(4):
            await minutes(7)
            made.simulator.tokens.revoke()
        await minutes(2)
        fresh = await answers.fresh()
    assert fresh.ok, fresh.reasons
    assert ours(made) == []
    assert made.simulator.tokens.given <= 6


async def test_a_pause_of_the_token_endpoint_makes_it_ready_and_says_what_it_waits_for(tenant):
    made = tenant(QUIET)
    made.simulator.faults.put("throttle", on=OAUTH, style="seconds", retry_after=900)
    async with made.watching():
        await anyio.sleep(20)
    async with made.watching() as answers:
        await anyio.sleep(1)
        ready, fresh = made.parts.health.ready(), await answers.fresh()
    assert ready.ok, ready.reasons
    assert all("TMC wants no request before" in reason for reason in fresh.reasons)
