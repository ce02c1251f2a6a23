"""The mirror in Alertmanager: what it states, to whom, and how bad alerts are found."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from tests.domain.telling import alert
from tests.threads import inline
from tmcwatch import notifiers
from tmcwatch.domain.alert import Attention
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import NotifierError, Outside
from tmcwatch.notifiers.alertmanager.options import Options

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
WORDS = Words(title="1 alert", text="", markdown="", html="")
URL = "http://alerts.example.org"


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Api:
    """Alertmanager as far as it is asked: it refuses whole requests that name a bad alert."""

    def __init__(self, *bad: str, status: int = 200) -> None:
        self.bad = set(bad)
        self.status = status
        self.requests: list[httpx.Request] = []
        self.taken: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        alerts = json.loads(request.content)
        if self.status != 200:
            return httpx.Response(self.status, text="no")
        if any(one["labels"]["name"] in self.bad for one in alerts):
            return httpx.Response(400, text="invalid label set")
        self.taken += alerts
        return httpx.Response(200)


def options(**changes):
    return Options.model_validate({"urls": [URL]} | changes)


async def push(api, *alerts, link="", **changes):
    outside = Outside(
        http=lambda: httpx.AsyncClient(transport=httpx.MockTransport(api)),
        in_thread=inline,
        now=lambda: TEN,
    )
    ((_, part),) = notifiers.targets("alertmanager", options(**changes))
    notifier = notifiers.build("alertmanager", part, outside)
    message = Message(
        key="k",
        receiver="team",
        group_key="g",
        group_labels={},
        alerts=alerts,
        created_at=TEN,
        external_url=link,
    )
    try:
        return await notifier.send(message, WORDS)
    finally:
        await notifier.aclose()


async def test_what_fires_ends_by_itself_unless_it_is_pushed_again():
    api = Api()
    one = alert("a", starts_at=TEN, annotations={"link": "https://tmc.example.org/run?id=1"})
    receipt = await push(api, one)
    assert receipt.text == "1 accepted by alerts.example.org"
    assert str(api.requests[0].url) == f"{URL}/api/v2/alerts"
    assert api.taken == [
        {
            "labels": {"alertname": "failed", "name": "a"},
            "annotations": {"link": "https://tmc.example.org/run?id=1", "alert_id": "a"},
            "startsAt": "2026-11-20T10:00:00Z",
            "endsAt": "2026-11-20T10:04:00Z",
            "generatorURL": "https://tmc.example.org/run?id=1",
        }
    ]


async def test_where_nothing_is_left_it_asks_whether_it_is_taken():
    api = Api()
    assert (await push(api)).text == "0 accepted by alerts.example.org"
    assert [request.content for request in api.requests] == [b"[]"]
    with pytest.raises(NotifierError, match="answered 401"):
        await push(Api(status=401))


async def test_what_is_over_ends_when_it_did():
    api = Api()
    await push(api, alert("a", starts_at=TEN, ends_at=TEN + timedelta(seconds=9)))
    assert api.taken[0]["endsAt"] == "2026-11-20T10:00:09Z"


async def test_nothing_ends_before_it_began_whatever_the_clocks_say():
    api = Api()
    await push(api, alert("a", starts_at=TEN + timedelta(hours=1)))
    assert api.taken[0]["endsAt"] == api.taken[0]["startsAt"]


async def test_names_that_prometheus_does_not_know_are_mended_and_empty_labels_left_out():
    api = Api()
    labels = {"name": "a", "my-team": "x", "1st": "y", "environment": ""}
    await push(api, alert("a", labels=labels))
    assert api.taken[0]["labels"] == {
        "alertname": "failed", "name": "a", "my_team": "x", "_1st": "y"
    }  # fmt: skip


@pytest.mark.parametrize(
    "link", ["", "javascript:alert(1)", "https://", "https://[::1", "https://a/%zz", "https://a b"]
)
async def test_where_an_alert_has_no_sound_link_it_links_to_us(link):
    api = Api()
    await push(api, alert("a", annotations={"link": link}), link="https://watch.example.org")
    assert api.taken[0]["generatorURL"] == "https://watch.example.org"


@pytest.mark.parametrize(
    ("until", "said"), [(None, "ann"), (TEN + timedelta(hours=1), "ann"), (TEN, None)], ids=str
)
async def test_who_is_on_it_is_said(until, said):
    api = Api()
    attention = Attention(acknowledged_by="ann", acknowledged_at=TEN, acknowledged_until=until)
    await push(api, alert("a", attention=attention))
    assert api.taken[0]["annotations"].get("acknowledged_by") == said


async def test_a_bad_alert_loses_none_of_the_others():
    api = Api("a13", "a77")
    with pytest.raises(NotifierError) as caught:
        await push(api, *(alert(f"a{number}") for number in range(500)))
    assert len(api.taken) == 498
    assert len(api.requests) < 40
    assert caught.value.permanent
    assert caught.value.text == "alerts.example.org: answered 400: invalid label set"


async def test_a_receiver_that_refuses_everything_is_not_asked_a_thousand_times():
    api = Api(*(f"a{number}" for number in range(500)))
    with pytest.raises(NotifierError):
        await push(api, *(alert(f"a{number}") for number in range(500)))
    assert len(api.requests) == 64


async def test_another_refusal_is_not_looked_into():
    api = Api(status=404)
    with pytest.raises(NotifierError, match="404"):
        await push(api, alert("a"), alert("b"))
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"username": "me", "password": "pw"}, "Basic bWU6cHc="),
        ({"bearer_token": "abc"}, "Bearer abc"),
        ({"headers": {"Authorization": "Key abc"}}, "Key abc"),
        ({"urls": ["http://me:pw@alerts.example.org"]}, "Basic bWU6cHc="),
        ({}, None),
    ],
    ids=["password", "token", "header", "address", "nothing"],
)
async def test_it_logs_in_as_it_is_told(given, sent):
    api = Api()
    await push(api, alert("a"), **given)
    assert api.requests[0].headers.get("Authorization") == sent


async def test_an_address_may_have_a_path():
    api = Api()
    await push(api, alert("a"), urls=["https://example.org/alerts/"])
    assert api.requests[0].url.path == "/alerts/api/v2/alerts"


def test_each_peer_is_a_target_of_its_own():
    parts = notifiers.targets("alertmanager", options(urls=[URL, "http://b.example.org"]))
    assert [name for name, _ in parts] == ["alertmanager-0", "alertmanager-1"]
    urls = [part.model_dump()["urls"][0].get_secret_value() for _, part in parts]
    assert urls == [URL, "http://b.example.org"]


@pytest.mark.parametrize(
    ("given", "seconds", "lasts"),
    [
        ({}, 60, 240),
        ({"every": "30s"}, 30, 120),
        ({"every": "2m", "valid_for": "1h30m"}, 120, 5400),
    ],
    ids=["usual", "more often", "longer"],
)
def test_how_often_it_is_pushed_and_how_long_that_holds(given, seconds, lasts):
    found = options(**given)
    assert notifiers.mirrored_every("alertmanager", found) == timedelta(seconds=seconds)
    assert found.lasts == timedelta(seconds=lasts)


def test_other_kinds_are_told_messages():
    assert notifiers.mirrored_every("log", notifiers.options_of("log")()) is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"urls": []}, "at least one address"),
        ({"urls": ["alerts.example.org"]}, "must be an address"),
        ({"username": "me"}, "given together"),
        ({"username": "me", "password": "pw", "bearer_token": "abc"}, "one of"),
        ({"bearer_token": "abc", "headers": {"authorization": "x"}}, "one of"),
        ({"every": "500ms"}, "1s to 1h"),
        ({"every": "1m", "valid_for": "90s"}, "at least 2 times"),
        ({"valid_for": "25h"}, "at most 24h"),
        ({"every": "often"}, "a duration"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(given, problem):
    with pytest.raises(ValidationError, match=problem):
        options(**given)
