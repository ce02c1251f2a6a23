"""Tokens of a service account on virtual time: asked for once, in time, and never shown."""

import json
from base64 import b64encode
from datetime import timedelta
from itertools import count

import anyio
import httpx
import pytest
from structlog.testing import capture_logs

from tests.threads import inline
from tmcwatch.api.asking import Call
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client
from tmcwatch.api.errors import ApiError, Throttled, TokenProblem, Unauthorized, Unavailable
from tmcwatch.api.service_account import ServiceAccount
from tmcwatch.api.token import TokenFile, TokenText
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import AccountName, ExecutionId

pytestmark = pytest.mark.uncounted

TOKEN_PATH = "/security/oauth/token"
SECRET = "s3cr/t+value"
AMPLE = dict.fromkeys(Family, 1e6)


class Tmc:
    """Gives tokens in turn and admits those it gave and has not revoked."""

    def __init__(self, *, expires_in="1800", token_seconds=0.01):
        self.expires_in = expires_in
        self.token_seconds = token_seconds
        self.secret = SECRET
        self.failing: list[httpx.Response] = []
        self.good: set[str] = set()
        self.given_at: list[float] = []
        self.asked: list[tuple[str, str]] = []
        self.refused = 0

    async def __call__(self, request):
        if request.url.path == TOKEN_PATH:
            return await self._token(request)
        await anyio.sleep(0.01)
        shown = request.headers["authorization"].removeprefix("Bearer ")
        self.asked.append((request.url.path, shown))
        if shown in self.good:
            return httpx.Response(200, json=[])
        self.refused += 1
        return httpx.Response(401, json={"detail": f"not {shown}"})

    async def _token(self, request):
        self.given_at.append(anyio.current_time())
        await anyio.sleep(self.token_seconds)
        if self.failing:
            return self.failing[0] if len(self.failing) == 1 else self.failing.pop(0)
        basic = b64encode(f"an-id:{self.secret}".encode()).decode()
        if request.headers["authorization"] != f"Basic {basic}":
            return httpx.Response(401)
        token = f"token-{len(self.given_at)}"
        self.good.add(token)
        told = {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in}
        return httpx.Response(200, json=told)


def client_of(tmc, now, *, secret=None, budget=None, calls=None):
    return Client(
        AccountName("acme"),
        base_url="https://tmc.example",
        http=http_client(httpx.MockTransport(tmc)),
        budget=budget or Budget(1, now=now, random=lambda: 0.5, ceilings=AMPLE),
        token=ServiceAccount(
            id="an-id",
            secret=secret or TokenText(SECRET, what="secret"),
            audience="https://tmc.example",
        ),
        now=now,
        observe=(calls if calls is not None else []).append,
    )


NUMBERS = count()


async def ask(client):
    """Ask for something else each time, as equal questions share an answer."""
    return await client.plan_steps(ExecutionId(str(next(NUMBERS))), purpose=Purpose.HEAD)


async def failure(client) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await ask(client)
    return caught.value


async def ask_for(client, seconds, *, every=10.0):
    """Ask on a beat; answers with the errors."""
    errors = []
    end = anyio.current_time() + seconds
    while anyio.current_time() < end:
        try:
            await ask(client)
        except ApiError as error:
            errors.append(error)
        await anyio.sleep(every)
    return errors


async def test_many_askers_at_once_cause_one_token_request(now):
    tmc = Tmc(token_seconds=5)
    client = client_of(tmc, now)
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask, client)
    assert len(tmc.given_at) == 1
    assert {shown for _, shown in tmc.asked} == {"token-1"}
    assert len(tmc.asked) == 50


@pytest.mark.parametrize(("expires_in", "every"), [("3600", 1500), ("600", 500), ("60", 30)])
async def test_a_token_is_renewed_before_it_ends(now, expires_in, every):
    tmc = Tmc(expires_in=expires_in)
    assert not await ask_for(client_of(tmc, now), 3.02 * every, every=every / 100)
    gaps = [later - at for at, later in zip(tmc.given_at, tmc.given_at[1:], strict=False)]
    assert gaps == pytest.approx([every] * 3, rel=0.02)
    assert tmc.refused == 0


async def test_nobody_waits_for_a_renewal_while_the_old_token_serves(now):
    tmc = Tmc()
    client = client_of(tmc, now)
    await ask(client)
    await anyio.sleep(1510)
    tmc.token_seconds = 15
    waits = []

    async def timed():
        began = anyio.current_time()
        await ask(client)
        waits.append(anyio.current_time() - began)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(timed)
    assert len(tmc.given_at) == 2
    assert sum(wait < 1 for wait in waits) == 19


