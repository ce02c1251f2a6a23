"""Apprise against a server that answers as Slack does, over real sockets."""

from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
import apprise
import httpx
import pytest
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.slack import NotifySlack
from pydantic import ValidationError

from tests.receiving import Receiver
from tmcwatch.delivering import words_for
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.message import Message
from tmcwatch.notifiers import NotifierError, Outside, Receipt, build, check, options_of
from tmcwatch.notifiers import apprise as apprise_kind

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
TOKEN = "TIiajkdnlazkcOXrIdevi7FQ"
SLACK = f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}"


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Slack:
    """Keeps what is posted, and answers `ok` unless told otherwise."""

    def __init__(self) -> None:
        self.receiver = Receiver(answer=b"ok")

    @property
    def posted(self) -> list[dict[str, Any]]:
        return [received.json for received in self.receiver.received]

    @property
    def attachment(self) -> dict[str, str]:
        (post,) = self.posted
        (attachment,) = post["attachments"]
        return dict(attachment)


@pytest.fixture
def slack(monkeypatch):
    slack = Slack()
    with slack.receiver.open():
        url = f"http://{slack.receiver.address}/services"
        monkeypatch.setattr(NotifySlack, "webhook_url", url)
        yield slack


def outside() -> Outside:
    return Outside(http=httpx.AsyncClient, in_thread=anyio.to_thread.run_sync, now=lambda: TEN)


def alert(
    name: str,
    *,
    id_: str = "3f2a910d17aa4e55",
    over: bool = False,
    error: str = "boom",
    **labels: str,
) -> Alert:
    return Alert(
        id=AlertId(id_),
        rule="failed",
        severity=Severity.WARNING,
        labels={"environment": "PROD", "workspace": "finance", "name": name, **labels},
        annotations={"error": error, "link": "https://tmc.example.org/run?a=1&b=2"},
        starts_at=TEN,
        ends_at=TEN if over else None,
        end_reason=EndReason.RECOVERED if over else None,
        opened_at=TEN,
        changed_at=TEN,
    )


async def tell(*alerts: Alert, url: str = SLACK) -> Receipt:
    message = Message(
        key="key-1",
        receiver="oncall",
        group_key="g",
        group_labels={},
        alerts=alerts,
        created_at=TEN,
    )
    notifier = build("apprise", options_of("apprise").model_validate([url]), outside())
    try:
        return await notifier.send(message, words_for(message, time_zone=UTC))
    finally:
        await notifier.aclose()


async def test_a_failure_reaches_slack_as_a_person_reads_it(slack):
    receipt = await tell(alert("load_customers"))
    (received,) = slack.receiver.received
    assert received.path == f"/services/T1JJ3T3L2/A1BRTD4JD/{TOKEN}"
    assert slack.attachment["title"] == "FAILED: load_customers (PROD / finance) [3f2a91]"
    assert slack.attachment["text"].splitlines() == [
        "since 10:00 UTC · warning",
        "error: boom",
        "open in TMC: https://tmc.example.org/run?a=1&amp;b=2",
        "",
        "message key-1",
    ]
    assert slack.attachment["footer"] == "tmcwatch"
    assert receipt.text == "accepted by Slack"


async def test_a_recovery_has_another_colour(slack):
    await tell(alert("a"))
    await tell(alert("a", over=True))
    colours = [post["attachments"][0]["color"] for post in slack.posted]
    assert colours[0] != colours[1]


@pytest.mark.parametrize("query", ["", "?format=markdown", "?format=text"])
async def test_hostile_names_reach_slack_as_text(slack, query):
    hostile = "<!channel> & <https://evil|x> @ann \u202egpj\x1b[31m"
    await tell(alert(hostile), alert("b", error=hostile), url=f"{SLACK}{query}")
    text = slack.attachment["text"].replace("<https://tmc.example.org/run?a=1&amp;b=2|", "")
    title = slack.attachment["title"]
    assert text.count("&lt;\N{WORD JOINER}!channel&gt;") == 2
    assert "@\N{WORD JOINER}ann" in text
    assert not any(bad in title + text for bad in ("<", "\u202e", "\x1b", "&amp;lt;", "@ann"))
    # Without Markdown asterisks are asterisks.
    assert slack.posted[0]["mrkdwn"] is (query == "?format=markdown")


