"""The webhook and the log: what each does besides what every kind does."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import certifi
import httpx
import pytest
import structlog
from pydantic import ValidationError

from tests.threads import inline
from tmcwatch import notifiers
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.message import Message, Words
from tmcwatch.domain.storm import StormFacts
from tmcwatch.notifiers import NotifierError, Outside, build, check, options_of, targets

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
SECRET = "hunter2secret"
URL = f"https://user:{SECRET}@hooks.example.org/in/{SECRET}/path?key={SECRET}"
WORDS = Words(title="FAILED: load", text="text", markdown="markdown", html="html")


@pytest.fixture
def anyio_backend():
    return "asyncio"


def alert(name: str = "load", *, over: bool = False, **annotations: str) -> Alert:
    return Alert(
        id=AlertId(f"id-{name}"),
        rule="failed",
        severity=Severity.WARNING,
        labels={"alertname": "failed", "account": "acme", "name": name},
        annotations={"summary": "it failed", **annotations},
        starts_at=TEN,
        ends_at=TEN + timedelta(minutes=9) if over else None,
        end_reason=EndReason.RECOVERED if over else None,
        opened_at=TEN,
        changed_at=TEN,
    )


def message(*alerts: Alert) -> Message:
    return Message(
        key="key-1",
        receiver="oncall",
        group_key="g",
        group_labels={"account": "acme"},
        alerts=alerts or (alert(),),
        told_before=2,
        created_at=TEN,
        external_url="https://watch.example.org",
    )


def outside(answer=None) -> Outside:
    def client() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    return Outside(http=client, in_thread=inline, now=lambda: TEN)


class Endpoint:
    """An HTTP endpoint that keeps what it is sent."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(200)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def told(self, *alerts: Alert, **options: object) -> notifiers.Receipt:
        return await self.sent(message(*alerts), **options)

    async def sent(self, one: Message, **options: object) -> notifiers.Receipt:
        model = options_of("webhook").model_validate({"url": URL, **options})
        webhook = build("webhook", model, outside(self))
        try:
            return await webhook.send(one, WORDS)
        finally:
            await webhook.aclose()


async def failure(*answers: httpx.Response | Exception, **options: object) -> NotifierError:
    with pytest.raises(NotifierError) as caught:
        await Endpoint(*answers).told(**options)
    assert SECRET not in repr(caught.value) + str(caught.value) + caught.value.text
    return caught.value


def body_of(endpoint: Endpoint) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(endpoint.requests[0].content)
    return body


