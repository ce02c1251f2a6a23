"""Which step broke a plan, and what is told of it when TMC knows less."""

from datetime import UTC, datetime

import httpx
import pytest

from tmcwatch.api.breakage import failing_step
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client
from tmcwatch.api.errors import Unavailable
from tmcwatch.api.steps import Step
from tmcwatch.api.token import TokenText
from tmcwatch.domain.budget import Family
from tmcwatch.domain.execution import AccountName, Breakage, ExecutionId, SubjectId

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TIME = "2026-11-20T00:00:00Z"
GOOD = {"executionStatus": "EXECUTION_SUCCESS", "finishTimestamp": TIME}
BAD = {"executionStatus": "EXECUTION_FAILED", "finishTimestamp": TIME, "executionId": "s2"}
GONE, BROKEN = 404, 500


def ran(task, status, error=None):
    return {
        "executionId": f"run of {task}",
        "jobId": task,
        "status": status,
        "triggerTimestamp": TIME,
        "startTimestamp": TIME,
        "errorMessage": error,
    }


async def broke(steps, *, detail=BAD, handler=GONE):
    """Ask where a plan broke of a TMC with these answers; a number is an error."""
    answers = {"steps": steps, "s2": detail, "error-handler": handler}

    def answer(request):
        found = answers[request.url.path.split("/")[-1]]
        is_error = isinstance(found, int)
        return httpx.Response(found) if is_error else httpx.Response(200, json=found)

    unlimited = dict.fromkeys(Family, 1e12)
    client = Client(
        AccountName("acme"),
        base_url="https://tmc.example",
        http=http_client(httpx.MockTransport(answer)),
        budget=Budget(1, now=lambda: NOW, random=lambda: 0.0, ceilings=unlimited),
        token=TokenText("secret"),
        now=lambda: NOW,
    )
    return await client.breakage_of(ExecutionId("r1"))


@pytest.mark.parametrize(
    ("statuses", "index"),
    [
        ([], None),
        ([None, None], None),
        (["EXECUTION_SUCCESS", "EXECUTION_FAILED", None], 1),
        (["EXECUTION_SUCCESS", "EXECUTION_TERMINATED"], 1),
        (["execution_rejected"], 0),
        (["DEPLOY_FAILED"], 0),
        (["WEIRD", "EXECUTION_FAILED"], 1),
        (["EXECUTION_SUCCESS", "WEIRD", "WEIRD"], 1),
        (["EXECUTION_SUCCESS", "FINISHED"], None),
    ],
)
def test_the_failing_step_says_so_or_is_the_first_that_is_odd(statuses, index):
    assert failing_step([Step(status=status, ended_at=NOW) for status in statuses]) == index


def test_a_step_that_still_runs_broke_nothing():
    assert failing_step([Step(status="STARTED")]) is None


async def test_the_first_failed_run_with_an_error_explains_the_breakage():
    tasks = [
        ran("t0", "execution_successful", "not this"),
        ran("t1", "execution_failed"),
        ran("t2", "terminated_timeout", "connection refused"),
        ran(None, "execution_failed"),
    ]
    detail = {**BAD, "doneTaskExecutableDetails": tasks}
    assert await broke([GOOD, BAD], detail=detail) == Breakage(
        step="step 2 of 2",
        tasks=(SubjectId("t1"), SubjectId("t2")),
        error="connection refused",
    )


async def test_an_error_handler_that_ran_handled_it():
    handler = {**GOOD, "startTimestamp": TIME}
    assert await broke([BAD], handler=handler) == Breakage(step="step 1 of 1", handled=True)


async def test_an_error_handler_that_never_started_handled_nothing():
    assert await broke([BAD], handler={"id": "h1"}) == Breakage(step="step 1 of 1")


async def test_a_plan_without_steps_or_culprit_has_no_breakage():
    assert await broke(GONE) is None
    assert await broke([GOOD]) is None


async def test_a_step_without_its_run_is_told_by_its_place():
    assert await broke([{"executionStatus": "FAIL"}]) == Breakage(step="step 1 of 1")
    assert await broke([BAD], detail=GONE) == Breakage(step="step 1 of 1")


async def test_other_failures_to_ask_are_raised():
    with pytest.raises(Unavailable):
        await broke([BAD], handler=BROKEN)