async def test_a_storm_of_refusals_causes_one_token_request(now):
    tmc = Tmc()
    client = client_of(tmc, now)
    await ask(client)
    await anyio.sleep(60)
    tmc.good.clear()
    async with anyio.create_task_group() as tasks:
        for _ in range(40):
            tasks.start_soon(ask, client)
    assert len(tmc.given_at) == 2
    # Each had its old token when they all set out, and none sent it a second time.
    assert (tmc.refused, len(tmc.asked)) == (40, 81)


async def test_a_token_refused_again_and_again_is_not_renewed_for_every_call(now):
    tmc = Tmc()
    client = client_of(tmc, now)
    await ask(client)
    tmc.good = admits_nobody()
    errors = await ask_for(client, 600, every=1)
    assert all(type(error) is Unauthorized for error in errors)
    assert len(errors) > 500
    assert len(tmc.given_at) <= 32


def admits_nobody():
    class Nobody(set[str]):
        def add(self, _):
            """Give a token that is refused all the same."""

    return Nobody()


async def test_while_no_other_token_is_to_be_had_the_old_one_serves_to_its_end(now):
    tmc = Tmc()
    client = client_of(tmc, now)
    await ask(client)
    tmc.failing = [httpx.Response(503)]
    with capture_logs() as logs:
        assert not await ask_for(client, 1790, every=5)
    requests = len(tmc.given_at) - 1
    assert 5 <= requests <= 9
    assert [line["event"] for line in logs] == ["token_not_renewed"] * requests
    error = await failure_after(client, 20)
    assert type(error) is Unavailable
    tmc.failing = []
    await anyio.sleep(61)
    await ask(client)


async def failure_after(client, seconds):
    await anyio.sleep(seconds)
    return await failure(client)


async def test_a_refused_token_without_another_says_why_there_is_none(now):
    tmc = Tmc()
    client = client_of(tmc, now)
    await ask(client)
    await anyio.sleep(60)
    tmc.good.clear()
    tmc.failing = [httpx.Response(503)]
    assert str(await failure(client)) == "service account: 503 Service Unavailable"
    tmc.failing = [httpx.Response(401)]
    assert type(await failure_after(client, 10)) is TokenProblem
    tmc.failing = []
    await anyio.sleep(20)
    await ask(client)


async def test_a_refused_token_is_not_sent_again_and_again_while_the_next_is_throttled(now):
    tmc = Tmc()
    client = client_of(tmc, now)
    await ask(client)
    await anyio.sleep(60)
    tmc.good.clear()
    tmc.failing = [httpx.Response(429, headers={"Retry-After": "100"})]
    assert type(await failure(client)) is Unauthorized
    assert (tmc.refused, len(tmc.given_at)) == (1, 2)


