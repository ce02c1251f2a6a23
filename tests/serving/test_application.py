"""What each endpoint answers."""

import anyio
import pytest

from tests.serving.daemon import CHANGER, READER
from tmcwatch.serving import application
from tmcwatch.serving.exchange import LARGEST_BODY
from tmcwatch.serving.operations import Unavailable

BOTH = (READER, CHANGER)


async def test_metrics_are_answered_as_the_scraper_accepts_them(ask):
    answer = await ask("GET", "/metrics")
    assert answer.text == "tmcwatch_up 1.0\n"
    assert answer.headers["content-type"] == "text/plain; accept=*/*"


@pytest.mark.parametrize("path", ["/-/healthy", "/livez"])
async def test_a_daemon_that_answers_is_healthy(ask, path):
    answer = await ask("GET", path)
    assert (answer.status_code, answer.json()) == (200, {"healthy": True, "reasons": []})


@pytest.mark.parametrize("path", ["/-/ready", "/readyz"])
async def test_readiness_follows_the_health(ask, health, path):
    answer = await ask("GET", path)
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": ["starting", "store: not open yet"]}
    health.started()
    health.store_works()
    assert (await ask("GET", path)).status_code == 200


async def test_a_stale_list_is_named(ask):
    answer = await ask("GET", "/-/fresh")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["account prod: tasks: never read"]


async def test_head_answers_like_get(ask):
    for path in ("/metrics", "/livez", "/api/v1/status"):
        assert (await ask("HEAD", path)).status_code == 200


async def test_readings_are_answered_in_json(ask):
    assert (await ask("GET", "/api/v1/status")).json() == {"version": "1.2.3"}


@pytest.mark.parametrize("path", ["/api/v1/transitions", "/api/v1/deliveries"])
async def test_lists_are_as_long_as_asked_for(ask, path):
    assert (await ask("GET", path)).json() == [{"limit": 100}]
    assert (await ask("GET", f"{path}?limit=7")).json() == [{"limit": 7}]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many", "", "²", "9" * 5000])
async def test_a_limit_out_of_bounds_is_refused(ask, limit):
    answer = await ask("GET", "/api/v1/transitions", params={"limit": limit})
    assert answer.status_code == 400
    assert answer.json() == {"error": "limit: a number from 1 to 1000 is needed"}


async def test_a_good_configuration_is_reloaded(ask):
    answer = await ask("POST", "/-/reload", tokens=BOTH, token=CHANGER)
    assert (answer.status_code, answer.json()) == (200, {"reloaded": True})


async def test_a_bad_configuration_is_refused_with_its_problems(ask):
    async def reload():
        return ["tmcwatch.yaml:3: unknown key"]

    answer = await ask("POST", "/-/reload", tokens=BOTH, token=CHANGER, doing={"reload": reload})
    assert answer.status_code == 422
    assert answer.json() == {"reloaded": False, "problems": ["tmcwatch.yaml:3: unknown key"]}


async def follow(ask, **request):
    return await ask("POST", "/api/v1/promotions", tokens=BOTH, token=CHANGER, **request)


async def test_promotions_are_listed(ask):
    answer = await ask("GET", "/api/v1/promotions")
    assert answer.json() == [{"execution": "e1", "phase": "running"}]


async def test_a_promotion_is_followed_once(ask):
    answer = await follow(ask, json={"account": "prod", "execution": "e1"})
    content = {"account": "prod", "execution": "e1", "watching": True}
    assert (answer.status_code, answer.json()) == (202, content)
    assert (await follow(ask, json={"execution": "known"})).status_code == 200


async def test_a_promotion_that_makes_no_sense_is_refused_with_the_reason(ask):
    answer = await follow(ask, json={"account": "nobody", "execution": "e1"})
    text = "no account is named 'nobody'; there are: prod"
    assert (answer.status_code, answer.json()) == (400, {"error": text})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"execution": 1}', b'{"execution": "e1", "to": "all"}']
)
async def test_a_body_that_names_no_promotion_is_refused(ask, body):
    answer = await follow(ask, content=body)
    assert answer.status_code == 400
    assert "error" in answer.json()


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 401), (READER, 403)])
async def test_to_follow_a_promotion_needs_a_token_that_may_change(ask, token, status):
    body = {"execution": "e1"}
    answer = await ask("POST", "/api/v1/promotions", tokens=BOTH, token=token, json=body)
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/api/v1/deliveries/pending", "/api/v1/deliveries/dead"])
async def test_letters_are_listed_of_all_receivers_or_of_one(ask, path):
    assert (await ask("GET", path)).json() == [{"receiver": None, "limit": 100}]
    answer = await ask("GET", f"{path}?receiver=oncall&limit=7")
    assert answer.json() == [{"receiver": "oncall", "limit": 7}]
    assert (await ask("GET", f"{path}?receiver=nobody")).status_code == 404
    assert (await ask("GET", f"{path}?limit=0")).status_code == 400
    misspelt = await ask("GET", f"{path}?reciever=oncall")
    assert (misspelt.status_code, misspelt.json()["error"]) == (
        400,
        "reciever: not known; allowed: receiver, limit",
    )


