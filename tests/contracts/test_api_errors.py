"""What the client makes of refusals and of answers that are none."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from tests.threads import inline
from tmcwatch.api.asking import Call, ignore
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import MOST_BYTES, http_client
from tmcwatch.api.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    NotConfigured,
    NotFound,
    Paused,
    Throttled,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from tmcwatch.api.token import TokenFile, TokenText
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName, ExecutionId, SubjectId
from tmcwatch.domain.window import Window

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
HERE = Path(__file__).parent
SAMPLES = json.loads((HERE / "samples" / "errors.json").read_text())
CONTRACT = {
    name: yaml.safe_load((HERE / "openapi" / f"{name}.yaml").read_text())
    for name in ("processing", "orchestration", "security")
}
TOKEN = "very-secret-token"
HEAD = {"purpose": Purpose.HEAD}
WINDOW = Window(start=NOW - timedelta(hours=1), end=NOW)
RUN, SUBJECT = ExecutionId("r1"), SubjectId("s1")
TYPES = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Paused,
    406: BadRequest,
    408: Unavailable,
    422: Unprocessable,
    429: Throttled,
    500: Unavailable,
    501: NotConfigured,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    302: Unavailable,
    599: Unavailable,
    799: Unavailable,
}

STEPS = "/processing/executions/plans/{planExecutionId}/steps"
# Trio complains of generators inside httpx that are left early; production runs on asyncio.
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])
ASKED = {
    "/processing/executables/tasks/executions": lambda c: c.task_executions(None, **HEAD),
    "/processing/executables/tasks/{taskId}/executions": (
        lambda c: c.task_executions_of(SUBJECT, None, **HEAD)
    ),
    "/processing/executions/{executionId}": lambda c: c.task_execution(RUN, **HEAD),
    "/processing/executables/plans/executions": lambda c: c.plan_executions(None, **HEAD),
    "/processing/executables/plans/{planId}/executions": (
        lambda c: c.plan_executions_of(SUBJECT, None, **HEAD)
    ),
    "/processing/executions/plans/{planExecutionId}": lambda c: c.plan_execution(RUN, **HEAD),
    STEPS: lambda c: c.plan_steps(RUN, **HEAD),
    f"{STEPS}/{{stepExecutionId}}": lambda c: c.plan_step(RUN, "s", **HEAD),
    f"{STEPS}/{{stepExecutionId}}/error-handler": lambda c: c.plan_error_handler(RUN, "s", **HEAD),
    "/orchestration/executables/tasks": lambda c: c.tasks(**HEAD),
    "/orchestration/executables/plans": lambda c: c.plans(**HEAD),
    "/orchestration/executables/tasks/{taskId}": lambda c: c.task(SUBJECT, **HEAD),
    "/orchestration/executables/plans/{planId}": lambda c: c.plan(SUBJECT, **HEAD),
    "/processing/executions/promotions/{executionId}": (
        lambda c: c.promotion_execution(RUN, **HEAD)
    ),
    "/orchestration/executables/promotions": lambda c: c.promotions(**HEAD),
    "/orchestration/executables/promotions/{promotionId}": lambda c: c.promotion(SUBJECT, **HEAD),
    "/security/audit/logs": lambda c: c.audit_logs(WINDOW, 1, **HEAD),
    "/orchestration/workspaces": lambda c: c.workspaces(**HEAD),
    "/orchestration/environments": lambda c: c.environments(**HEAD),
}


def documented_errors():
    for path, ask in ASKED.items():
        contract = CONTRACT[path.split("/")[1]]
        for status, response in contract["paths"][path]["get"]["responses"].items():
            if status not in {"200", "default"}:
                named = contract["components"]["responses"][response["$ref"].split("/")[-1]]
                shown = named.get("content", {}).get("application/json", {})
                body = shown.get("example", {"message": "no body is documented"})
                yield pytest.param(ask, int(status), body, id=f"{path} {status}")


def client_for(*answers, token=None, calls=None):
    """Make a client of a TMC that gives these answers in turn, the last one again and again."""
    waiting = list(answers)

    def answer(request):
        given = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(given, Exception):
            raise given
        return given(request) if callable(given) else given

    return Client(
        AccountName("acme"),
        base_url="https://tmc.example",
        http=http_client(httpx.MockTransport(answer)),
        budget=Budget(
            1, now=lambda: NOW, random=lambda: 0.0, ceilings=dict.fromkeys(Family, 1e12)
        ),
        token=token or TokenText(TOKEN),
        now=lambda: NOW,
        observe=calls.append if calls is not None else ignore,
    )


async def failure(*answers, ask=ASKED[STEPS], **options) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await ask(client_for(*answers, **options))
    return caught.value


@pytest.mark.parametrize(("ask", "status", "body"), list(documented_errors()))
async def test_every_documented_error_of_every_endpoint_has_its_type(ask, status, body):
    error = await failure(httpx.Response(status, json=body), ask=ask)
    assert type(error) is TYPES[status]
    assert error.status == status
    assert (body.get("message") or body["detail"]) in str(error)
    assert str(error).startswith(f"{error.operation}: {status} ")


@pytest.mark.parametrize("status", TYPES)
@pytest.mark.parametrize("body", ["", "<html><body>no</body></html>", "no", "[1]", "{}", '"x"'])
async def test_every_status_has_a_type_whatever_the_body(status, body):
    error = await failure(httpx.Response(status, text=body))
    assert type(error) is TYPES[status]
    assert "\n" not in str(error)
    assert "<" not in str(error)


@pytest.mark.parametrize("name", SAMPLES)
async def test_every_sample_of_an_error_body_tells_its_message_and_request(name):
    sample = SAMPLES[name]
    error = await failure(httpx.Response(sample["status"], json=sample))
    for key in ("message", "detail", "details", "requestId"):
        assert sample.get(key, "") in str(error)
    assert error.request_id == sample.get("requestId")


async def test_an_error_is_one_line_that_names_all_an_operator_needs():
    error = await failure(httpx.Response(403, json=SAMPLES["403"]))
    assert str(error) == (
        "plan_steps: 403 Forbidden (request 00000000-0000-4000-8000-000000001403)"
    )


async def test_an_error_without_words_is_told_by_its_status():
    assert str(await failure(httpx.Response(404))) == "plan_steps: 404 Not Found"
    assert str(await failure(httpx.Response(599))) == "plan_steps: 599 no explanation"


async def test_a_request_id_that_is_no_text_is_left_out():
    assert (await failure(httpx.Response(404, json={"requestId": 7}))).request_id is None


async def test_a_long_message_is_cut():
    assert len(str(await failure(httpx.Response(500, json={"message": "x" * 9_999})))) < 400


async def test_a_redirect_is_not_followed():
    error = await failure(httpx.Response(302, headers={"Location": "https://evil.example/"}))
    assert isinstance(error, Unavailable)
    assert "redirects are not followed" in str(error)


async def test_the_token_is_never_told_even_if_tmc_repeats_it():
    error = await failure(
        lambda request: httpx.Response(400, text=request.headers["authorization"])
    )
    assert TOKEN not in str(error) + repr(error)
    assert "***" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        b'{"items": [{"exec',
        b"[" * 100_000,
        b'{"items": {"a": 1}, "total": 1}',
        b'{"total": 3}',
        b'{"items": null}',
        b"[]",
        b"null",
        b'"text"',
    ],
)
async def test_an_answer_that_is_no_page_is_no_answer(body):
    error = await failure(
        httpx.Response(200, content=body), ask=lambda c: c.task_executions(None, **HEAD)
    )
    assert type(error) is Unavailable
    assert str(error).startswith("task_executions: ")


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("body", [b"7", b"<p>", b'"\\ud800"'])
async def test_no_endpoint_takes_nonsense_for_an_answer(path, body):
    error = await failure(httpx.Response(200, content=body), ask=ASKED[path])
    assert type(error) is Unavailable


async def test_an_html_page_in_place_of_an_answer_is_called_one():
    assert "HTML" in str(await failure(httpx.Response(200, text="<html>")))


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout(""),
        httpx.ReadTimeout(""),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx.PoolTimeout(""),
        ConnectionResetError("reset"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_no_answer_at_all_is_unavailable(error):
    calls: list[Call] = []
    found = await failure(error, calls=calls)
    assert type(found) is Unavailable
    assert found.status is None
    assert [call.code for call in calls] == ["error"]


async def test_a_name_stands_for_an_error_without_a_text():
    assert str(await failure(httpx.ReadTimeout(""))) == "plan_steps: ReadTimeout"


async def test_an_answer_announced_as_too_large_is_not_read():
    async def never():
        yield pytest.fail("it was read")

    headers = {"Content-Length": str(MOST_BYTES + 1)}
    error = await failure(httpx.Response(200, headers=headers, content=never()))
    assert "too large" in str(error)


@on_asyncio
async def test_an_answer_that_grows_too_large_is_left():
    async def endless():
        while True:
            yield b" " * 2**20

    error = await failure(lambda _: httpx.Response(200, content=endless()))
    assert isinstance(error, Unavailable)
    assert "too large" in str(error)


@on_asyncio
async def test_an_error_with_an_endless_body_keeps_its_type():
    async def endless():
        while True:
            yield b" " * 2**20

    assert isinstance(await failure(lambda _: httpx.Response(403, content=endless())), Forbidden)


async def test_an_answer_may_be_compressed():
    body = gzip.compress(json.dumps([{"id": "1"}]).encode())
    answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=body)
    assert len(await client_for(answer).plan_steps(RUN, **HEAD)) == 1


@on_asyncio
async def test_an_answer_compressed_wrongly_is_no_answer():
    headers = {"Content-Encoding": "gzip"}
    error = await failure(lambda _: httpx.Response(200, content=_stream(b"no"), headers=headers))
    assert isinstance(error, Unavailable)


async def _stream(chunk):
    yield chunk


async def test_a_replaced_token_is_tried_once_after_a_refusal(tmp_path):
    file = tmp_path / "token"
    file.write_text("old")
    sent = []

    def answer(request):
        sent.append(request.headers["authorization"])
        if sent[-1] == "Bearer new":
            return httpx.Response(200, json=[])
        file.write_text("new")
        return httpx.Response(401)

    client = client_for(answer, token=TokenFile(file, in_thread=inline))
    assert await client.plan_steps(RUN, **HEAD) == ()
    assert sent == ["Bearer old", "Bearer new"]


async def test_a_refused_token_that_stayed_the_same_is_not_tried_again(tmp_path):
    file = tmp_path / "token"
    file.write_text("old")
    calls: list[Call] = []
    token = TokenFile(file, in_thread=inline)
    assert isinstance(await failure(httpx.Response(401), token=token, calls=calls), Unauthorized)
    assert [call.code for call in calls] == ["401"]


async def test_every_request_is_observed():
    calls: list[Call] = []
    await client_for(httpx.Response(200, json=[]), calls=calls).plan_steps(RUN, **HEAD)
    (call,) = calls
    assert (call.account, call.family, call.operation) == ("acme", "processing", "plan_steps")
    assert (call.code, call.purpose) == ("200", Purpose.HEAD)
    assert call.seconds >= 0
    assert call.waited >= 0


async def test_the_servers_clock_is_learned_from_any_answer():
    headers = {"Date": "Fri, 20 Nov 2026 10:02:00 GMT"}
    client = client_for(httpx.Response(404, headers=headers))
    assert client.skew == timedelta()
    with pytest.raises(NotFound):
        await client.plan_steps(RUN, **HEAD)
    assert abs(client.skew - timedelta(seconds=120.5)) < timedelta(seconds=0.1)
    assert client.server_now() == NOW + client.skew


async def test_a_senseless_date_leaves_the_clock_as_it_was():
    client = client_for(httpx.Response(200, json=[], headers={"Date": "yesterday"}))
    await client.plan_steps(RUN, **HEAD)
    assert client.skew == timedelta()