async def test_a_huge_error_reaches_slack_cut(slack):
    many = [alert(f"task_{n}", id_=f"{n:016x}", error="é" * 1_000_000) for n in range(30)]
    await tell(*many)
    assert len(slack.attachment["text"]) < 15_000
    assert "And 10 more: 10 firing." in slack.attachment["text"]


@pytest.mark.parametrize(
    ("status", "answer"), [(403, b"invalid_token"), (500, b""), (200, b"no_service")]
)
async def test_what_slack_refuses_is_to_be_tried_again(slack, status, answer):
    slack.receiver.status, slack.receiver.answer = status, answer
    with pytest.raises(NotifierError, match=f"^Slack: .*{status}") as caught:
        await tell(alert("a"))
    assert not caught.value.permanent
    assert TOKEN not in caught.value.text


async def test_a_slack_that_is_away_is_to_be_tried_again(monkeypatch):
    monkeypatch.setattr(NotifySlack, "webhook_url", "http://127.0.0.1:9/services")
    with pytest.raises(NotifierError, match=r"Slack: .*onnection"):
        await tell(alert("a"))


async def test_a_service_that_hangs_is_given_up_before_the_send_is(slack):
    slack.receiver.may_answer.clear()
    with anyio.fail_after(5), pytest.raises(NotifierError, match="Slack"):
        await tell(alert("a"), url=f"{SLACK}?rto=0.2&cto=0.2&overflow=split")


async def test_a_part_of_the_url_that_a_service_repeats_is_not_shown(monkeypatch):
    def refuse(self, *_args: object, **_options: object) -> bool:
        self.logger.warning("No channel %s", TOKEN)
        self.logger.warning("See https://example.org/private")
        return False

    monkeypatch.setattr(NotifySlack, "send", refuse)
    with pytest.raises(NotifierError) as caught:
        await tell(alert("a"))
    assert caught.value.text == "Slack: No channel …"


async def test_a_part_of_the_url_that_is_encoded_is_not_shown_in_plain_letters(monkeypatch):
    def refuse(self, *_args: object, **_options: object) -> bool:
        self.logger.warning("Not allowed: on/call user")
        return False

    monkeypatch.setattr(NotifyJSON, "send", refuse)
    with pytest.raises(NotifierError) as caught:
        await tell(alert("a"), url="json://on%2Fcall%20user:secret@example.org/in")
    assert caught.value.text == "JSON: Not allowed: …"


async def test_a_service_that_says_nothing_has_at_least_failed(monkeypatch):
    monkeypatch.setattr(NotifySlack, "send", lambda *_args, **_options: False)
    with pytest.raises(NotifierError, match=r"Slack: not accepted \(failure\)"):
        await tell(alert("a"))


def test_wrong_urls_are_named_by_their_place_and_never_shown():
    options = options_of("apprise").model_validate({"urls": [SLACK, f"slack://{TOKEN}", "no://x"]})
    assert check("apprise", options) == [
        "[1]: slack://…: no service has a URL like this",
        "[2]: no://…: no service has a URL like this",
    ]
    assert TOKEN not in repr(options)


@pytest.mark.parametrize(
    "options", [[], ["no url"], [""], [7], "slack://x", {"urls": []}, {}, {"x": 1}], ids=str
)
def test_options_that_are_no_urls_are_refused(options):
    with pytest.raises(ValidationError):
        options_of("apprise").model_validate(options)


def test_a_text_too_long_for_a_service_is_cut_and_not_refused():
    service = apprise_kind._service(SLACK)
    assert service.overflow_mode == apprise.OverflowMode.TRUNCATE
    assert (service.socket_read_timeout, service.socket_connect_timeout) == (10, 5)
