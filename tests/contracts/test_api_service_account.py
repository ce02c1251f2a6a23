"""The token request against TMC's OpenAPI contract."""

from base64 import b64encode
from datetime import UTC, datetime

import httpx
import pytest

from tests.contracts.test_api_contract import check_body, examples_of, operation_of
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client
from tmcwatch.api.errors import ApiError, Throttled, TokenProblem, Unavailable
from tmcwatch.api.service_account import ServiceAccount
from tmcwatch.api.token import TokenText
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
ASKED = ("post", "/security/oauth/token")
EXAMPLES = dict(examples_of(*ASKED))
STATUSES = sorted(operation_of(*ASKED)["responses"].keys() - {"200", "default"})


class Tmc:
    """Answers the token request as told, and all others with an empty list."""

    def __init__(self, answer):
        self.answer = answer
        self.requests: list[httpx.Request] = []

    def __call__(self, request):
        self.requests.append(request)
        if request.url.path == ASKED[1]:
            return self.answer
        return httpx.Response(200, json=[])


async def ask(tmc):
    client = Client(
        AccountName("acme"),
        base_url="https://api.eu.cloud.talend.com",
        http=http_client(httpx.MockTransport(tmc)),
        budget=Budget(
            1, now=lambda: NOW, random=lambda: 0.0, ceilings=dict.fromkeys(Family, 1e12)
        ),
        token=ServiceAccount(
            id="an-id", secret=TokenText("se:cret"), audience="https://api.eu.cloud.talend.com"
        ),
        now=lambda: NOW,
    )
    await client.workspaces(purpose=Purpose.HEAD)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_token_request_is_one_the_contract_allows_and_its_answer_is_used(name):
    # What stands in the example is no token, but in its place.
    tmc = Tmc(httpx.Response(200, json=EXAMPLES[name] | {"access_token": "given"}))
    await ask(tmc)
    asked, then = tmc.requests
    assert (asked.method.lower(), asked.url.raw_path.decode()) == ASKED
    assert asked.headers["authorization"] == f"Basic {b64encode(b'an-id:se:cret').decode()}"
    assert asked.headers["talend-version"] == "2021-03"
    assert asked.headers["content-type"] == "application/json"
    check_body(asked, *ASKED)
    assert then.headers["authorization"] == "Bearer given"


@pytest.mark.parametrize("status", STATUSES)
async def test_every_documented_error_of_the_token_request_has_its_type(status):
    kinds: dict[str, type[ApiError]] = {"429": Throttled, "500": Unavailable}
    tmc = Tmc(httpx.Response(int(status)))
    with pytest.raises(ApiError) as caught:
        await ask(tmc)
    assert type(caught.value) is kinds.get(status, TokenProblem)
    assert {request.url.path for request in tmc.requests} == {ASKED[1]}
