"""What every built-in kind of notifier does, over real sockets; a further kind adds a case."""

import io
import logging
import socket
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
import anyio.to_thread
import httpx
import pytest
import structlog

from tests.receiving import Received, Receiver
from tmcwatch import notifiers
from tmcwatch.delivering import words_for
from tmcwatch.domain.alert import Alert, AlertId, Severity
from tmcwatch.domain.message import Message
from tmcwatch.notifiers import NotifierError, Outside
from tmcwatch.telemetry.logs import LIBRARIES, configure

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
SECRET = "hunter2secret"
PATIENT, HASTY = 10, 0.2
"""Seconds that a receiver has to answer."""
PERMANENT, TEMPORARY, AUTHENTICATION = "permanent", "temporary", "authentication"
KEY = "a-key-of-a-message"
HOSTILE = (
    "<script>alert(1)</script><!channel> *b* [x](http://evil) \x1b[31m\x00\ud800 \u202egpj\u2066"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind, and what is to be expected of it."""

    kind: str
    options: Callable[[str, float], object]
    """What the config says, for an address and the seconds that a receiver has to answer."""
    refusals: Mapping[int, str]
    """How an answer is understood; none where nobody can refuse."""
    seen_twice: Callable[[Received], object] = lambda received: received.headers["Idempotency-Key"]
    """What shows to an idempotent receiver that it gets a message again."""
    answer: bytes = b"{}"
    """What its receiver answers as it accepts."""


KEEPERS_REFUSALS = {
    **dict.fromkeys((400, 403, 404, 410), PERMANENT),
    401: AUTHENTICATION,
    **dict.fromkeys((429, 500, 503), TEMPORARY),
}
CASES = (
    Case(
        kind="alertmanager",
        options=lambda address, seconds: {
            "urls": [f"http://{address}/{SECRET}"],
            "username": "me",
            "password": SECRET,
            "headers": {"X-Key": f"Key {SECRET}"},
            "timeout": f"{seconds}s",
        },
        refusals={
            **dict.fromkeys((400, 404, 410), PERMANENT),
            **dict.fromkeys((401, 403), AUTHENTICATION),
            **dict.fromkeys((429, 500, 503), TEMPORARY),
        },
        seen_twice=lambda received: (received.path, received.body),
    ),
    Case(
        kind="apprise",
        options=lambda address, seconds: [
            f"json://me:{SECRET}@{address}/{SECRET}?+X-Key={SECRET}&rto={seconds}&cto={seconds}"
        ],
        # Apprise says only that it failed.
        refusals=dict.fromkeys((400, 401, 403, 404, 410, 429, 500, 503), TEMPORARY),
    ),
    Case(kind="log", options=lambda _address, _seconds: {"level": "info"}, refusals={}),
    Case(
        kind="services_api",
        options=lambda address, seconds: {
            "host": address,
            "task_id": 4711,
            "access_token_id": "chain",
            "access_token_secret": SECRET,
            "timeout": f"{min(seconds, 9)}s",
        },
        refusals=KEEPERS_REFUSALS | {403: AUTHENTICATION},
        seen_twice=lambda received: (received.method, received.path, received.body),
    ),
    Case(
        kind="tallyfy",
        options=lambda address, seconds: {
            "url": f"http://{address}",
            "org_id": "a1b2c3",
            "task_id": "d4e5f6",
            "token": SECRET,
            "timeout": f"{min(seconds, 9)}s",
        },
        refusals=KEEPERS_REFUSALS,
        seen_twice=lambda received: (received.method, received.path, received.body),
    ),
    Case(
        kind="webhook",
        options=lambda address, seconds: {
            "url": f"http://me:{SECRET}@{address}/{SECRET}?key={SECRET}",
            "headers": {"X-Key": f"Key {SECRET}"},
            "hmac_secret": SECRET,
            "timeout": f"{seconds}s",
        },
        refusals={
            **dict.fromkeys((400, 404, 410), PERMANENT),
            **dict.fromkeys((401, 403), AUTHENTICATION),
            **dict.fromkeys((429, 500, 503), TEMPORARY),
        },
    ),
)
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
REFUSING = pytest.mark.parametrize(
    "case", [case for case in CASES if case.refusals], ids=lambda case: case.kind
)
IDEMPOTENT = pytest.mark.parametrize(
    "case",
    [case for case in CASES if notifiers.is_idempotent(case.kind)],
    ids=lambda case: case.kind,
)


@pytest.fixture
def anyio_backend():
    return "asyncio"


class WithoutTls(httpx.AsyncHTTPTransport):
    """A network that ends TLS: what speaks nothing else is understood by a plain receiver."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http")
        return await super().handle_async_request(request)


class World:
    """A receiver, the log, and what a notifier took from the outside."""

    def __init__(self) -> None:
        self.receiver = Receiver()
        self.log = io.StringIO()
        self.clients: list[httpx.AsyncClient] = []

    def built(
        self, case: Case, *, seconds: float = PATIENT, address: str = ""
    ) -> notifiers.Notifier:
        self.receiver.answer = self.receiver.answer or case.answer
        written = case.options(address or self.receiver.address, seconds)
        options = notifiers.options_of(case.kind).model_validate(written)
        assert notifiers.check(case.kind, options) == []
        ((_, only),) = notifiers.targets(case.kind, options)
        outside = Outside(http=self.http, in_thread=anyio.to_thread.run_sync, now=lambda: TEN)
        return notifiers.build(case.kind, only, outside)

    def http(self) -> httpx.AsyncClient:
        self.clients.append(httpx.AsyncClient(transport=WithoutTls()))
        return self.clients[-1]

    def arrived(self, case: Case) -> str:
        """Answer with all that whoever is told gets to see."""
        bodies = b"".join(received.body for received in self.receiver.received)
        return self.log.getvalue() if case.kind == "log" else bodies.decode()