STATUSES = [
    (401, TokenProblem),
    (403, TokenProblem),
    (400, TokenProblem),
    (404, TokenProblem),
    (405, TokenProblem),
    (500, Unavailable),
    (501, Unavailable),
    (503, Unavailable),
    (302, Unavailable),
    (429, Throttled),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
async def test_a_refused_token_request_has_the_type_of_what_it_means(now, status, kind):
    tmc = Tmc()
    tmc.failing = [httpx.Response(status)]
    error = await failure(client_of(tmc, now))
    assert (type(error), error.status) == (kind, status)
    assert str(error).startswith(f"service account: {status} ")
    assert not tmc.asked


async def test_after_a_failure_not_every_call_asks_for_a_token(now):
    tmc = Tmc()
    tmc.failing = [httpx.Response(401)]
    client = client_of(tmc, now)
    errors = await ask_for(client, 600, every=1)
    assert {type(error) for error in errors} == {TokenProblem}
    assert len(set(map(id, errors))) == len(errors)
    assert len(tmc.given_at) < 16


async def test_a_429_of_the_token_endpoint_pauses_its_family_and_is_obeyed(now):
    tmc = Tmc()
    budget = Budget(1, now=now, random=lambda: 0.5)
    client = client_of(tmc, now, budget=budget)
    tmc.failing = [httpx.Response(429, headers={"Retry-After": "100"})]
    error = await failure(client)
    assert isinstance(error, Throttled)
    assert error.retry_after is not None
    assert budget.state()[Family.SECURITY].paused_until is not None
    assert budget.state()[Family.ORCHESTRATION].paused_until is None
    tmc.failing = []
    await ask_for(client, 130, every=1)
    assert tmc.given_at[1] - tmc.given_at[0] >= 100
    assert len(tmc.given_at) == 2


async def test_a_pause_of_the_family_holds_up_no_call_while_the_token_serves(now):
    tmc = Tmc()
    budget = Budget(1, now=now, random=lambda: 0.5, ceilings=AMPLE)
    client = client_of(tmc, now, budget=budget)
    await ask(client)
    await anyio.sleep(1505)
    async with budget.slot(Family.SECURITY, Purpose.AUDIT) as slot:
        slot.throttled(timedelta(minutes=4))
    began = anyio.current_time()
    await ask(client)
    assert anyio.current_time() - began < 1
    assert len(tmc.given_at) == 1
    await anyio.sleep(245)
    await ask(client)
    assert len(tmc.given_at) == 2


async def test_a_full_room_does_not_lock_out_the_token_request(now):
    tmc = Tmc(expires_in="10")
    budget = Budget(1, now=now, random=lambda: 0.5, ceilings=AMPLE)
    client = client_of(tmc, now, budget=budget)
    with anyio.fail_after(600):
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(ask_for, client, 120)
    assert len(tmc.given_at) > 10


async def test_every_token_request_is_observed_as_a_call_of_the_security_family(now):
    calls: list[Call] = []
    tmc = Tmc()
    tmc.failing = [httpx.Response(500)]
    client = client_of(tmc, now, calls=calls)
    await failure(client)
    tmc.failing = []
    await anyio.sleep(6)
    await ask(client)
    shown = [(call.operation, call.family, call.code, call.purpose) for call in calls]
    assert shown[:2] == [
        ("oauth_token", Family.SECURITY, "500", Purpose.HEAD),
        ("oauth_token", Family.SECURITY, "200", Purpose.HEAD),
    ]
    assert shown[2][0] == "plan_steps"


async def test_a_secret_replaced_in_its_file_is_taken_up(now, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    tmc = Tmc()
    client = client_of(tmc, now, secret=TokenFile(file, in_thread=inline, what="secret"))
    await ask(client)
    tmc.secret = "another-secret"
    file.write_text("another-secret")
    assert not await ask_for(client, 4000)
    assert len(tmc.given_at) == 3


async def test_a_secret_file_that_is_missing_is_named(now, tmp_path):
    file = tmp_path / "secret"
    client = client_of(Tmc(), now, secret=TokenFile(file, in_thread=inline, what="secret"))
    error = await failure(client)
    assert isinstance(error, Unauthorized)
    assert str(error) == f"service account: cannot read {file}: No such file or directory"


ODD = [
    (b"", "not JSON"),
    (b"[1]", "no token in it"),
    (b'{"access_token": 5}', "no token in it"),
    (b'{"access_token": "se cret"}', "characters that no token has"),
    (b'{"access_token": ""}', "is empty"),
]


@pytest.mark.parametrize(("body", "said"), ODD)
async def test_an_answer_without_a_usable_token_is_no_answer(now, body, said):
    tmc = Tmc()
    tmc.failing = [httpx.Response(200, content=body)]
    error = await failure(client_of(tmc, now))
    assert isinstance(error, Unavailable)
    assert said in str(error)
    assert "se cret" not in str(error)


BASIC = b64encode(f"an-id:{SECRET}".encode()).decode()


@pytest.mark.parametrize("secret", [SECRET, BASIC])
async def test_what_a_refusal_quotes_of_the_secret_is_shown_nowhere(now, secret):
    tmc = Tmc()
    told = {"message": f"not {secret}", "requestId": secret}
    tmc.failing = [
        httpx.Response(401, json=told),
        httpx.Response(403, text=f"Authorization: {secret}"),
        httpx.Response(500, content=json.dumps([secret]).replace("/", r"\/")),
    ]
    client = client_of(tmc, now)
    with capture_logs() as logs:
        errors = [await failure_after(client, 70) for _ in range(3)]
    text = repr(logs) + "".join(f"{error} {error!r} {vars(error)}" for error in errors)
    assert "***" in text
    for hidden in (SECRET, BASIC, SECRET.replace("/", r"\/"), BASIC.replace("/", r"\/")):
        assert hidden not in text


async def test_nothing_that_holds_the_secret_or_the_token_shows_it(now):
    client = client_of(Tmc(), now)
    await ask(client)
    token = client._asker._token
    shown = repr(token) + repr(token._grant) + repr(token._service_account)
    shown += repr(token._service_account.credential(SECRET))
    assert "token-1" not in shown
    assert SECRET not in shown
    assert BASIC not in shown


async def test_a_call_that_is_cancelled_leaves_the_renewal_to_the_next(now):
    tmc = Tmc(token_seconds=30)
    client = client_of(tmc, now)
    with anyio.move_on_after(5):
        await ask(client)
    tmc.token_seconds = 0.01
    await ask(client)
    assert len(tmc.given_at) == 2
