"""E-mail by Apprise against a real mail server: what arrives, and what a refusal tells."""

import io
import logging
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio.to_thread
import httpx
import pytest
import structlog

from tests.contracts.certificates import authority
from tests.contracts.mail_server import Mail, MailServer
from tests.delivering.hostile import WORST
from tmcwatch.delivering import words_for
from tmcwatch.delivering.samples import SAMPLES
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.message import Message
from tmcwatch.notifiers import Notifier, NotifierError, Outside, Receipt, build, options_of
from tmcwatch.telemetry.logs import LIBRARIES, configure

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
PASSWORD = "hunter2secret"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def log():
    """Log as the daemon does."""
    stream = io.StringIO()
    libraries = [logging.getLogger(name) for name in LIBRARIES]
    before = [(library.handlers, library.propagate, library.level) for library in libraries]
    configure("info", "json", stream=stream, clock=lambda: TEN)
    yield stream
    structlog.reset_defaults()
    for library, (handlers, propagate, level) in zip(libraries, before, strict=True):
        library.handlers, library.propagate = handlers, propagate
        library.setLevel(level)


@pytest.fixture
def server():
    server = MailServer()
    with server.open():
        yield server


def built(server: MailServer, *, login: str = "", query: str = "") -> Notifier:
    address = f"{login}@{server.address}" if login else server.address
    url = f"mailto://{address}?from=tmcwatch@example.org&to=ops@example.org{query}"
    outside = Outside(http=httpx.AsyncClient, in_thread=anyio.to_thread.run_sync, now=lambda: TEN)
    return build("apprise", options_of("apprise").model_validate([url]), outside)


async def tell(
    server: MailServer, message: Message, *, login: str = "", query: str = ""
) -> Receipt:
    notifier = built(server, login=login, query=query)
    return await notifier.send(message, words_for(message, time_zone=UTC))


def about(name: str, error: str = "boom") -> Message:
    alert = Alert(
        id=AlertId("3f2a910d17aa4e55"),
        rule="failed",
        severity=Severity.WARNING,
        labels={"environment": "PROD", "workspace": "finance", "name": name},
        annotations={"error": error},
        starts_at=TEN,
        opened_at=TEN,
        changed_at=TEN,
    )
    return Message(
        key="key-1",
        receiver="ops",
        group_key="g",
        group_labels={},
        alerts=(alert,),
        created_at=TEN,
    )


def only(server: MailServer) -> Mail:
    (mail,) = server.mails
    return mail


async def test_a_mail_says_the_same_in_text_and_in_html(server):
    receipt = await tell(server, SAMPLES["failure"])
    mail = only(server)
    assert mail.recipients == ["ops@example.org"]
    assert mail.message["Subject"].startswith(
        "[CRITICAL] FAILED: load_customers (PROD / finance) ["
    )
    assert mail.message.get_content_type() == "multipart/alternative"
    text, html = mail.part("plain"), mail.part("html")
    assert "PROD / finance · since 02:02 UTC" in text
    assert "\nerror: java.io.IOException: No space left on device" in text
    assert "\nrunbook: https://wiki.example.org/runbooks/load_customers\n" in text
    assert 'href="https://wiki.example.org/runbooks/load_customers"' in html
    assert receipt.text == "accepted by E-Mail"


async def test_a_mail_is_dated_and_goes_from_whom_the_url_says(server):
    await tell(server, about("load"))
    message = only(server).message
    assert abs(parsedate_to_datetime(message["Date"]) - datetime.now(UTC)).total_seconds() < 60
    assert "tmcwatch@example.org" in message["From"]
    assert message["Message-ID"]
    assert message["Auto-Submitted"] == "auto-generated"


async def test_what_is_critical_is_important_until_it_is_over(server):
    await tell(server, SAMPLES["failure"])
    await tell(server, about("load"))
    assert [mail.message["Importance"] for mail in server.mails] == ["high", "normal"]