@pytest.fixture
def world():
    world = World()
    libraries = [logging.getLogger(name) for name in LIBRARIES]
    before = [(library.handlers, library.propagate) for library in libraries]
    configure("info", "json", stream=world.log, clock=lambda: TEN)
    with world.receiver.open():
        yield world
    structlog.reset_defaults()
    for library, (handlers, propagate) in zip(libraries, before, strict=True):
        library.handlers, library.propagate = handlers, propagate


async def tell(notifier: notifiers.Notifier, **annotations: str) -> notifiers.Receipt:
    name = annotations.pop("name", "load_customers")
    alert = Alert(
        id=AlertId("an-alert"),
        rule="failed",
        severity=Severity.WARNING,
        labels={"environment": "PROD", "workspace": "finance", "kind": "task", "name": name},
        annotations={"summary": f"task {name} failed", "error": "boom", **annotations},
        starts_at=TEN,
        ends_at=None,
        end_reason=None,
        opened_at=TEN,
        changed_at=TEN,
    )
    message = Message(
        key=KEY, receiver="team", group_key="g", group_labels={}, alerts=(alert,), created_at=TEN
    )
    return await notifier.send(message, words_for(message, time_zone=UTC))


async def refused(notifier: notifiers.Notifier) -> NotifierError:
    with anyio.fail_after(8), pytest.raises(NotifierError) as caught:
        await tell(notifier)
    await notifier.aclose()
    error = caught.value
    assert error.text.isprintable()
    assert SECRET not in f"{error!r} {error} {error.text}"
    return error


def decision_of(error: NotifierError) -> str:
    if error.authentication:
        return AUTHENTICATION
    return PERMANENT if error.permanent else TEMPORARY


def test_every_built_in_kind_has_a_case():
    assert [case.kind for case in CASES] == sorted(notifiers._BUILT_IN)


@EVERY
async def test_it_gives_a_receipt_without_secrets(world, case):
    notifier = world.built(case)
    receipt = await tell(notifier)
    await notifier.aclose()
    assert 0 < len(receipt.text) < 200
    assert receipt.text.isprintable()
    assert SECRET not in receipt.text + world.log.getvalue()
    assert "load_customers" in world.arrived(case)


@pytest.mark.parametrize(
    ("case", "status"),
    [(case, status) for case in CASES for status in case.refusals],
    ids=lambda value: value.kind if isinstance(value, Case) else str(value),
)
async def test_a_refusal_tells_whether_another_attempt_helps(world, case, status):
    world.receiver.status = status
    world.receiver.answer = f"no: /{SECRET}?key={SECRET} \x1b[31m{SECRET}".encode()
    error = await refused(world.built(case))
    assert decision_of(error) == case.refusals[status]
    assert str(status) in error.text
    assert SECRET not in world.log.getvalue()


@REFUSING
async def test_a_receiver_that_is_away_is_tried_again(world, case):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = await refused(world.built(case, address=f"127.0.0.1:{port}"))
    assert decision_of(error) == TEMPORARY
    assert SECRET not in world.log.getvalue()


@REFUSING
async def test_a_receiver_that_does_not_answer_is_given_up_in_time(world, case):
    world.receiver.may_answer.clear()
    notifier = world.built(case, seconds=HASTY)
    began = anyio.current_time()
    assert decision_of(await refused(notifier)) == TEMPORARY
    assert anyio.current_time() - began < 5
    assert world.receiver.received


@EVERY
async def test_closing_it_closes_what_it_opened(world, case):
    notifier = world.built(case)
    await tell(notifier)
    assert not any(client.is_closed for client in world.clients)
    await notifier.aclose()
    await notifier.aclose()
    assert all(client.is_closed for client in world.clients)


@EVERY
async def test_hostile_texts_arrive_escaped_and_cut(world, case):
    notifier = world.built(case)
    await tell(notifier, name=HOSTILE, error=HOSTILE * 20_000, link=f"javascript:{HOSTILE}")
    await notifier.aclose()
    arrived = world.arrived(case)
    assert "alert(1)" in arrived
    assert len(arrived) < 50_000
    categories = {unicodedata.category(character) for character in arrived if character != "\n"}
    assert not categories & {"Cc", "Cf", "Cs"}


@EVERY
def test_its_options_show_no_secret(world, case):
    written = case.options(world.receiver.address, PATIENT)
    options = notifiers.options_of(case.kind).model_validate(written)
    assert options.__doc__
    assert SECRET not in f"{options!r} {options} {options.model_dump_json()}"
    assert SECRET not in repr(world.built(case))


@IDEMPOTENT
async def test_a_receiver_can_tell_that_a_message_is_sent_again(world, case):
    notifier = world.built(case)
    for _ in range(2):
        await tell(notifier)
    await notifier.aclose()
    first, second = map(case.seen_twice, world.receiver.received)
    assert first == second