async def test_a_webhook_tells_in_alertmanagers_format():
    endpoint = Endpoint()
    receipt = await endpoint.told(alert("a", link="https://run"), alert("b", over=True))
    body = body_of(endpoint)
    ours = body.pop("tmcwatch")
    first, second = body.pop("alerts")
    assert body == {
        "version": "4",
        "groupKey": "g",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "oncall",
        "groupLabels": {"account": "acme"},
        "commonLabels": {"account": "acme", "alertname": "failed"},
        "commonAnnotations": {"summary": "it failed"},
        "externalURL": "https://watch.example.org",
    }
    assert (first["status"], first["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")
    assert second["endsAt"] == "2026-11-20T10:09:00Z"
    assert ours["endReasons"] == {"id-b": "recovered"}
    assert receipt.text == "200 from hooks.example.org"


async def test_a_webhook_says_of_an_alert_what_alertmanager_says():
    endpoint = Endpoint()
    await endpoint.told(alert("a", link="https://run"))
    assert body_of(endpoint)["alerts"] == [
        {
            "status": "firing",
            "labels": {"alertname": "failed", "account": "acme", "name": "a"},
            "annotations": {"summary": "it failed", "link": "https://run"},
            "startsAt": "2026-11-20T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://run",
            "fingerprint": "id-a",
        }
    ]


async def test_a_webhook_says_what_a_summary_does_not_list():
    counts = {"rule": {"failed": 10}}
    storm = StormFacts(since=TEN, firing=9, over=1, recovered=1, counts=counts)
    endpoint = Endpoint()
    told = replace(message(alert("a"), alert("b")), storm=storm)
    updates, repeats = frozenset({AlertId("id-b")}), frozenset({AlertId("id-a")})
    await endpoint.sent(replace(told, updates=updates, repeats=repeats))
    body = body_of(endpoint)
    ours = body["tmcwatch"]
    assert (body["truncatedAlerts"], ours["updates"], ours["repeats"]) == (8, ["id-b"], ["id-a"])
    began = {"since": "2026-11-20T10:00:00Z"}
    assert ours["storm"] == began | {"firing": 9, "over": 1, "recovered": 1, "counts": counts}


async def test_a_webhook_carries_the_key_and_the_headers_wanted():
    endpoint = Endpoint()
    await endpoint.told(headers={"X-Token": "x", "idempotency-key": "other"})
    headers = endpoint.requests[0].headers
    assert headers.get_list("Idempotency-Key") == ["key-1"]
    assert headers["X-Token"] == "x"
    assert headers["Content-Type"] == "application/json"


async def test_a_webhook_posts_hostile_texts_as_valid_json_and_cuts_them():
    endpoint = Endpoint()
    await endpoint.told(alert("a\ud800", error="x" * 1_000_000))
    (told,) = body_of(endpoint)["alerts"]
    assert told["labels"]["name"] == "a?"
    assert len(told["annotations"]["error"]) == 10_000
    assert b"\\ud800" not in endpoint.requests[0].content


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_other_answers_ask_for_another_attempt(status):
    error = await failure(httpx.Response(status, headers={"Retry-After": "soon"}))
    assert (error.permanent, error.retry_after) == (False, None)
    assert error.text == f"hooks.example.org: answered {status}"


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("120", 120),
        ("Fri, 20 Nov 2026 10:05:00 GMT", 300),
        ("Fri, 20 Nov 2026 09:00:00 GMT", 0),
        ("Fri, 20 Nov 2026 10:05:00", None),
        ("", None),
    ],
    ids=["seconds", "date", "past", "without zone", "nothing"],
)
async def test_a_wish_to_wait_is_understood(text, wait):
    error = await failure(httpx.Response(429, headers={"Retry-After": text}))
    assert error.retry_after == (None if wait is None else timedelta(seconds=wait))


async def test_a_wish_to_wait_counts_only_where_it_has_a_meaning():
    error = await failure(httpx.Response(500, headers={"Retry-After": "9"}))
    assert error.retry_after is None


async def test_a_redirect_is_not_followed_and_says_so():
    error = await failure(httpx.Response(302, headers={"Location": "https://evil.example.org"}))
    assert error.permanent
    assert error.text == "hooks.example.org: 302: it redirects elsewhere, which is not followed"


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (httpx.ConnectTimeout(URL), "connect timeout"),
        (httpx.ConnectError(URL), "connect error"),
        (httpx.RemoteProtocolError(URL), "remote protocol error"),
    ],
    ids=["timeout", "connection", "protocol"],
)
async def test_a_network_that_fails_asks_for_another_attempt(problem, text):
    error = await failure(problem)
    assert (error.text, error.permanent) == (f"hooks.example.org: {text}", False)


async def test_an_answer_that_repeats_our_secrets_is_shown_without_them():
    text = f"no such hook /in/{SECRET}/path, token {SECRET}\x00\x1b[31m {'x' * 999}"
    error = await failure(httpx.Response(404, text=text), headers={"Authorization": SECRET})
    assert "no such hook" in error.text
    assert len(error.text) < 300
    assert error.text.isprintable()


@pytest.mark.parametrize(
    ("url", "quoted"),
    [
        (f"https://hooks.example.org/in?channel=ops&key={SECRET}&to=all", SECRET),
        (f"https://hooks.example.org/in;v=1/{SECRET};a=b", SECRET),
        ("https://user:hunter2%2Fsecret@hooks.example.org/in", "hunter2/secret"),
        ("https://hooks.example.org/in?key=hunter2%3Dsecret", "hunter2=secret"),
        ("https://hooks.example.org/hunter2%20secret", "hunter2 secret"),
    ],
    ids=["among others in a query", "with parameters", "password", "in a query", "in a path"],
)
async def test_an_answer_that_repeats_a_part_of_the_address_is_shown_without_it(url, quoted):
    error = await failure(httpx.Response(404, text=f"what is {quoted}?"), url=url)
    assert error.text == "hooks.example.org: answered 404: what is …?"