async def test_mails_about_one_alert_are_one_thread(server):
    fired = about("load")
    ended = replace(fired.alerts[0], ends_at=TEN, end_reason=EndReason.RECOVERED)
    await tell(server, fired)
    await tell(server, replace(fired, key="key-2", alerts=(ended,)))
    first, second = (mail.message for mail in server.mails)
    assert first["References"] == second["References"] == "<3f2a91@tmcwatch.invalid>"
    assert first["Subject"].endswith("[3f2a91]")
    assert second["Subject"] == "RECOVERED: load (PROD / finance) [3f2a91]"
    assert (first["X-Tmcwatch-Message"], second["X-Tmcwatch-Message"]) == ("key1", "key2")


@pytest.mark.uncounted
async def test_another_attempt_tells_only_those_who_have_not_got_it(server):
    notifier = built(server, query=",late@example.org,other@example.org")
    words = words_for(about("load"), time_zone=UTC)
    server.refused = {"late@example.org"}
    with pytest.raises(NotifierError, match="450") as caught:
        await notifier.send(about("load"), words)
    assert not caught.value.permanent
    server.refused = set()
    await notifier.send(about("load"), words)
    await notifier.send(replace(about("load"), key="key-2"), words)
    told = [mail.recipients[0].partition("@")[0] for mail in server.mails]
    assert told == ["ops", "other", "late", "ops", "late", "other"]


async def test_names_in_any_script_arrive(server):
    await tell(server, about("données_客户 🚀"))
    mail = only(server)
    assert mail.message["Subject"] == "FAILED: données_客户 🚀 (PROD / finance) [3f2a91]"
    assert "données_客户 🚀" in mail.part("plain")
    assert "données_客户 🚀" in mail.part("html")


@pytest.mark.parametrize("name", WORST, ids=range(len(WORST)))
async def test_no_name_makes_a_header_or_a_tag(server, name):
    await tell(server, about("load"))
    await tell(server, about(name, error=name))
    calm, told = (mail.message for mail in server.mails)
    assert told.keys() == calm.keys()
    assert told["To"] == calm["To"]
    assert len(str(told["Subject"]).splitlines()) == 1
    assert "<script" not in server.mails[1].part("html")
    assert len(server.mails[1].content) < 40_000


@pytest.mark.parametrize(
    ("refusals", "reply", "permanent"),
    [
        ({"RCPT": "550 5.1.1 no such user"}, "550", True),
        ({"DATA": "554 5.7.1 not wanted here"}, "554", True),
        ({"RCPT": "450 4.2.0 greylisted, come back"}, "450", False),
        ({"DATA": "452 4.3.1 disk full"}, "452", False),
    ],
)
async def test_a_refusal_says_what_the_server_replied(server, refusals, reply, permanent):
    server.refusals = refusals
    with pytest.raises(NotifierError, match=f"^E-Mail: the server replied {reply} ") as caught:
        await tell(server, about("load"))
    assert caught.value.permanent is permanent
    assert not caught.value.authentication
    assert server.mails == []


async def test_a_server_that_is_away_is_tried_again():
    with pytest.raises(NotifierError, match=r"E-Mail: .*onnection") as caught:
        await tell(MailServer(address="127.0.0.1:9"), about("load"))
    assert not caught.value.permanent


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_a_wrong_password_is_told_as_one_and_not_shown(log):
    server = MailServer(password=b"another")
    with server.open(), pytest.raises(NotifierError, match="535") as caught:
        await tell(server, about("load"), login=f"me:{PASSWORD}")
    assert caught.value.authentication
    assert PASSWORD not in caught.value.text + log.getvalue()


async def test_the_way_may_be_encrypted_and_want_a_password(tmp_path, monkeypatch):
    trusted = authority(tmp_path, "mail")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.certificate))
    server = MailServer(password=PASSWORD.encode(), tls=trusted.server("127.0.0.1"))
    with server.open():
        await tell(server, about("load"), login=f"me:{PASSWORD}", query="&mode=starttls")
    assert only(server).message["Subject"].startswith("FAILED: load")