async def replay(ask, **request):
    path = "/api/v1/deliveries/replay"
    return await ask("POST", path, tokens=BOTH, token=CHANGER, **request)


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ({"ids": ["a", "b"]}, {"ids": ["a", "b"], "receiver": None}),
        ({"receiver": "oncall"}, {"ids": None, "receiver": "oncall"}),
        ({"all": True}, {"ids": None, "receiver": None}),
    ],
    ids=["ids", "receiver", "all"],
)
async def test_dead_letters_are_replayed_by_id_by_receiver_or_all(ask, body, meant):
    answer = await replay(ask, json=body)
    assert (answer.status_code, answer.json()) == (200, meant)


async def test_a_letter_that_is_not_known_is_named(ask):
    answer = await replay(ask, json={"ids": ["a", "unknown"]})
    assert answer.status_code == 404
    assert answer.json() == {"error": "no delivery has the id unknown"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"ids": []}',
        b'{"ids": [1]}',
        b'{"ids": ["\\ud800"]}',
        b'{"ids": "a"}',
        b'{"receiver": ""}',
        b'{"receiver": "\\ud800"}',
        b'{"all": false}',
        b'{"all": 1}',
        b'{"all": true, "receiver": "oncall"}',
        b'{"ids": ["a"], "receiver": "oncall"}',
    ],
)
async def test_a_body_that_does_not_say_what_to_replay_is_refused(ask, body):
    answer = await replay(ask, content=body)
    assert answer.status_code == 400
    assert "error" in answer.json()


async def tell(ask, **request):
    return await ask("POST", "/api/v1/notify-test", tokens=BOTH, token=CHANGER, **request)


async def test_a_test_message_is_sent_to_the_receiver_named(ask):
    answer = await tell(ask, json={"receiver": "oncall"})
    assert (answer.status_code, answer.json()["accepted"]) == (200, True)


async def test_an_unknown_receiver_is_not_found(ask):
    answer = await tell(ask, json={"receiver": "nobody"})
    assert (answer.status_code, answer.json()["error"]) == (404, "no receiver named nobody")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="empty"),
        pytest.param(b'{"receiver": ""}', id="no-name"),
        pytest.param(b'{"receiver": 1}', id="number"),
        pytest.param(b'{"receiver": "oncall", "to": "all"}', id="more"),
        pytest.param(b"[" * 60_000, id="deep"),
    ],
)
async def test_a_body_that_names_no_receiver_is_refused(ask, body):
    answer = await tell(ask, content=body)
    assert answer.status_code == 400
    assert "error" in answer.json()


async def asked_by(app, receive):
    """Post without a client, so that the body may arrive as badly as `receive` wants."""
    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"authorization", f"Bearer {CHANGER.secret}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/notify-test", "headers": headers}
    await app(scope | {"query_string": b"", "root_path": ""}, receive, send)
    return sent[0]["status"]


async def test_a_body_that_does_not_arrive_is_waited_for_only_so_long(operations):
    app = application.application(operations, lambda: BOTH)
    assert await asked_by(app, anyio.sleep_forever) == 408


async def test_a_body_too_long_is_not_read_to_its_end(operations):
    read = []

    async def endless():
        read.append(16 * 1024)
        return {"type": "http.request", "body": b" " * read[-1], "more_body": True}

    assert await asked_by(application.application(operations, lambda: BOTH), endless) == 413
    assert sum(read) <= LARGEST_BODY + 16 * 1024


async def test_a_body_cut_off_is_refused(operations):
    async def cut():
        return {"type": "http.disconnect"}

    assert await asked_by(application.application(operations, lambda: BOTH), cut) == 400


async def test_an_unknown_path_is_answered_in_json(ask):
    for path in ("/", "/api/v1/", "/metrics/", "/-/reload/"):
        answer = await ask("GET", path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"}), path


async def test_a_wrong_method_is_answered_with_the_right_one(ask):
    answer = await ask("GET", "/-/reload")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
    assert answer.headers["allow"] == "POST"


async def test_a_store_that_cannot_be_read_is_unavailable(ask):
    async def status():
        raise Unavailable("store: disk full")

    answer = await ask("GET", "/api/v1/status", doing={"status": status})
    assert (answer.status_code, answer.json()) == (503, {"error": "store: disk full"})


async def test_a_bug_is_answered_without_its_details(ask):
    async def status():
        raise ValueError("token=hunter2")

    answer = await ask("GET", "/api/v1/status", doing={"status": status}, raises=False)
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error"})
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_every_answer_says_how_a_browser_must_treat_it(ask):
    for path in ("/metrics", "/livez", "/nowhere"):
        headers = (await ask("GET", path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-frame-options"] == "DENY"