async def endless():
    while True:
        yield b"x" * 10_000


async def broken():
    yield b"half an ans"
    raise httpx.ReadError("gone")


@pytest.mark.parametrize("content", [endless, broken])
async def test_an_answer_is_read_only_so_far(content):
    assert "answered 500" in (await failure(httpx.Response(500, content=content()))).text


async def test_an_accepted_message_is_accepted_whatever_its_answer_does():
    receipt = await Endpoint(httpx.Response(202, content=endless())).told()
    assert receipt.text == "202 from hooks.example.org"


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://x"},
        {"url": "https://"},
        {"url": "https://x:0/"},
        {"url": "https://x:99999/"},
        {"url": "https://x/\n"},
        {"url": URL, "headers": {"a b": "c"}},
        {"url": URL, "headers": {"a": "c\nd"}},
        {"url": URL, "timeout": 10},
        {"url": URL, "timeout": "0s"},
        {"url": URL, "timeout": "1h"},
        {"url": URL, "more": 1},
    ],
    ids=str,
)
def test_wrong_options_of_a_webhook_are_refused(options):
    with pytest.raises(ValidationError):
        options_of("webhook").model_validate(options)


def test_a_timeout_of_a_webhook_is_written_as_a_duration():
    for written in ("2.5s", "2500ms", timedelta(seconds=2.5)):
        options = options_of("webhook").model_validate({"url": URL, "timeout": written})
        assert options.model_dump()["timeout"] == timedelta(seconds=2.5)


@pytest.mark.parametrize("options", [{"verify": False}, {"ca_file": "CA"}], ids=str)
async def test_a_webhook_may_trust_another_authority(options):
    options = {key: certifi.where() if value == "CA" else value for key, value in options.items()}
    model = options_of("webhook").model_validate({"url": "http://127.0.0.1:9/", **options})
    assert check("webhook", model) == []
    webhook = build("webhook", model, outside())
    with pytest.raises(NotifierError, match="connect error"):
        await webhook.send(message(), WORDS)
    await webhook.aclose()


def test_a_missing_or_empty_authority_is_a_problem(tmp_path):
    empty = tmp_path / "ca.pem"
    for path in (tmp_path / "none.pem", empty):
        model = options_of("webhook").model_validate({"url": URL, "ca_file": path})
        (problem,) = check("webhook", model)
        assert problem.startswith(f"ca_file: {path}: ")
        empty.write_text("")


async def test_the_log_tells_one_line_per_alert():
    with structlog.testing.capture_logs() as lines:
        options = options_of("log").model_validate({"level": "warning"})
        log = build("log", options, outside())
        receipt = await log.send(message(alert("a", error="boom"), alert("b", over=True)), WORDS)
        await log.aclose()
    assert [(line["log_level"], line["status"]) for line in lines] == [
        ("warning", "firing"),
        ("warning", "resolved"),
    ]
    assert (lines[0]["error"], receipt.text) == ("boom", "2 written")
    moments = [(line["starts_at"], line["ends_at"]) for line in lines]
    assert moments == [
        ("2026-11-20T10:00:00Z", None),
        ("2026-11-20T10:00:00Z", "2026-11-20T10:09:00Z"),
    ]


def test_each_apprise_url_is_a_target_of_its_own():
    options = options_of("apprise").model_validate(["json://a", "json://b"])
    assert [name for name, _ in targets("apprise", options)] == ["apprise-0", "apprise-1"]
    assert check("log", options_of("log")()) == []
    assert targets("log", options_of("log")()) == (("log", options_of("log")()),)


def test_a_kind_is_imported_only_when_it_is_used():
    code = "import sys; from tmcwatch.notifiers import options_of as o; o('apprise')"
    code += "; print('apprise' in sys.modules)"
    # In a process of its own, because this one has imported it.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
