"""The simulator gives tokens to its service account as TMC's contract and help say."""

from datetime import timedelta

import pytest

from tests.simulator.conftest import RUNS, pass_time
from tests.simulator.test_contract import assert_keeps

PATH = "/security/oauth/token"
HERE = "http://tmc"
HALF_AN_HOUR = timedelta(minutes=30).total_seconds()


async def asked(made, *, secret="demo-secret", **body):
    told = {"audience": HERE, "grant_type": "client_credentials"} | body
    return await made.api.post(PATH, json=told, auth=("demo-id", secret))


async def token_of(made):
    answer = await asked(made)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def status_with(made, token):
    answer = await made.api.get(RUNS, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


async def test_the_answer_keeps_to_the_contract(bench):
    answer = await asked(bench())
    assert_keeps("security", "TokenResponse", answer.json())
    assert answer.json()["expires_in"] == "3600"


@pytest.mark.parametrize("speed", [1, 10])
async def test_a_token_lasts_half_an_hour_of_simulated_time(bench, speed):
    made = bench(speed=speed)
    token = await token_of(made)
    await pass_time((HALF_AN_HOUR - 20) / speed)
    assert await status_with(made, token) == 200
    await pass_time(20 / speed)
    assert await status_with(made, token) == 401


async def test_several_tokens_are_good_at_once_besides_the_lasting_one(bench):
    made = bench()
    first = await token_of(made)
    await pass_time(600)
    second = await token_of(made)
    assert first != second
    assert [await status_with(made, each) for each in (first, second, "demo")] == [200] * 3
    await pass_time(HALF_AN_HOUR - 600)
    assert [await status_with(made, each) for each in (first, second)] == [401, 200]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"secret": "wrong"}, 401),
        ({"grant_type": "password"}, 400),
        ({"audience": "https://api.us.cloud.talend.com"}, 400),
        ({"audience": None}, 400),
    ],
)
async def test_a_wrong_request_is_refused(bench, wrong, status):
    answer = await asked(bench(), **wrong)
    assert answer.status_code == status
    assert "access_token" not in answer.text


@pytest.mark.parametrize("audience", [f"{HERE}/", "https://api.eu.cloud.talend.com/"])
async def test_a_slash_at_the_end_of_the_audience_does_no_harm(bench, audience):
    assert (await asked(bench(), audience=audience)).status_code == 200


@pytest.mark.parametrize("content", [b"", b"grant_type=client_credentials", b"[]"])
async def test_what_is_no_object_of_json_is_refused(bench, content):
    answer = await bench().api.post(PATH, content=content, auth=("demo-id", "demo-secret"))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "authorization", ["", "Basic", "Basic é", "Basic ZGVtbw==", "Bearer demo"]
)
async def test_without_id_and_secret_there_is_no_token(bench, authorization):
    headers = {"Authorization": authorization.encode("latin-1")}
    answer = await bench().api.post(PATH, json={}, headers=headers)
    assert answer.status_code == 401


async def test_a_changed_secret_is_the_only_one_and_tokens_can_be_taken_back(bench):
    made = bench()
    token = await token_of(made)
    made.simulator.service_account.secret = "another"
    assert (await asked(made)).status_code == 401
    assert (await asked(made, secret="another")).status_code == 200
    made.simulator.tokens.revoke()
    assert await status_with(made, token) == 401


async def test_the_journal_holds_no_secret(bench):
    made = bench()
    body = {"client_secret": "demo-secret"}
    answer = await made.api.post(
        f"{PATH}?client_secret=demo-secret", json=body, auth=("demo-id", "demo-secret")
    )
    assert answer.status_code == 400
    token = await token_of(made)
    told = (await made.control.get("/requests")).text
    assert PATH in told
    assert "demo-secret" not in told
    assert token not in told


async def test_a_broken_token_endpoint_leaves_the_others_alone(bench):
    made = bench()
    token = await token_of(made)
    made.simulator.faults.put("error", on=PATH, status=503)
    assert (await asked(made)).status_code == 503
    assert await status_with(made, token) == 200
